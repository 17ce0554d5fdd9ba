package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Writer writes the values of a stage, little-endian, slices with their lengths first. The first failure stays; Save reports it.
type Writer struct {
	out *bufio.Writer
	err error
}

func (w *Writer) raw(data []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(data)
	}
}

// Int writes a number.
func (w *Writer) Int(n int64) { w.raw(binary.LittleEndian.AppendUint64(nil, uint64(n))) }

// Text writes a text.
func (w *Writer) Text(s string) {
	w.Int(int64(len(s)))
	if w.err == nil {
		_, w.err = w.out.WriteString(s)
	}
}

// Strings writes texts.
func (w *Writer) Strings(all []string) {
	w.Int(int64(len(all)))
	for _, s := range all {
		w.Text(s)
	}
}

// Int32s writes numbers.
func (w *Writer) Int32s(all []int32) { write4(w, all, func(x int32) uint32 { return uint32(x) }) }

// Uint32s writes numbers.
func (w *Writer) Uint32s(all []uint32) { write4(w, all, func(x uint32) uint32 { return x }) }

// Float32s writes numbers, bit for bit.
func (w *Writer) Float32s(all []float32) { write4(w, all, math.Float32bits) }

func write4[T any](w *Writer, all []T, bits func(T) uint32) {
	w.Int(int64(len(all)))
	var buffer [4096]byte
	for len(all) > 0 && w.err == nil {
		n := min(len(all), len(buffer)/4)
		for i, x := range all[:n] {
			binary.LittleEndian.PutUint32(buffer[4*i:], bits(x))
		}
		w.raw(buffer[:4*n])
		all = all[n:]
	}
}

// Int64s writes numbers.
func (w *Writer) Int64s(all []int64) {
	w.Int(int64(len(all)))
	for _, x := range all {
		w.Int(x)
	}
}

// Reader reads what a Writer has written, in the same order. After the first failure everything it returns is zero; Load reports it.
type Reader struct {
	in   *bufio.Reader
	left int64 // bytes
	err  error
}

var errLength = errors.New("a length that goes beyond the end")

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

// length reads the length of a slice whose elements have at least so many bytes.
func (r *Reader) length(bytes int64) int {
	n := r.Int()
	if r.err == nil && (n < 0 || n > r.left/bytes) {
		r.err = errLength
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// Text reads a text.
func (r *Reader) Text() string {
	data := make([]byte, r.length(1))
	r.raw(data)
	return string(data)
}

// Strings reads texts.
func (r *Reader) Strings() []string {
	all := make([]string, r.length(8))
	for i := range all {
		all[i] = r.Text()
	}
	return all
}

// Int32s reads numbers.
func (r *Reader) Int32s() []int32 { return read4(r, func(b uint32) int32 { return int32(b) }) }

// Uint32s reads numbers.
func (r *Reader) Uint32s() []uint32 { return read4(r, func(b uint32) uint32 { return b }) }

// Float32s reads numbers.
func (r *Reader) Float32s() []float32 { return read4(r, math.Float32frombits) }

func read4[T any](r *Reader, of func(uint32) T) []T {
	all := make([]T, r.length(4))
	var buffer [4096]byte
	for at := 0; at < len(all) && r.err == nil; {
		n := min(len(all)-at, len(buffer)/4)
		r.raw(buffer[:4*n])
		for i := range n {
			all[at+i] = of(binary.LittleEndian.Uint32(buffer[4*i:]))
		}
		at += n
	}
	return all
}

// Int64s reads numbers.
func (r *Reader) Int64s() []int64 {
	all := make([]int64, r.length(8))
	for i := range all {
		all[i] = r.Int()
	}
	return all
}
