package cluster

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

// TestLinkDoesNotDependOnWhereItemsLie gives items slots in any order. Values are few, so that
// there are ties everywhere.
func TestLinkDoesNotDependOnWhereItemsLie(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		n, dim := rapid.IntRange(2, 60).Draw(rt, "n"), rapid.IntRange(1, 6).Draw(rt, "dim")
		items := Items{Dense: Matrix{n, dim, make([]float32, n*dim)}, Negative: r.IntN(2), Offset: 0.125}
		for k := range items.Dense.Data {
			items.Dense.Data[k] = float32(r.IntN(3)) / 2
		}
		if r.IntN(2) == 0 {
			for range n {
				items.Sparse = append(items.Sparse, vector.Sparse{Terms: []uint32{uint32(r.IntN(3)), 7}, Weights: []float32{1, float32(r.IntN(2))}})
			}
		}
		g := randomGraph(r, n, 0.2)
		opts := LinkOptions{Stop: float32(math.Inf(-1)), MaxCandidates: rapid.IntRange(2, 20).Draw(rt, "candidates"), Workers: 1 + r.IntN(3)}
		link := func(rank []int32) *Dendrogram {
			copied := items
			copied.Dense.Data, copied.Sparse = slices.Clone(items.Dense.Data), cloned(items.Sparse)
			d, err := linkOrdered(t.Context(), copied, g, opts, rank)
			if err != nil {
				rt.Fatal(err)
			}
			return d
		}
		want := link(identity(n))
		if err := want.Check(); err != nil {
			rt.Fatal(err)
		}
		shuffled := identity(n)
		r.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for name, rank := range map[string][]int32{"any": shuffled, "locality": localityOrder(g)} {
			if got := link(rank); !reflect.DeepEqual(got, want) {
				rt.Fatalf("%s order %v:\n%v, want\n%v", name, rank, got.Merges, want.Merges)
			}
		}
	})
}

// randomGraph has each edge with some probability.
func randomGraph(r *rand.Rand, n int, share float64) *Graph {
	ids, weights := make([][]int32, n), make([][]float32, n)
	for i := range n {
		for j := range i {
			if r.Float64() < share {
				w := float32(r.IntN(4)) / 4
				ids[i], ids[j] = append(ids[i], int32(j)), append(ids[j], int32(i))
				weights[i], weights[j] = append(weights[i], w), append(weights[j], w)
			}
		}
	}
	g := &Graph{Offsets: make([]int64, n+1)}
	for i := range n {
		sortPairs(ids[i], weights[i])
		g.Neighbors, g.Weights = append(g.Neighbors, ids[i]...), append(g.Weights, weights[i]...)
		g.Offsets[i+1] = int64(len(g.Neighbors))
	}
	return g
}

func TestLocalityOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		g := randomGraph(r, rapid.IntRange(0, 60).Draw(rt, "n"), rapid.SampledFrom([]float64{0, 0.05, 0.5}).Draw(rt, "share"))
		if r.IntN(3) == 0 {
			g.Weights = nil
		}
		order := localityOrder(g)
		sorted := slices.Sorted(slices.Values(order))
		if !slices.Equal(sorted, identity(g.Nodes())) {
			rt.Fatalf("%v is no order of %d nodes", order, g.Nodes())
		}
	})
	// Members of a clump lie side by side though the clumps are mixed.
	m, label := clumps(5, 2000, 16, 40, 0.2)
	g, err := KNN(t.Context(), m, KNNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	order := localityOrder(g)
	for k := range order[1:] {
		if label[order[k]] != label[order[k+1]] {
			changes++
		}
	}
	if changes > 80 {
		t.Errorf("40 clumps are in %d pieces", changes+1)
	}
}
