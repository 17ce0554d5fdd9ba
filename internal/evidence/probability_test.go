package evidence

import (
	"context"
	"math"
	"testing"

	"throughline/cluster"
)

func TestProbabilityFollowsTheCorpusAndTheFiling(t *testing.T) {
	m := Default()
	s := Signals{Centred: .5, Lexical: .3, Lead: .3, Names: .3, Lengths: [2]float64{1, 1}, Dated: true, Days: 1}
	z := m.Logit(s)
	for _, filed := range []Membership{Unfiled, Together, Apart} {
		if low, high := m.Probability(s, z+1, filed), m.Probability(s, z-1, filed); !(low < high) {
			t.Errorf("filing %v: %.3f where stories end above the logit, %.3f below", filed, low, high)
		}
	}
	apart, alone, together := m.Probability(s, z, Apart), m.Probability(s, z, Unfiled), m.Probability(s, z, Together)
	if !(apart < alone && alone < together) {
		t.Errorf("apart %.3f, unfiled %.3f, together %.3f", apart, alone, together)
	}
	if low, high := m.Belonging(0, 1), m.Belonging(2, 1); !(0 < low && low < high && high < 1) {
		t.Errorf("belonging %.3f below the cut, %.3f above", low, high)
	}
}

// TestPrecisionIsWhatItSays counts the expected share by the definition.
func TestPrecisionIsWhatItSays(t *testing.T) {
	r := Reliability{Join: Line{Slope: 1, Offset: 0}, JoinError: 0.1}
	// A pair, another pair, and the two together: 1, 1 and 4 pairs of articles.
	tree := &cluster.Dendrogram{N: 4, Merges: []cluster.Join{{A: 0, B: 1, Similarity: 3}, {A: 2, B: 3, Similarity: 2}, {A: 4, B: 5, Similarity: 0}}}
	at := func(x float64) float64 { return .9 / (1 + math.Exp(-x)) }
	want := []float64{at(3 - 1), (at(3-1) + at(2-1)) / 2, (at(3-1) + at(2-1) + 4*at(0-1)) / 6}
	for i, got := range r.precision(tree, 1) {
		if math.Abs(got-want[i]) > 1e-12 {
			t.Errorf("after join %d: %v, want %v", i, got, want[i])
		}
	}
	for wanted, stories := range map[float64]int{want[2] - .01: 1, want[1] - .01: 2, want[0] - .01: 3, want[0] + .01: 4} {
		cut := r.cutFor(tree, 1, wanted)
		if got := newPartition(tree.Cut(float32(cut))).groups(); got != stories {
			t.Errorf("a precision of %.3f asks for a cut at %.2f, which leaves %d groups, want %d", wanted, cut, got, stories)
		}
	}
}

// TestPrecisionAskedForMakesStoriesSmaller has more precision mean finer stories.
func TestPrecisionAskedForMakesStoriesSmaller(t *testing.T) {
	ps := randomProfiles(3, 120)
	c := corpusOf(ps)
	last := -1
	for _, wanted := range []float64{.5, .8, .95, .99} {
		l, err := Default().Ladder(context.Background(), c, ps, LadderOptions{Precision: wanted})
		if err != nil {
			t.Fatal(err)
		}
		if l.Cut.Precision < wanted {
			t.Errorf("asked for %.2f, expects %.3f", wanted, l.Cut.Precision)
		}
		together := 0
		for _, story := range l.Story {
			if story >= 0 {
				together++
			}
		}
		if last >= 0 && together > last {
			t.Errorf("at %.2f there are %v articles in stories, at less precision %v", wanted, together, last)
		}
		last = together
	}
	for _, bad := range []float64{-.1, 1, math.NaN()} {
		if _, err := Default().Ladder(context.Background(), c, ps, LadderOptions{Precision: bad}); err == nil {
			t.Errorf("a precision of %v was accepted", bad)
		}
	}
}
