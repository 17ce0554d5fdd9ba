package score

import (
	"testing"
)

func TestProbabilityFollowsTheCorpusAndTheFiling(t *testing.T) {
	m := Default()
	s := Signals{Centred: .5, Lexical: .3, Lead: .3, Names: .3, Lengths: [2]float64{1, 1}, Dated: true, Days: 1}
	z := m.Logit(s)
	for _, filed := range []Filed{Unfiled, SameStory, DifferentStory} {
		if low, high := m.Probability(s, z+1, filed), m.Probability(s, z-1, filed); !(low < high) {
			t.Errorf("%v: probability %.3f where the threshold is above the logit, %.3f where it is below", filed, low, high)
		}
	}
	apart, alone, together := m.Probability(s, z, DifferentStory), m.Probability(s, z, Unfiled), m.Probability(s, z, SameStory)
	if !(apart < alone && alone < together) {
		t.Errorf("apart %.3f, unfiled %.3f, together %.3f", apart, alone, together)
	}
	if low, high := m.Reliability.Joined(0, 1), m.Reliability.Joined(2, 1); !(0 < low && low < high && high < 1) {
		t.Errorf("membership probability %.3f below the threshold, %.3f above", low, high)
	}
}
