package main

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

// source is one input: an array, whose header has been read, a Parquet file, whose schema has, or anything else.
type source struct {
	name   string
	r      io.Reader // at the first number of an array; nil for a path that article.Read opens itself
	closer io.Closer
	array  bool
	header npy.Header
	table  *parquet.File // nil: none
	column string        // of the vectors in it; empty: it holds articles
}

type sources []source

func (s sources) close() {
	for _, in := range s {
		if in.closer != nil {
			in.closer.Close() // read from only
		}
	}
}

// vectors is how many inputs hold vectors.
func (s sources) vectors() int {
	n := 0
	for _, in := range s {
		if in.array || in.column != "" {
			n++
		}
	}
	return n
}

// tables reports whether there is a Parquet file.
func (s sources) tables() bool {
	return slices.ContainsFunc(s, func(in source) bool { return in.table != nil })
}

// magicLength is how many bytes tell what an input is.
const magicLength = 6

// openSources looks into every input, and reads headers and schemas. The column is that of vectors in Parquet files, if it was given.
func openSources(names []string, stdin io.Reader, column string) (_ sources, err error) {
	var all sources
	defer func() {
		if err != nil {
			all.close()
		}
	}()
	for _, name := range names {
		in, err := openSource(name, stdin)
		if err == nil && in.table != nil {
			in.column, err = vectorColumn(in.table, column)
		}
		if in.closer != nil {
			all = append(all, in) // to be closed
		}
		if err != nil {
			return nil, named(name, err)
		}
		if in.closer == nil {
			all = append(all, in)
		}
	}
	return all, nil
}

func openSource(name string, stdin io.Reader) (source, error) {
	in := source{name: name}
	if name == "-" {
		r := bufio.NewReader(stdin)
		in.r = r
		start, err := r.Peek(magicLength)
		if err != nil && !errors.Is(err, io.EOF) {
			return in, err
		}
		switch {
		case npy.Is(start):
			in.array = true
			in.header, err = npy.ReadHeader(r)
			return in, err
		case parquet.Is(start): // what a file holds is said at its end
			data, err := io.ReadAll(r)
			if err != nil {
				return in, err
			}
			in.table, err = parquet.New(bytes.NewReader(data), int64(len(data)))
			return in, err
		}
		return in, nil
	}
	start, err := beginning(name)
	if err != nil {
		return in, err
	}
	// By its name an empty or foreign file is an array or a table too, a broken one.
	switch ext := extension(name); {
	case ext == ".npy" || npy.Is(start):
		f, header, err := npy.Open(name)
		if err != nil {
			return in, err
		}
		in.r, in.closer, in.array, in.header = f, f, true, header
	case ext == ".parquet" || parquet.Is(start):
		table, err := parquet.Open(name)
		if err != nil {
			return in, err
		}
		in.closer, in.table = table, table
	}
	return in, nil
}

// beginning reads the first bytes of a file; a directory and the like has none.
func beginning(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read from only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	start := make([]byte, magicLength)
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return start[:n], nil
}

// textColumns are the columns that make a table one of articles, without regard to case, "_" and "-".
var textColumns = []string{"title", "headline", "text", "body", "content", "articlebody", "maintext", "fulltext", "plaintext"}

// vectorColumn says which column of a table holds its vectors; empty when it holds articles: it has text, or no vectors.
func vectorColumn(table *parquet.File, wanted string) (string, error) {
	if wanted == "" {
		if columnLike(table, textColumns) != "" || len(table.VectorColumns()) == 0 {
			return "", nil
		}
	}
	column, err := table.VectorColumn(wanted)
	if errors.Is(err, parquet.ErrAmbiguous) {
		return "", fmt.Errorf("%w: choose one with --vectors", err)
	}
	return column, err
}

// columnLike returns the first column of a table that has one of the names, in the order of the names.
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
