package evidence

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

// A corpus is what was added and not removed, in whatever order.
func TestCorpusForgetsOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ps := randomProfiles(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 20).Draw(rt, "n"))
		kept := rapid.IntRange(1, len(ps)).Draw(rt, "kept")
		want := corpusOf(ps[:kept])
		got := NewCorpus()
		for _, i := range rapid.Permutation(indices(len(ps))).Draw(rt, "order") {
			got.Add(&ps[i])
		}
		for i := range ps[kept:] {
			got.Remove(&ps[kept+i])
		}
		if got.Len() != want.Len() {
			rt.Fatalf("%d articles, want %d", got.Len(), want.Len())
		}
		a, b := got.Compare(&ps[0], &ps[1]), want.Compare(&ps[0], &ps[1])
		if !reflect.DeepEqual(a, b) {
			rt.Fatalf("signals %+v, want %+v", a, b)
		}
	})
}

func TestCentringRemovesWhatAllShare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := NewCorpus()
	var ps []Profile
	for i := range 400 {
		v := make([]float32, 32)
		for d := range v {
			v[d] = float32(0.3*r.NormFloat64()) + 1 // a space in which any two texts are at .9
		}
		vector.Normalize(v)
		ps = append(ps, Profile{ID: fmt.Sprint(i), Dense: v})
		c.Add(&ps[i])
	}
	s := c.Compare(&ps[0], &ps[1])
	if s.Dense < .85 || math.Abs(s.Centred) > .6 || s.Background < .85 {
		t.Errorf("signals %+v: want a cosine near .9 whose background is known and whose rest is small", s)
	}
	if same := c.Compare(&ps[0], &ps[0]); same.Centred < .99 {
		t.Errorf("an article is at %.3f to itself", same.Centred)
	}
}

// A space whose centred cosines are far smaller or larger than usual counts like the built-in one.
func TestSpreadIsBounded(t *testing.T) {
	for _, dim := range []int{2, 3000} {
		r := rand.New(rand.NewPCG(5, 6))
		c := NewCorpus()
		for i := range 200 {
			v := make([]float32, dim)
			for d := range v {
				v[d] = float32(r.NormFloat64())
			}
			vector.Normalize(v)
			c.Add(&Profile{ID: fmt.Sprint(i), Dense: v})
		}
		v := make([]float32, dim)
		v[0] = 1
		stretch := c.Weigh(&Profile{Dense: v}).stretch
		spread := 1.48 * .6745 / math.Sqrt(float64(dim)) // of random directions, roughly
		if scaled := stretch * spread; dim == 3000 && (stretch < 1.5 || scaled > 1.5*leastSpread) || dim == 2 && stretch > .7 {
			t.Errorf("%d dimensions: stretch %.2f", dim, stretch)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	ps := randomProfiles(1, 200)
	c := corpusOf(ps)
	ws := weighAll(c, ps, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Default().Logit(Compare(ws[i%200], ws[(i*7+1)%200]))
	}
}

func BenchmarkWeigh(b *testing.B) {
	ps := randomProfiles(1, 200)
	c := corpusOf(ps)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Weigh(&ps[i%200])
	}
}
