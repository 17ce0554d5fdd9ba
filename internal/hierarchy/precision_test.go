package hierarchy

import (
	"context"
	"math"
	"slices"
	"testing"

	"throughline/cluster"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

// TestPrecisionIsWhatItSays counts the expected share by the definition.
func TestPrecisionIsWhatItSays(t *testing.T) {
	r := score.Reliability{Join: score.Line{Slope: 1, Offset: 0}, JoinError: 0.1}
	// A pair, another pair, and the two together: 1, 1 and 4 pairs of articles.
	tree := &cluster.Dendrogram{N: 4, Merges: []cluster.Join{{A: 0, B: 1, Similarity: 3}, {A: 2, B: 3, Similarity: 2}, {A: 4, B: 5, Similarity: 0}}}
	at := func(x float64) float64 { return .9 / (1 + math.Exp(-x)) }
	want := []float64{at(3 - 1), (at(3-1) + at(2-1)) / 2, (at(3-1) + at(2-1) + 4*at(0-1)) / 6}
	for i, got := range precision(r, tree, &score.Threshold{BreakEven: 1, Prior: .5}) {
		if math.Abs(got-want[i]) > 1e-12 {
			t.Errorf("after join %d: %v, want %v", i, got, want[i])
		}
	}
	for wanted, stories := range map[float64]int{want[2] - .01: 1, want[1] - .01: 2, want[0] - .01: 3, want[0] + .01: 4} {
		cut := forPrecision(r, tree, &score.Threshold{BreakEven: 1, Prior: .5}, wanted)
		if got := newPartition(tree.Cut(float32(cut))).groups(); got != stories {
			t.Errorf("a precision of %.3f asks for a cut at %.2f, which leaves %d groups, want %d", wanted, cut, got, stories)
		}
	}
}

// TestPrecisionAskedForMakesStoriesSmaller checks that a higher precision gives finer stories.
func TestPrecisionAskedForMakesStoriesSmaller(t *testing.T) {
	ps := scoretest.Features(3, 120)
	c := stateOf(ps)
	last := -1.0
	for _, wanted := range []float64{.5, .8, .95, .99} {
		l, err := Arrange(context.Background(), c, ps, Options{Target: score.Target{Precision: wanted}})
		if err != nil {
			t.Fatal(err)
		}
		if l.Threshold.Precision < wanted {
			t.Errorf("asked for %.2f, expects %.3f", wanted, l.Threshold.Precision)
		}
		together := newPartition(apart(l.Story)).grouped()
		if last >= 0 && together > last {
			t.Errorf("at %.2f there are %v articles in stories, at less precision %v", wanted, together, last)
		}
		last = together
	}
	for _, bad := range []float64{-.1, 1, math.NaN()} {
		if _, err := Arrange(context.Background(), c, ps, Options{Target: score.Target{Precision: bad}}); err == nil {
			t.Errorf("a precision of %v was accepted", bad)
		}
	}
}

// apart gives every article without a label a label of its own.
func apart(labels []int32) []int32 {
	out, next := slices.Clone(labels), int32(len(labels))
	for i, l := range out {
		if l < 0 {
			out[i] = next
			next++
		}
	}
	return out
}
