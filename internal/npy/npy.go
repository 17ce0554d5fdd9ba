// Package npy knows NumPy's .npy format of two-dimensional arrays of numbers.
//
// It reads format versions 1 to 3 with float16, float32 or float64 elements in either byte order
// and in C order (row after row), and writes version 1 with little-endian float32. Anything else is
// refused with an error that names what was found and what to do. It does not know what the numbers
// mean.
//
// Reading needs memory for the rows as float32 and one small buffer. A header that announces more
// rows than the file has costs no more memory than the rows that are there.
//
// The format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html (NEP 1).
package npy

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with a file. An Error wraps one of these.
var (
	ErrFormat    = errors.New("not a NumPy array file")
	ErrVersion   = errors.New("unsupported format version")
	ErrHeader    = errors.New("malformed header")
	ErrType      = errors.New("unsupported element type")
	ErrOrder     = errors.New("unsupported element order")
	ErrShape     = errors.New("not a two-dimensional array")
	ErrTruncated = errors.New("file too short")
	ErrTrailing  = errors.New("data after the array")
	ErrRange     = errors.New("number does not fit into float32")
)

// Error is what is wrong with an array file. An error of the underlying reader is returned as it
// is.
type Error struct {
	Kind   error  // one of the Err values
	Row    int    // the row where it was found; -1 for the header and the whole file
	Detail string // what was found, or what to do
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%v: %s", e.Kind, e.Detail)
	if e.Row >= 0 {
		text = fmt.Sprintf("row %d: %s", e.Row, text)
	}
	return text
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// fileError returns an Error that is not about one row.
func fileError(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Row: -1, Detail: fmt.Sprintf(format, args...)}
}

const magic = "\x93NUMPY"

// Is reports whether data begins like an array file.
func Is(data []byte) bool { return strings.HasPrefix(string(data), magic) }

// Header describes the array in a file.
type Header struct {
	Rows, Dim int

	width     int   // bytes of an element: 2, 4 or 8
	bigEndian bool  // byte order of the elements
	size      int64 // bytes of the header
}

// fileSize is the size in bytes of the whole file: header and rows.
func (h Header) fileSize() int64 { return h.size + int64(h.Rows)*int64(h.Dim)*int64(h.width) }

// announced describes the rows that the header announces.
func (h Header) announced() string {
	return fmt.Sprintf("the header announces %d rows of %d numbers", h.Rows, h.Dim)
}
