package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"throughline/cluster"
	"throughline/internal/checkpoint"
	"throughline/internal/npy"
	"throughline/internal/report"
)

// vectorRows are the rows of all inputs, with what the inputs say of them.
type vectorRows struct {
	cluster.Matrix
	ids       []string          // nil: rows have their number
	documents []report.Document // nil: nothing is known of them
	others    int               // rows that are not of unit length
}

// arrangeVectors clusters the rows of arrays and tables, counted through all of them.
func (c *clusterCmd) arrangeVectors(ctx context.Context, p *program, j *job, in sources) (*arrangement, error) {
	// What is held are a few large arrays, which collecting garbage often costs nothing measurable for, and saves a sixth of memory.
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	j.begin("read")
	rows, err := c.readVectors(ctx, in, j)
	if err != nil {
		return nil, err
	}
	m := rows.Matrix
	opts := cluster.Options{Overwrite: true, Workers: p.cli.Workers, Progress: func(pr cluster.Progress) {
		j.at(pr.Stage, float64(pr.Done)/float64(max(pr.Total, 1)))
	}}
	a := &arrangement{ids: rows.ids, documents: rows.documents, one: "row", many: "rows"}
	if rows.others > 0 {
		a.notes = append(a.notes, fmt.Sprintf("%d of %d rows are not of unit length; only their directions count", rows.others, m.Rows))
	}
	key := checkpoint.NewKey()
	key.Add("program", buildName())
	key.Add("job", "vectors")
	key.Add("rows", m.Rows)
	key.Add("dim", m.Dim)
	key.Add("numbers", hashOf(m.Data))
	j.keep("vectors "+in.names(), key.Sum())
	j.end(fmt.Sprintf("%s of %d numbers", plural(m.Rows, "row", "rows"), m.Dim))

	j.begin("cuts")
	if j.load("cuts", a.loadFrom(m.Rows)) {
		j.resumed()
		return a, nil
	}
	j.clusterParts(&opts, m.Rows)
	if err := j.needs(fmt.Sprintf("clustering %d rows of %d numbers", m.Rows, m.Dim), cluster.Memory(m.Rows, m.Dim, opts)-4*int64(len(m.Data))); err != nil {
		return nil, err
	}
	found, err := cluster.Run(ctx, m, opts)
	if err != nil {
		return nil, err
	}
	a.Story, a.Topic, a.Theme, a.Strength, a.TopicStrength, a.means = found.Story, found.Topic, found.Theme, found.Strength, found.TopicStrength, found.TopicMeans
	j.save("cuts", a.saveTo)
	j.end("")
	return a, nil
}

// gcPercent is the garbage allowed, in percent of what is in use. Of 50,000 and 200,000 rows of 256 numbers, 40 in place of the usual
// 100 took 185 and 492 MB for 213 and 507, in the same time.
const gcPercent = 40

// clusterParts takes up the parts of a clustering that an earlier run has finished, and has those that this one finishes kept.
func (j *job) clusterParts(opts *cluster.Options, rows int) {
	d, g := &cluster.Dendrogram{N: rows}, &cluster.Graph{}
	j.begin("graph")
	switch {
	case j.load("linkage", func(r *checkpoint.Reader) error { return loadDendrogram(r, d) }):
		j.resumed()
		j.begin("linkage")
		j.resumed()
		j.begin("cuts")
		opts.Done.Dendrogram = d
	case j.load("graph", func(r *checkpoint.Reader) error { return loadGraph(r, g, rows) }):
		j.resumed()
		j.begin("linkage")
		opts.Done.Graph = g
	}
	opts.Finished = func(part cluster.Parts) error {
		if g := part.Graph; g != nil {
			j.save("graph", func(w *checkpoint.Writer) error {
				w.Int64s(g.Offsets)
				w.Int32s(g.Neighbors)
				w.Float32s(g.Weights)
				return nil
			})
			j.end(plural(g.Edges(), "edge", "edges"))
			j.begin("linkage")
			return nil
		}
		d := part.Dendrogram
		j.save("linkage", func(w *checkpoint.Writer) error { saveDendrogram(w, d); return nil })
		j.end(plural(len(d.Merges), "merge", "merges"))
		j.begin("cuts")
		return nil
	}
}

