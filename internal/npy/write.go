package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Writer writes rows of float32. Close completes the header, which needs the number of rows.
type Writer struct {
	w         io.WriteSeeker
	buffered  *bufio.Writer
	rows, dim int
	scratch   []byte
}

// NewWriter starts an array with dim columns at the beginning of w.
func NewWriter(w io.WriteSeeker, dim int) (*Writer, error) {
	if dim < 0 {
		return nil, fmt.Errorf("npy: number of columns: negative (got %d)", dim)
	}
	n := &Writer{w: w, buffered: bufio.NewWriterSize(w, chunk), dim: dim}
	_, err := n.buffered.Write(n.header())
	return n, err
}

// header returns a version 1 header of 128 bytes, a multiple of 64 as the format asks for. The
// description is padded to 117 characters, which is enough for two numbers of 19 digits, so that a
// header with more rows can overwrite one with fewer.
func (n *Writer) header() []byte {
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", n.rows, n.dim)
	return fmt.Appendf(nil, "%s\x01\x00%c\x00%-117s\n", magic, 118, text)
}

// Append writes one row.
func (n *Writer) Append(row []float32) error {
	if len(row) != n.dim {
		return fmt.Errorf("npy: row %d: wrong number of columns (got %d, want %d)", n.rows, len(row), n.dim)
	}
	n.scratch = n.scratch[:0]
	for _, x := range row {
		n.scratch = binary.LittleEndian.AppendUint32(n.scratch, math.Float32bits(x))
	}
	n.rows++
	_, err := n.buffered.Write(n.scratch)
	return err
}

// Close writes what is buffered and the final header. It does not close the underlying file.
func (n *Writer) Close() error {
	if err := n.buffered.Flush(); err != nil {
		return err
	}
	if _, err := n.w.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, writing := n.w.Write(n.header())
	_, err := n.w.Seek(0, io.SeekEnd)
	return errors.Join(writing, err)
}
