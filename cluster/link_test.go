package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

// complete returns the graph in which everything is joined with everything.
func complete(n int) *Graph {
	g := &Graph{Offsets: make([]int64, n+1)}
	for i := range n {
		for j := range n {
			if i != j {
				g.Neighbors = append(g.Neighbors, int32(j))
			}
		}
		g.Offsets[i+1] = int64(len(g.Neighbors))
	}
	g.Weights = make([]float32, len(g.Neighbors))
	return g
}

// pairSimilarity is the definition in the comment of Items.
func pairSimilarity(it Items, i, j int) float64 {
	s := float64(it.Offset)
	for d := range it.Dense.Dim {
		p := float64(it.Dense.Row(i)[d]) * float64(it.Dense.Row(j)[d])
		if d >= it.Dense.Dim-it.Negative {
			p = -p
		}
		s += p
	}
	if it.Sparse != nil {
		for a, t := range it.Sparse[i].Terms {
			for b, u := range it.Sparse[j].Terms {
				if t == u {
					s += float64(it.Sparse[i].Weights[a]) * float64(it.Sparse[j].Weights[b])
				}
			}
		}
	}
	return s
}

// oracle is average linkage as in a textbook: look at all pairs of clusters, take the mean over all
// pairs of members, join the most similar two, start over. It returns the similarities of the joins
// and the partition after each.
func oracle(it Items, stop float64) (similarities []float64, partitions [][]int32) {
	clusters := make([][]int, it.Len())
	for i := range clusters {
		clusters[i] = []int{i}
	}
	for {
		best, at := math.Inf(-1), [2]int{-1, -1}
		for a := range clusters {
			for b := range clusters[:a] {
				var sum float64
				for _, i := range clusters[a] {
					for _, j := range clusters[b] {
						sum += pairSimilarity(it, i, j)
					}
				}
				if mean := sum / float64(len(clusters[a])*len(clusters[b])); mean > best {
					best, at = mean, [2]int{b, a}
				}
			}
		}
		if at[0] < 0 || best < stop {
			return similarities, partitions
		}
		clusters[at[0]] = append(clusters[at[0]], clusters[at[1]]...)
		clusters = slices.Delete(clusters, at[1], at[1]+1)
		similarities = append(similarities, best)
		labels := make([]int32, it.Len())
		for c, members := range clusters {
			for _, i := range members {
				labels[i] = int32(c)
			}
		}
		partitions = append(partitions, byFirstMember(labels))
	}
}

// byFirstMember numbers labels as Cut does.
func byFirstMember(labels []int32) []int32 {
	number := map[int32]int32{}
	out := make([]int32, len(labels))
	for i, l := range labels {
		if _, ok := number[l]; !ok {
			number[l] = int32(len(number))
		}
		out[i] = number[l]
	}
	return out
}

func drawItems(t *rapid.T, n int) Items {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	it := Items{Offset: rapid.SampledFrom([]float32{0, -0.5}).Draw(t, "offset")}
	kind := rapid.IntRange(0, 2).Draw(t, "kind")
	if kind != 1 {
		dim := rapid.IntRange(1, 40).Draw(t, "dim")
		it.Dense, _ = clumps(r.Uint64(), n, dim, max(1, n/4), 0.8)
		it.Negative = rapid.IntRange(0, dim/3).Draw(t, "negative")
	}
	if kind != 0 {
		it.Sparse = make([]vector.Sparse, n)
		for i := range it.Sparse {
			for term := range uint32(12) {
				if r.IntN(3) == 0 {
					it.Sparse[i].Terms = append(it.Sparse[i].Terms, term)
					it.Sparse[i].Weights = append(it.Sparse[i].Weights, r.Float32())
				}
			}
		}
	}
	return it
}

func TestLinkAgreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(t, "n")
		it := drawItems(t, n)
		stop := rapid.SampledFrom([]float32{float32(math.Inf(-1)), -0.2, 0, 0.4}).Draw(t, "stop")
		want, partitions := oracle(it, float64(stop))
		d, err := Link(t.Context(), it, complete(n), LinkOptions{Stop: stop})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		if len(d.Merges) != len(want) {
			// A similarity within rounding of stop may fall on either side.
			if len(want) > 0 && math.Abs(want[len(want)-1]-float64(stop)) < 1e-5 {
				return
			}
			t.Fatalf("%d merges, want %d", len(d.Merges), len(want))
		}
		for i, m := range d.Merges {
			if math.Abs(float64(m.Similarity)-want[i]) > 1e-4 {
				t.Fatalf("merge %d at %v, want %v", i, m.Similarity, want[i])
			}
			// Where the next merge is as similar, the two may come in either order.
			if i+1 < len(want) && want[i]-want[i+1] < 1e-4 {
				continue
			}
			if got := d.CutN(n - i - 1); !slices.Equal(got, partitions[i]) {
				t.Fatalf("after merge %d: %v, want %v", i, got, partitions[i])
			}
			if i+1 == len(want) {
				continue
			}
			if got := d.Cut(float32((want[i] + want[i+1]) / 2)); !slices.Equal(got, partitions[i]) {
				t.Fatalf("cut below merge %d: %v, want %v", i, got, partitions[i])
			}
		}
	})
}

// slowRounds is Link as its comment describes the rounds, with maps, and without the bound on
// candidates.
func slowRounds(it Items, g *Graph, stop float64) (similarities []float64, labels []int32) {
	n := it.Len()
	members := map[int][]int{}
	near := map[int]map[int]bool{}
	labels = make([]int32, n)
	for i := range n {
		members[i], near[i] = []int{i}, map[int]bool{}
		neighbors, _ := g.Of(i)
		for _, j := range neighbors {
			near[i][int(j)] = true
		}
	}
	similarity := func(a, b int) float64 {
		var sum float64
		for _, i := range members[a] {
			for _, j := range members[b] {
				sum += pairSimilarity(it, i, j)
			}
		}
		return sum / float64(len(members[a])*len(members[b]))
	}
	for {
		best := map[int]int{}
		for a := range members {
			at := -1
			for b := range near[a] {
				if at < 0 || similarity(a, b) > similarity(a, at) || similarity(a, b) == similarity(a, at) && b < at {
					at = b
				}
			}
			best[a] = at
		}
		var joins [][2]int
		for a, b := range best {
			if b > a && best[b] == a && similarity(a, b) >= stop {
				joins = append(joins, [2]int{a, b})
				similarities = append(similarities, similarity(a, b))
			}
		}
		if len(joins) == 0 {
			break
		}
		for _, j := range joins {
			a, b := j[0], j[1]
			members[a] = append(members[a], members[b]...)
			delete(members, b)
			for c := range near[b] {
				delete(near[c], b)
				if c != a {
					near[a][c], near[c][a] = true, true
				}
			}
			delete(near, b)
			delete(near[a], b)
		}
	}
	for a, list := range members {
		for _, i := range list {
			labels[i] = int32(a)
		}
	}
	slices.Sort(similarities)
	return similarities, byFirstMember(labels)
}

func TestLinkOverSparseGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "n")
		it := drawItems(t, n)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "graph"), 3))
		k := rapid.IntRange(1, 4).Draw(t, "k")
		ids := slices.Repeat([]int32{-1}, n*k)
		for e := range ids {
			if j := int32(r.IntN(n)); int(j) != e/k {
				ids[e] = j
			}
		}
		g := symmetric(n, k, ids, make([]float32, n*k))
		const stop = -0.1
		want, labels := slowRounds(it, g, stop)
		for _, workers := range []int{1, 3} {
			d, err := Link(t.Context(), it, g, LinkOptions{Stop: stop, Workers: workers, MaxCandidates: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Check(); err != nil {
				t.Fatal(err)
			}
			var got []float64
			for _, m := range d.Merges {
				got = append(got, float64(m.Similarity))
			}
			slices.Sort(got)
			if len(got) != len(want) {
				t.Fatalf("%d merges, want %d", len(got), len(want))
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-4 {
					t.Fatalf("merges at %v, want %v", got, want)
				}
			}
			if final := d.CutN(1); !slices.Equal(final, labels) {
				t.Fatalf("ends with %v, want %v", final, labels)
			}
		}
	})
}

