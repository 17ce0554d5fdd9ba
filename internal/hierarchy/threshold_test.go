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

// sightAt looks at a linkage of articles that nothing else is known of.
func sightAt(tree *cluster.Dendrogram, views []*cluster.Dendrogram, share float64) *Sight {
	return sightOf(tree, views, nil, share)
}

// chosen is the threshold without the confidence.
func chosen(r score.ThresholdRule, tree *cluster.Dendrogram, s *Sight) float64 {
	at, _ := choose(r, tree, s)
	return at
}

func TestTheThresholdLiesInTheGap(t *testing.T) {
	rule := score.ThresholdRule{Growth: -20, Square: -.5, Logit: .4}
	for _, c := range []struct{ pairs, chain float32 }{{4, 0}, {1.5, -1}, {.6, -2}} {
		tree := pairsAndChain(40, c.pairs, c.chain)
		if got := chosen(rule, tree, sightAt(tree, nil, .5)); got >= float64(c.pairs) || got <= float64(c.chain) {
			t.Errorf("pairs are joined at %v and everything at %v; the threshold is %v", c.pairs, c.chain, got)
		}
	}
}

func TestTheThresholdFollowsTheShareWithinReason(t *testing.T) {
	rule := score.ThresholdRule{Square: -.5, Share: -.3}
	flat := &cluster.Dendrogram{N: 10}
	at := func(share float64) float64 { return chosen(rule, flat, sightAt(flat, nil, share)) }
	even, rare, common := at(.5), at(.1), at(.9)
	if !(rare > even+.5 && common < even-.5) {
		t.Errorf("threshold %v when pairs of one event are rare, %v even, %v common", rare, even, common)
	}
	for _, extreme := range []float64{1e-4, 1 - 1e-4} {
		if got := at(extreme); math.Abs(got-even) > .9+.2 {
			t.Errorf("an extreme share of %v moved the threshold from %v to %v", extreme, even, got)
		}
	}
}

// TestConfidence checks that a rule that sees a clear gap is sure, and one that sees nothing is
// not.
func TestConfidence(t *testing.T) {
	flat := &cluster.Dendrogram{N: 10}
	if _, unsure := choose(score.ThresholdRule{}, flat, sightAt(flat, nil, .5)); unsure > .25 {
		t.Errorf("confidence %v without a rule", unsure)
	}
	if at, sure := choose(score.ThresholdRule{Square: -20, Logit: 40}, flat, sightAt(flat, nil, .5)); sure < .95 || math.Abs(at-1) > .1 {
		t.Errorf("threshold %v with confidence %v, want 1 and nearly 1", at, sure)
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
		rule := score.ThresholdRule{Agreement: 40, Square: -.2, Logit: .16}
		if got := chosen(rule, tree, sightAt(tree, views, .5)); got <= want[0] || got >= want[1] {
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

// TestGroupedShares counts by the definition.
func TestGroupedShares(t *testing.T) {
	tree := threeLevels(identity(12), [3]float32{3, 1, -1})
	tree.N++ // an article that joins nothing
	for i := range tree.Merges {
		if tree.Merges[i].A >= 12 {
			tree.Merges[i].A++
		}
		if tree.Merges[i].B >= 12 {
			tree.Merges[i].B++
		}
	}
	for i, got := range groupedShares(tree) {
		if want := newPartition(tree.Cut(float32(LogitAt(i)))).grouped() / 13; math.Abs(got-want) > 1e-12 {
			t.Errorf("at %v: %v, want %v", LogitAt(i), got, want)
		}
	}
}

// TestCoherent lowers the join of two tight pairs, and neither that of loose ones nor that of an
// article with a pair.
func TestCoherent(t *testing.T) {
	join := func(a, b int32, h float32) cluster.Join { return cluster.Join{A: a, B: b, Similarity: h} }
	tight := coherent(&cluster.Dendrogram{N: 5, Merges: []cluster.Join{join(0, 1, 4), join(2, 3, 3), join(5, 6, 1), join(7, 4, .5)}}, nil)
	if got, want := tight.Merges[2].Similarity, float32(1-coherence*2); math.Abs(float64(got-want)) > 1e-6 {
		t.Errorf("two tight pairs are joined at %v, want %v", got, want)
	}
	if got := tight.Merges[3].Similarity; got > tight.Merges[2].Similarity {
		t.Errorf("the join around them is at %v, above them", got)
	}
	same := []cluster.Join{join(0, 1, 1), join(2, 3, 1), join(5, 6, 1), join(7, 4, .5)}
	if got := coherent(&cluster.Dendrogram{N: 5, Merges: same}, nil); !slices.Equal(got.Merges, same) {
		t.Errorf("loose groups: %v, want %v", got.Merges, same)
	}
}
