package calibrate

import (
	"slices"

	"throughline/internal/score"
)

// grid returns the constants of the threshold that are tried. The clip is not among them, because
// it is for corpora unlike any labelled one.
func grid(clip float64) []score.ThresholdRule {
	var out []score.ThresholdRule
	for _, target := range []float64{.5, 1, 1.5} {
		for _, targetWeight := range []float64{.005, .01, .02} {
			for _, gap := range []float64{.1, .2, .4} {
				for _, priorWeight := range []float64{0, .5} {
					for _, temperature := range []float64{.02, .05} {
						out = append(out, score.ThresholdRule{Target: target, PriorWeight: priorWeight, PriorClip: clip, GapWeight: gap, TargetWeight: targetWeight, Temperature: temperature})
					}
				}
			}
		}
	}
	return out
}

// noise is the greatest difference of mean F1 without meaning. The best thirty rules of the grid
// differ by .003 and change places with every set that is left out.
const noise = .003

// chooseRule returns the constants with the best stories, over sets linked with coefficients fitted
// without them. Among rules that differ from the best by noise only it takes those with the fewest
// changes to the constants in force, and of these the best.
func chooseRule(sets [][]*linked, inForce score.ThresholdRule) score.ThresholdRule {
	rules := grid(inForce.PriorClip)
	scores := make([]float64, len(rules))
	for i, r := range rules {
		scores[i] = ruleScore(sets, r)
	}
	best := slices.Max(scores)
	rule, score, changed := inForce, ruleScore(sets, inForce), 0
	if score >= best-noise {
		return inForce
	}
	for i, r := range rules {
		n := changes(inForce, r)
		if scores[i] >= best-noise && (changed == 0 || n < changed || n == changed && scores[i] > score) {
			rule, score, changed = r, scores[i], n
		}
	}
	return rule
}

// changes counts the constants that differ.
func changes(a, b score.ThresholdRule) int {
	n := 0
	for _, same := range []bool{a.Target == b.Target, a.PriorWeight == b.PriorWeight, a.GapWeight == b.GapWeight, a.TargetWeight == b.TargetWeight, a.Temperature == b.Temperature} {
		if !same {
			n++
		}
	}
	return n
}

// ruleScore returns the mean story F1 over the sets; a set counts the mean of its whole corpus and
// of the mean of all its corpora.
func ruleScore(sets [][]*linked, r score.ThresholdRule) float64 {
	sum := 0.0
	for _, linkages := range sets {
		all, full := 0.0, 0.0
		for _, t := range linkages {
			_, _, f1 := t.quality(t.tree.BreakEven(r))
			all += f1
			if t.corpus.whole() {
				full = f1
			}
		}
		sum += (all/float64(len(linkages)) + full) / 2
	}
	return sum / float64(len(sets))
}
