// Package npy reads and writes tables of numbers in NumPy's .npy format: n rows of d numbers each.
//
// It knows the format's versions 1 to 3, floating-point numbers of two, four and eight bytes in either byte order, and
// rows that lie one after the other (C order). Everything else is refused with an error that names what was found and
// what to do. It does not know what the numbers mean: lengths and directions are the caller's concern.
//
// Memory: reading needs the rows themselves, as float32, and one small buffer. A header that claims more rows than
// follow costs no more memory than what does follow.
//
// The format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html (NEP 1).
package npy

import (
	"errors"
	"fmt"
)

// What can be wrong with a file. An Error wraps one of these.
var (
	ErrFormat    = errors.New("not a NumPy array file")
	ErrVersion   = errors.New("unsupported version of the format")
	ErrHeader    = errors.New("broken header")
	ErrType      = errors.New("unsupported element type")
	ErrOrder     = errors.New("columns one after the other (Fortran order)")
	ErrShape     = errors.New("not a table of rows")
	ErrTruncated = errors.New("the file ends early")
	ErrTrailing  = errors.New("the file goes on after the array")
	ErrRange     = errors.New("the number does not fit into float32")
)

// Error is what is wrong with an array file. An error of the reader underneath is passed on instead, as it is.
type Error struct {
	Kind   error  // one of the Err values
	Row    int    // where it was noticed; -1 for the header
	Detail string // what was found, or what to do
}

func (e *Error) Error() string {
	text := e.Kind.Error()
	if e.Row >= 0 {
		text = fmt.Sprintf("row %d: %s", e.Row, text)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// inHeader is an Error of the header.
func inHeader(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Row: -1, Detail: fmt.Sprintf(format, args...)}
}

// Type is how one number is stored.
type Type struct {
	Bytes     int // 2, 4 or 8: IEEE 754 binary16, binary32, binary64
	BigEndian bool
}

// String is the type as NumPy writes it, e.g. "<f4".
func (t Type) String() string {
	order := "<"
	if t.BigEndian {
		order = ">"
	}
	return fmt.Sprintf("%sf%d", order, t.Bytes)
}

// Header says what a file holds.
type Header struct {
	Rows, Dim int
	Type      Type
	size      int64 // of the header itself, in bytes
}

// Size is how many bytes the whole file has: header and rows.
func (h Header) Size() int64 { return h.size + int64(h.Rows)*int64(h.Dim)*int64(h.Type.Bytes) }
