// Package parquet knows the Parquet files of a cluster job: tables of articles or vectors in,
// tables of labels out.
//
// It knows columns: which have lists of numbers, which have text, how times are stored. It does not
// know what an article is: rows become JSON objects whose readers give the names a meaning. It
// reads values and lists of values; of deeper structures it reads the members of these kinds.
//
// Reading needs memory for a page of every column that is read, and for the result.
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

// What can be wrong with a file. Errors of this package wrap one of these, or are those of the
// system.
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
	Row    int   // counted from 0; -1: the error is not about one row
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

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// fileError returns an Error that is not about one row.
func fileError(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Row: -1, Detail: fmt.Sprintf(format, args...)}
}

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
	path []string // names of the levels, without those of a list
	list bool
	kind format.Kind
}

// Open opens a file and reads its schema.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var opened *File
	info, err := f.Stat()
	if err == nil {
		opened, err = New(f, info.Size())
	}
	if err != nil {
		f.Close() // read from only
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
		return nil, fileError(ErrFormat, "%v", err)
	}
	if opened.NumRows() < 0 {
		return nil, fileError(ErrFormat, "negative number of rows (got %d)", opened.NumRows())
	}
	file := &File{Rows: int(opened.NumRows()), size: size}
	var walk func(c *format.Column, path []string)
	walk = func(c *format.Column, path []string) {
		if c.Leaf() {
			if c.MaxRepetitionLevel() <= 1 {
				// Kind can panic, which is an error here.
				file.columns = append(file.columns, column{c, path, c.MaxRepetitionLevel() == 1, c.Type().Kind()})
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

// checkFooter compares the announced length of the footer with the size of the file, because the
// library would allocate what is announced.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	least := int64(len(magic) + len(end))
	if size < least {
		return fileError(ErrFormat, "file too short (got %d bytes, want at least %d)", size, least)
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if footer := int64(binary.LittleEndian.Uint32(end[:])); footer > size-least {
		return fileError(ErrFormat, "footer too long (got %d bytes in a file of %d)", footer, size)
	}
	return nil
}

// listLevel reports whether a child is one of the two levels of a list: a repeated group in an
// annotated one, and the element in that.
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

// damaged turns a panic into an error, because the library panics on some damaged files.
func damaged(err *error) {
	if p := recover(); p != nil {
		*err = fileError(ErrFormat, "%v", p)
	}
}

// numbers reports whether a column is a list of floating-point numbers.
func (c column) numbers() bool {
	return c.list && (c.kind == format.Float || c.kind == format.Double)
}

// name returns the name of a column, with dots between levels.
func (c column) name() string { return strings.Join(c.path, ".") }

// VectorColumns returns the names of the columns with lists of floating-point numbers.
func (f *File) VectorColumns() []string { return f.names(column.numbers) }

// Columns returns the names of all columns that can be read.
func (f *File) Columns() []string { return f.names(func(column) bool { return true }) }

func (f *File) names(of func(column) bool) (names []string) {
	for _, c := range f.columns {
		if of(c) {
			names = append(names, c.name())
		}
	}
	return names
}

// column finds a column by name.
func (f *File) column(name string) (column, error) {
	if at := slices.IndexFunc(f.columns, func(c column) bool { return c.name() == name }); at >= 0 {
		return f.columns[at], nil
	}
	return column{}, fileError(ErrColumn, "got %q, want one of %s", name, strings.Join(f.Columns(), ", "))
}

// VectorColumn returns the name of the column of vectors: the given name, or without one the only
// column of vectors.
func (f *File) VectorColumn(name string) (string, error) {
	if name != "" {
		c, err := f.column(name)
		if err == nil && !c.numbers() {
			err = fileError(ErrNoVectors, "%q is none", name)
		}
		return name, err
	}
	switch names := f.VectorColumns(); len(names) {
	case 0:
		return "", fileError(ErrNoVectors, "the columns are %s", strings.Join(f.Columns(), ", "))
	case 1:
		return names[0], nil
	default:
		return "", fileError(ErrAmbiguous, "%s", strings.Join(names, ", "))
	}
}
