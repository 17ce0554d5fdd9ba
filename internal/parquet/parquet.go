// Package parquet reads tables of articles and of vectors from Parquet files and writes tables of labels.
//
// It knows columns: which hold numbers by the list, which hold text, how a time is stored. It does not know what an
// article is: rows become JSON objects, and who reads those decides which names mean what. Two levels are read, values
// and lists of values; deeper structures keep the members that fit and leave out the rest.
//
// Memory: a page of every column that is read, whatever the length of the file, and what is asked for.
//
// The format: parquet.apache.org/docs/file-format.
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	format "github.com/parquet-go/parquet-go"
)

// What can be wrong with a file. Errors of this package wrap one of these, or are the system's.
var (
	ErrFormat    = errors.New("not a Parquet file, or a damaged one")
	ErrColumn    = errors.New("no such column")
	ErrNoVectors = errors.New("no column is a list of floating-point numbers")
	ErrAmbiguous = errors.New("several columns are lists of floating-point numbers")
	ErrRow       = errors.New("unusable row")
)

// Error is what is wrong with a file.
type Error struct {
	Kind   error // one of the Err values
	Row    int   // counted from 0; -1: not of one row
	Detail string
}

func (e *Error) Error() string {
	text := e.Kind.Error()
	if e.Row >= 0 {
		text = fmt.Sprintf("row %d", e.Row)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

const magic = "PAR1"

// Is reports whether data begins like a Parquet file.
func Is(data []byte) bool { return strings.HasPrefix(string(data), magic) }

// File is an open Parquet file.
type File struct {
	Rows    int
	size    int64 // in bytes
	columns []column
	closer  io.Closer
}

// column is a leaf of the schema that can be read.
type column struct {
	*format.Column
	path []string // names down to the value, without the levels that a list is made of
	list bool
	kind format.Kind
}

// Open opens a file and reads its schema.
func Open(path string) (_ *File, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close() // read from only
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	opened, err := New(f, info.Size())
	if err != nil {
		return nil, err
	}
	opened.closer = f
	return opened, nil
}

// New reads the schema of a file of the given size.
func New(r io.ReaderAt, size int64) (_ *File, err error) {
	defer damaged(&err)
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	opened, err := format.OpenFile(r, size, format.SkipPageIndex(true), format.SkipBloomFilters(true))
	if err != nil {
		return nil, &Error{Kind: ErrFormat, Row: -1, Detail: err.Error()}
	}
	if opened.NumRows() < 0 {
		return nil, &Error{Kind: ErrFormat, Row: -1, Detail: "a negative number of rows"}
	}
	file := &File{Rows: int(opened.NumRows()), size: size}
	var walk func(c *format.Column, path []string)
	walk = func(c *format.Column, path []string) {
		if c.Leaf() {
			if c.MaxRepetitionLevel() <= 1 {
				file.columns = append(file.columns, column{c, path, c.MaxRepetitionLevel() == 1, c.Type().Kind()}) // asked here, where a panic is an error
			}
			return
		}
		for _, child := range c.Columns() {
			below := path
			if !listLevel(c, child) {
				below = append(slices.Clone(path), child.Name())
			}
			walk(child, below)
		}
	}
	walk(opened.Root(), nil)
	return file, nil
}

// checkFooter compares the length that a file claims for its footer with its own: the library would allocate whatever is claimed.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	least := int64(len(magic) + len(end))
	if size < least {
		return &Error{Kind: ErrFormat, Row: -1, Detail: fmt.Sprintf("%d bytes", size)}
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if footer := int64(binary.LittleEndian.Uint32(end[:])); footer > size-least {
		return &Error{Kind: ErrFormat, Row: -1, Detail: fmt.Sprintf("a footer of %d bytes in a file of %d", footer, size)}
	}
	return nil
}

// listLevel reports whether a child is one of the two levels that a list is made of: a repeated group in an annotated one, and the
// element in that.
func listLevel(parent, child *format.Column) bool {
	if child.Repeated() {
		return parent.Depth() > 0
	}
	return parent.Repeated() && len(parent.Columns()) == 1
}

// Close closes the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// damaged turns a panic of the library, which takes some of what a file says on trust, into an error.
func damaged(err *error) {
	if p := recover(); p != nil {
		*err = &Error{Kind: ErrFormat, Row: -1, Detail: fmt.Sprint(p)}
	}
}

// numbers reports whether a column is a list of floating-point numbers.
func (c column) numbers() bool {
	return c.list && (c.kind == format.Float || c.kind == format.Double)
}

// name of a column, with dots between levels.
func (c column) name() string { return strings.Join(c.path, ".") }

// VectorColumns are the names of the columns that hold lists of floating-point numbers.
func (f *File) VectorColumns() []string {
	var names []string
	for _, c := range f.columns {
		if c.numbers() {
			names = append(names, c.name())
		}
	}
	return names
}

// Columns are the names of all columns that can be read.
func (f *File) Columns() []string {
	var names []string
	for _, c := range f.columns {
		names = append(names, c.name())
	}
	return names
}

// column finds a column by name.
func (f *File) column(name string) (column, error) {
	for _, c := range f.columns {
		if c.name() == name {
			return c, nil
		}
	}
	return column{}, &Error{Kind: ErrColumn, Row: -1, Detail: fmt.Sprintf("%q; there are %s", name, strings.Join(f.Columns(), ", "))}
}

// VectorColumn finds the column of vectors: the one of that name, or, without a name, the only one there is.
func (f *File) VectorColumn(name string) (string, error) {
	if name != "" {
		c, err := f.column(name)
		if err == nil && !c.numbers() {
			err = &Error{Kind: ErrNoVectors, Row: -1, Detail: fmt.Sprintf("%q is none", name)}
		}
		return name, err
	}
	switch names := f.VectorColumns(); len(names) {
	case 0:
		return "", &Error{Kind: ErrNoVectors, Row: -1, Detail: "there are " + strings.Join(f.Columns(), ", ")}
	case 1:
		return names[0], nil
	default:
		return "", &Error{Kind: ErrAmbiguous, Row: -1, Detail: strings.Join(names, ", ")}
	}
}
