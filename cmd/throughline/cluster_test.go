package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/internal/npy"
)

// execution is what one run of the program gave.
type execution struct {
	stdout, stderr string
	err            error
}

// execute runs the real program on a data directory of the test's own.
func execute(ctx context.Context, data, stdin string, args ...string) execution {
	var stdout, stderr bytes.Buffer
	err := run(ctx, append([]string{"--data", data}, args...), strings.NewReader(stdin), &stdout, &stderr)
	return execution{stdout.String(), stderr.String(), err}
}

func (x execution) mustSucceed(t *testing.T) execution {
	t.Helper()
	if x.err != nil {
		t.Fatalf("%v\n%s", x.err, x.stderr)
	}
	return x
}

// reports are two events of two and three articles, and a one-off.
const reports = `{"id":"q1","title":"Earthquake of magnitude 7.1 shakes Tarvale","text":"An earthquake of magnitude 7.1 struck the coastal city of Tarvale on Monday, bringing down the old town hall. Rescuers searched the rubble for survivors.","date":"2031-03-03","story":"quake","topic":"disaster"}
{"id":"b1","title":"Norland central bank raises rate to 4.5 percent","text":"The central bank of Norland raised its key interest rate by a quarter point to 4.5 percent on Thursday, citing inflation. Governor Ilse Brandt said more increases may follow.","date":"2031-03-06","story":"rate","topic":"economy"}
{"id":"q2","title":"Tarvale counts its dead after 7.1 quake","text":"At least 40 people died when a magnitude 7.1 earthquake hit Tarvale, officials said. The old town hall collapsed and rescuers are digging in the rubble.","date":"2031-03-04","story":"quake","topic":"disaster"}
{"id":"c1","title":"Violinist Mara Teel wins the Olden prize","text":"The violinist Mara Teel was given the Olden prize for young musicians in a ceremony with a concert of chamber music.","date":"2031-02-11","story":"prize","topic":"culture"}
{"id":"q3","title":"Rescuers in Tarvale find girl alive under town hall","text":"Rescuers pulled a girl alive from the rubble of the town hall in Tarvale, two days after the magnitude 7.1 earthquake.","date":"2031-03-05","story":"quake","topic":"disaster"}
{"id":"b2","title":"Brandt lifts Norland's interest rate again","text":"Governor Ilse Brandt of Norland's central bank announced a rise of the key interest rate to 4.5 percent, a quarter point more, to fight inflation.","date":"2031-03-06","story":"rate","topic":"economy"}
`

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// groups makes rows around some directions, a few for each, of unit length.
func groups(seed uint64, directions, each, dim int) []float32 {
	random := rand.New(rand.NewPCG(seed, 1))
	var data []float32
	for range directions {
		centre := make([]float64, dim)
		for d := range centre {
			centre[d] = random.NormFloat64()
		}
		for range each {
			row, square := make([]float64, dim), 0.0
			for d := range row {
				row[d] = centre[d] + 0.2*random.NormFloat64()
				square += row[d] * row[d]
			}
			for _, x := range row {
				data = append(data, float32(x/math.Sqrt(square)))
			}
		}
	}
	return data
}

func array(rows, dim int, data []float32) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\x93NUMPY\x01\x00\x76\x00%-117s\n", fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim))
	if err := binary.Write(&b, binary.LittleEndian, data); err != nil {
		panic(err)
	}
	return b.String()
}

type label struct {
	ID                  any
	Story, Topic, Theme int
	Strength            *float32
	TopicStrength       *float32 `json:"topic_strength"`
}

func labels(t *testing.T, text string) []label {
	t.Helper()
	var all []label
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	for {
		var l label
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		all = append(all, l)
	}
}

