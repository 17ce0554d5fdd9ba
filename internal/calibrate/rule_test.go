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

// TestFitRuleFindsTheGap fits a rule on corpora whose stories are best in the gap between their
// joins, wherever it lies, and asks it about others.
func TestFitRuleFindsTheGap(t *testing.T) {
	made := func(low, high float32) *linked {
		const n = 60
		tree := &cluster.Dendrogram{N: n}
		story := make([]int32, n)
		for i := range n / 3 {
			story[3*i], story[3*i+1], story[3*i+2] = int32(i), int32(i), int32(i)
			tree.Merges = append(tree.Merges, cluster.Join{A: int32(3 * i), B: int32(3*i + 1), Similarity: high})
		}
		for i := range n / 3 {
			tree.Merges = append(tree.Merges, cluster.Join{A: int32(n + i), B: int32(3*i + 2), Similarity: high})
		}
		last := int32(n + n/3)
		for i := 1; i < n/3; i++ {
			tree.Merges = append(tree.Merges, cluster.Join{A: last, B: int32(n + n/3 + i), Similarity: low})
			last = int32(n + len(tree.Merges) - 1)
		}
		l := &linked{corpus: &corpus{story: story}, tree: &hierarchy.Linkage{Joins: tree, Sight: new(hierarchy.Sight)}}
		for i := range l.tree.Sight.Features {
			c := hierarchy.LogitAt(i)
			_, _, f1 := l.quality(c)
			l.f1 = append(l.f1, f1)
			if l.tree.Sight.Features[i][0] = math.Log(.5); c > float64(low) && c < float64(high) {
				l.tree.Sight.Features[i][0] = math.Log(.9) // the views agree
			}
			l.tree.Sight.Features[i][5] = c * c
		}
		return l
	}
	var linkages []*linked
	var weights []float64
	for k := range 12 {
		low := -4.5 + float32(k)/2
		linkages, weights = append(linkages, made(low, low+3)), append(weights, 1)
	}
	rule, err := fitRule(linkages, weights)
	if err != nil {
		t.Fatal(err)
	}
	if rule.Agreement <= 0 || rule.Square >= 0 {
		t.Errorf("rule %+v: agreement should count for a threshold, and distance against it", rule)
	}
	for _, low := range []float32{-3.7, -1.6, .7} {
		l := made(low, low+3)
		if at := l.tree.BreakEven(rule).Logit; at <= float64(low) || at >= float64(low)+3 {
			t.Errorf("threshold %v, want one between %v and %v: rule %+v", at, low, low+3, rule)
		}
	}
	if d := rule.Default; d < -2 || d > 2 {
		t.Errorf("default %v", d)
	}
}

// TestSharesCountSetsAlike gives every set the same weight.
func TestSharesCountSetsAlike(t *testing.T) {
	corpora := []*corpus{{sources: 1}, {sources: 1}, {sources: 1}, {sources: 2}, {sources: 3}}
	total := [2]float64{}
	for i, w := range shares(corpora, func(*corpus) float64 { return 1 }) {
		sets := corpora[i].sources.sets()
		for _, s := range sets {
			total[s] += w / float64(len(sets))
		}
	}
	if math.Abs(total[0]-total[1]) > .4 || total[0] <= 0 {
		t.Errorf("weights %v", total)
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
	l := &linked{corpus: &corpus{story: story}, tree: &hierarchy.Linkage{Joins: tree}}
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
