package hierarchy

import (
	"math"
	"slices"

	"throughline/cluster"
	"throughline/internal/score"
)

// prior estimates without labels the share of pairs that are of one event, from the logits of a
// model that was fitted on as many pairs of one event as of two (expectation maximisation, Saerens
// et al. 2002). It works on a histogram, so its cost per round does not grow with the corpus.
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

// leastThreshold is the lowest threshold that a rule chooses. Where a lower one is best the corpus
// is about one event, and OneEvent says so; elsewhere the views may agree on it by mistake.
const leastThreshold = -2.5

// eventRandom and eventStructure are the median logit of random pairs above which, and the
// structure below which, a corpus is about one event. Of the corpora drawn from labelled sets in
// which one story is best, three quarters have a median above .5; of those in which it is not, nine
// of ten have one below -.4, and the others a structure above .9: a few large stories.
const eventRandom, eventStructure = 0.3, 0.9

// OneEvent reports whether the corpus is about one event. The views cannot say so: what is in one
// group agrees with nothing.
func (s *Sight) OneEvent() bool { return s.Random > eventRandom && s.Structure < eventStructure }

// Weights returns the weight that a rule gives to each of the logits looked at. They sum to 1.
func (s *Sight) Weights(r score.ThresholdRule) (out [logitSteps + 1]float64) {
	weights := r.Weights()
	most, total := math.Inf(-1), 0.0
	for i, features := range s.Features {
		for k, x := range features {
			out[i] += *weights[k] * x
		}
		most = max(most, out[i])
	}
	for i := range out {
		out[i] = math.Exp(out[i] - most)
		total += out[i]
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

// choose returns the threshold that a rule chooses for a dendrogram, and the confidence in it: the
// logit with the most weight around it, by a Gaussian of deviation score.ConfidenceReach. (The mean
// of all logits could lie between two that are right, where groups are cut apart.) A corpus about
// one event is one story.
func choose(r score.ThresholdRule, dendrogram *cluster.Dendrogram, s *Sight) (at, confidence float64) {
	weights := s.Weights(r)
	for i := range weights {
		around := 0.0
		for k, w := range weights {
			d := (LogitAt(i) - LogitAt(k)) / score.ConfidenceReach
			around += w * math.Exp(-d*d/2)
		}
		if around > confidence {
			at, confidence = LogitAt(i), around
		}
	}
	at = max(at, leastThreshold)
	if s.OneEvent() {
		at = min(at, max(s.United, leastThreshold))
	}
	return intoGap(dendrogram, at), confidence
}

// gapReach is the most logits by which intoGap moves a threshold.
const gapReach = 0.125

// intoGap moves a threshold to the middle of the widest gap between the heights of joins near it. A
// threshold next to a join would make the result depend on rounding: another server of the same
// embedding model rounds differently, which moves heights by a hundredth.
func intoGap(dendrogram *cluster.Dendrogram, threshold float64) float64 {
	var near []float64
	for _, h := range dendrogram.Heights() {
		if math.Abs(float64(h)-threshold) < gapReach {
			near = append(near, float64(h))
		}
	}
	near = append(near, threshold-gapReach, threshold+gapReach)
	slices.Sort(near)
	widest, middle := 0.0, threshold
	for i := 1; i < len(near); i++ {
		if gap := near[i] - near[i-1]; gap > widest {
			widest, middle = gap, near[i-1]+gap/2
		}
	}
	return middle
}

// joinedPairs returns, for every join of a dendrogram in order, the number of pairs that it puts
// together.
func joinedPairs(dendrogram *cluster.Dendrogram) []float64 {
	sizes := slices.Repeat([]float64{1}, dendrogram.N)
	out := make([]float64, len(dendrogram.Merges))
	for i, m := range dendrogram.Merges {
		out[i] = sizes[m.A] * sizes[m.B]
		sizes = append(sizes, sizes[m.A]+sizes[m.B])
	}
	return out
}

// precision returns, for every join of a dendrogram in order, the expected share of pairs of one
// event among all pairs that this join and those before it put together.
func precision(r score.Reliability, dendrogram *cluster.Dendrogram, t *score.Threshold) []float64 {
	out := joinedPairs(dendrogram)
	right, all := 0.0, 0.0
	for i, pairs := range out {
		right += pairs * r.Joined(float64(dendrogram.Merges[i].Similarity), t)
		all += pairs
		out[i] = right / all
	}
	return out
}

// forPrecision returns the lowest threshold with the wanted expected pair precision, in the gap
// below the last join that it allows. If it allows none it is near maxThreshold.
func forPrecision(r score.Reliability, dendrogram *cluster.Dendrogram, t *score.Threshold, wanted float64) float64 {
	heights := dendrogram.Heights()
	lowest, next := maxThreshold, math.Inf(-1)
	for i, p := range precision(r, dendrogram, t) {
		last := i+1 == len(heights)
		if !last && heights[i+1] == heights[i] {
			continue // a threshold allows all joins of one height or none
		}
		if p < wanted {
			next = float64(heights[i])
			break
		}
		lowest = min(lowest, float64(heights[i]))
	}
	return lowest - min(gapReach, (lowest-next)/2)
}

// maxThreshold bounds the thresholds for a precision.
const maxThreshold = 12.0
