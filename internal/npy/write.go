package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Writer writes a table of float32 whose number of rows is known only at the end: Close goes back and writes it into the
// header.
type Writer struct {
	w         io.WriteSeeker
	buffered  *bufio.Writer
	rows, dim int
	scratch   []byte
}

// NewWriter starts a table of dim columns at the beginning of w.
func NewWriter(w io.WriteSeeker, dim int) (*Writer, error) {
	if dim < 0 {
		return nil, fmt.Errorf("npy: %d columns", dim)
	}
	n := &Writer{w: w, buffered: bufio.NewWriterSize(w, chunk), dim: dim}
	_, err := n.buffered.Write(formatHeader(0, dim))
	return n, err
}

// Append writes one row.
func (n *Writer) Append(row []float32) error {
	if len(row) != n.dim {
		return fmt.Errorf("npy: row %d has %d columns, the table %d", n.rows, len(row), n.dim)
	}
	n.scratch = appendRow(n.scratch[:0], row)
	if _, err := n.buffered.Write(n.scratch); err != nil {
		return err
	}
	n.rows++
	return nil
}

// Close completes the file. It does not close what it was written to.
func (n *Writer) Close() error {
	if err := n.buffered.Flush(); err != nil {
		return err
	}
	if _, err := n.w.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, writing := n.w.Write(formatHeader(n.rows, n.dim))
	_, err := n.w.Seek(0, io.SeekEnd)
	return errors.Join(writing, err)
}

// Write writes a table of rows x dim numbers, row after row, to something that cannot go back.
func Write(w io.Writer, rows, dim int, data []float32) error {
	if rows < 0 || dim < 0 || len(data) != rows*dim {
		return fmt.Errorf("npy: %d numbers for %d x %d", len(data), rows, dim)
	}
	buffered := bufio.NewWriterSize(w, chunk)
	if _, err := buffered.Write(formatHeader(rows, dim)); err != nil {
		return err
	}
	var scratch []byte
	for i := range rows {
		scratch = appendRow(scratch[:0], data[i*dim:(i+1)*dim])
		if _, err := buffered.Write(scratch); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

func appendRow(to []byte, row []float32) []byte {
	for _, x := range row {
		to = binary.LittleEndian.AppendUint32(to, math.Float32bits(x))
	}
	return to
}
