package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// measured is a result whose figures that matter here are given.
func measured(file, labels string, f1, ece Score, around Interval) *Result {
	r := &Result{File: file, Labels: labels, Articles: 10, Stories: scoreStories(number(nil), nil), Topics: Topics{AMI: unknown, ARI: unknown},
		Related: Related{NDCG10: unknown, P5: unknown, MRR: unknown}, Reliability: new(Bins).reliability()}
	r.Stories.F1, r.Reliability.ECE = f1, ece
	r.Stories.LargestShare = unknown
	if around != (Interval{}) {
		r.Intervals = map[string]Interval{"stories.f1": around}
	}
	return r
}

// kept is a report after it was written and read.
func kept(t *testing.T, r *Report) *Report {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadReport(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	again, err := json.Marshal(back)
	if err != nil || !bytes.Equal(data, again) {
		t.Fatalf("%s was read as %s, %v", data, again, err)
	}
	return back
}

func TestCompare(t *testing.T) {
	old := kept(t, NewReport("old model", []*Result{
		measured("old/a.jsonl", "aa", 0.8, 0.1, Interval{0.75, 0.85}), measured("old/b.jsonl.gz", "bb", 0.6, unknown, Interval{}),
	}))
	now := NewReport("m", []*Result{
		measured("new/b.jsonl", "bb", 0.7, unknown, Interval{0.65, 0.75}), measured("new/a.jsonl", "aa", 0.82, 0.3, Interval{0.77, 0.87}),
	})
	c, err := Compare(old, now)
	if err != nil {
		t.Fatal(err)
	}
	if c.Model != "old model" {
		t.Errorf("model %q", c.Model)
	}
	round := func(s Score) Score { return Score(math.Round(float64(s)*1e6) / 1e6) }
	var got []Change
	for _, change := range c.Changes {
		change.Old, change.New, change.Difference = round(change.Old), round(change.New), round(change.Difference)
		got = append(got, change)
	}
	want := []Change{
		{Set: "new/b.jsonl", Figure: "stories.f1", Old: 0.6, New: 0.7, Difference: 0.1, Outside: true}, // the later interval is all there is
		{Set: "new/a.jsonl", Figure: "stories.f1", Old: 0.8, New: 0.82, Difference: 0.02},
		{Set: "new/a.jsonl", Figure: "reliability.ece", Old: 0.1, New: 0.3, Difference: 0.2}, // no interval, no mark
		{Figure: "stories.f1", Old: 0.7, New: 0.76, Difference: 0.06},
		{Figure: "reliability.ece", Old: 0.1, New: 0.3, Difference: 0.2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	var table bytes.Buffer
	if err := WriteComparison(&table, c); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if len(lines) != 6 || strings.Join(strings.Fields(lines[1]), " ") != "b stories.f1 .600 .700 +0.100 outside of the 95% interval" ||
		!strings.HasPrefix(lines[5], "mean") {
		t.Errorf("table:\n%s", table.String())
	}

	for limit, want := range map[float64]int{0: 1, 0.1: 1, 0.25: 0} {
		if got := c.Dropped(limit); len(got) != want || want > 0 && (got[0].Figure != "reliability.ece" || got[0].Set != "") {
			t.Errorf("worse by more than %v: %v", limit, got)
		}
	}
}

// Runs that asked about other articles say nothing of each other's lists, and are compared
// otherwise.
func TestCompareRunsWithOtherLists(t *testing.T) {
	old := kept(t, NewReport("m", []*Result{measured("a", "aa", 0.8, 0.1, Interval{}), measured("b", "bb", 0.8, 0.1, Interval{})}))
	fewer := measured("b", "bb", 0.7, 0.2, Interval{})
	fewer.Related.Articles = 7
	c, err := Compare(old, NewReport("m", []*Result{measured("a", "aa", 0.7, 0.2, Interval{}), fewer}))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range c.Changes {
		if change.Figure != "stories.f1" {
			t.Errorf("%+v", change)
		}
	}
	var table bytes.Buffer
	if err := WriteComparison(&table, c); err != nil || len(c.Changes) != 3 || !strings.Contains(table.String(), "other articles") {
		t.Errorf("%v\n%s", err, table.String())
	}
}

// A mean that got better is no loss, one that can no longer be measured is, and one that never
// could is none.
func TestDropped(t *testing.T) {
	for name, c := range map[string]struct {
		was, now Score
		dropped  bool
	}{
		"better": {0.5, 0.6, false}, "worse": {0.6, 0.5, true}, "a little worse": {0.6, 0.595, false}, "gone": {0.6, unknown, true}, "new": {unknown, 0.2, false},
	} {
		old := NewReport("m", []*Result{measured("a", "aa", c.was, 0.5, Interval{})})
		now := NewReport("m", []*Result{measured("a", "aa", c.now, 0.4, Interval{})})
		compared, err := Compare(kept(t, old), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := compared.Dropped(0.01); (len(got) == 1) != c.dropped {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	a, b, otherA := measured("a", "aa", 1, 0, Interval{}), measured("b", "bb", 1, 0, Interval{}), measured("a", "a2", 1, 0, Interval{})
	for name, c := range map[string]struct {
		old, now []*Result
		want     string
	}{
		"other labels":  {[]*Result{a}, []*Result{otherA}, "no set with the articles and labels of a"},
		"one set more":  {[]*Result{a}, []*Result{a, b}, "no set with the articles and labels of b"},
		"one set fewer": {[]*Result{a, b}, []*Result{a}, "one more set, b"},
		"a set twice":   {[]*Result{a}, []*Result{a, a}, "no set with the articles and labels of a"},
	} {
		if _, err := Compare(NewReport("m", c.old), NewReport("m", c.now)); !errors.Is(err, ErrIncomparable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := NewReport("m", []*Result{a, b})
	if err := r.Covers([]string{"dir/b.jsonl.gz", "a.jsonl"}); err != nil {
		t.Error(err)
	}
	if err := r.Covers([]string{"a.jsonl", "c.jsonl"}); !errors.Is(err, ErrIncomparable) || !strings.Contains(err.Error(), "it was of a, b, this one is of a, c") {
		t.Error(err)
	}
	for name, c := range map[string]struct{ data, want string }{
		"no JSON":       {`hello`, "not the report of a run"},
		"no report":     {`{"hello":1}`, "format (got 0, want 1)"},
		"later version": {`{"format":2,"sets":[{}]}`, "format (got 2, want 1)"},
		"no sets":       {`{"format":1,"sets":[]}`, "no sets"},
		"null set":      {`{"format":1,"sets":[null]}`, "no sets"},
		"not drawn":     {`{"format":1,"sets":[{}],"derived":{}}`, "a set does not say what it was drawn from"},
	} {
		if _, err := ReadReport(strings.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadReport(f *testing.F) {
	data, err := json.Marshal(NewReport("m", []*Result{measured("a", "aa", 0.5, 0.1, Interval{0.4, 0.6})}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	f.Add(`{"format":1,"sets":[{"intervals":{"stories.f1":[null,1]}}],"mean":null}`)
	f.Fuzz(func(t *testing.T, data string) {
		r, err := ReadReport(strings.NewReader(data))
		if err != nil {
			return
		}
		c, err := Compare(r, r) // what is read is of use
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range c.Changes {
			if change.Set != "" && change.Old.Known() && !(change.Difference == 0 || math.IsInf(float64(change.Old), 0)) {
				t.Fatalf("a report differs from itself: %+v", change)
			}
		}
		if err := WriteTables(&bytes.Buffer{}, r); err != nil {
			t.Fatal(err)
		}
	})
}
