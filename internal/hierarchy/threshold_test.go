package hierarchy

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"throughline/cluster"
	"throughline/internal/score"
)

// logits draws log-odds of a balanced model: a share of pairs of one event around +2, the rest
// around -2, where the density ratio at z is exactly exp(z).
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

// pairsAndChain is a dendrogram of n pairs joined at one logit and then all into one group at
// another.
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

var testRule = score.ThresholdRule{Target: .4, PriorWeight: 1, PriorClip: 2, GapWeight: .5, TargetWeight: .05, Temperature: .02}

func TestCutLiesInTheGap(t *testing.T) {
	for _, c := range []struct{ pairs, chain float32 }{{4, 0}, {1.5, -1}, {.6, -2}} {
		tree := pairsAndChain(40, c.pairs, c.chain)
		if got := choose(testRule, tree, curvesOf(tree, nil), .5); got >= float64(c.pairs) || got <= float64(c.chain) {
			t.Errorf("pairs are joined at %v and everything at %v; the cut is %v", c.pairs, c.chain, got)
		}
	}
}

func TestCutFollowsThePriorWithinReason(t *testing.T) {
	flat := &cluster.Dendrogram{N: 10}
	seen := curvesOf(flat, nil)
	even, rare, common := choose(testRule, flat, seen, .5), choose(testRule, flat, seen, .1), choose(testRule, flat, seen, .9)
	if !(rare > even+.5 && common < even-.5) {
		t.Errorf("cut %v when same-story pairs are rare, %v even, %v common", rare, even, common)
	}
	for _, extreme := range []float64{1e-4, 1 - 1e-4} {
		if got := choose(testRule, flat, seen, extreme); math.Abs(got-even) > testRule.PriorClip+.1 {
			t.Errorf("an extreme prior of %v moved the cut from %v to %v", extreme, even, got)
		}
	}
}

// threeLevels joins items in groups of two, then of four, then of eight, at three logits, in an
// order given, so that two of them can agree on some levels only.
func threeLevels(order []int32, heights [3]float32) *cluster.Dendrogram {
	d := &cluster.Dendrogram{N: len(order)}
	nodes := order
	for _, h := range heights {
		var next []int32
		for i := 0; i+1 < len(nodes); i += 2 {
			d.Merges = append(d.Merges, cluster.Join{A: nodes[i], B: nodes[i+1], Similarity: h})
			next = append(next, int32(d.N+len(d.Merges)-1))
		}
		nodes = next
	}
	return d
}

// TestCutIsWhereViewsAgree has views that share the pairs of the tree, or its fours, or its eights,
// and nothing else.
func TestCutIsWhereViewsAgree(t *testing.T) {
	const n = 128
	order := identity(n)
	tree := threeLevels(order, [3]float32{3, 1, -1})
	for level, want := range map[int][2]float64{1: {1, 3}, 2: {-1, 1}, 3: {-4, -1}} {
		unit := 1 << level // items that the view keeps together
		var views []*cluster.Dendrogram
		for seed := range uint64(2) {
			r := rand.New(rand.NewPCG(seed, 5))
			var mixed []int32
			for _, block := range r.Perm(n / unit) {
				inside := r.Perm(unit)
				for _, i := range inside {
					mixed = append(mixed, int32(block*unit+i))
				}
			}
			views = append(views, threeLevels(mixed, [3]float32{.9, .6, .3}))
		}
		rule := testRule
		rule.TargetWeight, rule.GapWeight = .01, 0
		if got := choose(rule, tree, curvesOf(tree, views), .5); got <= want[0] || got >= want[1] {
			t.Errorf("views agree on groups of %d; the cut is %v, want one of %v", unit, got, want)
		}
	}
}

// slowAgree is agree by its definition, with the expectation by shuffling.
func slowAgree(p, q []int32, shuffles int) float64 {
	f := func(p, q []int32) float64 {
		var precision, recall float64
		for i := range p {
			var both, a, b float64
			for j := range p {
				if p[i] == p[j] {
					a++
				}
				if q[i] == q[j] {
					b++
				}
				if p[i] == p[j] && q[i] == q[j] {
					both++
				}
			}
			precision += both / b / float64(len(p))
			recall += both / a / float64(len(p))
		}
		return 2 * precision * recall / (precision + recall)
	}
	r := rand.New(rand.NewPCG(8, 9))
	mixed, expected := slices.Clone(q), 0.0
	for range shuffles {
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		expected += f(p, mixed) / float64(shuffles)
	}
	return (f(p, q) - expected) / (1 - expected)
}

func TestAgreeIsAdjustedForChance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		n := 20 + r.IntN(30)
		p, q := make([]int32, n), make([]int32, n)
		k := int32(2 + r.IntN(8))
		for i := range p {
			p[i] = int32(i) % k
			if q[i] = p[i]; r.IntN(3) == 0 {
				q[i] = r.Int32N(k)
			}
		}
		q[0] = k - 1 // so that labels go up to k
		got, want := agree(newPartition(p), newPartition(q)), slowAgree(p, q, 3000)
		if math.Abs(got-want) > .02 {
			t.Errorf("round %d: %.3f, by shuffling %.3f", round, got, want)
		}
		if back := agree(newPartition(q), newPartition(p)); math.Abs(got-back) > 1e-9 {
			t.Errorf("round %d: %v, the other way round %v", round, got, back)
		}
		if same := agree(newPartition(p), newPartition(p)); math.Abs(same-1) > 1e-9 {
			t.Errorf("round %d: agreement with itself %v", round, same)
		}
	}
	if got := agree(newPartition(make([]int32, 5)), newPartition(make([]int32, 5))); got != 0 {
		t.Errorf("two partitions into one group agree by %v, which chance explains", got)
	}
}

func TestNoStorySwallowsTheCorpus(t *testing.T) {
	tree := pairsAndChain(40, 5, 3)
	m := &score.Model{Threshold: score.ThresholdRule{Target: .4, PriorWeight: 1, PriorClip: 2, TargetWeight: 1000, Temperature: .02}}
	cut, labels := stories(m, tree, curvesOf(tree, nil), prior(logits(.5, 1000)), score.Target{})
	if !cut.Guarded || cut.Largest > guardShare || labels[0] != labels[1] || labels[0] == labels[2] {
		t.Errorf("cut %+v, stories %v", cut, labels[:4])
	}
	few := pairsAndChain(10, 5, 3)
	small, _ := stories(m, few, curvesOf(few, nil), prior(logits(.5, 1000)), score.Target{})
	if small.Guarded {
		t.Errorf("twenty articles may be on one event, but the cut was raised: %+v", small)
	}
}
