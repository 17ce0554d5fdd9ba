package evidence

import (
	"math"
	"math/rand/v2"
	"testing"

	"throughline/cluster"
)

// logits draws log-odds of a balanced model: a share of pairs of one event around +2, the rest around -2, where the
// density ratio at z is exactly exp(z).
func logits(share float64, n int) []float64 {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]float64, n)
	for i := range out {
		mean := -2.0
		if r.Float64() < share {
			mean = 2
		}
		out[i] = mean + 2*r.NormFloat64()
	}
	return out
}

func TestPriorIsFound(t *testing.T) {
	for _, share := range []float64{.03, .2, .5, .9} {
		if got := prior(logits(share, 50_000)); math.Abs(got-share) > .02 {
			t.Errorf("share %.2f was estimated as %.3f", share, got)
		}
	}
	if got := prior(nil); got != .5 {
		t.Errorf("no pairs: %v", got)
	}
}

// pairsAndChain is a dendrogram of n pairs joined at one logit and then all into one group at another.
func pairsAndChain(n int, pairs, chain float32) *cluster.Dendrogram {
	d := &cluster.Dendrogram{N: 2 * n}
	for i := range n {
		d.Merges = append(d.Merges, cluster.Join{A: int32(2 * i), B: int32(2*i + 1), Similarity: pairs})
	}
	last := int32(2 * n)
	for i := 1; i < n; i++ {
		d.Merges = append(d.Merges, cluster.Join{A: last, B: int32(2*n + i), Similarity: chain})
		last = int32(len(d.Merges)-1) + int32(2*n)
	}
	return d
}

func TestCutLiesInTheGap(t *testing.T) {
	rule := CutRule{Base: .4, Prior: 1, Trust: 3, Hold: 1}
	for _, c := range []struct{ pairs, chain float32 }{{4, 0}, {1.5, -1}, {.6, -2}} {
		if got := rule.at(pairsAndChain(40, c.pairs, c.chain), .5); got >= float64(c.pairs) || got <= float64(c.chain) {
			t.Errorf("pairs are joined at %v and everything at %v; the cut is %v", c.pairs, c.chain, got)
		}
	}
}

func TestCutFollowsThePriorWithinReason(t *testing.T) {
	rule := CutRule{Base: .4, Prior: 1, Trust: 3, Hold: 1}
	flat := &cluster.Dendrogram{N: 10}
	even, rare, common := rule.at(flat, .5), rule.at(flat, .1), rule.at(flat, .9)
	if !(rare > even+.5 && common < even-.5) {
		t.Errorf("cut %v when same-story pairs are rare, %v even, %v common", rare, even, common)
	}
	for _, extreme := range []float64{1e-4, 1 - 1e-4} {
		if got := rule.at(flat, extreme); math.Abs(got-even) > .1 {
			t.Errorf("an extreme prior of %v moved the cut from %v to %v", extreme, even, got)
		}
	}
}

func TestNoStorySwallowsTheCorpus(t *testing.T) {
	tree := pairsAndChain(40, 5, 3)
	m := &Model{Cut: CutRule{Base: .4, Prior: 1, Trust: 3, Hold: 1000}}
	cut, stories := m.cutStories(tree, logits(.5, 1000))
	if !cut.Raised || cut.Largest > swallowed || stories[0] != stories[1] || stories[0] == stories[2] {
		t.Errorf("cut %+v, stories %v", cut, stories[:4])
	}
	small, _ := m.cutStories(pairsAndChain(10, 5, 3), logits(.5, 1000))
	if small.Raised {
		t.Errorf("twenty articles may be on one event, but the cut was raised: %+v", small)
	}
}
