package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	format "github.com/parquet-go/parquet-go"

	"throughline/internal/batch"
	"throughline/internal/parquet"
)

// tableRow is an article as crawlers keep them in Parquet files, with the vector of some model.
type tableRow struct {
	ID        string    `parquet:"id"`
	Headline  string    `parquet:"headline"`
	Body      string    `parquet:"body"`
	Outlet    string    `parquet:"outlet"`
	URL       string    `parquet:"url"`
	Published time.Time `parquet:"published_at,timestamp(millisecond)"`
	Embedding []float32 `parquet:"embedding,list"`
}

// reportTable is reports as a Parquet file; vectors follow the stories.
func reportTable(t *testing.T) (file string, rows []tableRow) {
	t.Helper()
	axis := map[string]int{}
	for i, line := range strings.Split(strings.TrimSpace(reports), "\n") {
		var r struct{ ID, Title, Text, Date, Story string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		published, err := time.Parse(time.DateOnly, r.Date)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := axis[r.Story]; !ok {
			axis[r.Story] = len(axis)
		}
		vector := make([]float32, 8)
		vector[axis[r.Story]], vector[7-i] = 1, 0.1
		rows = append(rows, tableRow{r.ID, r.Title, r.Text, "The " + r.Story + " Post", "https://news.example/" + r.ID, published, vector})
	}
	return write(t, "reports.parquet", parquetOf(t, rows)), rows
}

func parquetOf[T any](t *testing.T, rows []T) string {
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

func TestClusterParquetOfArticles(t *testing.T) {
	file, _ := reportTable(t)
	want := execute(context.Background(), t.TempDir(), "", "cluster", write(t, "reports.jsonl", reports), "-o", "-").mustSucceed(t)
	x := execute(context.Background(), t.TempDir(), "", "cluster", file, "-o", "-").mustSucceed(t)
	if x.stdout != want.stdout {
		t.Errorf("from Parquet\n%sfrom JSON lines\n%s", x.stdout, want.stdout)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if x := execute(context.Background(), t.TempDir(), string(data), "cluster", "-", "-o", "-").mustSucceed(t); x.stdout != want.stdout {
		t.Errorf("from standard input\n%s", x.stdout)
	}
	// A row that is no article is named by its file and number.
	type plain struct {
		ID    string `parquet:"id"`
		Title string `parquet:"title"`
		Date  string `parquet:"date"`
	}
	bad := write(t, "some.parquet", parquetOf(t, []plain{{"a", "Harbour closed by storm", ""}, {"b", "Harbour opens after storm", "yesterday or so"}, {"c", "Harbour shut by storm", ""}}))
	if x := execute(context.Background(), t.TempDir(), "", "cluster", bad, "-o", "-").mustSucceed(t); !strings.Contains(x.stderr, bad+":2") || strings.Count(x.stdout, "\n") != 2 {
		t.Errorf("%s", x.stderr)
	}
	if x := execute(context.Background(), t.TempDir(), "", "cluster", write(t, "broken.parquet", "PAR1 and nothing else"), "-o", "-"); exitCode(x.err) != exitFailed || !errors.Is(x.err, parquet.ErrFormat) {
		t.Errorf("%v", x.err)
	}
}

func TestClusterParquetOfVectors(t *testing.T) {
	file, rows := reportTable(t)
	page := filepath.Join(t.TempDir(), "page.html")
	x := execute(context.Background(), t.TempDir(), "", "cluster", "--vectors", "embedding", file, "-o", "-", "-o", page).mustSucceed(t)
	if got := storiesOf(t, x.stdout); got != "b1 b2 | q1 q2 q3" {
		t.Errorf("stories %s", got)
	}
	text := read(t, page)
	for _, says := range []string{"2031-03-0", "https://news.example/", "Sources", "reports.parquet"} {
		if !strings.Contains(text, says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	if !strings.Contains(text, "Tarvale") {
		t.Error("the page has no titles")
	}

	// Without text there is no doubt, and without ids rows have numbers.
	type bare struct {
		V []float32 `parquet:"v,list"`
	}
	var bares []bare
	for _, r := range rows {
		bares = append(bares, bare{r.Embedding})
	}
	only := write(t, "vectors.parquet", parquetOf(t, bares))
	data := make([]float32, 0, 6*8)
	for _, r := range rows {
		data = append(data, r.Embedding...)
	}
	want := execute(context.Background(), t.TempDir(), array(6, 8, data), "cluster", "-", "-o", "-").mustSucceed(t)
	if y := execute(context.Background(), t.TempDir(), "", "cluster", only, "-o", "-").mustSucceed(t); y.stdout != want.stdout {
		t.Errorf("labels\n%s instead of\n%s", y.stdout, want.stdout)
	}
	// Several inputs are counted through.
	y := execute(context.Background(), t.TempDir(), "", "cluster", write(t, "a.npy", array(6, 8, data)), file, "--vectors", "embedding", "-o", "-").mustSucceed(t)
	if all := labels(t, y.stdout); len(all) != 12 || all[0].ID != "0" || all[6].ID != "q1" || all[0].Story != all[6].Story {
		t.Errorf("%s", y.stdout)
	}

	type two struct {
		A []float32 `parquet:"a,list"`
		B []float32 `parquet:"b,list"`
	}
	for name, c := range map[string]struct {
		file string
		args []string
		says string
	}{
		"two columns": {write(t, "two.parquet", parquetOf(t, []two{{[]float32{1}, []float32{1}}})), nil, "choose one with --vectors"},
		"no column":   {file, []string{"--vectors", "nosuch"}, `"nosuch", want one of`},
		"no vectors":  {file, []string{"--vectors", "headline"}, `"headline" is none`},
		"dimensions":  {write(t, "bad.parquet", parquetOf(t, []bare{{[]float32{1, 2}}, {[]float32{1}}})), nil, "row 1: its vector has 1 numbers"},
		"NaN":         {write(t, "nan.parquet", parquetOf(t, []bare{{[]float32{1, 2}}, {[]float32{1, float32(math.NaN())}}})), nil, "row 1: the number in column 1 is NaN"},
	} {
		if x := execute(context.Background(), t.TempDir(), "", append([]string{"cluster", c.file, "-o", "-"}, c.args...)...); exitCode(x.err) != exitFailed || !strings.Contains(x.stderr, c.says) {
			t.Errorf("%s: %v", name, x.err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestClusterWritesEveryOutput(t *testing.T) {
	dir := t.TempDir()
	lines, tables, page := filepath.Join(dir, "x.jsonl"), filepath.Join(dir, "x.parquet"), filepath.Join(dir, "x.html")
	data := groups(1, 30, 4, 32)
	for name, c := range map[string]struct {
		input string
		says  []string
	}{
		"vectors":  {write(t, "vectors.npy", array(120, 32, data)), []string{"There are no titles", "There are no dates", "Story 7", "<b>120</b> rows"}},
		"articles": {write(t, "reports.jsonl", reports), []string{"Tarvale", "Sizes of stories", "Timeline", "<b>6</b> articles"}},
	} {
		t.Run(name, func(t *testing.T) {
			execute(context.Background(), t.TempDir(), "", "cluster", c.input, "-o", lines, "-o", tables, "-o", page).mustSucceed(t)
			want := labels(t, read(t, lines))
			type row struct {
				Story         int32   `parquet:"story"`
				Topic         int32   `parquet:"topic"`
				Theme         int32   `parquet:"theme"`
				Strength      float32 `parquet:"strength"`
				TopicStrength float32 `parquet:"topic_strength"`
			}
			rows, err := format.ReadFile[row](tables)
			if err != nil || len(rows) != len(want) {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i, r := range rows {
				w := want[i]
				if int(r.Story) != w.Story || int(r.Topic) != w.Topic || int(r.Theme) != w.Theme || r.Strength != *w.Strength || r.TopicStrength != *w.TopicStrength {
					t.Fatalf("row %d is %+v in the table and %+v in the lines", i, r, w)
				}
				if (w.Story < 0) != (r.Strength == 0) && w.Story < 0 || r.Strength < 0 || r.Strength > 1 {
					t.Errorf("row %d of story %d has strength %v", i, w.Story, r.Strength)
				}
			}
			text := read(t, page)
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("the page does not say %q", says)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestClusterPageOfTheStore(t *testing.T) {
	ctx, data := context.Background(), t.TempDir()
	execute(ctx, data, reports, "ingest", "-").mustSucceed(t)
	page := filepath.Join(t.TempDir(), "page.html")
	execute(ctx, data, "", "cluster", "-o", page).mustSucceed(t)
	text := read(t, page)
	for _, says := range []string{"The store", "Tarvale", "Timeline", `href="#topic-0"`} {
		if !strings.Contains(text, says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	if strings.Contains(text, "data-missing>") {
		t.Error("something is said to be missing")
	}
	// A server does not hand out vectors, and the page says so.
	_, stop := serving(t, data)
	defer stop()
	execute(ctx, data, "", "cluster", "--apply", "-o", page).mustSucceed(t)
	if text := read(t, page); !strings.Contains(text, "There are no vectors") || !strings.Contains(text, "Tarvale") {
		t.Error("the page of a server's articles lacks something")
	}
	if x := execute(ctx, data, "", "cluster", "--max-memory", "1GB"); exitCode(x.err) != exitUsage {
		t.Errorf("%v", x.err)
	}
}

// TestClusterLeavesNoCheckpoints looks at where they are while a job runs.
func TestClusterLeavesNoCheckpoints(t *testing.T) {
	vectors := write(t, "vectors.npy", array(120, 32, groups(1, 30, 4, 32)))
	dir, data := t.TempDir(), t.TempDir()
	execute(context.Background(), data, "", "cluster", vectors, "-o", "-", "--work", dir).mustSucceed(t)
	execute(context.Background(), data, "", "cluster", vectors, "-o", "-").mustSucceed(t)
	for _, dir := range []string{dir, data} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestClusterMaxMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	many := write(t, "many.npy", array(20000, 64, groups(1, 5000, 4, 64)))
	texts := write(t, "reports.jsonl", reports)
	for _, c := range [][]string{{many, "--max-memory", "20MB"}, {many, "--max-memory", "0.02GB"}, {texts, "--max-memory", "10MiB"}} {
		x := execute(context.Background(), t.TempDir(), "", append([]string{"cluster", "-o", "-"}, c...)...)
		var short *batch.MemoryError
		if exitCode(x.err) != exitFailed || !errors.As(x.err, &short) || short.Need <= short.Limit || !strings.Contains(x.stderr, batch.MB(short.Need)) {
			t.Errorf("%v: %v", c[1:], x.err)
		}
	}
	want := execute(context.Background(), t.TempDir(), "", "cluster", many, "-o", "-").mustSucceed(t)
	if x := execute(context.Background(), t.TempDir(), "", "cluster", many, "-o", "-", "--max-memory", "4GB").mustSucceed(t); x.stdout != want.stdout {
		t.Error("a limit changes the labels")
	}
	if after := debug.SetMemoryLimit(-1); after != before {
		t.Errorf("the limit of the garbage collector was %d and is %d", before, after)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "1000": 1000, "2GB": 2e9, "1.5 GiB": 3 << 29, "700mb": 7e8, "3k": 3000, "1Ti": 1 << 40, "5B": 5} {
		var s size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "much", "-1", "1XB", "GB", "NaN", "1e30", "1.2.3MB", "Inf"} {
		var s size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, s)
		}
	}
}

// TestClusterSummaryHasStages looks at what the stages took.
func TestClusterSummaryHasStages(t *testing.T) {
	vectors := write(t, "vectors.npy", array(120, 32, groups(1, 30, 4, 32)))
	x := execute(context.Background(), t.TempDir(), "", "--json", "cluster", vectors, "-o", "-").mustSucceed(t)
	lines := strings.Split(strings.TrimSpace(x.stderr), "\n")
	var summary struct {
		Summary struct {
			Stages  []batch.Stage
			Seconds float64
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, s := range summary.Summary.Stages {
		names = append(names, s.Name)
		var line struct{ Stage batch.Stage }
		if err := json.Unmarshal([]byte(lines[i]), &line); err != nil || line.Stage != s {
			t.Errorf("stage %d was told as %s", i, lines[i])
		}
		if s.Seconds < 0 || s.Seconds > summary.Summary.Seconds {
			t.Errorf("%+v", s)
		}
	}
	if !slices.Equal(names, []string{"read", "graph", "linkage", "cuts", "write"}) {
		t.Errorf("stages %v", names)
	}
}

// TestClusterOddVectors is about input in which there is little or nothing to find.
func TestClusterOddVectors(t *testing.T) {
	same := func(n int) string { return array(n, 3, slices.Repeat([]float32{0.6, 0, 0.8}, n)) }
	copies := append(slices.Repeat([]float32{1, 0, 0, 0}, 3000), slices.Repeat([]float32{0, 1, 0, 0}, 3000)...)
	copies = append(copies, 0, 0, 1, 0, 0, 0, 0, 1)
	for name, c := range map[string]struct {
		content string
		rows    int
		stories int
	}{
		"none": {array(0, 3, nil), 0, 0}, "one": {same(1), 1, 0}, "two the same": {same(2), 2, 1}, "two": {array(2, 2, []float32{1, 0, 0, 1}), 2, 0},
		"all the same": {same(5000), 5000, 1}, "copies by the thousand": {array(6002, 4, copies), 6002, 2},
		"one number": {array(3, 1, []float32{1, -1, 1}), 3, 1},
	} {
		page := filepath.Join(t.TempDir(), "x.html")
		table := filepath.Join(t.TempDir(), "x.parquet")
		x := execute(context.Background(), t.TempDir(), c.content, "cluster", "-", "-o", "-", "-o", page, "-o", table).mustSucceed(t)
		all := labels(t, x.stdout)
		stories := map[int]bool{}
		for _, l := range all {
			if l.Story >= 0 {
				stories[l.Story] = true
			}
		}
		if len(all) != c.rows || len(stories) != c.stories {
			t.Errorf("%s: %d rows, %d stories, want %d and %d", name, len(all), len(stories), c.rows, c.stories)
		}
		if !strings.Contains(read(t, page), fmt.Sprintf("<b>%d</b> rows", c.rows)) {
			t.Errorf("%s: no page", name)
		}
	}
}