var errOtherSize = errors.New("of another number of rows")

func loadGraph(r *checkpoint.Reader, g *cluster.Graph, rows int) error {
	g.Offsets, g.Neighbors, g.Weights = r.Int64s(), r.Int32s(), r.Float32s()
	if g.Nodes() != rows {
		return errOtherSize
	}
	return g.Check()
}

func saveDendrogram(w *checkpoint.Writer, d *cluster.Dendrogram) {
	nodes, similarities := make([]int32, 0, 2*len(d.Merges)), make([]float32, 0, len(d.Merges))
	for _, m := range d.Merges {
		nodes, similarities = append(nodes, m.A, m.B), append(similarities, m.Similarity)
	}
	w.Int32s(nodes)
	w.Float32s(similarities)
}

func loadDendrogram(r *checkpoint.Reader, d *cluster.Dendrogram) error {
	nodes, similarities := r.Int32s(), r.Float32s()
	if len(nodes) != 2*len(similarities) {
		return errOtherSize
	}
	for i, s := range similarities {
		d.Merges = append(d.Merges, cluster.Join{A: nodes[2*i], B: nodes[2*i+1], Similarity: s})
	}
	return d.Check()
}

// saveTo keeps labels.
func (a *arrangement) saveTo(w *checkpoint.Writer) error {
	for _, labels := range [][]int32{a.Story, a.Topic, a.Theme} {
		w.Int32s(labels)
	}
	w.Float32s(a.Strength)
	w.Float32s(a.TopicStrength)
	w.Int(int64(a.means.Dim))
	w.Float32s(a.means.Data)
	return nil
}

// loadFrom takes up the labels of so many items.
func (a *arrangement) loadFrom(items int) func(*checkpoint.Reader) error {
	return func(r *checkpoint.Reader) error {
		a.Story, a.Topic, a.Theme = r.Int32s(), r.Int32s(), r.Int32s()
		a.Strength, a.TopicStrength = r.Float32s(), r.Float32s()
		a.means.Dim, a.means.Data = int(r.Int()), r.Float32s()
		a.means.Rows = len(a.means.Data) / max(a.means.Dim, 1)
		for _, n := range []int{len(a.Story), len(a.Topic), len(a.Theme), len(a.Strength), len(a.TopicStrength)} {
			if n != items {
				return errOtherSize
			}
		}
		return nil
	}
}

// buildName tells builds of this program apart, as far as they know what they were built from.
func buildName() string {
	name := version
	if info, ok := debug.ReadBuildInfo(); ok {
		name += " " + info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
				name += " " + s.Value
			}
		}
	}
	return name
}

// hashOf is the SHA-256 of numbers.
func hashOf(numbers []float32) string {
	sum := sha256.New()
	buffer := make([]byte, 64<<10)
	for len(numbers) > 0 {
		n := min(len(numbers), len(buffer)/4)
		for i, x := range numbers[:n] {
			binary.LittleEndian.PutUint32(buffer[4*i:], math.Float32bits(x))
		}
		sum.Write(buffer[:4*n])
		numbers = numbers[n:]
	}
	return string(sum.Sum(nil))
}

// names of the inputs, which make a job the same one when it is started again.
func (s sources) names() string {
	names := make([]string, len(s))
	for i, in := range s {
		names[i] = in.name
	}
	return strings.Join(names, "\x00")
}

// unitSlack is how far from 1 the length of a unit vector may be: far more than what float16 rounds away.
const unitSlack = 0.01

