package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/embed"
	"throughline/embed/minilm"
	"throughline/internal/evaluate"
	"throughline/internal/npy"
)

func TestEvaluate(t *testing.T) {
	data := t.TempDir()
	file := write(t, "reports.jsonl", reports+`{"id":"q1","title":"Again","text":"An id that was read before.","story":"quake"}`+"\n")
	x := execute(context.Background(), data, "", "--json", "evaluate", file).mustSucceed(t)
	var report struct {
		Sets []map[string]any `json:"sets"`
	}
	if err := json.Unmarshal([]byte(x.stdout), &report); err != nil || len(report.Sets) != 1 {
		t.Fatalf("%v in %s", err, x.stdout)
	}
	set := report.Sets[0]
	if set["file"] != file || set["articles"] != 6.0 {
		t.Errorf("file %v, %v articles", set["file"], set["articles"])
	}
	keys := func(m any) (names []string) {
		for name := range m.(map[string]any) {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	for field, want := range map[string][]string{
		"related": {"articles", "mrr", "ndcg10", "p5"}, "topics": {"ami", "ari", "found", "gold"},
		"stories":     {"ami", "ari", "f1", "found", "gold", "gold_in_stories", "in_stories", "largest", "largest_share", "pair_f1", "pair_precision", "pair_recall", "precision", "recall"},
		"reliability": {"bins", "ece", "observed", "pairs", "predicted"},
	} {
		if got := keys(set[field]); !slices.Equal(got, want) {
			t.Errorf("%s has the fields %v, want %v", field, got, want)
		}
	}
	if got := keys(set); !slices.Equal(got, []string{"articles", "file", "intervals", "labels", "related", "reliability", "seconds", "stories", "topics", "unlabelled"}) {
		t.Errorf("a set has the fields %v", got)
	}
	if related := set["related"].(map[string]any); related["ndcg10"] != 1.0 || related["mrr"] != 1.0 {
		t.Errorf("related %v", related)
	}
	if found := set["stories"].(map[string]any); found["f1"] != 1.0 || found["found"] != 2.0 || found["gold"] != 2.0 {
		t.Errorf("stories %v", found)
	}
	if !strings.Contains(x.stderr, `an article with the id "q1" was read before`) {
		t.Errorf("notes %q", x.stderr)
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) > 0 {
		t.Errorf("the data directory was touched: %v, %v", entries, err)
	}

	table := execute(context.Background(), data, reports, "evaluate", "-", file).mustSucceed(t).stdout
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 9 || !strings.HasPrefix(lines[0], "STORIES OF") || !strings.HasPrefix(lines[1], "- ") || !strings.HasPrefix(lines[2], "reports ") ||
		!strings.Contains(lines[2], "2/2") || !strings.HasPrefix(lines[3], "mean") || !strings.Contains(lines[5], "nDCG@10") || !strings.HasPrefix(lines[8], "mean") {
		t.Errorf("table:\n%s", table)
	}
}

// Vectors that cannot be the built-in model's are another model's, which has to be named: how they
// are judged depends on it.
func TestEvaluateVectorsOfAnotherModel(t *testing.T) {
	model, err := minilm.New(minilm.Options{})
	if err != nil || model.Space().Dimensions != builtinDimensions || model.Space().Model != embed.MiniLM {
		t.Fatalf("the built-in model has %+v, %v", model.Space(), err)
	}
	file := write(t, "reports.jsonl", reports)
	array := filepath.Join(t.TempDir(), "reports.npy")
	f, err := os.Create(array)
	if err != nil {
		t.Fatal(err)
	}
	w, err := npy.NewWriter(f, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range [][]float32{{1, 0, 0}, {1, .1, 0}, {1, 0, .1}, {0, 1, 0}, {0, 1, .1}, {0, 0, 1}} {
		if err := w.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	x := execute(context.Background(), t.TempDir(), "", "evaluate", "--vectors", array, file)
	if exitCode(x.err) != exitUsage || !strings.Contains(x.stderr, "not vectors of all-MiniLM-L6-v2 (got 3 numbers") || !strings.Contains(x.stderr, "--vectors-model") {
		t.Errorf("no name: %v\n%s", x.err, x.stderr)
	}
	x = execute(context.Background(), t.TempDir(), "", "--json", "evaluate", "--vectors", array, "--vectors-model", "tiny", file).mustSucceed(t)
	if !strings.Contains(x.stdout, `"model":"tiny"`) {
		t.Error(x.stdout)
	}
}

func TestEvaluateSaysWhatItCannotMeasure(t *testing.T) {
	file := write(t, "reports.jsonl", reports)
	missing := filepath.Join(t.TempDir(), "missing.jsonl")
	// A missing file is found out before the others are measured.
	if x := execute(context.Background(), t.TempDir(), "", "evaluate", file, missing); exitCode(x.err) != exitFailed || !errors.Is(x.err, os.ErrNotExist) || x.stdout != "" {
		t.Errorf("missing: %v, %q", x.err, x.stdout)
	}
	// What was measured before a failure is shown.
	broken := write(t, "broken.jsonl", "{\"id\":\n")
	x := execute(context.Background(), t.TempDir(), "", "evaluate", file, broken)
	if exitCode(x.err) != exitFailed || !strings.Contains(x.stderr, "no article to evaluate") || !strings.Contains(x.stderr, broken+":1") || !strings.Contains(x.stdout, "\nreports ") {
		t.Errorf("broken: %v\n%s%s", x.err, x.stdout, x.stderr)
	}
	if x := execute(context.Background(), t.TempDir(), "", "evaluate"); exitCode(x.err) != exitUsage {
		t.Errorf("no file: %v", x.err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if x := execute(ctx, t.TempDir(), "", "evaluate", file); !errors.Is(x.err, context.Canceled) {
		t.Errorf("stopped: %v", x.err)
	}
}

func TestEvaluateLive(t *testing.T) {
	file := write(t, "reports.jsonl", reports+`{"id":"q1","title":"Again","text":"An id that was read before.","story":"quake"}`+"\n")
	x := execute(context.Background(), t.TempDir(), "", "--json", "evaluate", "--live", file).mustSucceed(t)
	var report evaluate.LiveReport
	if err := json.Unmarshal([]byte(x.stdout), &report); err != nil || len(report.Live) != 1 {
		t.Fatalf("%v in %s", err, x.stdout)
	}
	if l := report.Live[0]; l.Articles != 6 || l.Streamed.F1 != 1 || l.Streamed != l.Rebuilt || l.Moved != 0 {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(x.stderr, `an article with the id "q1" was read before`) {
		t.Errorf("notes %q", x.stderr)
	}
	if x := execute(context.Background(), t.TempDir(), "", "evaluate", "--live", file).mustSucceed(t); !strings.HasPrefix(x.stdout, "STREAMED") {
		t.Errorf("table:\n%s", x.stdout)
	}
	for _, other := range [][]string{{"--derived", "4"}, {"--save", "x.json"}, {"--compare", "x.json"}, {"--ask", "3"}} {
		x := execute(context.Background(), t.TempDir(), "", append([]string{"evaluate", "--live", file}, other...)...)
		if _, ok := errors.AsType[usageError](x.err); !ok {
			t.Errorf("%v: %v", other, x.err)
		}
	}
}