func TestLinkSameForAnyWorkers(t *testing.T) {
	m, _ := clumps(11, 4000, 32, 200, 0.7)
	g, err := KNN(t.Context(), m, KNNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(m.Data)
	// A small bound exercises the dropping of candidates.
	for _, bound := range []int{0, 8, 1} {
		var first *Dendrogram
		for _, workers := range []int{1, 2, 8} {
			d, err := Link(t.Context(), Items{Dense: m}, g, LinkOptions{Stop: 0.05, Workers: workers, MaxCandidates: bound})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Check(); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = d
			}
			if !slices.Equal(d.Merges, first.Merges) {
				t.Fatalf("bound %d: %d workers give another dendrogram than 1", bound, workers)
			}
		}
	}
	if !slices.Equal(m.Data, before) {
		t.Error("Link changed its input")
	}
}

// TestLinkBounded looks at a hub: a cluster that hundreds of others are near to, and to nothing
// else. The bound must not leave them alone.
func TestLinkBounded(t *testing.T) {
	const n = 400
	m := Matrix{n, n, make([]float32, n*n)}
	ids := slices.Repeat([]int32{-1}, n)
	for i := range n {
		m.Row(i)[0], m.Row(i)[i] = 1, 1
		if i > 0 {
			ids[i] = 0
		}
	}
	g := symmetric(n, 1, ids, make([]float32, n))
	d, err := Link(t.Context(), Items{Dense: m}, g, LinkOptions{MaxCandidates: 4})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Merges) != n-1 {
		t.Errorf("%d merges, want %d", len(d.Merges), n-1)
	}
}

func TestLinkInput(t *testing.T) {
	nan := float32(math.NaN())
	two := Matrix{2, 1, []float32{1, 1}}
	for name, f := range map[string]func() (*Dendrogram, error){
		"nan": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Dense: Matrix{2, 1, []float32{1, nan}}}, complete(2), LinkOptions{})
		},
		"offset": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Dense: two, Offset: nan}, complete(2), LinkOptions{})
		},
		"negative": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Dense: two, Negative: 2}, complete(2), LinkOptions{})
		},
		"graph": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Dense: two}, complete(3), LinkOptions{})
		},
		"sparse": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Dense: two, Sparse: make([]vector.Sparse, 3)}, complete(2), LinkOptions{})
		},
		"terms": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Sparse: []vector.Sparse{{Terms: []uint32{2, 1}, Weights: []float32{1, 1}}, {}}}, complete(2), LinkOptions{})
		},
		"stop": func() (*Dendrogram, error) {
			return Link(t.Context(), Items{Dense: two}, complete(2), LinkOptions{Stop: nan})
		},
	} {
		var bad *InputError
		if _, err := f(); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, 1, 2} {
		d, err := Link(t.Context(), Items{Dense: Matrix{n, 1, slices.Repeat([]float32{1}, n)}}, complete(n), LinkOptions{})
		if err != nil || d.N != n || len(d.Merges) != max(0, n-1) || len(d.Cut(0)) != n {
			t.Errorf("%d items: %+v, %v", n, d, err)
		}
	}
	if d, err := Link(t.Context(), Items{Dense: two}, nil, LinkOptions{}); err != nil || len(d.Merges) != 0 {
		t.Errorf("no graph: %+v, %v", d, err)
	}
}

