package evaluate

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"throughline/embed"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds the report of the product on the seeds, as --save writes it.
var golden = filepath.Join("testdata", "seeds.json")

// rounding is by how much figures of the seeds may differ from the golden ones: kernels of
// different processors round differently, their vectors have a cosine of .9999, and an article in
// another story changes a figure by as much.
const rounding = 0.0101

// floors are the least figures of the seeds. No change may go below them: -update does not move
// them.
var floors = map[string]float64{
	"stories.precision":      0.95,
	"stories.recall":         0.80,
	"stories.f1":             0.88,
	"stories.pair_precision": 0.90,
	"stories.pair_f1":        0.78,
	"stories.ami":            0.83,
	"stories.ari":            0.77,
	"related.ndcg10":         0.96,
	"related.p5":             0.47,
	"related.mrr":            0.97,
	"topics.ami":             0.70,
	"topics.ari":             0.50,
}

// ceilings are the same for figures that should be small.
var ceilings = map[string]float64{"reliability.ece": 0.20}

// TestSeeds compares the quality on the sample articles with the golden files: a change of it shows
// in their diff, as a figure in seeds.json and as the articles that moved in seeds.txt. After an
// intended change:
//
//	go test ./internal/evaluate -run TestSeeds -update
func TestSeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds all sample articles: leave out -short")
	}
	e := engines(t)
	r, err := Run(context.Background(), e, "seeds", seeds(t), Options{Now: time.Now, Bootstrap: DefaultBootstrap})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rejected)+len(r.Duplicates)+r.Unlabelled > 0 {
		t.Errorf("rejected %v, duplicates %v, %d without label", r.Rejected, r.Duplicates, r.Unlabelled)
	}
	t.Logf("%.1f s", r.Seconds)
	r.Seconds = 0
	now := NewReport(embed.MiniLM, []*Result{r})
	if *update {
		data, err := json.MarshalIndent(now, "", "  ")
		if err == nil {
			err = os.WriteFile(golden, append(data, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, problem := range belowFloors(r) {
		t.Error(problem)
	}
	for _, problem := range apartFromGolden(t, now) {
		t.Error(problem)
	}
	compareLists(t, e)
	if t.Failed() {
		t.Log("if that is meant: go test ./internal/evaluate -run TestSeeds -update")
	}
}

// belowFloors names every figure that is worse than it may be.
func belowFloors(r *Result) (problems []string) {
	for _, f := range figures {
		x := f.at(r)
		if floor, ok := floors[f.name]; ok && !(float64(x) >= floor) {
			problems = append(problems, f.name+" fell to "+x.String()+", at least "+Score(floor).String()+" is held")
		}
		if ceiling, ok := ceilings[f.name]; ok && !(float64(x) <= ceiling) {
			problems = append(problems, f.name+" rose to "+x.String()+", at most "+Score(ceiling).String()+" is held")
		}
	}
	return problems
}

// apartFromGolden names every figure that is not what the golden file says.
func apartFromGolden(t *testing.T, now *Report) (problems []string) {
	t.Helper()
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	was, err := ReadReport(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", golden, err)
	}
	c, err := Compare(was, now)
	if err != nil {
		t.Fatalf("%s: %v", golden, err)
	}
	for _, change := range c.Changes {
		if change.Set != "" && !(math.Abs(float64(change.Difference)) <= rounding) {
			problems = append(problems, change.String())
		}
	}
	a, b := was.Sets[0], now.Sets[0]
	for _, count := range []struct {
		name     string
		was, now int
	}{
		{"articles", a.Articles, b.Articles}, {"stories.found", a.Stories.Found, b.Stories.Found}, {"stories.gold", a.Stories.Gold, b.Stories.Gold},
		{"topics.found", a.Topics.Found, b.Topics.Found}, {"topics.gold", a.Topics.Gold, b.Topics.Gold},
	} {
		if count.was != count.now {
			problems = append(problems, Change{Figure: count.name, Old: Score(count.was), New: Score(count.now)}.String())
		}
	}
	return problems
}

// The floors are of figures that exist, and the message names those that fell.
func TestFloorsSayWhatFell(t *testing.T) {
	good := &Result{Stories: Stories{Precision: 1, Recall: 1, F1: 1, PairPrecision: 1, PairF1: 1, AMI: 1, ARI: 1},
		Related: Related{NDCG10: 1, P5: 1, MRR: 1}, Topics: Topics{AMI: 1, ARI: 1}}
	if problems := belowFloors(good); len(problems) > 0 {
		t.Error(problems)
	}
	bad := *good
	bad.Stories.PairPrecision, bad.Topics.ARI, bad.Reliability.ECE = 0.8, unknown, 0.9
	want := []string{"stories.pair_precision fell to 0.800, at least 0.900 is held", "reliability.ece rose to 0.900, at most 0.200 is held", "topics.ari fell to -, at least 0.500 is held"}
	if got := belowFloors(&bad); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	known := map[string]bool{}
	for _, f := range figures {
		known[f.name] = true
	}
	for name := range floors {
		if !known[name] {
			t.Errorf("%s is no figure", name)
		}
	}
	for name := range ceilings {
		if !known[name] {
			t.Errorf("%s is no figure", name)
		}
	}
}
