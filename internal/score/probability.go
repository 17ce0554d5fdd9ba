package score

import "math"

// Reliability turns logits into probabilities, given the threshold of a corpus. The logit alone is
// that of a corpus in which half of the candidate pairs are of one event; its distance above the
// break-even threshold, and the estimated share of such pairs, adapt it to this corpus. Fitted on
// labelled sets by internal/calibrate.
type Reliability struct {
	// Unfiled is for two articles of which at least one is in no story: log-odds of one event by
	// the distance of the logit above the threshold.
	Unfiled Line `json:"unfiled"`
	// SameStory and DifferentStory are for articles in one story and in two. The articles between
	// them that link them into a story say more than the pair itself.
	SameStory      Line `json:"same_story"`
	DifferentStory Line `json:"different_story"`
	// Join is for two groups: log-odds of one event of a pair of members, one of each, by the
	// distance of the mean logit above the threshold. JoinError is the share of such pairs that are
	// of two events however high the mean logit is.
	Join      Line    `json:"join"`
	JoinError float64 `json:"join_error"`
}

// Line is the function Slope*x + Offset + Share*o, where o is Threshold.Odds.
type Line struct {
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
	Share  float64 `json:"share"`
}

func (l Line) at(logit float64, t *Threshold) float64 {
	return l.Slope*(logit-t.BreakEven) + l.Offset + l.Share*t.Odds()
}

// mostOdds bounds the log-odds of the estimated share of pairs of one event, because the estimate
// is unreliable in unfamiliar corpora.
const mostOdds = 3.0

// Odds returns the log-odds of the estimated share of candidate pairs that are of one event, within
// bounds.
func (t *Threshold) Odds() float64 {
	return math.Min(math.Max(math.Log(t.Prior/(1-t.Prior)), -mostOdds), mostOdds)
}

// Probability returns the probability that two articles with these signals are about one event, in
// a corpus with this threshold, given how they are filed.
func (m *Model) Probability(s Signals, t *Threshold, filed Filed) float64 {
	return m.ProbabilityAt(m.Logit(s), t, filed, s.Copy)
}

// ProbabilityAt is Probability for a known logit; copied says that one article is a copy of the
// other. At no logit is a pair in one story less probable than an unfiled one, or one in two
// stories more probable: the three lines are fitted apart and would cross far above the threshold,
// where few pairs are in two stories.
func (m *Model) ProbabilityAt(logit float64, t *Threshold, filed Filed, copied bool) float64 {
	r := &m.Reliability
	z := r.Unfiled.at(logit, t)
	switch filed {
	case SameStory:
		z = max(z, r.SameStory.at(logit, t))
	case DifferentStory:
		z = min(z, r.DifferentStory.at(logit, t))
	}
	p := sigmoid(z)
	if copied {
		p = max(p, copyProbability)
	}
	return p
}

// copyProbability is the least probability that two copies are about one event. Of the pairs that
// are recognised as copies 1,000 of 1,042 are labelled as one event (TestCopyQuality, six sets),
// and most of the others are labelled wrongly.
const copyProbability = 0.96

// Joined returns the probability that a pair of members of two groups, of which each may be one
// article, is of one event, given the mean logit between the groups.
func (r Reliability) Joined(logit float64, t *Threshold) float64 {
	return (1 - r.JoinError) * sigmoid(r.Join.at(logit, t))
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
