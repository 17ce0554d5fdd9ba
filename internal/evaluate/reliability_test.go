package evaluate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The expected values are from scikit-learn (calibration_curve, uniform bins) and numpy.
func TestReliability(t *testing.T) {
	const n = 300
	var b Bins
	for i := range n {
		p := float64(i*37%101) / 101
		p *= p
		b.Note(p, float64(i*53%97) < 97*math.Sqrt(p), 1)
	}
	r := b.reliability()
	if r.Pairs != n || !near(r.Predicted, 0.32740058164232266) || !near(r.Observed, 0.5) || !near(r.ECE, 0.1734333235303728) {
		t.Errorf("%d pairs, predicted %v, observed %v, error %v", r.Pairs, r.Predicted, float64(r.Observed), float64(r.ECE))
	}
	observed := []float64{0.210526315789, 0.357142857143, 0.433333333333, 0.583333333333, 0.739130434783, 0.761904761905, 0.777777777778, 0.777777777778, 0.928571428571, 0.933333333333}
	predicted := []float64{0.03149226856, 0.146897363004, 0.250808744241, 0.347563964317, 0.449146076898, 0.551808646211, 0.651423063098, 0.750825082508, 0.850644894758, 0.94167238506}
	counts := []int{95, 42, 30, 24, 23, 21, 18, 18, 14, 15}
	for i, bin := range r.Bins {
		if bin.Count != counts[i] || math.Abs(float64(bin.Observed)-observed[i]) > 1e-11 || math.Abs(float64(bin.Predicted)-predicted[i]) > 1e-11 {
			t.Errorf("bin %d: %+v", i, bin)
		}
	}
}

func TestReliabilityAtTheEnds(t *testing.T) {
	var b Bins
	b.Note(0, false, 1)
	b.Note(1, true, 1)
	b.Note(1, false, 1)
	r := b.reliability()
	if first, last := r.Bins[0], r.Bins[9]; first.Count != 1 || last.Count != 2 || last.From != 0.9 || last.To != 1 || !near(last.Observed, 0.5) || !near(r.ECE, 1.0/3) {
		t.Errorf("%+v", r)
	}
	if r.Bins[4].Observed.Known() || r.Bins[4].Predicted.Known() {
		t.Error("an empty bin has observed something")
	}
	if none := new(Bins).reliability(); none.Pairs != 0 || none.ECE.Known() || none.Observed.Known() {
		t.Errorf("no pairs: %+v", none)
	}
}

// Probabilities that say what happens have next to no error, and those that claim too much have one
// of as much.
func TestReliabilityOfHonestProbabilities(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var honest, boasting Bins
	for range 20000 {
		p := 0.7 * random.Float64()
		same := random.Float64() < p
		honest.Note(p, same, 1)
		boasting.Note(p+0.3, same, 1)
	}
	if e := honest.ECE(); e > 0.02 {
		t.Errorf("honest: %.3f", e)
	}
	if e := boasting.ECE(); math.Abs(e-0.3) > 0.01 {
		t.Errorf("boasting by .3: %.3f", e)
	}
}

// A pair counts once although it is in two lists, half for each of its stories; unlabelled
// articles, what lies deep in a list and the article itself make no pairs. One-offs do.
func TestPairsOfLists(t *testing.T) {
	deep := make([]string, candidateDepth)
	for i := range deep {
		deep[i] = "u=0.9"
	}
	sys := &scripted{related: map[string][]string{
		"a1":  {"a1=1", "a2=0.95", "b=0.35", "u=0.9"},
		"a2":  {"a1=0.95"},
		"b":   append(deep, "a2=0.8"),
		"one": {"a1=0.15"},
	}}
	r := run(t, sys, labelled("a1 a -", "a2 a -", "b b -", "one o -", "u - -")).Reliability
	if r.Pairs != 3 || !near(r.Observed, 1.0/3) || !near(r.Predicted, (0.95+0.35+0.15)/3) || !near(r.ECE, (0.05+0.35+0.15)/3) {
		t.Errorf("%+v", r)
	}
	for i, want := range map[int]int{9: 1, 3: 1, 1: 1, 8: 0} {
		if r.Bins[i].Count != want {
			t.Errorf("bin %d: %+v, want %d pairs", i, r.Bins[i], want)
		}
	}
}
