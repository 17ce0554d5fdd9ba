package evidence

import (
	"math"

	"throughline/cluster"
)

// Reliability says what a logit is worth in a corpus whose stories end at a cut. The logit of a pair alone is that of a corpus in which half
// of the pairs that come near each other are of one event, and with a spread of its own; the cut says where this corpus has
// its half. Fitted on labelled sets by the command that fits the model.
type Reliability struct {
	// Alone is for two articles of which at least one is not filed yet: log-odds of one event by how far the logit is above the cut.
	Alone Line `json:"alone"`
	// Together and Apart are for articles in one story and in two. That what lies between them puts them together says more than the pair does.
	Together Line `json:"together"`
	Apart    Line `json:"apart"`
	// Join is for two groups: log-odds of one event of a pair of members, one of each, by how far the mean logit is above the cut; and
	// the share of such pairs that are of two events however high it is.
	Join      Line    `json:"join"`
	JoinError float64 `json:"join_error"`
}

// Line is a straight line.
type Line struct {
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
}

func (l Line) at(x float64) float64 { return l.Slope*x + l.Offset }

// Probability returns the probability that two articles with these signals are about one event, in a corpus whose stories end at the logit
// cut, given how they are filed.
func (m *Model) Probability(s Signals, cut float64, filed Membership) float64 {
	return m.ProbabilityAt(m.Logit(s), cut, filed, s.Copy)
}

// ProbabilityAt is Probability of a pair whose logit is known, and whether one is a copy of the other.
func (m *Model) ProbabilityAt(logit, cut float64, filed Membership, copied bool) float64 {
	line := m.Reliability.Alone
	switch filed {
	case Together:
		line = m.Reliability.Together
	case Apart:
		line = m.Reliability.Apart
	}
	p := sigmoid(line.at(logit - cut))
	if copied {
		p = max(p, copyProbability)
	}
	return p
}

// copyProbability is how likely a copy is to be about the event that the original is about. Of pairs called copies 1,000 of 1,042 are labelled as
// one event (TestCopyQuality, six sets), and most others are labelled wrongly.
const copyProbability = 0.96

// Belonging returns the probability that what has a mean logit to the members of a story, an article or another group, is about the
// same event as a member, in a corpus whose stories end at a cut.
func (m *Model) Belonging(logit, cut float64) float64 { return m.Reliability.join(logit, cut) }

func (r Reliability) join(logit, cut float64) float64 {
	return (1 - r.JoinError) * sigmoid(r.Join.at(logit-cut))
}

// precision returns, for every join of a dendrogram in their order, the expected share of pairs of one event among all pairs that it
// and the joins before it put together.
func (r Reliability) precision(tree *cluster.Dendrogram, cut float64) []float64 {
	sizes := make([]float64, tree.N, tree.N+len(tree.Merges))
	for i := range sizes {
		sizes[i] = 1
	}
	out := make([]float64, len(tree.Merges))
	right, all := 0.0, 0.0
	for i, m := range tree.Merges {
		pairs := sizes[m.A] * sizes[m.B]
		sizes = append(sizes, sizes[m.A]+sizes[m.B])
		right += pairs * r.join(float64(m.Similarity), cut)
		all += pairs
		out[i] = right / all
	}
	return out
}

// cutFor returns the lowest logit to cut at for the expected pair precision to be what is asked for: in the gap below the last join that
// may be made. Where none may be made it is preciseMost.
func (r Reliability) cutFor(tree *cluster.Dendrogram, cut, wanted float64) float64 {
	heights := tree.Heights()
	lowest, next := preciseMost, math.Inf(-1)
	for i, p := range r.precision(tree, cut) {
		last := i+1 == len(heights)
		if !last && heights[i+1] == heights[i] {
			continue // joins of one height are cut together
		}
		if p < wanted {
			next = float64(heights[i])
			break
		}
		lowest = min(lowest, float64(heights[i]))
	}
	return lowest - min(cutReach, (lowest-next)/2)
}

// preciseMost bounds cuts for a precision.
const preciseMost = 12.0

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
