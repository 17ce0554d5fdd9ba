package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// numbersAtOnce is the number of elements of a slice that are encoded at a time.
const numbersAtOnce = 1024

// Writer writes the values of a stage in little-endian order, slices after their lengths. After the
// first error it writes nothing; Save returns the error.
type Writer struct {
	out    *bufio.Writer
	buffer []byte
	err    error
}

func (w *Writer) raw(data []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(data)
	}
}

// Int writes a number.
func (w *Writer) Int(n int64) { w.raw(binary.LittleEndian.AppendUint64(nil, uint64(n))) }

// Int32s writes numbers.
func (w *Writer) Int32s(all []int32) { writeNumbers(w, all) }

// Float32s writes numbers, bit for bit.
func (w *Writer) Float32s(all []float32) { writeNumbers(w, all) }

// Int64s writes numbers.
func (w *Writer) Int64s(all []int64) { writeNumbers(w, all) }

// Bytes writes bytes.
func (w *Writer) Bytes(all []byte) {
	w.Int(int64(len(all)))
	w.raw(all)
}

func writeNumbers[T int32 | float32 | int64](w *Writer, all []T) {
	w.Int(int64(len(all)))
	for some := range slices.Chunk(all, numbersAtOnce) {
		w.buffer, _ = binary.Append(w.buffer[:0], binary.LittleEndian, some) // cannot fail for numbers
		w.raw(w.buffer)
	}
}

// Reader reads the values that a Writer has written, in the same order. After the first error it
// returns zero values; Load returns the error.
type Reader struct {
	in   *bufio.Reader
	left int64 // unread bytes
	err  error
}

var errLength = errors.New("slice longer than the rest of the file")

func (r *Reader) raw(into []byte) {
	if r.err != nil {
		return
	}
	if int64(len(into)) > r.left {
		r.err = io.ErrUnexpectedEOF
		return
	}
	var n int
	n, r.err = io.ReadFull(r.in, into)
	r.left -= int64(n)
}

// Int reads a number.
func (r *Reader) Int() int64 {
	var data [8]byte
	r.raw(data[:])
	if r.err != nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(data[:]))
}

// length reads the length of a slice whose elements have the given number of bytes.
func (r *Reader) length(bytes int) int {
	n := r.Int()
	if r.err == nil && (n < 0 || n > r.left/int64(bytes)) {
		r.err = errLength
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Int32s reads numbers.
func (r *Reader) Int32s() []int32 { return readNumbers[int32](r) }

// Float32s reads numbers.
func (r *Reader) Float32s() []float32 { return readNumbers[float32](r) }

// Int64s reads numbers.
func (r *Reader) Int64s() []int64 { return readNumbers[int64](r) }

// Bytes reads bytes.
func (r *Reader) Bytes() []byte {
	all := make([]byte, r.length(1))
	r.raw(all)
	return all
}

func readNumbers[T int32 | float32 | int64](r *Reader) []T {
	size := binary.Size(T(0))
	all := make([]T, r.length(size))
	buffer := make([]byte, numbersAtOnce*size)
	for some := range slices.Chunk(all, numbersAtOnce) {
		data := buffer[:len(some)*size]
		if r.raw(data); r.err != nil {
			break
		}
		_, r.err = binary.Decode(data, binary.LittleEndian, some)
	}
	return all
}
