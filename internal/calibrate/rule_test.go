package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"throughline/cluster"
	"throughline/internal/hierarchy"
	"throughline/internal/score"
)

func TestChanges(t *testing.T) {
	a := score.ThresholdRule{Target: 1, PriorWeight: .5, PriorClip: 2, GapWeight: .4, TargetWeight: .01, Temperature: .05}
	if changes(a, a) != 0 {
		t.Error("a rule differs from itself")
	}
	seen := map[score.ThresholdRule]bool{}
	for _, r := range grid(2) {
		if seen[r] || r.PriorClip != 2 || r.TargetWeight <= 0 || r.Temperature <= 0 {
			t.Errorf("rule %+v", r)
		}
		seen[r] = true
		n := changes(a, r)
		r.Target, r.GapWeight = a.Target, a.GapWeight
		if left := changes(a, r); left > n || left < n-2 {
			t.Errorf("%+v: %d changes, %d with two taken back", r, n, left)
		}
	}
	if !seen[a] {
		t.Error("what came with the first model is not in the grid")
	}
}

// TestJoinsAreCounted compares with counting over all pairs.
func TestJoinsAreCounted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	const n = 30
	tree := &cluster.Dendrogram{N: n}
	roots := r.Perm(n)
	similarity := float32(9)
	for len(roots) > 3 {
		r.Shuffle(len(roots), func(i, j int) { roots[i], roots[j] = roots[j], roots[i] })
		tree.Merges = append(tree.Merges, cluster.Join{A: int32(roots[0]), B: int32(roots[1]), Similarity: similarity})
		similarity -= .4
		roots = append(roots[2:], n+len(tree.Merges)-1)
	}
	story := make([]int32, n)
	for i := range story {
		story[i] = r.Int32N(5)
	}
	l := &linked{corpus: &corpus{name: whole, story: story}, tree: &hierarchy.Linkage{Joins: tree}, scores: map[int][3]float64{}}
	l.together = countJoins(l.tree, story)
	for cut := -3.0; cut < 10; cut += .3 {
		labels := tree.Cut(float32(cut))
		same, all := 0.0, 0.0
		for i := range n {
			for j := range i {
				if labels[i] == labels[j] {
					all++
					if story[i] == story[j] {
						same++
					}
				}
			}
		}
		if got := l.pairPrecision(cut); got != same/all && !(math.IsNaN(got) && all == 0) {
			t.Errorf("cut at %.1f: pair precision %v, counted %v of %v", cut, got, same, all)
		}
		if _, _, f1 := l.quality(cut); f1 > l.best()+1e-9 {
			t.Errorf("cut at %.1f: F1 %v is more than the best", cut, f1)
		}
	}
}

// TestRankingIsNDCG ranks by the logit, against the definition.
func TestRankingIsNDCG(t *testing.T) {
	l := &linked{
		corpus: &corpus{story: []int32{0, 0, 0, 1}, pairs: []hierarchy.Pair{{A: 0, B: 1}, {A: 0, B: 3}, {A: 1, B: 3}, {A: 2, B: 3}}},
		tree:   &hierarchy.Linkage{Logits: []float64{1, 2, 0, 3}},
	}
	second := 1 / math.Log2(3)
	ideal := 1 + second
	// 0: the wrong one first; 1: the right one first; 2: only a wrong one; 3 has no others.
	want := (second/ideal + 1/ideal + 0) / 3
	if got := l.ranking(); math.Abs(got-want) > 1e-12 {
		t.Errorf("nDCG %v, want %v", got, want)
	}
}

// TestFiled files by a cut: one-offs are in no story.
func TestFiled(t *testing.T) {
	tree := &cluster.Dendrogram{N: 5, Merges: []cluster.Join{{A: 0, B: 1, Similarity: 3}, {A: 2, B: 3, Similarity: 2}}}
	filed := (&linked{tree: &hierarchy.Linkage{Joins: tree}}).filed(1)
	var got []score.Filed
	for _, p := range []hierarchy.Pair{{A: 0, B: 1}, {A: 1, B: 2}, {A: 0, B: 4}} {
		got = append(got, filed(p))
	}
	if want := []score.Filed{score.SameStory, score.DifferentStory, score.Unfiled}; !slices.Equal(got, want) {
		t.Errorf("filed %v, want %v", got, want)
	}
}
