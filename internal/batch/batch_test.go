package batch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	format "github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/checkpoint"
	"throughline/internal/chunk"
	"throughline/internal/formats"
	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/parquet"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reports are two events of three and two articles, and a one-off.
const reports = `{"id":"q1","title":"Earthquake of magnitude 7.1 shakes Tarvale","text":"An earthquake of magnitude 7.1 struck the coastal city of Tarvale on Monday, bringing down the old town hall. Rescuers searched the rubble for survivors.","date":"2031-03-03"}
{"id":"b1","title":"Norland central bank raises rate to 4.5 percent","text":"The central bank of Norland raised its key interest rate by a quarter point to 4.5 percent on Thursday, citing inflation. Governor Ilse Brandt said more increases may follow.","date":"2031-03-06"}
{"id":"q2","title":"Tarvale counts its dead after 7.1 quake","text":"At least 40 people died when a magnitude 7.1 earthquake hit Tarvale, officials said. The old town hall collapsed and rescuers are digging in the rubble.","date":"2031-03-04"}
{"id":"c1","title":"Violinist Mara Teel wins the Olden prize","text":"The violinist Mara Teel was given the Olden prize for young musicians in a ceremony with a concert of chamber music.","date":"2031-02-11"}
{"id":"q3","title":"Rescuers in Tarvale find girl alive under town hall","text":"Rescuers pulled a girl alive from the rubble of the town hall in Tarvale, two days after the magnitude 7.1 earthquake.","date":"2031-03-05"}
{"id":"b2","title":"Brandt lifts Norland's interest rate again","text":"Governor Ilse Brandt of Norland's central bank announced a rise of the key interest rate to 4.5 percent, a quarter point more, to fight inflation.","date":"2031-03-06"}
`

// matrix has rows around some random directions, a few for each.
func matrix(directions, each, dim int) cluster.Matrix {
	random := rand.New(rand.NewPCG(1, 1))
	m := cluster.Matrix{Rows: directions * each, Dim: dim}
	for range directions {
		centre := make([]float64, dim)
		for d := range centre {
			centre[d] = random.NormFloat64()
		}
		for range each {
			for d := range centre {
				m.Data = append(m.Data, float32(centre[d]+0.2*random.NormFloat64()))
			}
			vector.Normalize(m.Data[len(m.Data)-dim:])
		}
	}
	return m
}

// array is a NumPy array file.
func array(m cluster.Matrix) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\x93NUMPY\x01\x00\x76\x00%-117s\n", fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", m.Rows, m.Dim))
	_ = binary.Write(&b, binary.LittleEndian, m.Data) // a buffer takes everything
	return b.String()
}

