package score

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"throughline/cluster/vector"
)

// space draws halves of articles in a space where all vectors lean to one direction and halves of
// one article share a part.
func space(r *rand.Rand, n, dim int, lean, shared float64) [][2][]float32 {
	draw := func() []float64 {
		v := make([]float64, dim)
		for d := range v {
			v[d] = r.NormFloat64() / math.Sqrt(float64(dim))
		}
		return v
	}
	common := draw()
	out := make([][2][]float32, n)
	for i := range out {
		own := draw()
		for k := range 2 {
			noise, v := draw(), make([]float32, dim)
			for d := range v {
				v[d] = float32(lean*common[d] + shared*own[d] + noise[d])
			}
			vector.Normalize(v)
			out[i][k] = v
		}
	}
	return out
}

func halvesOf(own, reference [][2][]float32, every time.Duration) []Halves {
	hs := make([]Halves, len(own))
	for i := range hs {
		hs[i] = Halves{Own: own[i], Reference: reference[i]}
		if every > 0 {
			hs[i].Published = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * every)
		}
	}
	return hs
}

// TestScaleBringsHalvesAsFarApart compares a space with one in which halves share a known
// part: their cosine there is shared^2/(1+shared^2).
func TestScaleBringsHalvesAsFarApart(t *testing.T) {
	cosine := func(shared float64) float64 { return shared * shared / (1 + shared*shared) }
	for _, c := range []struct{ lean, shared float64 }{{0, .7}, {3, .7}, {10, 1}, {1, 1.5}} {
		r := rand.New(rand.NewPCG(3, 4))
		own, reference := space(r, 300, 200, c.lean, c.shared), space(r, 300, 384, .5, 1)
		for _, every := range []time.Duration{0, time.Minute, 90 * 24 * time.Hour} {
			got, err := MeasureScale(halvesOf(own, reference, every))
			if err != nil {
				t.Fatalf("lean %v, shared %v: %v", c.lean, c.shared, err)
			}
			if want := cosine(1) / cosine(c.shared); math.Abs(got.Factor/want-1) > .1 || got.AUC < .9 || got.Articles != 300 {
				t.Errorf("lean %v, shared %v, every %v: %+v, want a factor of %.2f", c.lean, c.shared, every, got, want)
			}
		}
	}
}

func TestUninformativeEmbeddingsAreRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	reference := space(r, 100, 50, .5, 1)
	constant := make([][2][]float32, 100)
	for i := range constant {
		constant[i] = [2][]float32{{1, 0, 0}, {1, 0, 0}}
	}
	for name, own := range map[string][][2][]float32{"noise": space(r, 100, 50, .5, 0), "a constant": constant} {
		_, err := MeasureScale(halvesOf(own, reference, 0))
		var uninformative *UninformativeEmbeddingError
		if !errors.As(err, &uninformative) || uninformative.AUC < .35 || uninformative.AUC >= leastAUC {
			t.Errorf("%s: %v", name, err)
		}
	}
	var uninformative *UninformativeEmbeddingError
	if _, err := MeasureScale(halvesOf(reference[:10], reference[:10], 0)); err == nil || errors.As(err, &uninformative) {
		t.Errorf("ten articles: %v", err)
	}
	ragged := space(r, 100, 50, .5, 1)
	ragged[7][1] = ragged[7][1][:49]
	if _, err := MeasureScale(halvesOf(ragged, reference, 0)); err == nil || errors.As(err, &uninformative) {
		t.Errorf("vectors of two lengths: %v", err)
	}
}

func TestStateUsesTheScale(t *testing.T) {
	fs := lean(4, 30, 16, .5, 1)
	st := stateOf(fs)
	before := st.Compare(&fs[0], &fs[1]).Centred
	scaled := *st
	scaled.Scale = Scale{Factor: 1.5}
	if got := scaled.Compare(&fs[0], &fs[1]).Centred; math.Abs(got-1.5*before) > 1e-6 {
		t.Errorf("centred cosine %v, before it was %v", got, before)
	}
}