func TestLinkIdentical(t *testing.T) {
	m := Matrix{20000, 8, slices.Repeat([]float32{0.5, 0.1, 0, 0, -0.2, 0.3, 0, 0.7}, 20000)}
	g, err := KNN(t.Context(), m, KNNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Link(t.Context(), Items{Dense: m}, g, LinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Merges) != m.Rows-1 {
		t.Errorf("%d merges, want %d", len(d.Merges), m.Rows-1)
	}
}

func TestLinkCancelled(t *testing.T) {
	m, _ := clumps(12, 2000, 16, 20, 0.5)
	g, err := KNN(t.Context(), m, KNNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Link(ctx, Items{Dense: m}, g, LinkOptions{Progress: func(p Progress) {
		if p.Done > 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestKeysOrderCandidates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &linkage{lowest: []int32{7, 0, 3}}
		draw := func(name string) candidate {
			return candidate{int32(rapid.IntRange(0, 2).Draw(t, name)), rapid.SampledFrom([]float32{-1e30, -2, -0.5, 0, 0.5, 1}).Draw(t, name+" similarity")}
		}
		c, d := draw("c"), draw("d")
		if l.before(c, d) != (l.key(c) > l.key(d)) {
			t.Fatalf("%v before %v: %v, keys %x and %x", c, d, l.before(c, d), l.key(c), l.key(d))
		}
	})
}

func BenchmarkLink(b *testing.B) {
	for _, n := range []int{2000, 10000} {
		m, _ := clumps(13, n, 256, n/25, 0.7)
		g, err := KNN(b.Context(), m, KNNOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Link(b.Context(), Items{Dense: m}, g, LinkOptions{Stop: 0.1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKNN(b *testing.B) {
	for _, n := range []int{2000, 10000, 30000} {
		m, _ := clumps(14, n, 256, n/25, 0.7)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := KNN(b.Context(), m, KNNOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Edge receives the similarity of the ends of every edge, in order. Overwrite changes no result.
func TestLinkEdges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		n, dim := rapid.IntRange(2, 40).Draw(rt, "n"), 5
		items := Items{Dense: Matrix{n, dim, make([]float32, n*dim)}, Negative: 1, Offset: 0.5}
		for k := range items.Dense.Data {
			items.Dense.Data[k] = float32(r.NormFloat64())
		}
		for range n {
			items.Sparse = append(items.Sparse, vector.Sparse{Terms: []uint32{uint32(r.IntN(3)), uint32(3 + r.IntN(40))}, Weights: []float32{1, 2}})
		}
		g := randomGraph(r, n, 0.3)
		var got [][3]float64
		opts := LinkOptions{Stop: float32(math.Inf(-1)), Edge: func(i, j int32, w float32) { got = append(got, [3]float64{float64(i), float64(j), float64(w)}) }}
		first, err := Link(t.Context(), items, g, opts)
		if err != nil {
			rt.Fatal(err)
		}
		at := 0
		for i := range n {
			neighbors, _ := g.Of(i)
			for _, j := range neighbors {
				if int(j) < i {
					continue
				}
				a, b := items.Dense.Row(i), items.Dense.Row(int(j))
				want := 0.5 - float64(a[4]*b[4]) + float64(items.Sparse[i].Dot(items.Sparse[j]))
				for d := range 4 {
					want += float64(a[d] * b[d])
				}
				if at == len(got) || got[at][0] != float64(i) || got[at][1] != float64(j) || math.Abs(got[at][2]-want) > 1e-5*(1+math.Abs(want)) {
					rt.Fatalf("edge %d is %v, want %d %d %v", at, got[at:min(at+1, len(got))], i, j, want)
				}
				at++
			}
		}
		if at != len(got) {
			rt.Fatalf("%d edges, want %d", len(got), at)
		}
		opts.Overwrite, opts.Edge = true, nil
		if second, err := Link(t.Context(), items, g, opts); err != nil || !reflect.DeepEqual(first, second) {
			rt.Fatalf("overwriting: %v, %v, want %v", second, err, first)
		}
	})
}
