package lexical

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPriorKnowsCommonWords(t *testing.T) {
	f := NewFrequencies()
	common, rare := f.IDF(Full, id(t, "people")), f.IDF(Full, id(t, "paleontologist"))
	if !(rare > 1.5*common) || common <= 0 {
		t.Errorf("in an empty corpus people weighs %v, paleontologist %v; want the second half as much again", common, rare)
	}
}

func TestCorpusOverridesPrior(t *testing.T) {
	f := NewFrequencies()
	v := Analyze("", "paleontologist")
	for range 1000 {
		f.Add(&v)
	}
	if got, other := f.IDF(Full, id(t, "paleontologist")), f.IDF(Full, id(t, "people")); got >= other {
		t.Errorf("a word of every article weighs %v, one of none %v", got, other)
	}
}

// Adding and removing leaves the counts of what remains.
func TestFrequenciesAreASum(t *testing.T) {
	texts := []string{"alpha beta", "beta gamma", "gamma gamma delta", ""}
	rapid.Check(t, func(rt *rapid.T) {
		added := rapid.SliceOfN(rapid.IntRange(0, len(texts)-1), 0, 20).Draw(rt, "added")
		kept := rapid.IntRange(0, len(added)).Draw(rt, "kept")
		got, want := NewFrequencies(), NewFrequencies()
		for i, which := range added {
			v := Analyze(texts[which], "")
			if i < kept {
				want.Add(&v)
			}
			got.Add(&v)
		}
		for _, which := range added[kept:] {
			v := Analyze(texts[which], "")
			got.Remove(&v)
		}
		for _, word := range []string{"alpha", "beta", "gamma", "delta"} {
			term := id(t, word)
			if g, w := got.IDF(Full, term), want.IDF(Full, term); math.Abs(float64(g-w)) > 0 {
				rt.Fatalf("%s weighs %v, want %v", word, g, w)
			}
		}
	})
}
