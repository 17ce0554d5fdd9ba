package batch

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
	"slices"
	"strconv"
	"time"

	"throughline/cluster"
	"throughline/internal/checkpoint"
	"throughline/internal/npy"
	"throughline/internal/report"
)

// gcPercent is the garbage allowed during a job on vectors, in percent of the memory in use. It
// holds a few large arrays, so collecting often costs nothing measurable: of 50,000 and 200,000
// rows of 256 numbers, 40 in place of the usual 100 took 185 and 492 MB instead of 213 and 507, in
// the same time.
const gcPercent = 40

// Vectors clusters the rows of arrays and tables, counted through all of them.
func (j *Job) Vectors(ctx context.Context, in *Sources) (*Labeling, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	j.stages.Begin("read")
	rows, err := j.readRows(ctx, in)
	if err != nil {
		return nil, err
	}
	l := &Labeling{One: "row", Many: "rows", IDs: rows.ids, Documents: rows.documents}
	if rows.scaled > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("%d of %d rows are not of unit length; only their directions count", rows.scaled, rows.Rows))
	}
	key, err := j.vectorsKey(rows.Matrix)
	if err != nil {
		return nil, err
	}
	j.open("vectors "+in.names(), key)
	j.stages.End(fmt.Sprintf("%s of %d numbers", plural(rows.Rows, "row", "rows"), rows.Dim))

	j.stages.Begin("cuts")
	if j.load("cuts", l.load(rows.Rows)) {
		l.nameRows()
		j.stages.Resume()
		j.noteTopics(l)
		return l, nil
	}
	opts := j.clusterOptions()
	j.keepParts(&opts, rows.Rows)
	if err := j.fitsRows(rows.Rows, rows.Dim, 4*len(rows.Data)); err != nil {
		return nil, err
	}
	found, err := cluster.Run(ctx, rows.Matrix, opts)
	if err != nil {
		return nil, err
	}
	l.Story, l.Topic, l.Theme, l.Strength, l.TopicStrength, l.TopicMeans = found.Story, found.Topic, found.Theme, found.Strength, found.TopicStrength, found.TopicMeans
	j.save("cuts", l.save)
	l.nameRows()
	j.stages.End("")
	j.noteTopics(l)
	return l, nil
}

// noteTopics says so if there are fewer topics than wanted.
func (j *Job) noteTopics(l *Labeling) {
	if found := l.Totals().Topics; found < j.Topics {
		l.Notes = append(l.Notes, fmt.Sprintf("%s instead of %d: no more groups are large enough", plural(found, "topic", "topics"), j.Topics))
	}
}

func (j *Job) clusterOptions() cluster.Options {
	return cluster.Options{
		Overwrite: true, Workers: j.Workers, MinStory: j.MinStory, MinTopic: j.MinTopic, Topics: j.Topics, Granularity: j.Target.Granularity, Neighbors: j.Neighbors,
		Progress: func(p cluster.Progress) {
			j.stages.Progress(p.Stage, float64(p.Done)/float64(max(p.Total, 1)))
		},
	}
}

// fitsRows checks that there is memory to cluster rows, of which some bytes are in memory already.
func (j *Job) fitsRows(rows, dim, present int) error {
	return CheckMemory(fmt.Sprintf("clustering %d rows of %d numbers", rows, dim), cluster.Memory(rows, dim, j.clusterOptions())-int64(present), j.MaxMemory)
}

// vectorsKey stands for everything that the labels of rows depend on.
func (o Options) vectorsKey(m cluster.Matrix) (checkpoint.Key, error) {
	numbers := sha256.New()
	for some := range slices.Chunk(m.Data, 1<<14) {
		if err := binary.Write(numbers, binary.LittleEndian, some); err != nil {
			return checkpoint.Key{}, err
		}
	}
	key := checkpoint.NewKey()
	key.Add("program", o.Build)
	key.Add("job", "vectors")
	key.Add("rows", m.Rows)
	key.Add("dim", m.Dim)
	key.Add("numbers", numbers.Sum(nil))
	key.Add("options", []int{o.Topics, o.Target.Granularity, o.MinStory, o.MinTopic, o.Neighbors})
	return key.Sum(), nil
}

// keepParts has cluster.Run go on from the parts that an earlier run has finished, and saves those
// that it finishes.
func (j *Job) keepParts(opts *cluster.Options, rows int) {
	d, g := &cluster.Dendrogram{N: rows}, &cluster.Graph{}
	j.stages.Begin("graph")
	switch {
	case j.load("linkage", func(r *checkpoint.Reader) error { return loadDendrogram(r, d) }):
		j.stages.Resume()
		j.stages.Begin("linkage")
		j.stages.Resume()
		j.stages.Begin("cuts")
		opts.Done.Dendrogram = d
	case j.load("graph", func(r *checkpoint.Reader) error { return loadGraph(r, g, rows) }):
		j.stages.Resume()
		j.stages.Begin("linkage")
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
			j.stages.End(plural(g.Edges(), "edge", "edges"))
			j.stages.Begin("linkage")
			return nil
		}
		d := part.Dendrogram
		j.save("linkage", func(w *checkpoint.Writer) error { saveDendrogram(w, d); return nil })
		j.stages.End(plural(len(d.Merges), "merge", "merges"))
		j.stages.Begin("cuts")
		return nil
	}
}