func TestClusterVectors(t *testing.T) {
	ctx, data := context.Background(), t.TempDir()
	const stories, each, dim = 30, 4, 32
	file := write(t, "vectors.npy", array(stories*each, dim, groups(1, stories, each, dim)))
	out := filepath.Join(t.TempDir(), "labels.jsonl")
	x := execute(ctx, data, "", "cluster", "--input", file, "--output", out).mustSucceed(t)
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	found := labels(t, string(text))
	if len(found) != stories*each {
		t.Fatalf("%d labels", len(found))
	}
	for i, l := range found {
		if l.ID != float64(i) || l.Story != i/each {
			t.Fatalf("line %d is %+v, want story %d", i, l, i/each)
		}
	}
	if !strings.HasPrefix(string(text), `{"id":0,"story":0,"topic":`) {
		t.Errorf("the fields have another order: %.60s", text)
	}
	if !strings.Contains(x.stderr, "120 rows: 30 stories, the largest of 4; 0 in no story") || !strings.Contains(x.stderr, " s") || x.stdout != "" {
		t.Errorf("summary %q, standard output %q", x.stderr, x.stdout)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(out), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left beside the output: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(data, "store.db")); err == nil {
		t.Error("the store was touched")
	}

	for name, args := range map[string][]string{
		"again": {"cluster", "--input", file}, "one worker": {"--workers", "1", "cluster", "--input", file}, "five workers": {"--workers", "5", "cluster", file},
	} {
		if y := execute(ctx, data, "", append(args, "--output", "-")...).mustSucceed(t); y.stdout != string(text) {
			t.Errorf("%s: other bytes", name)
		}
	}
	if y := execute(ctx, data, array(stories*each, dim, groups(1, stories, each, dim)), "cluster", "--input", "-", "--output", "-").mustSucceed(t); y.stdout != string(text) {
		t.Error("standard input: other bytes")
	}
}

// TestClusterVectorsWithOptions looks at what each option does to stories and topics.
func TestClusterVectorsWithOptions(t *testing.T) {
	// Ten stories of seven rows, and ten of two.
	file := write(t, "vectors.npy", array(90, 32, append(groups(4, 10, 7, 32), groups(5, 10, 2, 32)...)))
	type outcome struct {
		execution
		stories, topics map[int]int // rows of each
	}
	cluster := func(flags ...string) outcome {
		t.Helper()
		x := execute(t.Context(), t.TempDir(), "", append([]string{"cluster", file, "-o", "-"}, flags...)...).mustSucceed(t)
		found := outcome{x, map[int]int{}, map[int]int{}}
		for _, l := range labels(t, x.stdout) {
			found.stories[l.Story]++
			found.topics[l.Topic]++
		}
		return found
	}
	least := func(sizes map[int]int) int {
		smallest := 90
		for label, n := range sizes {
			if label >= 0 {
				smallest = min(smallest, n)
			}
		}
		return smallest
	}
	plain := cluster()
	if len(plain.stories) != 20 || least(plain.stories) != 2 || least(plain.topics) >= 12 {
		t.Fatalf("stories %v, topics %v", plain.stories, plain.topics)
	}
	if x := cluster("--min-story=3"); least(x.stories) < 3 {
		t.Errorf("--min-story: stories %v", x.stories)
	}
	if x := cluster("--min-topic=12"); least(x.topics) < 12 {
		t.Errorf("--min-topic: topics %v", x.topics)
	}
	if x := cluster("--topics=4"); len(x.topics) != 4 || strings.Contains(x.stderr, "instead of") {
		t.Errorf("--topics: %v, %s", x.topics, x.stderr)
	}
	many := cluster("--topics=50")
	delete(many.topics, -1)
	if n := len(many.topics); n <= len(plain.topics) || !strings.Contains(many.stderr, fmt.Sprint(n, " topics instead of 50: no more groups are large enough")) {
		t.Errorf("--topics: %v, %s", many.topics, many.stderr)
	}
	if x := cluster("--neighbors=1"); x.stdout == plain.stdout || !strings.Contains(plain.stderr, "819 edges") || strings.Contains(x.stderr, "819 edges") {
		t.Errorf("--neighbors: %s", x.stderr)
	}
	if coarser, coarsest := cluster("--granularity=coarser"), cluster("--granularity=-4"); len(coarser.stories) > len(plain.stories) ||
		len(coarsest.stories) >= len(plain.stories) || coarsest.stories[-1] > 0 || coarser.stdout != cluster("--granularity=-1").stdout {
		t.Errorf("--granularity: stories %v, four steps %v", coarser.stories, coarsest.stories)
	}
}

func TestClusterSeveralArraysCountsRowsThrough(t *testing.T) {
	data := groups(2, 20, 3, 16)
	one := write(t, "all.npy", array(60, 16, data))
	a, b := write(t, "a.npy", array(25, 16, data[:25*16])), write(t, "b.bin", array(35, 16, data[25*16:]))
	want := execute(context.Background(), t.TempDir(), "", "cluster", "--input", one, "--output", "-").mustSucceed(t)
	got := execute(context.Background(), t.TempDir(), "", "cluster", "--output", "-", "--input", a, b).mustSucceed(t)
	if got.stdout != want.stdout {
		t.Errorf("two halves:\n%s\nthe whole:\n%s", got.stdout, want.stdout)
	}
}

