package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// chunk is how many bytes are read at once.
const chunk = 256 << 10

// Append reads the rows that h announces from r, which is just behind the header, and appends them to dst, row after row.
// Where dst has the capacity for them nothing else is allocated; otherwise it grows as numbers arrive. Numbers of eight
// bytes are rounded to float32; one that would become infinite by that is an ErrRange. NaN and infinities pass.
func (h Header) Append(dst []float32, r io.Reader) ([]float32, error) {
	convert := converter(h.Type)
	left := h.Rows * h.Dim
	buffer := make([]byte, min(chunk, max(left, 1)*h.Type.Bytes))
	first := len(dst)
	row := func() int { return (len(dst) - first) / max(h.Dim, 1) }
	for left > 0 {
		part := buffer[:min(len(buffer), left*h.Type.Bytes)]
		n, err := io.ReadFull(r, part)
		count := n / h.Type.Bytes
		dst = slices.Grow(dst, count)
		for i := range count {
			x, ok := convert(part[i*h.Type.Bytes:])
			if !ok {
				return nil, &Error{Kind: ErrRange, Row: row(), Detail: fmt.Sprintf("column %d", (len(dst)-first)%h.Dim)}
			}
			dst = append(dst, x)
		}
		left -= count
		if err != nil {
			return nil, early(err, row(), fmt.Sprintf("%d rows of %d numbers were announced", h.Rows, h.Dim))
		}
	}
	return dst, nil
}

// End reports whether r is at its end: an array is all that its file holds. Two arrays in one file are an ErrTrailing,
// because the second would be left out silently.
func End(r io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return &Error{Kind: ErrTrailing, Row: -1, Detail: "one array a file is read"}
}

// Read reads a whole array.
func Read(r io.Reader) (Header, []float32, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return Header{}, nil, err
	}
	data, err := h.Append(nil, r)
	if err != nil {
		return Header{}, nil, err
	}
	return h, data, End(r)
}

// Open opens an array file, reads its header, and compares the length it asks for with the one the file has, so that a
// damaged file is found out before its numbers are read. The caller closes the file, which stands at the first number. What
// is not a regular file, e.g. a pipe, has no length to compare.
func Open(path string) (_ *os.File, _ Header, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Header{}, err
	}
	defer func() {
		if err != nil {
			f.Close() // read from only
		}
	}()
	h, err := ReadHeader(f)
	if err != nil {
		return nil, Header{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, Header{}, err
	}
	if size := info.Size(); info.Mode().IsRegular() && size != h.Size() {
		if size > h.Size() {
			return nil, Header{}, &Error{Kind: ErrTrailing, Row: -1, Detail: fmt.Sprintf("%d rows of %d numbers end %d bytes before it", h.Rows, h.Dim, size-h.Size())}
		}
		row := (size - h.size) / max(int64(h.Dim)*int64(h.Type.Bytes), 1)
		return nil, Header{}, &Error{Kind: ErrTruncated, Row: int(row), Detail: fmt.Sprintf("%d rows of %d numbers were announced", h.Rows, h.Dim)}
	}
	return f, h, nil
}

// converter returns what decodes one number of a type. It reports false for a finite number beyond float32.
func converter(t Type) func([]byte) (float32, bool) {
	var order binary.ByteOrder = binary.LittleEndian
	if t.BigEndian {
		order = binary.BigEndian
	}
	switch t.Bytes {
	case 2:
		return func(b []byte) (float32, bool) { return half(order.Uint16(b)), true }
	case 4:
		if t.BigEndian {
			return func(b []byte) (float32, bool) { return math.Float32frombits(binary.BigEndian.Uint32(b)), true }
		}
		return func(b []byte) (float32, bool) { return math.Float32frombits(binary.LittleEndian.Uint32(b)), true }
	}
	return func(b []byte) (float32, bool) {
		wide := math.Float64frombits(order.Uint64(b))
		x := float32(wide)
		return x, !math.IsInf(float64(x), 0) || math.IsInf(wide, 0)
	}
}

// half is the value of an IEEE 754 binary16: one bit of sign, five of exponent, ten of fraction. Every one of them is a
// float32 exactly.
func half(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero, or subnormal: fraction x 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*(1.0/(1<<24))))
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
