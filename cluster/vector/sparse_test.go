package vector

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSparseDotAgreesWithDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string, size int) (Sparse, map[uint32]float64) {
			m := rapid.MapOfN(rapid.Uint32Range(0, 300), rapid.Float32Range(-2, 2), 0, size).Draw(t, label)
			var s Sparse
			dense := map[uint32]float64{}
			for term := range uint32(301) {
				if w, ok := m[term]; ok {
					s.Terms, s.Weights = append(s.Terms, term), append(s.Weights, w)
					dense[term] = float64(w)
				}
			}
			return s, dense
		}
		a, da := draw("a", 200)
		b, db := draw("b", 6)
		var want float64
		for term, w := range da {
			want += w * db[term]
		}
		if got := a.Dot(b); math.Abs(float64(got)-want) > 1e-5 {
			t.Fatalf("Dot = %v, want %v", got, want)
		}
		if a.Dot(b) != b.Dot(a) {
			t.Fatal("Dot is not symmetric")
		}
		spread := make([]float32, 301)
		for i, term := range b.Terms {
			spread[term] = b.Weights[i]
		}
		if got, want := a.DotSpread(spread), a.Dot(b); got != want {
			t.Fatalf("DotSpread = %v, Dot = %v", got, want)
		}
		if !a.Valid() || !b.Valid() {
			t.Fatal("not valid")
		}
		if n := a.Norm(); math.Abs(float64(n*n-a.Dot(a))) > 1e-3 {
			t.Fatalf("Norm %v, Dot with itself %v", n, a.Dot(a))
		}
	})
}

func TestSparseValid(t *testing.T) {
	nan := float32(math.NaN())
	for name, s := range map[string]Sparse{
		"order":  {Terms: []uint32{2, 1}, Weights: []float32{1, 1}},
		"repeat": {Terms: []uint32{2, 2}, Weights: []float32{1, 1}},
		"length": {Terms: []uint32{2}, Weights: nil},
		"nan":    {Terms: []uint32{2}, Weights: []float32{nan}},
	} {
		if s.Valid() {
			t.Errorf("%s: valid", name)
		}
	}
}

func TestQuantize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Float32Range(-3, 3), 0, 70).Draw(t, "v")
		out := make([]int8, len(v))
		scale := Quantize(v, out)
		for i, x := range v {
			if out[i] == -128 {
				t.Fatal("-128 is out of range")
			}
			if e := math.Abs(float64(x) - float64(scale)*float64(out[i])); e > float64(scale)*0.5001 {
				t.Fatalf("element %d: %v became %v x %v", i, x, scale, out[i])
			}
		}
	})
	out := []int8{5, 5}
	if scale := Quantize([]float32{0, 0}, out); scale != 0 || out[0] != 0 || out[1] != 0 {
		t.Fatalf("zero vector: scale %v, %v", scale, out)
	}
}

func TestNormalize(t *testing.T) {
	v := []float32{3, 0, -4}
	if !Normalize(v) || v[0] != 0.6 || v[2] != -0.8 {
		t.Fatal(v)
	}
	tiny := []float32{1e-38, 1e-38}
	if !Normalize(tiny) || math.Abs(float64(tiny[0])-math.Sqrt2/2) > 1e-6 {
		t.Fatal("tiny", tiny)
	}
	huge := []float32{3e38, 3e38}
	if !Normalize(huge) || math.Abs(float64(huge[0])-math.Sqrt2/2) > 1e-6 {
		t.Fatal("huge", huge)
	}
	for _, bad := range [][]float32{nil, {0, 0}, {1, float32(math.NaN())}, {1, float32(math.Inf(1))}} {
		before := append([]float32(nil), bad...)
		if Normalize(bad) {
			t.Errorf("%v: normalized", before)
		}
		for i := range bad {
			if math.Float32bits(bad[i]) != math.Float32bits(before[i]) {
				t.Errorf("%v was touched: %v", before, bad)
			}
		}
	}
}
