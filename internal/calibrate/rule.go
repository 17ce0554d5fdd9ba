package calibrate

import (
	"fmt"
	"math"

	"throughline/internal/hierarchy"
	"throughline/internal/score"
)

const (
	// rulePenalty is the ridge penalty of the weights of a rule, each times the deviation of its
	// feature. With sets left out, a thirtieth to all of it leads to the same F1 within .002.
	rulePenalty = 3e-2
	// badWeight is the share of the squared loss in what is minimised. It makes a corpus whose
	// stories are all wrong count for more than several that are slightly worse.
	badWeight = 0.8
	// squareScale makes a loss of a third count the same by both.
	squareScale = 3.0
)

// loss is what an F1 below the best one of a corpus costs.
func loss(f1, best float64) float64 {
	missed := best - f1
	return (1-badWeight)*missed + badWeight*squareScale*missed*missed
}

// fitRule finds the weights of the rule that lead to the best stories: of least expected loss, if
// the threshold of a corpus were drawn by the weights of its logits. Linkages are of corpora that
// count by their weights.
func fitRule(linkages []*linked, weights []float64) (score.ThresholdRule, error) {
	const n = score.RuleFeatures
	var rule score.ThresholdRule
	deviations := deviations(linkages, weights)
	total := 0.0
	for _, w := range weights {
		total += w
	}
	objective := func(p, gradient []float64, curvature [][]float64) float64 {
		set(&rule, p)
		value := 0.0
		for i, l := range linkages {
			share, best := weights[i]/total, l.best()
			chances := l.tree.Sight.Weights(rule)
			expected := 0.0
			var mean [n]float64
			for k, q := range chances {
				expected += q * loss(l.f1[k], best)
				for f, x := range l.tree.Sight.Features[k] {
					mean[f] += q * x
				}
			}
			value += share * expected
			for k, q := range chances {
				off := loss(l.f1[k], best) - expected
				for f, x := range l.tree.Sight.Features[k] {
					gradient[f] += share * q * off * x
					// the covariance of the features: the curvature of the logarithm of the weights
					for g := range f + 1 {
						curvature[f][g] += share * q * math.Abs(off) * (x - mean[f]) * (l.tree.Sight.Features[k][g] - mean[g])
					}
				}
			}
		}
		for f := range n {
			scale := deviations[f] * deviations[f] * rulePenalty
			value += scale * p[f] * p[f]
			gradient[f] += 2 * scale * p[f]
			curvature[f][f] += 2 * scale
			for g := range f {
				curvature[g][f] = curvature[f][g]
			}
		}
		return value
	}
	start, lower, upper := make([]float64, n), make([]float64, n), make([]float64, n)
	for f := range n {
		lower[f], upper[f] = -100, 100
	}
	p, err := minimize(objective, start, lower, upper)
	if err != nil {
		return rule, fmt.Errorf("threshold: %w", err)
	}
	for f := range p {
		p[f] = rounded(p[f])
	}
	set(&rule, p)
	rule.Default = usualThreshold(linkages, weights)
	return rule, nil
}

// set sets the weights of a rule.
func set(rule *score.ThresholdRule, p []float64) {
	for f, w := range rule.Weights() {
		*w = p[f]
	}
}

// deviations returns the standard deviation of every feature over all logits of all corpora.
func deviations(linkages []*linked, weights []float64) (out [score.RuleFeatures]float64) {
	for f := range out {
		sum, squares, total := 0.0, 0.0, 0.0
		for i, l := range linkages {
			for _, features := range l.tree.Sight.Features {
				sum += weights[i] * features[f]
				squares += weights[i] * features[f] * features[f]
				total += weights[i]
			}
		}
		mean := sum / total
		out[f] = math.Sqrt(math.Max(squares/total-mean*mean, 1e-12))
	}
	return out
}

// usualThreshold returns the one logit of least loss for all corpora.
func usualThreshold(linkages []*linked, weights []float64) float64 {
	at, least := 0.0, math.Inf(1)
	for k := range linkages[0].tree.Sight.Features {
		sum := 0.0
		for i, l := range linkages {
			sum += weights[i] * loss(l.f1[k], l.best())
		}
		if sum < least {
			at, least = hierarchy.LogitAt(k), sum
		}
	}
	return at
}
