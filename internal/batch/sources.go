package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"throughline/internal/npy"
	"throughline/internal/parquet"
)

// Sources are open inputs, in order.
type Sources struct{ list []*source }

// source is one input: an array, whose header was read, a table, whose schema was read, or anything
// else, which is articles.
type source struct {
	name   string
	r      io.Reader     // an array at its first number, or standard input
	array  *npy.Header   // nil: no array
	table  *parquet.File // nil: no table
	column string        // of the table's vectors; empty: the table has articles
	closer io.Closer
}

// Kind is what inputs hold.
type Kind int

// Kinds of inputs.
const (
	Articles Kind = iota
	Vectors
)

// ErrMixed says that some inputs hold vectors and others articles.
var ErrMixed = errors.New("arrays and articles cannot be clustered together: their vectors have nothing in common")

// Open opens inputs and reads the headers of arrays and the schemas of tables. The name "-" is
// stdin. The column is that of the vectors in tables; empty: the only column of vectors in a table
// without text. A table with several is parquet.ErrAmbiguous. Close the result.
func Open(names []string, stdin io.Reader, column string) (*Sources, error) {
	s := &Sources{}
	for _, name := range names {
		in := &source{name: name}
		s.list = append(s.list, in)
		err := in.open(stdin)
		if err == nil && in.table != nil {
			in.column, err = vectorColumn(in.table, column)
		}
		if err != nil {
			s.Close()
			return nil, named(name, err)
		}
	}
	return s, nil
}

// Close closes the inputs.
func (s *Sources) Close() {
	for _, in := range s.list {
		if in.closer != nil {
			in.closer.Close() // read from only
		}
	}
}

// Kind returns what the inputs hold, or ErrMixed.
func (s *Sources) Kind() (Kind, error) {
	vectors := 0
	for _, in := range s.list {
		if in.array != nil || in.column != "" {
			vectors++
		}
	}
	switch vectors {
	case 0:
		return Articles, nil
	case len(s.list):
		return Vectors, nil
	}
	return 0, ErrMixed
}

// HasTable reports whether an input is a Parquet file.
func (s *Sources) HasTable() bool {
	return slices.ContainsFunc(s.list, func(in *source) bool { return in.table != nil })
}

// names are the names of the inputs. A job with the same names is the same job, started again.
func (s *Sources) names() string {
	names := make([]string, len(s.list))
	for i, in := range s.list {
		names[i] = in.name
	}
	return strings.Join(names, "\x00")
}

// open looks at the beginning of an input. By its name an empty or foreign file is an array or a
// table too, a broken one.
func (in *source) open(stdin io.Reader) (err error) {
	var start []byte
	if in.name == "-" {
		r := bufio.NewReader(stdin)
		in.r = r
		if start, err = r.Peek(magicLength); errors.Is(err, io.EOF) {
			err = nil
		}
	} else {
		start, err = beginning(in.name)
	}
	if err != nil {
		return err
	}
	switch ext := extension(in.name); {
	case npy.Is(start) || ext == ".npy":
		var header npy.Header
		if in.r == nil {
			var f *os.File
			if f, header, err = npy.Open(in.name); err == nil {
				in.r, in.closer = f, f
			}
		} else {
			header, err = npy.ReadHeader(in.r)
		}
		in.array = &header
	case parquet.Is(start) || ext == ".parquet":
		if in.r == nil {
			if in.table, err = parquet.Open(in.name); err == nil {
				in.closer = in.table
			}
			return err
		}
		var data []byte // the schema is at its end
		if data, err = io.ReadAll(in.r); err == nil {
			in.table, err = parquet.New(bytes.NewReader(data), int64(len(data)))
		}
	}
	return err
}

// magicLength is the number of bytes that say what an input is.
const magicLength = 6

// beginning returns the first bytes of a file, none of a directory.
func beginning(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read from only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, magicLength))
}

// Columns that say what a row of a table is about, by their likely names; see columnLike.
var (
	idColumns     = []string{"id", "uid", "uuid", "guid", "articleid"}
	titleColumns  = []string{"title", "headline", "name"}
	sourceColumns = []string{"source", "publisher", "outlet", "source.name", "publisher.name"}
	urlColumns    = []string{"url", "link", "canonicalurl", "permalink"}
	dateColumns   = []string{"date", "publishedat", "published", "pubdate", "datepublished", "publishdate", "timestamp"}
	// textColumns make a table one of articles.
	textColumns = []string{"title", "headline", "text", "body", "content", "articlebody", "maintext", "fulltext", "plaintext"}
)

// vectorColumn returns the column of a table's vectors; empty when it has articles: text, or no
// vectors.
func vectorColumn(table *parquet.File, wanted string) (string, error) {
	if wanted == "" && (columnLike(table, textColumns) != "" || len(table.VectorColumns()) == 0) {
		return "", nil
	}
	return table.VectorColumn(wanted)
}

// columnLike returns the column of a table that has the first of some names that is there, ignoring
// case, "_", "-" and spaces; empty: none.
func columnLike(table *parquet.File, names []string) string {
	plain := strings.NewReplacer("_", "", "-", "", " ", "")
	for _, name := range names {
		for _, column := range table.Columns() {
			if strings.ToLower(plain.Replace(column)) == name {
				return column
			}
		}
	}
	return ""
}

// named puts the name of a file before an error that does not have it.
func named(name string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
