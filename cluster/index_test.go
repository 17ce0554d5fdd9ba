package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

// plainSearch ranks all rows by their products.
func plainSearch(rows, queries Matrix, k int) [][]Hit {
	out := make([][]Hit, queries.Rows)
	for i := range out {
		all := make([]Hit, rows.Rows)
		for j := range all {
			all[j] = Hit{int32(j), vector.Dot(queries.Row(i), rows.Row(j))}
		}
		slices.SortFunc(all, func(a, b Hit) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Row, b.Row)) })
		out[i] = all[:min(k, len(all))]
	}
	return out
}

// TestIndexIsExact compares with ranking everything: rows of many lengths, near and far, with copies and zeros among them.
func TestIndexIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		dim := rapid.IntRange(1, 70).Draw(rt, "dim")
		spread := rapid.SampledFrom([]float64{1, 0.1, 0.001, 0}).Draw(rt, "spread")
		outlier := rapid.SampledFrom([]float64{1, 1, 30}).Draw(rt, "outlier")
		centre := make([]float64, dim)
		for d := range centre {
			centre[d] = r.NormFloat64()
		}
		matrix := func(rows int) Matrix {
			m := Matrix{rows, dim, make([]float32, rows*dim)}
			for k := range m.Data {
				m.Data[k] = float32(centre[k%dim] + spread*r.NormFloat64())
			}
			for i := range rows {
				switch r.IntN(20) {
				case 0:
					clear(m.Row(i))
				case 1:
					copy(m.Row(i), m.Row(r.IntN(rows)))
				case 2:
					m.Row(i)[r.IntN(dim)] *= float32(outlier)
				}
			}
			return m
		}
		rows, queries := matrix(rapid.IntRange(1, 700).Draw(rt, "rows")), matrix(rapid.IntRange(0, 40).Draw(rt, "queries"))
		k := rapid.IntRange(0, 20).Draw(rt, "k")
		x, err := NewIndex(context.Background(), rows, 2)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := x.Search(context.Background(), queries, k)
		if err != nil {
			rt.Fatal(err)
		}
		for i, want := range plainSearch(rows, queries, k) {
			if !slices.Equal(got[i], want) {
				rt.Fatalf("query %d: %v, want %v", i, got[i], want)
			}
		}
	})
}

func TestIndexRefuses(t *testing.T) {
	nan := float32(math.NaN())
	x, err := NewIndex(t.Context(), Matrix{2, 2, []float32{1, 0, 0, 1}}, 0)
	if err != nil || x.Rows() != 2 {
		t.Fatal(err)
	}
	var bad *InputError
	for name, q := range map[string]Matrix{"dimensions": {1, 3, []float32{1, 2, 3}}, "NaN": {1, 2, []float32{1, nan}}, "shape": {2, 2, []float32{1}}} {
		if _, err := x.Search(t.Context(), q, 1); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := x.Search(t.Context(), Matrix{1, 2, []float32{1, 0}}, -1); !errors.As(err, &bad) {
		t.Errorf("-1 rows: %v", err)
	}
	if _, err := NewIndex(t.Context(), Matrix{1, 2, []float32{nan, 0}}, 0); !errors.As(err, &bad) || bad.Row != 0 {
		t.Errorf("%v", err)
	}
	empty, err := NewIndex(t.Context(), Matrix{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if hits, err := empty.Search(t.Context(), Matrix{1, 2, []float32{1, 0}}, 3); err != nil || len(hits) != 1 || len(hits[0]) != 0 {
		t.Errorf("%v, %v", hits, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, Matrix{1, 2, []float32{1, 0}}, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := NewIndex(ctx, Matrix{1, 2, []float32{1, 0}}, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// BenchmarkIndex asks for the 10 nearest of 100,000 rows of 384 dimensions, one query at a time and 32 at once, on one core.
func BenchmarkIndex(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	matrix := func(rows int) Matrix {
		m := Matrix{rows, 384, make([]float32, rows*384)}
		for k := range m.Data {
			m.Data[k] = float32(r.NormFloat64())
		}
		for i := range rows {
			vector.Normalize(m.Row(i))
		}
		return m
	}
	x, err := NewIndex(b.Context(), matrix(100_000), 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 32} {
		queries := matrix(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := x.Search(b.Context(), queries, 10); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}
