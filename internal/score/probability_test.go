package score

import (
	"testing"

	"pgregory.net/rapid"
)

func TestProbabilityFollowsTheCorpusAndTheFiling(t *testing.T) {
	m := Default()
	s := Signals{Centred: .5, Lexical: .3, Lead: .3, Names: .3, Lengths: [2]float64{1, 1}, Dated: true, Days: 1}
	z := m.Logit(s)
	at := func(breakEven float64) *Threshold { return &Threshold{BreakEven: breakEven, Prior: .5} }
	for _, filed := range []Filed{Unfiled, SameStory, DifferentStory} {
		if low, high := m.Probability(s, at(z+1), filed), m.Probability(s, at(z-1), filed); !(low < high) {
			t.Errorf("%v: probability %.3f where the threshold is above the logit, %.3f where it is below", filed, low, high)
		}
	}
	apart, alone, together := m.Probability(s, at(z), DifferentStory), m.Probability(s, at(z), Unfiled), m.Probability(s, at(z), SameStory)
	if !(apart < alone && alone < together) {
		t.Errorf("apart %.3f, unfiled %.3f, together %.3f", apart, alone, together)
	}
	if low, high := m.Reliability.Joined(0, at(1)), m.Reliability.Joined(2, at(1)); !(0 < low && low < high && high < 1) {
		t.Errorf("membership probability %.3f below the threshold, %.3f above", low, high)
	}
}

// Whatever the logit, being filed together never lowers the probability of a pair, and being filed
// apart never raises it; and more evidence never lowers it.
func TestProbabilityIsMonotone(t *testing.T) {
	st := NewState(Default(), NewStatsBuilder().Stats(DefaultBackground()))
	rapid.Check(t, func(t *rapid.T) {
		s := anySignals(t)
		breakEven := rapid.Float64Range(-8, 8).Draw(t, "break-even")
		st := *st
		st.Threshold.BreakEven, st.Threshold.Prior = breakEven, rapid.Float64Range(.001, .999).Draw(t, "prior")
		apart, alone := st.Probability(s, DifferentStory), st.Probability(s, Unfiled)
		together, two := st.Probability(s, SameStory), st.TwoProbability(s)
		if !(apart <= alone && alone <= together) {
			t.Fatalf("apart %v, unfiled %v, together %v", apart, alone, together)
		}
		if !s.Copy {
			logit := st.Logit(s)
			if of := st.StoryProbability(logit, DifferentStory); of > apart {
				t.Fatalf("of another story %v, of a pair in two stories %v", of, apart)
			}
		}
		more := s
		more.Names += (1 - s.Names) * rapid.Float64Range(0, 1).Draw(t, "more names")
		for _, filed := range []Filed{Unfiled, SameStory, DifferentStory} {
			if st.Probability(more, filed) < st.Probability(s, filed) {
				t.Fatalf("%v: more names in common make it less probable", filed)
			}
		}
		if st.TwoProbability(more) < two {
			t.Fatal("a story of two: more names in common make it less probable")
		}
	})
}