// readVectors reads all rows into one matrix and counts those that are not of unit length.
func (c *clusterCmd) readVectors(ctx context.Context, in sources, j *job) (*vectorRows, error) {
	rows := &vectorRows{}
	announced, sized := in.announced()
	if sized {
		// The dimensions of a table are known once its first row has been read; of an array, before.
		dim := in[0].header.Dim
		if err := j.needs(fmt.Sprintf("clustering %d rows of %d numbers", announced, dim), cluster.Memory(announced, dim, cluster.Options{Overwrite: true, Workers: j.p.cli.Workers})); err != nil {
			return nil, err
		}
		rows.Data = make([]float32, 0, announced*dim)
	}
	for i, s := range in {
		j.at("reading", float64(i)/float64(len(in)))
		from := len(rows.Data)
		dim, err := rows.readSource(ctx, s)
		if rows.Dim == 0 {
			rows.Dim = dim // a table without rows does not tell
		}
		switch {
		case err != nil:
			return nil, named(s.name, err)
		case dim != rows.Dim && !(s.table != nil && s.table.Rows == 0):
			return nil, fmt.Errorf("%s: its rows have %d numbers, those of %s have %d", s.name, dim, in[0].name, rows.Dim)
		case dim == 0 && s.header.Rows > 0:
			return nil, fmt.Errorf("%s: its rows have no numbers", s.name)
		}
		n, err := inspect(rows.Data[from:], rows.Dim)
		if err != nil {
			return nil, named(s.name, err)
		}
		rows.others += n
		if s.table != nil {
			if err := c.describeRows(ctx, s, rows); err != nil {
				return nil, named(s.name, err)
			}
		}
		if rows.Dim > 0 {
			rows.Rows = len(rows.Data) / rows.Dim
		}
	}
	for at := len(rows.ids); rows.ids != nil && at < rows.Rows; at++ {
		rows.ids = append(rows.ids, strconv.Itoa(at))
	}
	for rows.documents != nil && len(rows.documents) < rows.Rows {
		rows.documents = append(rows.documents, report.Document{})
	}
	return rows, nil
}

// readSource appends the rows of one input.
func (rows *vectorRows) readSource(ctx context.Context, s source) (dim int, err error) {
	if s.table != nil {
		rows.Data, dim, err = s.table.Vectors(ctx, s.column, rows.Data)
		return dim, err
	}
	r := contextReader{ctx, s.r}
	if rows.Data, err = s.header.Append(rows.Data, r); err == nil {
		err = npy.End(r)
	}
	return s.header.Dim, err
}

// describeRows reads what a table says of its rows beside their vectors: ids, and for a page titles, dates and where they are from.
func (c *clusterCmd) describeRows(ctx context.Context, s source, rows *vectorRows) error {
	names := make([]string, 0, 5)
	for _, like := range [][]string{
		{"id", "uid", "uuid", "guid", "articleid"}, {"title", "headline", "name"}, {"source", "publisher", "outlet", "source.name", "publisher.name"},
		{"url", "link", "canonicalurl", "permalink"}, {"date", "publishedat", "published", "pubdate", "datepublished", "publishdate", "timestamp"},
	} {
		names = append(names, columnLike(s.table, like))
	}
	hasID := names[0] != ""
	if !hasID && !c.wantsPage() {
		return nil
	}
	return s.table.Each(ctx, names, func(row int, values []string) error {
		at := rows.Rows + row
		if hasID {
			for len(rows.ids) < at { // of inputs before that have none
				rows.ids = append(rows.ids, strconv.Itoa(len(rows.ids)))
			}
			rows.ids = append(rows.ids, values[0])
		}
		if c.wantsPage() && strings.Join(names[1:], "") != "" {
			for len(rows.documents) < at {
				rows.documents = append(rows.documents, report.Document{})
			}
			rows.documents = append(rows.documents, report.Document{ID: values[0], Title: values[1], Source: values[2], URL: values[3], Published: momentOf(values[4])})
		}
		return nil
	})
}

// momentOf reads the time of a column, zero where it has none.
func momentOf(text string) time.Time {
	for _, form := range []string{time.RFC3339Nano, time.DateOnly, time.DateTime} {
		if t, err := time.Parse(form, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// announced is how many rows the inputs have, if they are arrays in files that do hold so many.
func (s sources) announced() (rows int, ok bool) {
	for _, in := range s {
		f, isFile := in.r.(*os.File)
		if !isFile || in.header.Dim != s[0].header.Dim {
			return 0, false
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return 0, false
		}
		rows += in.header.Rows
	}
	return rows, true
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