func loadGraph(r *checkpoint.Reader, g *cluster.Graph, rows int) error {
	g.Offsets, g.Neighbors, g.Weights = r.Int64s(), r.Int32s(), r.Float32s()
	if g.Nodes() != rows {
		return errItems
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
		return errItems
	}
	for i, s := range similarities {
		d.Merges = append(d.Merges, cluster.Join{A: nodes[2*i], B: nodes[2*i+1], Similarity: s})
	}
	return d.Check()
}

// readRows are the rows of all inputs, with the descriptions that tables have of them.
type readRows struct {
	cluster.Matrix
	ids       []string          // nil: rows have their numbers
	documents []report.Document // nil: unknown
	scaled    int               // rows that are not of unit length
}

// readRows reads all rows into one matrix.
func (j *Job) readRows(ctx context.Context, in *Sources) (*readRows, error) {
	rows := &readRows{}
	if n, dim, ok := in.announced(); ok {
		if err := j.fitsRows(n, dim, 0); err != nil {
			return nil, err
		}
		rows.Data = make([]float32, 0, n*dim)
	}
	for i, s := range in.list {
		j.stages.Progress("reading", float64(i)/float64(len(in.list)))
		if err := rows.read(ctx, s, in.list[0].name); err != nil {
			return nil, named(s.name, err)
		}
		if s.table != nil {
			if err := rows.describe(ctx, s, j.Documents); err != nil {
				return nil, named(s.name, err)
			}
		}
		if rows.Dim > 0 {
			rows.Rows = len(rows.Data) / rows.Dim
		}
	}
	if rows.ids != nil {
		rows.numberTo(rows.Rows)
	}
	if rows.documents != nil {
		rows.describeTo(rows.Rows)
	}
	return rows, nil
}

// announced returns how many rows there are, and how many numbers they have, if all inputs are
// arrays in files, whose headers are true.
func (s *Sources) announced() (rows, dim int, ok bool) {
	for i, in := range s.list {
		f, isFile := in.r.(*os.File)
		if !isFile || i > 0 && in.array.Dim != dim {
			return 0, 0, false
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return 0, 0, false
		}
		rows, dim = rows+in.array.Rows, in.array.Dim
	}
	return rows, dim, true
}

// read appends the rows of one input. The first is named in an error about another length.
func (rows *readRows) read(ctx context.Context, s *source, first string) (err error) {
	from, dim, empty := len(rows.Data), 0, false
	if s.table != nil {
		rows.Data, dim, err = s.table.Vectors(ctx, s.column, rows.Data)
		empty = s.table.Rows == 0 // then it has no dimensions either
	} else {
		dim = s.array.Dim
		r := contextReader{ctx, s.r}
		if rows.Data, err = s.array.Append(rows.Data, r); err == nil {
			err = npy.End(r)
		}
	}
	if err != nil {
		return err
	}
	if rows.Dim == 0 {
		rows.Dim = dim
	}
	switch {
	case dim != rows.Dim && !empty:
		return fmt.Errorf("its rows have %d numbers, those of %s have %d", dim, first, rows.Dim)
	case dim == 0 && s.array != nil && s.array.Rows > 0:
		return errors.New("its rows have no numbers")
	}
	scaled, err := inspect(rows.Data[from:], rows.Dim)
	rows.scaled += scaled
	return err
}

// numberTo gives rows that have no ids their numbers, up to a row.
func (rows *readRows) numberTo(row int) {
	for len(rows.ids) < row {
		rows.ids = append(rows.ids, strconv.Itoa(len(rows.ids)))
	}
}

// describeTo gives rows that have no documents empty ones, up to a row.
func (rows *readRows) describeTo(row int) {
	rows.documents = append(rows.documents, make([]report.Document, row-len(rows.documents))...)
}

// describe reads the ids of a table's rows and, if wanted, their documents.
func (rows *readRows) describe(ctx context.Context, s *source, documents bool) error {
	var names []string
	described := false
	for i, like := range [][]string{idColumns, titleColumns, sourceColumns, urlColumns, dateColumns} {
		names = append(names, columnLike(s.table, like))
		described = described || documents && i > 0 && names[i] != ""
	}
	if names[0] == "" && !described {
		return nil
	}
	return s.table.Each(ctx, names, func(row int, values []string) error {
		if names[0] != "" {
			rows.numberTo(rows.Rows + row)
			rows.ids = append(rows.ids, values[0])
		}
		if described {
			rows.describeTo(rows.Rows + row)
			rows.documents = append(rows.documents, report.Document{ID: values[0], Title: values[1], Source: values[2], URL: values[3], Published: timeOf(values[4])})
		}
		return nil
	})
}

// timeOf reads the time in a column; zero: none.
func timeOf(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}

// unitSlack is how far from 1 the length of a unit vector may be: far more than float16 rounds.
const unitSlack = 0.01

// inspect returns how many rows are not of unit length. A row without a direction is an error.
func inspect(data []float32, dim int) (scaled int, err error) {
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
			scaled++
		}
	}
	return scaled, nil
}

// contextReader is a reader that ends with a context.
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
