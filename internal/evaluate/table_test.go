package evaluate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWhatCannotBeMeasuredIsUnknown(t *testing.T) {
	report := NewReport("m", []*Result{run(t, &scripted{}, labelled("a - -", "b - -"))})
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"stories":{"precision":null,"recall":null,"f1":null,"pair_precision":null,"pair_recall":null,"pair_f1":null,"ami":null,"ari":null,` +
			`"found":0,"gold":0,"in_stories":null,"gold_in_stories":null,"largest":0,"largest_share":0}`,
		`"related":{"articles":0,"ndcg10":null,"p5":null,"mrr":null}`,
		`"reliability":{"pairs":0,"predicted":null,"observed":null,"ece":null,"bins":[{"from":0,"to":0.1,"predicted":null,"observed":null,"count":0}`,
		`"topics":{"ami":null,"ari":null,"found":0,"gold":0}`, `"stories.f1":null`, `"articles":2,"unlabelled":2`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
	var table bytes.Buffer
	if err := WriteTables(&table, report); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "-") || strings.Contains(table.String(), "NaN") {
		t.Errorf("table:\n%s", table.String())
	}
}

func TestJSONHasTheFieldsThatAreDocumented(t *testing.T) {
	r := &Result{File: "../x.jsonl", Labels: "ab", Articles: 3, Related: Related{4, 0.98765, 0.4, 1},
		Stories:     Stories{1, 0.5, 2.0 / 3, 0.9, 0.8, 0.7, 0.6, 0.55, 4, 5, 0.75, 1, 2, 0.6667},
		Topics:      Topics{0.1, -0.05, 6, 7},
		Reliability: Reliability{12, 0.5, 0.25, 0.3, []Bin{{0.4, 0.5, 0.45, 0.25, 12}}},
		Intervals:   map[string]Interval{"stories.f1": {0.61234, 0.7}}, Seconds: 1.5, Unlabelled: 1, Unidentified: 1, WithoutVector: 1, replicates: [][]float64{{1}}}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"file":"../x.jsonl","labels":"ab","articles":3,"unlabelled":1,` +
		`"stories":{"precision":1,"recall":0.5,"f1":0.6667,"pair_precision":0.9,"pair_recall":0.8,"pair_f1":0.7,"ami":0.6,"ari":0.55,` +
		`"found":4,"gold":5,"in_stories":0.75,"gold_in_stories":1,"largest":2,"largest_share":0.6667},` +
		`"related":{"articles":4,"ndcg10":0.9877,"p5":0.4,"mrr":1},` +
		`"reliability":{"pairs":12,"predicted":0.5,"observed":0.25,"ece":0.3,"bins":[{"from":0.4,"to":0.5,"predicted":0.45,"observed":0.25,"count":12}]},` +
		`"topics":{"ami":0.1,"ari":-0.05,"found":6,"gold":7},"intervals":{"stories.f1":[0.6123,0.7]},"seconds":1.5}`
	if string(data) != want {
		t.Errorf("%s", data)
	}
}

// The tables of large sets fit a screen, whatever the figures.
func TestTablesFitTheScreen(t *testing.T) {
	set := func(file string, s Score) *Result {
		return &Result{File: "/some/where/" + file + ".jsonl.gz", Articles: 12345, Seconds: 123.4,
			Stories: Stories{s, s, s, s, s, s, s, s, 3462, 3462, s, s, 12345, s}, Related: Related{12345, s, s, s}, Topics: Topics{s, s, 123, 123},
			Reliability: Reliability{Pairs: 123456, ECE: s},
			Intervals:   map[string]Interval{"stories.f1": {s, s}, "related.ndcg10": {s, s}, "reliability.ece": {s, s}}}
	}
	var table bytes.Buffer
	if err := WriteTables(&table, NewReport("m", []*Result{set("groundexcerpts", 0.9), set("gunviolence", 0.04)})); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(table.String(), "\n") {
		if n := utf8.RuneCountInString(line); n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"groundexcerpts  12345", "3462/3462", "90/90", ".04-.04", ".470", "mean"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
}

func TestSetName(t *testing.T) {
	for file, want := range map[string]string{"a/b.jsonl.gz": "b", "b.jsonl": "b", "-": "-", "b": "b", ".gz": ".gz", "x/.jsonl": ".jsonl", ".jsonl.gz": ".jsonl.gz", "a.b.jsonl": "a.b"} {
		if got := SetName(file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}
