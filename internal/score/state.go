package score

import (
	"cmp"
	"math"
	"runtime"
	"sync"

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
	Templates Templates // forms that articles of the corpus are made by
}

// NewState returns a State with the default threshold of the model and without a measured cosine
// scale.
func NewState(m *Model, stats *Stats) *State {
	return &State{Model: m, Stats: stats, Threshold: m.DefaultThreshold()}
}

// Weigh weights features with the statistics and the cosine scale. The article need not belong to
// the corpus.
func (s *State) Weigh(f *Features) *Weighted {
	weighting, full, lead := s.Stats.weighting, f.Lex.Full, f.Lex.Lead
	template := s.Templates.Made(&f.Lex)
	if template {
		full, lead = only(full, f.Lex.Names), only(lead, f.Lex.Names)
	}
	w := &Weighted{
		dense: f.Dense, Full: weighting.Weigh(lexical.Full, full),
		lead:  weighting.Weigh(lexical.Lead, lead),
		names: weighting.Weigh(lexical.Names, f.Lex.Names),
		own:   weighting.WeighOwn(lexical.Names, f.Lex.Names),

		words: f.Lex.Words, length: lengthOf(f.Lex.Words), dated: !f.Published.IsZero(), shingles: f.Lex.Shingles,
	}
	if w.dated {
		w.day = dayOf(f.Published)
	}
	if len(f.Dense) == 0 || f.Lex.Words == 0 { // without words it is a placeholder
		return w
	}
	w.Subject, w.background = s.Stats.centre(f.Dense)
	if !template {
		w.Centred = w.Subject
	}
	if w.cosineScale = s.Scale.Factor; w.cosineScale == 0 {
		w.cosineScale = s.Stats.cosineScale()
	}
	return w
}

// WeighAll weights the features of articles on a number of goroutines; 0: GOMAXPROCS.
func (s *State) WeighAll(fs []Features, workers int) []*Weighted {
	ws := make([]*Weighted, len(fs))
	workers = cmp.Or(workers, runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	for from := range workers {
		wait.Go(func() {
			for i := from; i < len(fs); i += workers {
				ws[i] = s.Weigh(&fs[i])
			}
		})
	}
	wait.Wait()
	return ws
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
	return s.Model.Probability(signals, &s.Threshold, filed)
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
	return s.Model.Reliability.Joined(logit, &s.Threshold)
}

// StoryProbability is MembershipProbability of an article that is filed: an article of another
// story is no more probable than a pair in two stories with this logit.
func (s *State) StoryProbability(logit float64, filed Filed) float64 {
	p := s.MembershipProbability(logit)
	if filed == DifferentStory {
		p = min(p, s.Model.ProbabilityAt(logit, &s.Threshold, filed, false))
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
	// Confidence is how far the corpus decided where its stories end, 0 to 1: the weight, by
	// ThresholdRule, of the logits around BreakEven. 0: no corpus was looked at.
	Confidence float64
}

// ConfidenceReach is the standard deviation of the Gaussian by which the weights of logits around a
// threshold count for it.
const ConfidenceReach = 1.0

// DefaultThreshold returns the threshold of a corpus without enough articles to choose one.
func (m *Model) DefaultThreshold() Threshold {
	return Threshold{Logit: m.Threshold.Default, BreakEven: m.Threshold.Default, Prior: 0.5}
}

// ThresholdRule holds the weights by which internal/hierarchy chooses the threshold of an
// unlabelled corpus. Each logit c is weighted by exp(sum of weight*feature), where the features are
// what can be seen of the corpus if stories ended at c. The threshold is the c with the most weight
// around it: the best logit if one is clearly best, the middle of a range if all of it is equally
// good, and the one that is best for most corpora if nothing can be seen. internal/calibrate finds
// the weights that lead to the best stories in many corpora.
type ThresholdRule struct {
	Default float64 `json:"default"` // threshold of a corpus that nothing is known of

	// Agreement is the weight of how far linkage by vectors alone and linkage by words alone lead
	// to the same groups, as a logarithm, and GroupedAgreement that of the same times the share of
	// articles in groups. An accident of one view does not show in the other.
	Agreement        float64 `json:"agreement"`
	GroupedAgreement float64 `json:"grouped_agreement"`
	// Structure is the weight of the agreement itself, 0 to 1, times that share.
	Structure float64 `json:"structure"`
	// Growth is the weight of the growth of the logarithm of the mean story size as c falls by one,
	// and Margin that of the mean over articles of how far below c the next join of their group
	// lies, at most 2. Within stories and between stories lie gaps in which few groups are joined.
	Growth float64 `json:"growth"`
	Margin float64 `json:"margin"`
	// Square is the weight of c squared, Logit that of c, and Share that of c times the log-odds of
	// the estimated share of pairs of one event.
	Square float64 `json:"square"`
	Logit  float64 `json:"logit"`
	Share  float64 `json:"share"`
}

// RuleFeatures is the number of features of a ThresholdRule.
const RuleFeatures = 8

// Weights returns pointers to the weights, in the order of the features.
func (r *ThresholdRule) Weights() [RuleFeatures]*float64 {
	return [...]*float64{&r.Agreement, &r.GroupedAgreement, &r.Structure, &r.Growth, &r.Margin, &r.Square, &r.Logit, &r.Share}
}