func TestClusterSaysWhatIsWrongWithVectors(t *testing.T) {
	good := groups(3, 5, 3, 8)
	with := func(row int, value float32) string {
		data := slices.Clone(good)
		for d := range 8 {
			if value == 0 || d == 2 {
				data[row*8+d] = value
			}
		}
		return array(15, 8, data)
	}
	for name, c := range map[string]struct {
		content string
		kind    error
		says    string
	}{
		"NaN":         {with(11, float32(math.NaN())), nil, "row 11: the number in column 2 is NaN"},
		"infinity":    {with(4, float32(math.Inf(-1))), nil, "row 4: the number in column 2 is -Inf"},
		"zero":        {with(7, 0), nil, "row 7: all its numbers are zero"},
		"no columns":  {array(3, 0, nil), nil, "no numbers"},
		"short":       {array(15, 8, good)[:300], npy.ErrTruncated, "row 5"},
		"not one":     {"id,x\n", npy.ErrFormat, "not a NumPy array"},
		"empty":       {"", npy.ErrFormat, "empty"},
		"one by one":  {strings.Replace(array(15, 8, good), "(15, 8)", "(120,) ", 1), npy.ErrShape, "[120]"},
		"other dtype": {strings.Replace(array(15, 8, good), "<f4", "<i4", 1), npy.ErrType, "<i4"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "vectors.npy", c.content)
			out := filepath.Join(t.TempDir(), "labels.jsonl")
			if err := os.WriteFile(out, []byte("of the last run"), 0o600); err != nil {
				t.Fatal(err)
			}
			x := execute(context.Background(), t.TempDir(), "", "cluster", "--input", file, "--output", out)
			if exitCode(x.err) != exitFailed || !strings.Contains(x.stderr, file+": ") || !strings.Contains(x.stderr, c.says) || c.kind != nil && !errors.Is(x.err, c.kind) {
				t.Errorf("%v, exit code %d", x.err, exitCode(x.err))
			}
			if old, err := os.ReadFile(out); err != nil || string(old) != "of the last run" {
				t.Errorf("the output of the last run is %q, %v", old, err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(left) > 0 {
				t.Errorf("left beside the output: %v", left)
			}
		})
	}
	t.Run("two widths", func(t *testing.T) {
		a, b := write(t, "a.npy", array(15, 8, good)), write(t, "b.npy", array(30, 4, good))
		if x := execute(context.Background(), t.TempDir(), "", "cluster", "--output", "-", a, b); x.err == nil || !strings.Contains(x.stderr, b+": its rows have 4 numbers, those of "+a+" have 8") {
			t.Errorf("%v", x.err)
		}
	})
	t.Run("other lengths", func(t *testing.T) {
		double := make([]float32, len(good))
		for i, x := range good {
			double[i] = 2 * x
		}
		want := execute(context.Background(), t.TempDir(), array(15, 8, good), "cluster", "--input", "-", "--output", "-").mustSucceed(t)
		x := execute(context.Background(), t.TempDir(), array(15, 8, double), "cluster", "--input", "-", "--output", "-").mustSucceed(t)
		if x.stdout != want.stdout || !strings.Contains(x.stderr, "15 of 15 rows are not of unit length") || strings.Contains(want.stderr, "unit length") {
			t.Errorf("labels %q instead of %q, summary %q", x.stdout, want.stdout, x.stderr)
		}
	})
	t.Run("no rows", func(t *testing.T) {
		if x := execute(context.Background(), t.TempDir(), array(0, 8, nil), "cluster", "--input", "-", "--output", "-").mustSucceed(t); x.stdout != "" {
			t.Errorf("labels %q", x.stdout)
		}
	})
}

