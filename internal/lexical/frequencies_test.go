package lexical

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

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
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("counted %+v, want %+v", got, want)
		}
	})
}
