package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster"
)

// drawnSet is a set with labels, places and answers, as sums by story and as a whole.
func drawnSet(t *rapid.T) (g *gold, filed map[string]Place) {
	n := rapid.IntRange(1, 30).Draw(t, "n")
	filed = map[string]Place{}
	var labelled []Labelled
	for i := range n {
		l := Labelled{Story: rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "story")}
		l.ID = fmt.Sprintf("id%d", i)
		labelled = append(labelled, l)
		filed[l.ID] = Place{Story: rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "found")}
	}
	return number(labelled), filed
}

// What stories contribute adds up to the figures of the set.
func TestContributionsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, filed := drawnSet(t)
		units := make([]sums, len(g.storiesBySize))
		r := &Result{}
		r.Stories, _ = scoreFiling(g, filed, units)
		var all sums
		for i := range units {
			all.add(&units[i])
		}
		for _, f := range figures {
			if f.of == nil || f.name[:8] != "stories." || !f.at(r).Known() {
				continue
			}
			if got := f.of(&all); math.Abs(got-float64(f.at(r))) > 1e-9 {
				t.Fatalf("%s from the sums %v, from the labels %v", f.name, got, f.at(r))
			}
		}
	})
}

// stories makes contributions of stories with one precision each, as drawn.
func contributions(random *rand.Rand, count int) []sums {
	units := make([]sums, count)
	for i := range units {
		size := float64(1 + random.IntN(5))
		right := random.Float64()
		units[i] = sums{articles: size, precision: size * right, recall: size * right, asked: size, ndcg: size * right}
	}
	return units
}

// An interval holds the figure it is about, narrows as there are more stories, and is the same
// every time.
func TestIntervals(t *testing.T) {
	width := func(count int) float64 {
		units := contributions(rand.New(rand.NewPCG(1, 2)), count)
		var all sums
		for i := range units {
			all.add(&units[i])
		}
		got := intervals(bootstrap(units, "0123456789abcdef", 500))
		for name, value := range map[string]float64{"stories.precision": all.precision / all.articles, "related.ndcg10": all.ndcg / all.asked} {
			if i := got[name]; !i.Holds(Score(value)) || i[0] >= i[1] {
				t.Errorf("%d stories: %s is %v, its interval %v", count, name, value, i)
			}
		}
		if _, ok := got["stories.ami"]; ok {
			t.Error("AMI is no sum over stories and has an interval")
		}
		if _, ok := got["reliability.ece"]; ok {
			t.Error("an interval of the error of no pairs")
		}
		again := intervals(bootstrap(units, "0123456789abcdef", 500))["stories.precision"]
		if again != got["stories.precision"] {
			t.Errorf("%v, and then %v", got["stories.precision"], again)
		}
		if other := intervals(bootstrap(units, "fedcba9876543210", 500))["stories.precision"]; other == again {
			t.Error("another set sees the same samples")
		}
		return float64(again[1] - again[0])
	}
	few, many := width(20), width(2000)
	if ratio := few / many; ratio < 6 || ratio > 16 { // ten, by the square root of a hundred
		t.Errorf("the interval of 20 stories is %.4f wide, that of 2000 %.4f", few, many)
	}
}

// Of a hundred sets drawn from one population, about 95 have an interval that holds the
// population's figure.
func TestIntervalsHoldAsOftenAsTheySay(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	held := 0
	const sets = 200
	for s := range sets {
		units := contributions(random, 80)
		if intervals(bootstrap(units, fmt.Sprintf("%016x", s), 300))["stories.precision"].Holds(0.5) {
			held++
		}
	}
	if held < sets*90/100 || held > sets*99/100 {
		t.Errorf("%d of %d intervals hold the true figure", held, sets)
	}
}

// Articles of one story are no independent witnesses: copying each article of every story ten times
// adds nothing.
func TestCopiesInAStoryDoNotNarrow(t *testing.T) {
	units := contributions(rand.New(rand.NewPCG(5, 6)), 60)
	tenfold := slices.Clone(units)
	for i := range tenfold {
		tenfold[i].articles *= 10
		tenfold[i].precision *= 10
	}
	a := intervals(bootstrap(units, "0123456789abcdef", 300))["stories.precision"]
	b := intervals(bootstrap(tenfold, "0123456789abcdef", 300))["stories.precision"]
	if math.Abs(float64(a[0]-b[0])) > 1e-9 || math.Abs(float64(a[1]-b[1])) > 1e-9 {
		t.Errorf("%v, tenfold %v", a, b)
	}
}

func TestNoIntervalOfOneStoryOrWithoutSamples(t *testing.T) {
	units := contributions(rand.New(rand.NewPCG(1, 2)), 20)
	if got := bootstrap(units[:1], "00", 100); got != nil {
		t.Error(got)
	}
	if got := intervals(bootstrap(units, "00", 0)); got != nil {
		t.Error(got)
	}
}

// The expected values are numpy.percentile's.
func TestQuantile(t *testing.T) {
	var xs []float64
	for i := range 50 {
		xs = append(xs, float64(i*37%101)/101)
	}
	slices.Sort(xs)
	for q, want := range map[float64]float64{0.025: 0.0220297, 0.5: 0.49009901, 0.975: 0.95816832, 0: xs[0], 1: xs[49]} {
		if got := quantile(xs, q); math.Abs(got-want) > 1e-8 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestMeanOverSetsHasAnIntervalWhereAllSetsHaveOne(t *testing.T) {
	set := func(f1 Score, replicates ...float64) *Result {
		r := &Result{Stories: Stories{F1: f1}, replicates: make([][]float64, len(figures))}
		for f := range figures {
			if figures[f].name == "stories.f1" {
				r.replicates[f] = replicates
			}
		}
		return r
	}
	f1 := func(sets ...*Result) (Interval, bool) {
		i, ok := NewReport("m", sets).Intervals["stories.f1"]
		return i, ok
	}
	if got, ok := f1(set(0.5, 0.4, 0.6), set(0.7, 0.6, 0.8)); !ok || math.Abs(float64(got[0])-0.505) > 1e-9 || math.Abs(float64(got[1])-0.695) > 1e-9 {
		t.Errorf("%v", got)
	}
	if got, ok := f1(set(0.5, 0.4, 0.6), set(0.7)); ok {
		t.Errorf("a set without samples counts in the mean and not in its interval %v", got)
	}
	if _, ok := f1(set(0.5, 0.4, 0.6), set(unknown)); !ok {
		t.Error("a set that has no such figure is not part of the mean")
	}
}

// The order in which articles are read is not the order they are numbered in.
func TestNumberIgnoresOrder(t *testing.T) {
	l := func(id, story string) Labelled { return Labelled{ID: id, Story: story} }
	a := number([]Labelled{l("3", "x"), l("1", "y"), l("2", "x"), l("4", "")})
	b := number([]Labelled{l("4", ""), l("2", "x"), l("3", "x"), l("1", "y")})
	if !slices.Equal(a.ids, b.ids) || !slices.Equal(a.stories, b.stories) || a.fingerprint != b.fingerprint {
		t.Errorf("%+v and %+v", a, b)
	}
	if !slices.Equal(a.stories, []int32{0, 1, 1, -1}) {
		t.Errorf("stories %v", a.stories)
	}
	if c := number([]Labelled{l("4", ""), l("2", "x"), l("3", "y"), l("1", "y")}); c.fingerprint == a.fingerprint {
		t.Error("other labels have the same fingerprint")
	}
	if p, _, _ := cluster.BCubed(a.stories, b.stories); p != 1 {
		t.Error("numbered differently")
	}
}
