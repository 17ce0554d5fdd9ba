package cluster

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bruteKNN is KNN by the book: all pairs in float64.
func bruteKNN(m Matrix, k int, minimum float64) [][]int32 {
	out := make([][]int32, m.Rows)
	for i := range m.Rows {
		type hit struct {
			j int32
			s float64
		}
		var hits []hit
		for j := range m.Rows {
			if s := cosine64(m.Row(i), m.Row(j)); i != j && s > minimum {
				hits = append(hits, hit{int32(j), s})
			}
		}
		slices.SortStableFunc(hits, func(a, b hit) int {
			switch {
			case a.s > b.s:
				return -1
			case a.s < b.s:
				return 1
			}
			return 0
		})
		for _, h := range hits[:min(k, len(hits))] {
			out[i] = append(out[i], h.j)
		}
	}
	return out
}

func cosine64(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return math.Inf(-1)
	}
	return ab / math.Sqrt(aa*bb)
}

// clumps returns rows of unit length around centres, and the centre of each.
func clumps(seed uint64, n, dim, centers int, spread float64) (Matrix, []int32) {
	r := rand.New(rand.NewPCG(seed, 1))
	c := make([][]float64, centers)
	for i := range c {
		c[i] = make([]float64, dim)
		for d := range dim {
			c[i][d] = r.NormFloat64() / math.Sqrt(float64(dim))
		}
	}
	m := Matrix{Rows: n, Dim: dim, Data: make([]float32, n*dim)}
	labels := make([]int32, n)
	for i := range n {
		labels[i] = int32(r.IntN(centers))
		var square float64
		for d := range dim {
			x := c[labels[i]][d] + spread*r.NormFloat64()/math.Sqrt(float64(dim))
			m.Row(i)[d] = float32(x)
			square += x * x
		}
		for d := range dim {
			m.Row(i)[d] /= float32(math.Sqrt(square))
		}
	}
	return m, labels
}

func recall(g *Graph, want [][]int32) float64 {
	found, all := 0, 0
	for i, list := range want {
		neighbors, _ := g.Of(i)
		for _, j := range list {
			all++
			if _, ok := slices.BinarySearch(neighbors, j); ok {
				found++
			}
		}
	}
	return float64(found) / float64(max(all, 1))
}

func TestKNNExact(t *testing.T) {
	for _, c := range []struct{ n, dim, k int }{{2, 3, 15}, {3, 1, 1}, {40, 5, 50}, {700, 33, 10}, {900, 64, 15}} {
		m, _ := clumps(uint64(c.n), c.n, c.dim, max(1, c.n/10), 0.7)
		g, err := KNN(t.Context(), m, KNNOptions{K: c.k})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		if r := recall(g, bruteKNN(m, c.k, 0)); r < 0.9999 {
			t.Errorf("%+v: recall %v", c, r)
		}
		for i := range m.Rows {
			neighbors, weights := g.Of(i)
			for e, j := range neighbors {
				if d := math.Abs(float64(weights[e]) - cosine64(m.Row(i), m.Row(int(j)))); d > 1e-5 {
					t.Fatalf("weight of %d-%d is off by %v", i, j, d)
				}
			}
		}
	}
}

func TestKNNInCells(t *testing.T) {
	m, _ := clumps(7, 6000, 48, 300, 0.8)
	exact, err := KNN(t.Context(), m, KNNOptions{K: 15})
	if err != nil {
		t.Fatal(err)
	}
	var first *Graph
	for _, workers := range []int{1, 2, 8} {
		g, err := KNN(t.Context(), m, KNNOptions{K: 15, ExactBelow: 100, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = g
			want := make([][]int32, m.Rows)
			for i := range want {
				want[i], _ = exact.Of(i)
			}
			if r := recall(g, want); r < 0.97 {
				t.Errorf("recall %v of the exact graph", r)
			}
		}
		if !slices.Equal(g.Neighbors, first.Neighbors) || !slices.Equal(g.Weights, first.Weights) {
			t.Errorf("%d workers give another graph than 1", workers)
		}
	}
}

func TestKNNCopies(t *testing.T) {
	// 5,000 copies of each of two rows among others: as fast as any rows, every copy joined to
	// copies, and the others to be reached.
	m, _ := clumps(8, 12000, 24, 50, 0.5)
	for i := range 10000 {
		copy(m.Row(i+1000), m.Row(i%2))
	}
	for _, exactBelow := range []int{0, 64} {
		g, err := KNN(t.Context(), m, KNNOptions{K: 6, ExactBelow: exactBelow})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		for i := 1000; i < 11000; i++ {
			neighbors, weights := g.Of(i)
			same := 0
			for e, j := range neighbors {
				if slices.Equal(m.Row(i), m.Row(int(j))) {
					same++
					if weights[e] < 0.99999 {
						t.Fatalf("copies %d and %d have cosine %v", i, j, weights[e])
					}
				}
			}
			if same < 2 || len(neighbors) > 2000 {
				t.Fatalf("copy %d has %d neighbours, %d of them copies", i, len(neighbors), same)
			}
		}
		if n, _ := g.Of(0); len(n) < 6 {
			t.Errorf("the first copy has %d neighbours", len(n))
		}
		seen, stack := map[int32]bool{0: true}, []int32{0}
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			neighbors, _ := g.Of(int(i))
			for _, j := range neighbors {
				if !seen[j] {
					seen[j] = true
					stack = append(stack, j)
				}
			}
		}
		for i := 1000; i < 11000; i += 2 {
			if !seen[int32(i)] {
				t.Fatalf("copy %d cannot be reached from the first", i)
			}
		}
	}
}

