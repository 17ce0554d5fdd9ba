package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"throughline/cluster"
	"throughline/internal/npy"
)

// source is one input: an array, whose header has been read, or anything else.
type source struct {
	name   string
	r      io.Reader // at the first number of an array; nil for a path that article.Read opens itself
	closer io.Closer
	array  bool
	header npy.Header
}

type sources []source

func (s sources) close() {
	for _, in := range s {
		if in.closer != nil {
			in.closer.Close() // read from only
		}
	}
}

func (s sources) arrays() int {
	n := 0
	for _, in := range s {
		if in.array {
			n++
		}
	}
	return n
}

// magicLength is how many bytes tell an array from articles.
const magicLength = 6

// openSources looks into every input and reads the headers of the arrays.
func openSources(names []string, stdin io.Reader) (_ sources, err error) {
	var all sources
	defer func() {
		if err != nil {
			all.close()
		}
	}()
	for _, name := range names {
		in, err := openSource(name, stdin)
		if err != nil {
			return nil, named(name, err)
		}
		all = append(all, in)
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
		if in.array = npy.Is(start); in.array {
			in.header, err = npy.ReadHeader(r)
			return in, err
		}
		return in, nil
	}
	is, err := isArray(name)
	if err != nil || !is {
		return in, err
	}
	f, header, err := npy.Open(name)
	if err != nil {
		return in, err
	}
	in.r, in.closer, in.array, in.header = f, f, true, header
	return in, nil
}

// isArray looks at the first bytes of a file. By its name an empty or foreign .npy file is an array too, a broken one.
func isArray(name string) (bool, error) {
	if strings.EqualFold(filepath.Ext(name), ".npy") {
		return true, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	var start [magicLength]byte
	n, err := io.ReadFull(f, start[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return npy.Is(start[:n]), nil
}

// named puts the name of a file before an error that does not have it.
func named(name string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// arrangeVectors clusters the rows of arrays, counted through all of them.
func (c *clusterCmd) arrangeVectors(ctx context.Context, p *program, in sources) (*arrangement, error) {
	stage := p.stages()
	defer stage.done()
	m, others, err := readVectors(ctx, in, stage)
	if err != nil {
		return nil, err
	}
	found, err := cluster.Run(ctx, m, cluster.Options{Overwrite: true, Workers: p.cli.Workers, Progress: func(pr cluster.Progress) {
		stage.at(pr.Stage, float64(pr.Done)/float64(max(pr.Total, 1)))
	}})
	if err != nil {
		return nil, err
	}
	a := &arrangement{Story: found.Story, Topic: found.Topic, Theme: found.Theme}
	if others > 0 {
		a.notes = append(a.notes, fmt.Sprintf("%d of %d rows are not of unit length; only their directions count", others, m.Rows))
	}
	return a, nil
}

// unitSlack is how far from 1 the length of a unit vector may be: far more than what float16 rounds away.
const unitSlack = 0.01

// readVectors reads all rows into one matrix and counts those that are not of unit length.
func readVectors(ctx context.Context, in sources, stage *stages) (m cluster.Matrix, others int, err error) {
	m.Dim = in[0].header.Dim
	for _, s := range in {
		if s.header.Dim != m.Dim {
			return m, 0, fmt.Errorf("%s: its rows have %d numbers, those of %s have %d", s.name, s.header.Dim, in[0].name, m.Dim)
		}
		if s.header.Rows > 0 && s.header.Dim == 0 {
			return m, 0, fmt.Errorf("%s: its rows have no numbers", s.name)
		}
		m.Rows += s.header.Rows
	}
	if in.sized() {
		m.Data = make([]float32, 0, m.Rows*m.Dim)
	}
	for i, s := range in {
		stage.at("reading", float64(i)/float64(len(in)))
		r := contextReader{ctx, s.r}
		from := len(m.Data)
		if m.Data, err = s.header.Append(m.Data, r); err == nil {
			err = npy.End(r)
		}
		if err != nil {
			return m, 0, named(s.name, err)
		}
		n, err := inspect(m.Data[from:], m.Dim)
		if err != nil {
			return m, 0, named(s.name, err)
		}
		others += n
	}
	return m, others, nil
}

// sized reports whether all rows are known to be there.
func (s sources) sized() bool {
	for _, in := range s {
		f, ok := in.r.(*os.File)
		if !ok {
			return false
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// inspect says how many rows are not of unit length. A row without a direction is an error with its number.
func inspect(data []float32, dim int) (others int, err error) {
	for row := 0; row*dim < len(data); row++ {
		square := 0.0
		for column, x := range data[row*dim : (row+1)*dim] {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return 0, fmt.Errorf("row %d: the number in column %d is %v", row, column, x)
			}
			square += float64(x) * float64(x)
		}
		switch {
		case square == 0:
			return 0, fmt.Errorf("row %d: all its numbers are zero, so it has no direction", row)
		case math.Abs(math.Sqrt(square)-1) > unitSlack:
			others++
		}
	}
	return others, nil
}

// contextReader ends reading when the context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
