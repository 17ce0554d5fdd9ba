package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

// stateOf is the State of a corpus that nothing else is known of.
func stateOf(fs []Features) *State { return NewState(Default(), StatsOf(fs, DefaultBackground())) }

// lean draws unit vectors that all lean to the direction of ones.
func lean(seed uint64, n, dim int, one, noise float64) []Features {
	r := rand.New(rand.NewPCG(seed, seed+1))
	fs := make([]Features, n)
	for i := range fs {
		v := make([]float32, dim)
		for d := range v {
			v[d] = float32(noise*r.NormFloat64() + one)
		}
		vector.Normalize(v)
		fs[i] = Features{ID: fmt.Sprint(i), Dense: v, Lex: lexical.Analyze("", fmt.Sprintf("word%d shared common%d", i, i%7))}
	}
	return fs
}

// Statistics are those of what was added and not removed, in whatever order.
func TestStatsForgetOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := lean(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 200).Draw(rt, "n"), 8, .5, 1)
		kept := rapid.IntRange(1, len(fs)).Draw(rt, "kept")
		order := make([]int, len(fs))
		for i := range order {
			order[i] = i
		}
		b := NewStatsBuilder()
		for _, i := range rapid.Permutation(order).Draw(rt, "order") {
			b.Add(&fs[i])
		}
		before := NewState(Default(), b.Stats(DefaultBackground()))
		seen := before.Compare(&fs[0], &fs[1])
		for i := range fs[kept:] {
			b.Remove(&fs[kept+i])
		}
		want, got := stateOf(fs[:kept]), NewState(Default(), b.Stats(DefaultBackground()))
		if got.Stats.Articles() != kept {
			rt.Fatalf("%d articles, want %d", got.Stats.Articles(), kept)
		}
		if len(fs) <= sampleSize { // a removed article of the sample is replaced only by those to come
			if a, b := got.Compare(&fs[0], &fs[1]), want.Compare(&fs[0], &fs[1]); !reflect.DeepEqual(a, b) {
				rt.Fatalf("signals %+v, want %+v", a, b)
			}
		}
		if again := before.Compare(&fs[0], &fs[1]); !reflect.DeepEqual(again, seen) {
			rt.Fatalf("statistics changed after they were made: signals %+v, then %+v", seen, again)
		}
	})
}

func TestCentringRemovesWhatAllShare(t *testing.T) {
	fs := lean(1, 400, 32, 1, .3) // a space in which any two texts are at .9
	st := stateOf(fs)
	s := st.Compare(&fs[0], &fs[1])
	if s.Dense < .85 || math.Abs(s.Centred) > .6 || s.Background < .85 {
		t.Errorf("signals %+v: want a cosine near .9 whose background is known and whose rest is small", s)
	}
	if same := st.Compare(&fs[0], &fs[0]); same.Centred < .99 {
		t.Errorf("an article is at %.3f to itself", same.Centred)
	}
}

// A space whose centred cosines are far smaller or larger than usual counts like the built-in one.
func TestSpreadIsBounded(t *testing.T) {
	for _, dim := range []int{2, 3000} {
		v := make([]float32, dim)
		v[0] = 1
		scale := stateOf(lean(5, 200, dim, 0, 1)).Weigh(&Features{Dense: v, Lex: lexical.Vectors{Words: 1}}).cosineScale
		spread := 1.48 * .6745 / math.Sqrt(float64(dim)) // of random directions, roughly
		if scaled := scale * spread; dim == 3000 && (scale < 1.5 || scaled > 1.5*leastSpread) || dim == 2 && scale > .7 {
			t.Errorf("%d dimensions: cosine scale %.2f", dim, scale)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	fs := lean(1, 200, 384, .5, 1)
	st := stateOf(fs)
	ws := make([]*Weighted, len(fs))
	for i := range fs {
		ws[i] = st.Weigh(&fs[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Default().Logit(Compare(ws[i%200], ws[(i*7+1)%200]))
	}
}

func BenchmarkWeigh(b *testing.B) {
	fs := lean(1, 200, 384, .5, 1)
	st := stateOf(fs)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		st.Weigh(&fs[i%200])
	}
}

// BenchmarkStats is what publishing the statistics of a corpus costs.
func BenchmarkStats(b *testing.B) {
	builder := NewStatsBuilder()
	for i := range 20_000 {
		builder.Add(&Features{ID: fmt.Sprint(i), Lex: lexical.Analyze("", fmt.Sprintf("w%d x%d y%d z%d", i, i*7%50_000, i*13%90_000, i%100))})
	}
	b.ReportAllocs()
	for b.Loop() {
		builder.Stats(DefaultBackground())
	}
}
