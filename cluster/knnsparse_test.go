package cluster

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

func dense(rows []vector.Sparse, dim int) Matrix {
	m := Matrix{len(rows), dim, make([]float32, len(rows)*dim)}
	for i, s := range rows {
		for e, t := range s.Terms {
			m.Row(i)[t] = s.Weights[e]
		}
	}
	return m
}

// drawSparse returns rows in which low terms are common, as in text.
func drawSparse(r *rand.Rand, n, terms, length int, signed bool) []vector.Sparse {
	rows := make([]vector.Sparse, n)
	for i := range rows {
		weights := map[uint32]float32{}
		for range r.IntN(length + 1) {
			w := r.Float32() + 0.01
			if signed && r.IntN(2) == 0 {
				w = -w
			}
			weights[uint32(float64(terms)*math.Pow(r.Float64(), 3))] = w
		}
		for t := range uint32(terms) {
			if w, ok := weights[t]; ok {
				rows[i].Terms, rows[i].Weights = append(rows[i].Terms, t), append(rows[i].Weights, w)
			}
		}
	}
	return rows
}

// checkNeighbors compares with all pairs. A neighbour may be missing only where another one is as
// similar.
func checkNeighbors(t interface{ Fatalf(string, ...any) }, g *Graph, rows []vector.Sparse, dim, k int) {
	m := dense(rows, dim)
	for i, list := range bruteKNN(m, k, 1e-6) {
		neighbors, _ := g.Of(i)
		for _, j := range list {
			if !slices.Contains(neighbors, j) {
				worst := cosine64(m.Row(i), m.Row(int(list[len(list)-1])))
				if s := cosine64(m.Row(i), m.Row(int(j))); s > worst+1e-5 {
					t.Fatalf("row %d lacks neighbour %d of cosine %v; its last has %v", i, j, s, worst)
				}
			}
		}
		if len(neighbors) < len(list) {
			t.Fatalf("row %d has %d neighbours, want at least %d", i, len(neighbors), len(list))
		}
	}
}

func TestKNNSparse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		rows := drawSparse(r, rapid.IntRange(0, 60).Draw(t, "n"), 40, 12, rapid.Bool().Draw(t, "signed"))
		k := rapid.IntRange(1, 8).Draw(t, "k")
		g, err := KNNSparse(t.Context(), rows, KNNOptions{K: k})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		checkNeighbors(t, g, rows, 41, k)
	})
}

// TestKNNSparseSkipsCommonTerms has terms common enough that the search may stop early.
func TestKNNSparseSkipsCommonTerms(t *testing.T) {
	for _, signed := range []bool{false, true} {
		rows := drawSparse(rand.New(rand.NewPCG(5, 6)), 1500, 150, 25, signed)
		var first *Graph
		for _, workers := range []int{1, 4} {
			g, err := KNNSparse(t.Context(), rows, KNNOptions{K: 5, Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = g
				checkNeighbors(t, g, rows, 151, 5)
			}
			if !slices.Equal(g.Neighbors, first.Neighbors) {
				t.Errorf("%d workers give another graph than 1", workers)
			}
		}
	}
}

func TestKNNSparseCopies(t *testing.T) {
	rows := drawSparse(rand.New(rand.NewPCG(7, 8)), 20000, 300, 30, false)
	for i := range 19000 {
		rows[i+500] = rows[i%2]
	}
	g, err := KNNSparse(t.Context(), rows, KNNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	for i := 500; i < 19500; i++ {
		if n, _ := g.Of(i); len(n) < 15 || len(n) > 500 {
			t.Fatalf("copy %d has %d neighbours", i, len(n))
		}
	}
}

func TestKNNSparseInput(t *testing.T) {
	var bad *InputError
	for name, s := range map[string]vector.Sparse{
		"order": {Terms: []uint32{2, 1}, Weights: []float32{1, 1}},
		"nan":   {Terms: []uint32{2}, Weights: []float32{float32(math.NaN())}},
		"long":  {Terms: []uint32{2}, Weights: []float32{1e30}},
	} {
		if _, err := KNNSparse(t.Context(), []vector.Sparse{{}, s}, KNNOptions{}); !errors.As(err, &bad) || bad.Row != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, 1, 2} {
		g, err := KNNSparse(t.Context(), make([]vector.Sparse, n), KNNOptions{})
		if err != nil || g.Nodes() != n || g.Edges() != 0 {
			t.Errorf("%d empty rows: %+v, %v", n, g, err)
		}
	}
}

func TestMerge(t *testing.T) {
	a := symmetric(4, 1, []int32{1, -1, 3, -1}, []float32{0.5, 0, 0.25, 0})
	b := symmetric(4, 1, []int32{1, 2, -1, -1}, []float32{0.75, 0.125, 0, 0})
	g, err := Merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := &Graph{[]int64{0, 1, 3, 5, 6}, []int32{1, 0, 2, 1, 3, 2}, []float32{0.75, 0.75, 0.125, 0.125, 0.25, 0.25}}
	if err := g.Check(); err != nil || !slices.Equal(g.Offsets, want.Offsets) || !slices.Equal(g.Neighbors, want.Neighbors) || !slices.Equal(g.Weights, want.Weights) {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err := Merge(); err != nil || g.Nodes() != 0 {
		t.Errorf("nothing merged: %+v, %v", g, err)
	}
	if _, err := Merge(a, &Graph{}); err == nil {
		t.Error("graphs of different sizes were merged")
	}
}

func TestGraphCheck(t *testing.T) {
	nan := float32(math.NaN())
	for name, g := range map[string]*Graph{
		"one way":  {[]int64{0, 1, 1}, []int32{1}, []float32{1}},
		"weights":  {[]int64{0, 1, 2}, []int32{1, 0}, []float32{1, 2}},
		"nan":      {[]int64{0, 1, 2}, []int32{1, 0}, []float32{nan, nan}},
		"self":     {[]int64{0, 1}, []int32{0}, []float32{1}},
		"range":    {[]int64{0, 1}, []int32{7}, []float32{1}},
		"offsets":  {[]int64{0, 5, 2}, []int32{1, 0}, []float32{1, 1}},
		"lengths":  {[]int64{0, 1, 2}, []int32{1, 0}, []float32{1}},
		"no nodes": {nil, []int32{1, 0}, []float32{1, 1}},
	} {
		if g.Check() == nil {
			t.Errorf("%s: passed", name)
		}
	}
}
