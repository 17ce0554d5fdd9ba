package score

import (
	"math"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

// State holds all that scoring depends on besides the two articles. It never changes;
// internal/state owns the current one and replaces it as a whole.
type State struct {
	Version   int64 // grows with every State of one store; 0: not published
	Model     *Model
	Stats     *Stats
	Scale     Scale     // Factor 0: not measured; Stats estimates the cosine scale
	Threshold Threshold // at which stories of this corpus end
}

// NewState returns a State with the default threshold of the model and without a measured cosine
// scale.
func NewState(m *Model, stats *Stats) *State {
	return &State{Model: m, Stats: stats, Threshold: m.DefaultThreshold()}
}

// Weigh weights features with the statistics and the cosine scale. The article need not belong to
// the corpus.
func (s *State) Weigh(f *Features) *Weighted {
	frequencies := s.Stats.frequencies
	w := &Weighted{
		dense: f.Dense, Full: frequencies.Weigh(lexical.Full, f.Lex.Full),
		lead:  frequencies.Weigh(lexical.Lead, f.Lex.Lead),
		names: frequencies.Weigh(lexical.Names, f.Lex.Names),

		length: lengthOf(f.Lex.Words), dated: !f.Published.IsZero(), shingles: f.Lex.Shingles,
	}
	if w.dated {
		w.day = dayOf(f.Published)
	}
	if len(f.Dense) == 0 {
		return w
	}
	w.Centred, w.background = s.Stats.centre(f.Dense)
	if w.cosineScale = s.Scale.Factor; w.cosineScale == 0 {
		w.cosineScale = s.Stats.cosineScale()
	}
	return w
}

// Compare returns the signals between two articles. To compare one article with many, weigh each
// once and use [Compare].
func (s *State) Compare(a, b *Features) Signals { return Compare(s.Weigh(a), s.Weigh(b)) }

// Logit returns the log-odds that two articles with these signals are about one event; see
// [Model.Logit].
func (s *State) Logit(signals Signals) float64 { return s.Model.Logit(signals) }

// Probability returns the probability that two articles with these signals are about one event,
// given how they are filed.
func (s *State) Probability(signals Signals, filed Filed) float64 {
	return s.Model.Probability(signals, s.Threshold.BreakEven, filed)
}

// TwoProbability is Probability of two articles that are a story of two: the probability of their
// memberships, because no other article links them.
func (s *State) TwoProbability(signals Signals) float64 {
	p := s.MembershipProbability(s.Logit(signals))
	if signals.Copy {
		p = max(p, copyProbability)
	}
	return p
}

// MembershipProbability returns the probability that an article with this mean logit to the members
// of a story is about the same event as a member.
func (s *State) MembershipProbability(logit float64) float64 {
	return s.Model.Reliability.Joined(logit, s.Threshold.BreakEven)
}

// StoryProbability is MembershipProbability of an article that is filed: an article of another
// story is no more probable than a pair in two stories with this logit.
func (s *State) StoryProbability(logit float64, filed Filed) float64 {
	p := s.MembershipProbability(logit)
	if filed == DifferentStory {
		p = min(p, s.Model.ProbabilityAt(logit, s.Threshold.BreakEven, filed, false))
	}
	return p
}

// Signals is what a comparison of two articles measures. The order of the two does not matter.
type Signals struct {
	Dense      float64    // cosine of the dense vectors as embedded
	Centred    float64    // cosine after subtracting the mean vector, times the cosine scale
	Section    float64    // cosine of the best pair of sections, if compared; not in the logit
	Lexical    float64    // cosine of the words of title and body, rare words first
	Lead       float64    // cosine of the words of the lead
	Names      float64    // cosine of names and numbers
	Lengths    [2]float64 // of both: 0 for no words, 1 for 300 and more, logarithmic between
	Dated      bool       // both dates are known
	Days       float64    // calendar days between them, when Dated
	Verbatim   float64    // share of shingles, see SameText; not in the logit
	Copy       bool       // the two are copies, see SameText; not in the logit
	Background float64    // mean dot product of the two with the mean vector; not in the logit
}

// Compare returns the signals between two articles that one State has weighted.
func Compare(a, b *Weighted) Signals {
	s := Signals{
		Lexical: float64(a.Full.Dot(b.Full)),
		Lead:    float64(a.lead.Dot(b.lead)),
		Names:   float64(a.names.Dot(b.names)),
		Lengths: [2]float64{a.length, b.length},
		Dated:   a.dated && b.dated,

		Background: (a.background + b.background) / 2,
	}
	if len(a.dense) > 0 && len(a.dense) == len(b.dense) {
		s.Dense = float64(vector.Dot(a.dense, b.dense))
	}
	if len(a.Centred) > 0 && len(a.Centred) == len(b.Centred) {
		s.Centred = math.Sqrt(a.cosineScale*b.cosineScale) * float64(vector.Dot(a.Centred, b.Centred))
	}
	s.Verbatim, s.Copy = SameText(a, b)
	s.Copy = s.Copy && (s.Centred >= copyCentred || len(a.Centred) == 0 || len(b.Centred) == 0)
	if s.Dated {
		s.Days = math.Abs(float64(a.day - b.day))
	}
	return s
}

// Threshold is the logit at which the stories of a corpus end, with the figures behind it.
type Threshold struct {
	Logit float64 // least mean logit at which groups are one story
	// BreakEven is the logit at which precision equals recall, as the model expects it. It equals
	// Logit unless a precision or a granularity was asked for.
	BreakEven float64
	Precision float64 // expected share of pairs of one event among the pairs within stories
	Prior     float64 // estimated share of pairs of one event among the candidate pairs
	Largest   float64 // share of the articles in the largest story
	Guarded   bool    // the threshold was raised because one story held most of the corpus
}

// DefaultThreshold returns the threshold of a corpus without enough articles to choose one.
func (m *Model) DefaultThreshold() Threshold {
	return Threshold{Logit: m.Threshold.Target, BreakEven: m.Threshold.Target, Prior: 0.5}
}

// ThresholdRule holds the constants by which internal/hierarchy chooses the threshold of an
// unlabelled corpus. It minimises
//
//	cost(c) = -2 agreement(c) + GapWeight*growth(c) + TargetWeight*(c-target)^2
//
// over the logits c. agreement is how far linkage by vectors alone and linkage by words alone lead
// to the same groups. growth is the growth of the logarithm of the mean story size as the threshold
// falls by one. Within stories and between stories lie gaps in which few groups are joined, and a
// threshold in a gap is stable. Neither depends on the scale of the logits, so both hold for
// corpora unlike those that the coefficients were fitted on. target decides between logits at which
// a corpus holds together equally well, such as events and the themes they belong to: Target less
// PriorWeight times the log-odds of the estimated share of pairs of one event, clipped to PriorClip
// because the estimate is unreliable in unfamiliar corpora.
//
// The threshold is the mean over all logits, weighted by exp(-cost/Temperature): the best logit if
// one is clearly best, the middle of a range if all of it is equally good.
type ThresholdRule struct {
	Target       float64 `json:"target"`
	PriorWeight  float64 `json:"prior_weight"`
	PriorClip    float64 `json:"prior_clip"`
	GapWeight    float64 `json:"gap_weight"`
	TargetWeight float64 `json:"target_weight"`
	Temperature  float64 `json:"temperature"`
}