// table is a Parquet file.
func table[T any](t *testing.T, rows ...T) string {
	t.Helper()
	var b bytes.Buffer
	w := format.NewGenericWriter[T](&b)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// stopAt is an observer that keeps the finished stages and cancels a job at the end of one.
type stopAt struct {
	stage  string
	cancel context.CancelFunc
	seen   []Stage
}

func (s *stopAt) Progress(string, string, float64) {}
func (s *stopAt) Finished(stage Stage) {
	if s.seen = append(s.seen, stage); stage.Name == s.stage {
		s.cancel()
	}
}

// execution is what one run of a job gave.
type execution struct {
	labels  *Labeling
	stages  []Stage
	resumed []string
	notes   []string
	err     error
}

// execute runs a job until the end of a stage, "" for all of it.
func execute(t *testing.T, opts Options, until string, inputs ...string) execution {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, err := Open(inputs, strings.NewReader(""), "")
	if err != nil {
		return execution{err: err}
	}
	defer in.Close()
	kind, err := in.Kind()
	if err != nil {
		return execution{err: err}
	}
	opts.Logger, opts.Background = slog.New(slog.DiscardHandler), score.DefaultBackground()
	seen := &stopAt{stage: until, cancel: cancel}
	job := NewJob(opts, NewStages(seen))
	var x execution
	if kind == Vectors {
		x.labels, x.err = job.Vectors(ctx, in)
	} else {
		x.labels, x.err = job.Articles(ctx, in, &embedtest.Hashed{}, nil)
	}
	if x.err == nil {
		x.err = ctx.Err() // whoever writes the labels looks at this
	}
	if x.err == nil {
		x.err = job.Finish()
	}
	x.stages, x.notes = seen.seen, job.Notes()
	for _, s := range x.stages {
		if s.Resumed {
			x.resumed = append(x.resumed, s.Name)
		}
	}
	return x
}

func (x execution) mustSucceed(t *testing.T) execution {
	t.Helper()
	if x.err != nil {
		t.Fatal(x.err)
	}
	return x
}

// bytesOf are the labels in every format.
func bytesOf(t *testing.T, l *Labeling) string {
	t.Helper()
	var b bytes.Buffer
	for _, name := range []string{"x.jsonl", "x.parquet", "x.html"} {
		write, err := FormatOf(name)
		if err == nil {
			err = write(&b, l, "title")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestKind(t *testing.T) {
	type articles struct {
		Title string    `parquet:"title"`
		V     []float32 `parquet:"v,list"`
	}
	type vectors struct {
		V []float32 `parquet:"v,list"`
	}
	type two struct {
		A []float32 `parquet:"a,list"`
		B []float32 `parquet:"b,list"`
	}
	npy := write(t, "a.npy", array(matrix(3, 2, 4)))
	noName := write(t, "array", array(matrix(3, 2, 4)))
	text := write(t, "a.jsonl", reports)
	both := write(t, "both.parquet", table(t, articles{"Storm", []float32{1}}))
	bare := write(t, "bare", table(t, vectors{[]float32{1}}))
	for _, c := range []struct {
		inputs []string
		column string
		want   Kind
		err    error
	}{
		{inputs: []string{npy, noName, bare}, want: Vectors},
		{inputs: []string{text, both, t.TempDir()}, want: Articles},
		{inputs: []string{both}, column: "v", want: Vectors},
		{inputs: []string{npy, text}, err: ErrMixed},
		{inputs: []string{write(t, "two.parquet", table(t, two{}))}, err: parquet.ErrAmbiguous},
		{inputs: []string{both}, column: "title", err: parquet.ErrNoVectors},
		{inputs: []string{filepath.Join(t.TempDir(), "missing")}, err: fs.ErrNotExist},
	} {
		in, err := Open(c.inputs, nil, c.column)
		var got Kind
		if err == nil {
			got, err = in.Kind()
			in.Close()
		}
		if got != c.want || !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%v: %v, %v; want %v, %v", c.inputs, got, err, c.want, c.err)
		}
	}
}

// TestFeaturesAreThoseOfTheScore gives a job texts of every form; see the test of this name in
// package calibrate, where the other ways from a text to features are.
func TestFeaturesAreThoseOfTheScore(t *testing.T) {
	embedder := &embedtest.Hashed{}
	var lines []byte
	for _, a := range scoretest.Forms() {
		line, err := formats.MarshalJSONLine(a)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line...)
	}
	in, err := Open([]string{write(t, "forms.jsonl", string(lines))}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	job := NewJob(Options{Logger: slog.New(slog.DiscardHandler)}, NewStages(&stopAt{cancel: func() {}}))
	read, err := job.readArticles(t.Context(), in, embedder)
	if err != nil {
		t.Fatal(err)
	}
	if err := job.embed(t.Context(), embedder, read); err != nil {
		t.Fatal(err)
	}
	if len(read.features) != len(scoretest.Forms()) {
		t.Fatalf("%d articles were read, want %d", len(read.features), len(scoretest.Forms()))
	}
	for i, a := range scoretest.Forms() {
		dense, err := embedder.Embed(t.Context(), embed.Document, []string{chunk.LeadText(a)})
		if err != nil {
			t.Fatal(err)
		}
		want, got := score.FeaturesOf(&a, dense[0]), read.features[i]
		if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got)); diff != "" {
			t.Errorf("%s (-features +batch):\n%s", a.ID, diff)
		}
	}
}

// TestFurnitureIsNotCompared gives a job articles of an outlet that puts a notice under each, more
// than the outlet is known by, and some of another.
func TestFurnitureIsNotCompared(t *testing.T) {
	const notice = "Subscribers of the Courier read every word of ours without any advertising."
	var lines []byte
	for i := range chunk.FurnitureSample + 3 {
		body := fmt.Sprintf("Report %c%c tells what the council of the town said about its %d schools.", 'a'+i, 'k'+i, i)
		for _, a := range []news.Article{
			{ID: fmt.Sprint("with", i), Title: fmt.Sprintf("Headline %c", 'a'+i), Source: "Courier", Sections: []news.Section{{Text: body + "\n\n" + notice}}},
			{ID: fmt.Sprint("without", i), Title: fmt.Sprintf("Headline %c", 'a'+i), Source: "Courier", Sections: []news.Section{{Text: body}}},
		} {
			if strings.HasPrefix(a.ID, "without") {
				a.Source = "Post"
			}
			line, err := formats.MarshalJSONLine(a)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line...)
		}
	}
	in, err := Open([]string{write(t, "articles.jsonl", string(lines))}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	job := NewJob(Options{Logger: slog.New(slog.DiscardHandler)}, NewStages(&stopAt{cancel: func() {}}))
	read, err := job.readArticles(t.Context(), in, &embedtest.Hashed{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(read.features); i += 2 {
		with, without := read.features[i], read.features[i+1]
		with.ID, with.Source = without.ID, without.Source
		if diff := cmp.Diff(fmt.Sprintf("%+v", without), fmt.Sprintf("%+v", with)); diff != "" || strings.Contains(read.texts[i], "Subscribers") {
			t.Errorf("article %d is not compared as without its notice (-without +with):\n%s\n%q is embedded", i/2, diff, read.texts[i])
		}
	}
}

// TestArticlesAreArrangedAsStored compares a job with the clustering of the same articles as the
// store has them.
func TestArticlesAreArrangedAsStored(t *testing.T) {
	embedder := &embedtest.Hashed{}
	var fs []score.Features
	x := execute(t, Options{Work: t.TempDir()}, "", write(t, "reports.jsonl", reports)).mustSucceed(t)
	for valid, err := range formats.ReadFrom(t.Context(), "reports.jsonl", strings.NewReader(reports), formats.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		a := valid.Article()
		dense, err := embedder.Embed(t.Context(), embed.Document, []string{chunk.LeadText(a)})
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, score.FeaturesOf(&a, dense[0]))
	}
	h, err := hierarchy.Arrange(t.Context(), score.NewState(score.Default(), score.StatsOf(fs, score.DefaultBackground())), fs, hierarchy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := x.labels
	if !slices.Equal(l.Story, h.Story) || !slices.Equal(l.Topic, h.Topic) || !slices.Equal(l.Theme, h.Theme) || !slices.Equal(l.Strength, h.Membership) {
		t.Errorf("labels %+v, want %+v", l, h)
	}
	if got := l.Totals(); got.Items != 6 || got.Stories == 0 || got.OneOffs == 0 {
		t.Errorf("totals %+v", got)
	}
}

func TestVectorsAreClustered(t *testing.T) {
	m := matrix(30, 4, 32)
	half := m.Rows / 2
	a := cluster.Matrix{Rows: half, Dim: m.Dim, Data: m.Data[:half*m.Dim]}
	b := cluster.Matrix{Rows: half, Dim: m.Dim, Data: m.Data[half*m.Dim:]}
	files := []string{write(t, "a.npy", array(a)), write(t, "b.npy", array(b))}
	for _, c := range []struct {
		batch   Options
		cluster cluster.Options
	}{
		{},
		{Options{Topics: 4, MinStory: 3}, cluster.Options{Topics: 4, MinStory: 3}},
		{Options{MinTopic: 20, Neighbors: 2, Target: score.Target{Granularity: -4}}, cluster.Options{MinTopic: 20, Neighbors: 2, Granularity: -4}},
	} {
		want, err := cluster.Run(t.Context(), m, c.cluster)
		if err != nil {
			t.Fatal(err)
		}
		c.batch.Work = t.TempDir()
		l := execute(t, c.batch, "", files...).mustSucceed(t).labels
		if !slices.Equal(l.Story, want.Story) || !slices.Equal(l.Topic, want.Topic) || !slices.Equal(l.Theme, want.Theme) || !slices.Equal(l.Strength, want.Strength) {
			t.Errorf("%+v: other labels than those of cluster.Run", c.batch)
		}
	}
}

// TestJobResumes ends a job after each of its stages and starts it again.
func TestJobResumes(t *testing.T) {
	other := matrix(30, 4, 32)
	other.Data[5] += 0.001
	for name, c := range map[string]struct {
		file, content, changed string
		stages                 map[string][]string // by the stage it ended after, those that are not done again
	}{
		"vectors": {"vectors.npy", array(matrix(30, 4, 32)), array(other), map[string][]string{
			"read": nil, "graph": {"graph"}, "linkage": {"graph", "linkage"}, "cuts": {"cuts"}}},
		"articles": {"reports.jsonl", reports, strings.Replace(reports, "magnitude 7.1 struck", "magnitude 7.2 struck", 1), map[string][]string{
			"read": nil, "embed": nil, "stories": {"stories"}}},
	} {
		file := write(t, c.file, c.content)
		want := bytesOf(t, execute(t, Options{Work: t.TempDir(), Documents: true}, "", file).mustSucceed(t).labels)
		for stage, kept := range c.stages {
			t.Run(name+"/"+stage, func(t *testing.T) {
				opts := Options{Work: filepath.Join(t.TempDir(), "work"), Documents: true}
				interrupt := func() {
					t.Helper()
					if x := execute(t, opts, stage, file); !errors.Is(x.err, context.Canceled) {
						t.Fatal(x.err)
					}
				}
				interrupt()
				x := execute(t, opts, "", file).mustSucceed(t)
				if !slices.Equal(x.resumed, kept) {
					t.Errorf("resumed %v, want %v", x.resumed, kept)
				}
				if stage == "embed" && !slices.ContainsFunc(x.stages, func(s Stage) bool { return s.Detail == "6 of 6 articles from an earlier run" }) {
					t.Errorf("the embeddings were made again: %+v", x.stages)
				}
				if bytesOf(t, x.labels) != want {
					t.Error("other labels after an interruption")
				}
				if left := files(t, opts.Work); len(left) > 0 {
					t.Errorf("checkpoints are left: %v", left)
				}

				interrupt()
				if err := os.WriteFile(file, []byte(c.changed), 0o600); err != nil {
					t.Fatal(err)
				}
				if x := execute(t, opts, "", file).mustSucceed(t); len(x.resumed) > 0 || len(x.notes) > 0 {
					t.Errorf("a changed input resumes %v, notes %v", x.resumed, x.notes)
				}
				if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
					t.Fatal(err)
				}

				interrupt()
				damaged := files(t, opts.Work)
				for _, path := range damaged {
					data, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					data[len(data)/2] ^= 4
					if err := os.WriteFile(path, data, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				x = execute(t, opts, "", file).mustSucceed(t)
				if len(x.resumed) > 0 || strings.Count(strings.Join(x.notes, "\n"), "done again: damaged checkpoint") != len(damaged) || bytesOf(t, x.labels) != want {
					t.Errorf("%d damaged checkpoints: resumed %v, notes %v", len(damaged), x.resumed, x.notes)
				}
			})
		}
	}
}

// files lists the files under a directory.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKeys changes everything that labels depend on, and what they do not depend on.
func TestKeys(t *testing.T) {
	usual := score.DefaultBackground()
	base := Options{Build: "1", Background: usual}
	space := (&embedtest.Hashed{}).Space()
	content := checkpoint.NewKey().Sum()
	key := base.articlesKey(space, content)
	for name, other := range map[string]checkpoint.Key{
		"build":       Options{Build: "2", Background: usual}.articlesKey(space, content),
		"topics":      Options{Build: "1", Background: usual, Topics: 3}.articlesKey(space, content),
		"precision":   Options{Build: "1", Background: usual, Target: score.Target{Precision: .9}}.articlesKey(space, content),
		"granularity": Options{Build: "1", Background: usual, Target: score.Target{Granularity: 1}}.articlesKey(space, content),
		"space":       base.articlesKey((&embedtest.Hashed{Model: "other"}).Space(), content),
		"content":     base.articlesKey(space, key),
	} {
		if other == key {
			t.Errorf("another %s has the same key", name)
		}
	}
	if other := (Options{Build: "1", Background: usual, Workers: 3, MaxMemory: 5, Work: "there", Documents: true}).articlesKey(space, content); other != key {
		t.Error("options that change no label change the key")
	}
	m := matrix(3, 2, 4)
	rows, err := base.vectorsKey(m)
	if err != nil {
		t.Fatal(err)
	}
	turned := cluster.Matrix{Rows: m.Dim, Dim: m.Rows, Data: m.Data}
	changed := cluster.Matrix{Rows: m.Rows, Dim: m.Dim, Data: slices.Clone(m.Data)}
	changed.Data[len(changed.Data)-1]++
	for name, c := range map[string]struct {
		opts Options
		m    cluster.Matrix
	}{
		"build": {Options{}, m}, "shape": {base, turned}, "numbers": {base, changed}, "number of topics": {Options{Build: "1", Topics: 2}, m},
		"granularity": {Options{Build: "1", Target: score.Target{Granularity: 2}}, m}, "least story": {Options{Build: "1", MinStory: 2}, m},
		"least topic": {Options{Build: "1", MinTopic: 2}, m}, "number of neighbours": {Options{Build: "1", Neighbors: 2}, m},
	} {
		if other, err := c.opts.vectorsKey(c.m); err != nil || other == rows {
			t.Errorf("another %s has the same key, %v", name, err)
		}
	}
}

func TestMemory(t *testing.T) {
	if err := CheckMemory("anything", 1<<60, 0); err != nil {
		t.Errorf("no limit: %v", err)
	}
	var short *MemoryError
	if err := CheckMemory("a task", 1<<30, 1<<30); !errors.As(err, &short) || short.Need <= short.Limit || short.Limit != 1<<30 || short.Task != "a task" {
		t.Errorf("%v", err)
	}
	if err := CheckMemory("a task", 1<<30, short.Need+64<<20); err != nil {
		t.Errorf("what an error asks for is too little: %v", err)
	}
	x := execute(t, Options{Work: t.TempDir(), MaxMemory: 1 << 20}, "", write(t, "reports.jsonl", reports))
	if !errors.As(x.err, &short) || short.Task != "clustering 6 articles" {
		t.Errorf("%v", x.err)
	}
	x = execute(t, Options{Work: t.TempDir(), MaxMemory: 1 << 20}, "", write(t, "v.npy", array(matrix(3, 2, 4))))
	if !errors.As(x.err, &short) || short.Task != "clustering 6 rows of 4 numbers" {
		t.Errorf("%v", x.err)
	}
}

func TestLabelFiled(t *testing.T) {
	in := func(story, topic, theme string, p float64) news.Membership {
		return news.Membership{StoryID: story, TopicID: topic, ThemeID: theme, Probability: p}
	}
	l := LabelFiled([]Filed{
		{"a", in("", "t2", "m", 0.9)}, {"b", in("s9", "t1", "m", 0.5)}, {"c", in("s1", "t2", "m", 0.25)}, {"d", in("s9", "", "", 1)},
	})
	if !slices.Equal(l.Story, []int32{-1, 0, 1, 0}) || !slices.Equal(l.Topic, []int32{0, 1, 0, -1}) || !slices.Equal(l.Theme, []int32{0, 0, 0, -1}) {
		t.Errorf("labels %v, %v, %v", l.Story, l.Topic, l.Theme)
	}
	if !slices.Equal(l.IDs, []string{"a", "b", "c", "d"}) || !slices.Equal(l.Strength, []float32{0, 0.5, 0.25, 1}) {
		t.Errorf("ids %v, strengths %v", l.IDs, l.Strength)
	}
	if got, want := l.Totals(), (Totals{Items: 4, Stories: 2, Topics: 2, Themes: 1, OneOffs: 1, Largest: 2}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
	means := TopicMeans(l.Topic, [][]float32{{0, 2}, {3, 0}, nil, {1, 1}})
	if means.Rows != 2 || !slices.Equal(means.Data, []float32{0, 1, 1, 0}) {
		t.Errorf("means %v", means)
	}
	if means := TopicMeans(l.Topic, make([][]float32, 4)); means.Rows != 0 {
		t.Errorf("means of nothing: %v", means)
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]string{
		"-": "", "a.jsonl": "", "b.NDJSON": "", "c.parquet": "", "d.html": "", "e.htm": "",
		"labels": "has no extension", "labels.txt": ".txt is not supported",
	} {
		_, err := FormatOf(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestNoPlaceForCheckpoints runs a job without a directory to write to.
func TestNoPlaceForCheckpoints(t *testing.T) {
	work := filepath.Join(write(t, "file", ""), "work")
	for _, input := range []string{write(t, "v.npy", array(matrix(30, 4, 32))), write(t, "reports.jsonl", reports)} {
		x := execute(t, Options{Work: work}, "", input).mustSucceed(t)
		if len(x.notes) != 1 || !strings.Contains(x.notes[0], "an interrupted run will start over") {
			t.Errorf("notes %v", x.notes)
		}
	}
}
