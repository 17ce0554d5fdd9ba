package hierarchy

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

// chain is a dendrogram that joins one item after the other.
func chain(heights []float32) *cluster.Dendrogram {
	slices.SortFunc(heights, func(a, b float32) int { return cmp.Compare(b, a) })
	d := &cluster.Dendrogram{N: len(heights) + 1}
	last := int32(0)
	for i, h := range heights {
		d.Merges = append(d.Merges, cluster.Join{A: last, B: int32(i + 1), Similarity: h})
		last = int32(d.N + i)
	}
	return d
}

// More steps to finer stories never give fewer groups, one-offs counted, and leave the break-even
// where it is.
func TestFinerGivesNoFewerGroups(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tree := chain(rapid.SliceOfN(rapid.Float32Range(-9, 9), 1, 200).Draw(rt, "heights"))
		target := rapid.Float64Range(-7, 8).Draw(rt, "target")
		m := &score.Model{Threshold: score.ThresholdRule{Square: -500, Logit: 1000 * target}}
		l := &Linkage{Joins: tree, Prior: .5, Sight: sightAt(tree, nil, .5)}
		found, _ := stories(m, l, score.Target{})
		at, groups := math.Inf(-1), 0
		for g := -score.MaxGranularity; g <= score.MaxGranularity; g++ {
			got, labels := stories(m, l, score.Target{Granularity: g})
			n := newPartition(apart(labels)).groups()
			if got.Logit < at || n < groups || got.BreakEven != found.BreakEven || g == 0 && got != found {
				rt.Fatalf("granularity %d: threshold %+v, %d groups; the one before has %v and %d; without granularity %+v", g, got, n, at, groups, found)
			}
			at, groups = got.Logit, n
		}
	})
}

func TestStepped(t *testing.T) {
	sparse, dense := chain(nil), chain([]float32{1.1, 1.3, 1.69, 1.71, 3})
	for _, c := range []struct {
		tree *cluster.Dendrogram
		from float64
		to   int
		want float64
	}{
		{sparse, 1, 0, 1},
		{sparse, 1, 2, 1 + 2*math.Ln2},
		{sparse, 1, -3, 1 - 3*math.Ln2},
		{sparse, 5.8, 4, mostLogit},
		{sparse, -4, -4, leastLogit},
		{sparse, 7, 1, 7}, // above the logits looked at, where a precision may have moved it
		{sparse, 7, -1, 7 - math.Ln2},
		{dense, 1, 1, (1 + math.Ln2 - gapReach + 1.69) / 2}, // in the widest gap near 1.693
	} {
		if got := stepped(c.tree, c.from, c.to); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%d steps from %v: %v, want %v", c.to, c.from, got, c.want)
		}
	}
}

// A granularity moves the stories of articles, and nothing but a step is a granularity.
func TestArrangeWithGranularity(t *testing.T) {
	ps := scoretest.Features(3, 120)
	c := stateOf(ps)
	groups := map[int]int{}
	for _, g := range []int{-score.MaxGranularity, 0, score.MaxGranularity} {
		h, err := Arrange(context.Background(), c, ps, Options{Target: score.Target{Granularity: g}})
		if err != nil {
			t.Fatal(err)
		}
		groups[g] = newPartition(apart(h.Story)).groups()
	}
	if groups[-score.MaxGranularity] >= groups[0] || groups[0] >= groups[score.MaxGranularity] {
		t.Errorf("groups by granularity: %v", groups)
	}
	for _, bad := range []score.Target{{Granularity: score.MaxGranularity + 1}, {Granularity: -score.MaxGranularity - 1}, {Precision: .9, Granularity: 1}} {
		if _, err := Arrange(context.Background(), c, ps, Options{Target: bad}); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
