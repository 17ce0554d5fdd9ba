package score

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// anySignals draws every field of Signals, those that are added in future too.
func anySignals(t *rapid.T) Signals {
	var s Signals
	number := rapid.Float64Range(0, 1)
	var fill func(name string, v reflect.Value)
	fill = func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Float64:
			v.SetFloat(number.Draw(t, name))
		case reflect.Bool:
			v.SetBool(rapid.Bool().Draw(t, name))
		case reflect.Int:
			v.SetInt(int64(rapid.IntRange(0, 100).Draw(t, name)))
		case reflect.Array:
			for i := range v.Len() {
				fill(name, v.Index(i))
			}
		default:
			t.Fatalf("Signals.%s is a %s: draw it", name, v.Kind())
		}
	}
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		fill(v.Type().Field(i).Name, v.Field(i))
	}
	s.Days = float64(rapid.IntRange(0, 60).Draw(t, "days"))
	return s
}

func TestContributionsSumToTheLogit(t *testing.T) {
	m := Default()
	prior := m.Logit(Signals{})
	rapid.Check(t, func(t *rapid.T) {
		s := anySignals(t)
		gave := m.Contributions(s)
		sum := 0.0
		for _, x := range gave {
			sum += x
		}
		if math.Abs(sum-m.Logit(s)) > 1e-9 {
			t.Fatalf("%v sum to %v, the logit is %v", gave, sum, m.Logit(s))
		}
		// What is left when all is cleared must not depend on the pair: a signal of the logit that
		// is not cleared would hide here.
		if gave[Prior] != prior {
			t.Fatalf("without its signals the logit of a pair is %v, not %v: a signal is missing in ablations", gave[Prior], prior)
		}
	})
}

func TestContributions(t *testing.T) {
	m := *Default()
	m.Dense, m.Lexical, m.Lead, m.Names = Term{Weight: 2}, Term{Weight: 3, Gain: .5}, Term{}, Term{Weight: 1}
	m.Intercept, m.Undated, m.Length, m.Days = -4, .5, Length{Sum: 1}, []TimeKernel{{Width: 4, Weight: 2}}
	got := m.Contributions(Signals{Dense: .9, Centred: .5, Lexical: .2, Lead: .7, Lengths: [2]float64{1, 0}, Dated: true, Days: 2, Copy: true})
	want := map[string]float64{"centred": 1, "lexical": 3 * .5 * .2, "days_apart": 2*.5 - .5, "length": 1, Prior: -3.5}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for name, x := range want {
		if math.Abs(got[name]-x) > 1e-12 {
			t.Errorf("%s gave %v, want %v", name, got[name], x)
		}
	}
}