func TestKNNInput(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, m := range map[string]Matrix{
		"nan":      {2, 2, []float32{1, 0, nan, 1}},
		"inf":      {2, 2, []float32{1, 0, 0, inf}},
		"long":     {2, 2, []float32{1, 0, 3e38, 3e38}},
		"tiny":     {2, 2, []float32{1, 0, 1e-38, 1e-40}},
		"short":    {2, 2, []float32{1, 0, 0}},
		"flat":     {2, 0, nil},
		"negative": {-1, 2, nil},
		"wide":     {1, 1 << 17, make([]float32, 1<<17)},
	} {
		var bad *InputError
		if _, err := KNN(t.Context(), m, KNNOptions{}); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := KNN(t.Context(), Matrix{2, 2, []float32{1, 0, nan, 1}}, KNNOptions{})
	var bad *InputError
	if !errors.As(err, &bad) || bad.Row != 1 || bad.Column != 0 {
		t.Errorf("NaN at row 1, column 0: %v", err)
	}
	if _, err := KNN(t.Context(), Matrix{}, KNNOptions{K: -1}); !errors.As(err, &bad) {
		t.Errorf("K -1: %v", err)
	}

	for name, m := range map[string]Matrix{
		"none":      {},
		"one":       {1, 2, []float32{1, 0}},
		"zero":      {1, 2, []float32{0, 0}},
		"all zero":  {3, 2, make([]float32, 6)},
		"opposites": {2, 2, []float32{1, 0, -1, 0}},
	} {
		g, err := KNN(t.Context(), m, KNNOptions{})
		if err != nil || g.Nodes() != m.Rows || g.Edges() != 0 {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
	g, err := KNN(t.Context(), Matrix{3, 2, []float32{2, 0, 0, 0, 5, 0}}, KNNOptions{})
	if err != nil || !slices.Equal(g.Neighbors, []int32{2, 0}) || g.Weights[0] != 1 {
		t.Errorf("two parallel rows and a zero row: %+v, %v", g, err)
	}
}

func TestKNNIdentical(t *testing.T) {
	m := Matrix{20000, 8, slices.Repeat([]float32{0.5, 0.1, 0, 0, -0.2, 0.3, 0, 0.7}, 20000)}
	g, err := KNN(t.Context(), m, KNNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Rows {
		if n, _ := g.Of(i); len(n) < 15 || len(n) > 64 {
			t.Fatalf("row %d has %d neighbours", i, len(n))
		}
	}
}

func TestKNNCancelled(t *testing.T) {
	m, _ := clumps(9, 3000, 16, 20, 0.5)
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	_, err := KNN(ctx, m, KNNOptions{Progress: func(p Progress) {
		if steps++; p.Done > p.Total {
			t.Errorf("%+v", p)
		}
		if p.Done > 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || steps == 0 {
		t.Errorf("%v after %d reports", err, steps)
	}
}

func TestGreatest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Uint64Range(0, 60), 1, 40).Draw(t, "keys")
		count := rapid.IntRange(1, len(keys)).Draw(t, "count")
		sorted := slices.Clone(keys)
		slices.Sort(sorted)
		slices.Reverse(sorted)
		last := greatest(keys, count)
		front := slices.Clone(keys[:count])
		slices.Sort(front)
		slices.Reverse(front)
		if last != sorted[count-1] || !slices.Equal(front, sorted[:count]) {
			t.Fatalf("the %d greatest: %v and least %d, want %v", count, front, last, sorted[:count])
		}
	})
	for _, score := range []int32{math.MinInt32, -1, 0, 1, math.MaxInt32} {
		for _, id := range []int32{0, 1, math.MaxInt32} {
			if k := keyOf(score, id); scoreOf(k) != score || idOf(k) != id {
				t.Errorf("score %d and id %d become %d and %d", score, id, scoreOf(k), idOf(k))
			}
		}
	}
	if keyOf(1, 5) <= keyOf(-1, 5) || keyOf(1, 5) <= keyOf(1, 6) {
		t.Error("keys are out of order")
	}
}