func TestClusterRefusesCallsThatCannotBeMeant(t *testing.T) {
	file := write(t, "vectors.npy", array(15, 8, groups(3, 5, 3, 8)))
	text := write(t, "reports.jsonl", reports)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"text":          {[]string{"--input", file, "--output", "x.TXT"}, ".txt is not supported"},
		"twice":         {[]string{"--input", file, "-o", "x.html", "-o", "y.jsonl", "-o", "x.html"}, "x.html is given twice"},
		"no table":      {[]string{"--input", file, "--output", "-", "--vectors", "embedding"}, "--vectors"},
		"no inputs":     {[]string{"--vectors", "embedding"}, "--vectors"},
		"work of store": {[]string{"--work", t.TempDir()}, "--work"},
		"no size":       {[]string{"--input", file, "--output", "-", "--max-memory", "much"}, "not a size"},
		"no extension":  {[]string{"--input", file, "--output", "labels"}, ".jsonl"},
		"no output":     {[]string{"--input", file}, "--output"},
		"apply":         {[]string{"--input", file, "--output", "-", "--apply"}, "--apply"},
		"stdin twice":   {[]string{"--input", "-", "--input", "-", "--output", "-"}, "only once"},
		"mixture":       {[]string{"--input", file, text, "--output", "-"}, "together"},
		"precision":     {[]string{"--input", file, "--output", "-", "--precision", ".9"}, "--precision is for articles; vectors have --granularity"},
		"minus a topic": {[]string{"--input", text, "--output", "-", "--topics=-3"}, "--topics -3: must not be negative"},
		"no neighbours": {[]string{"--input", file, "--output", "-", "--neighbors=-1"}, "--neighbors -1: must not be negative"},
		"one row":       {[]string{"--input", file, "--output", "-", "--min-story", "1"}, "--min-story 1: must be at least 2"},
		"one-row topic": {[]string{"--input", file, "--output", "-", "--min-topic", "1"}, "--min-topic 1: must be at least 2"},
		"of articles":   {[]string{"--input", text, "--output", "-", "--min-story", "3"}, "--min-story is for vectors, and the inputs have articles"},
		"of articles 2": {[]string{"--input", text, "--output", "-", "--min-topic", "3"}, "--min-topic is for vectors"},
		"of the store":  {[]string{"--neighbors", "3"}, "--neighbors is for vectors, and the store has articles"},
	} {
		t.Run(name, func(t *testing.T) {
			x := execute(context.Background(), t.TempDir(), "", append([]string{"cluster"}, c.args...)...)
			if exitCode(x.err) != exitUsage || !strings.Contains(x.stderr, c.says) {
				t.Errorf("exit code %d, %q", exitCode(x.err), x.stderr)
			}
		})
	}
	for name, args := range map[string][]string{
		"missing input":     {"--input", filepath.Join(t.TempDir(), "missing.npy"), "--output", "-"},
		"missing directory": {"--input", file, "--output", filepath.Join(t.TempDir(), "missing", "x.jsonl")},
	} {
		if x := execute(context.Background(), t.TempDir(), "", append([]string{"cluster"}, args...)...); exitCode(x.err) != exitFailed || !errors.Is(x.err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, x.err)
		}
	}
}

func TestClusterStopsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	file := write(t, "vectors.npy", array(15, 8, groups(3, 5, 3, 8)))
	text := write(t, "reports.jsonl", reports)
	out := filepath.Join(t.TempDir(), "labels.jsonl")
	for _, input := range []string{file, text} {
		if x := execute(ctx, t.TempDir(), "", "cluster", "--input", input, "--output", out); !errors.Is(x.err, context.Canceled) {
			t.Errorf("%s: %v", input, x.err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// storiesOf maps article ids to stories, and says which share one.
func storiesOf(t *testing.T, text string) string {
	t.Helper()
	members := map[int][]string{}
	var order []int
	for _, l := range labels(t, text) {
		if l.Story < 0 {
			continue
		}
		if members[l.Story] == nil {
			order = append(order, l.Story)
		}
		members[l.Story] = append(members[l.Story], fmt.Sprint(l.ID))
	}
	var all []string
	for _, s := range order {
		slices.Sort(members[s])
		all = append(all, strings.Join(members[s], " "))
	}
	slices.Sort(all)
	return strings.Join(all, " | ")
}

func TestClusterArticles(t *testing.T) {
	data := t.TempDir()
	file := write(t, "reports.jsonl", reports+`{"id":"q1","title":"Again","text":"An id that was read before."}`+"\n"+`{"broken`+"\n")
	x := execute(context.Background(), data, "", "cluster", "--input", file, "--output", "-").mustSucceed(t)
	if got := storiesOf(t, x.stdout); got != "b1 b2 | q1 q2 q3" {
		t.Errorf("stories %s", got)
	}
	if !strings.HasPrefix(x.stdout, `{"id":"q1","story":0,"topic":`) || !strings.Contains(x.stdout, `{"id":"c1","story":-1,"topic":`) {
		t.Errorf("labels\n%s", x.stdout)
	}
	for _, want := range []string{"1 article left out", "1 item rejected", "reports.jsonl:8", "6 articles: 2 stories, the largest of 3; 1 in no story"} {
		if !strings.Contains(x.stderr, want) {
			t.Errorf("no %q in the summary\n%s", want, x.stderr)
		}
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) > 0 {
		t.Errorf("the data directory was touched: %v, %v", entries, err)
	}
	if y := execute(context.Background(), data, reports, "cluster", "--input", "-", "--output", "-").mustSucceed(t); y.stdout != x.stdout {
		t.Errorf("standard input gives\n%s", y.stdout)
	}
	if y := execute(context.Background(), data, "", "cluster", "--input", write(t, "bad.jsonl", "{\"broken\n"), "--output", "-"); exitCode(y.err) != exitFailed || !strings.Contains(y.stderr, "no article could be read") {
		t.Errorf("%v", y.err)
	}
}

func TestClusterStore(t *testing.T) {
	ctx, data := context.Background(), t.TempDir()
	if x := execute(ctx, data, "", "cluster"); !errors.Is(x.err, errNoStore) {
		t.Fatalf("an empty store: %v", x.err)
	}
	execute(ctx, data, reports, "ingest", "-").mustSucceed(t)
	topics := func() string { return execute(ctx, data, "", "--json", "topics").mustSucceed(t).stdout }
	before := topics()

	// Ingest has made the stories that there are, so there is nothing to change.
	dry := execute(ctx, data, "", "cluster", "--output", "-").mustSucceed(t)
	if got := storiesOf(t, dry.stdout); got != "b1 b2 | q1 q2 q3" {
		t.Errorf("stories %s", got)
	}
	if !strings.Contains(dry.stderr, "0 created, 0 merged, 0 split, 0 renamed, 0 deleted; 0 articles moved") || !strings.Contains(dry.stderr, "--apply") {
		t.Errorf("summary %q", dry.stderr)
	}
	files := execute(ctx, data, "", "cluster", "--input", write(t, "reports.jsonl", reports), "--output", "-").mustSucceed(t)
	if got, want := storiesOf(t, files.stdout), storiesOf(t, dry.stdout); got != want {
		t.Errorf("from files %s, from the store %s", got, want)
	}

	// Another number of topics is a change, which waits for --apply.
	dry = execute(ctx, data, "", "cluster", "--topics", "2", "--output", "-").mustSucceed(t)
	seen := map[int]bool{}
	for _, l := range labels(t, dry.stdout) {
		if l.Topic >= 0 {
			seen[l.Topic] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("two topics are wanted, these were made: %v", seen)
	}
	if topics() != before {
		t.Error("a dry run changed the store")
	}
	applied := execute(ctx, data, "", "--json", "cluster", "--topics", "2", "--apply", "--output", "-").mustSucceed(t)
	if applied.stdout != dry.stdout {
		t.Errorf("announced\n%sdone\n%s", dry.stdout, applied.stdout)
	}
	if topics() == before {
		t.Error("--apply changed nothing")
	}
	var summary struct {
		Summary struct {
			Items, Stories int
			Changes        changes
			Peak           int64 `json:"peak_memory_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(lastLine(applied.stderr)), &summary); err != nil {
		t.Fatalf("%v in %q", err, applied.stderr)
	}
	if s := summary.Summary; s.Items != 6 || s.Stories != 2 || !s.Changes.Applied || s.Peak == 0 && runtime.GOOS == "linux" {
		t.Errorf("summary %s", applied.stderr)
	}
}

// serving runs a server on a data directory and returns its address and what stops it.
func serving(t *testing.T, data string, flags ...string) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan execution, 1)
	go func() {
		done <- execute(ctx, data, "", append(flags, "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")...)
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if addr = runningServer(data); addr != "" {
			break
		}
		select {
		case x := <-done:
			t.Fatalf("the server ended: %v\n%s", x.err, x.stderr)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("no server after a minute")
		}
	}
	return addr, func() {
		cancel()
		if x := <-done; x.err != nil {
			t.Errorf("the server ended with %v\n%s", x.err, x.stderr)
		}
	}
}

// summaryOf is what stderr says of the outcome, without times.
func summaryOf(x execution) string {
	_, summary, _ := strings.Cut(x.stderr, "write ")
	_, summary, _ = strings.Cut(summary, "\n")
	return summary[:strings.LastIndex(strings.TrimSpace(summary), "\n")+1]
}

// TestClusterStoreOfARunningServer compares what a server does with what the same program does
// without one.
func TestClusterStoreOfARunningServer(t *testing.T) {
	ctx, data := context.Background(), t.TempDir()
	execute(ctx, data, reports, "ingest", "-").mustSucceed(t)
	table := filepath.Join(t.TempDir(), "x.parquet")
	dryRun := func(args ...string) (x execution, tableBytes string) {
		x = execute(ctx, data, "", append([]string{"cluster", "--topics", "2", "-o", "-", "-o", table}, args...)...).mustSucceed(t)
		return x, read(t, table)
	}
	local, localTable := dryRun()
	for _, says := range []string{"6 articles: 2 stories, the largest of 3; 1 in no story; 2 topics", "0 articles moved", "nothing was changed"} {
		if !strings.Contains(summaryOf(local), says) {
			t.Errorf("no %q in the summary\n%s", says, local.stderr)
		}
	}
	addr, stop := serving(t, data)
	defer stop()
	remote, remoteTable := dryRun()
	if remote.stdout != local.stdout || remoteTable != localTable || !strings.Contains(local.stdout, `"topic_strength":`) {
		t.Errorf("labels of a server\n%sof this process\n%s", remote.stdout, local.stdout)
	}
	if summaryOf(remote) != summaryOf(local) {
		t.Errorf("a server says\n%sthis process\n%s", summaryOf(remote), summaryOf(local))
	}
	// Elsewhere the server is found by its address alone.
	applied := execute(ctx, t.TempDir(), "", "cluster", "--addr", addr, "--topics", "2", "--apply", "--output", "-").mustSucceed(t)
	unknown := regexp.MustCompile(`,"topic_strength":[^}]*`)
	if applied.stdout != unknown.ReplaceAllString(local.stdout, "") {
		t.Errorf("labels\n%sinstead of\n%s", applied.stdout, local.stdout)
	}
	if x := execute(ctx, data, "", "cluster", "--addr", addr, "--output", "-", write(t, "reports.jsonl", reports)); exitCode(x.err) != exitUsage {
		t.Errorf("input files for a server: %v", x.err)
	}
}

// TestNamesAreTheSame looks for the titles of the API on every page: that of a dry run, of one by a
// server, of an applied one, and of the file without a store.
func TestNamesAreTheSame(t *testing.T) {
	ctx, data := context.Background(), t.TempDir()
	execute(ctx, data, reports, "ingest", "-").mustSucceed(t)
	var stored struct {
		Stories []struct{ Title string }
		Topics  []struct{ Title string }
	}
	for _, list := range []string{"stories", "topics"} {
		if err := json.Unmarshal([]byte(execute(ctx, data, "", "--json", list).mustSucceed(t).stdout), &stored); err != nil {
			t.Fatal(err)
		}
	}
	if len(stored.Stories) != 2 || len(stored.Topics) == 0 {
		t.Fatalf("stored are %+v", stored)
	}
	check := func(how string, args ...string) {
		t.Helper()
		page := filepath.Join(t.TempDir(), "page.html")
		execute(ctx, data, "", append([]string{"cluster", "-o", page}, args...)...).mustSucceed(t)
		text := html.UnescapeString(read(t, page))
		for _, s := range stored.Stories {
			if !strings.Contains(text, "<summary>"+s.Title+"<") {
				t.Errorf("%s: no story %q", how, s.Title)
			}
		}
		for _, topic := range stored.Topics {
			if !strings.Contains(text, "<h3>"+topic.Title+"</h3>") {
				t.Errorf("%s: no topic %q", how, topic.Title)
			}
		}
	}
	check("dry run")
	check("file", write(t, "reports.jsonl", reports))
	addr, stop := serving(t, data)
	defer stop()
	check("dry run of a server", "--addr", addr)
	check("applied by a server", "--addr", addr, "--apply")
}
