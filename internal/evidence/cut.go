package evidence

import "math"

// Cut says where the dendrogram was cut into stories and what led there, for the log and for evaluation.
type Cut struct {
	Logit       float64 // least mean logit at which groups are one story
	Probability float64 // the same as a probability
	Prior       float64 // estimated share of same-story pairs among the candidate pairs
	Largest     float64 // share of the articles in the largest story
	Raised      bool    // the cut was raised because one story held most of the corpus
}

// prior estimates without labels which share of pairs are of one event, from the logits of a model that was fitted on
// as many pairs of one event as of two (expectation maximisation, Saerens et al. 2002). It works on a histogram, so its
// cost does not grow with the corpus.
func prior(logits []float64) float64 {
	const (
		bins   = 512
		bound  = 16.0
		rounds = 200
	)
	if len(logits) == 0 {
		return 0.5
	}
	var counts, factors [bins]float64
	for _, z := range logits {
		bin := int((math.Min(math.Max(z, -bound), bound) + bound) * (bins - 1) / (2 * bound))
		counts[bin]++
	}
	for i := range factors {
		factors[i] = math.Exp(-(float64(i)*2*bound/(bins-1) - bound))
	}
	share := 0.3
	for range rounds {
		odds, sum := share/(1-share), 0.0
		for i, n := range counts {
			if n > 0 {
				sum += n * odds / (odds + factors[i])
			}
		}
		share = math.Min(math.Max(sum/float64(len(logits)), 1e-4), 1-1e-4)
	}
	return share
}

// CutRule is how the cut follows from what can be seen of a corpus without labels.
type CutRule struct {
	Base  float64 `json:"base"`  // logit of the cut where half of the candidate pairs are of one event
	Shift float64 `json:"shift"` // how much of the log-odds of the estimated prior the cut moves by
	Least float64 `json:"least"` // bounds of those log-odds: the estimate runs away where training saw nothing like it
	Most  float64 `json:"most"`
}

// at returns the logit to cut at for a prior.
func (r CutRule) at(prior float64) float64 {
	return r.Base - r.Shift*math.Min(math.Max(math.Log(prior/(1-prior)), r.Least), r.Most)
}

// swallowed is the share of a corpus that one story may hold, and swallowedFrom the number of articles from which on that
// is asked: a folder of ten articles may well be on one event.
const (
	swallowed      = 0.5
	swallowedFrom  = 60
	swallowedStep  = 0.25 // of the logit, by which the cut goes up
	swallowedUntil = 6.0  // the logit at which that ends: such articles are on one event after all
)
