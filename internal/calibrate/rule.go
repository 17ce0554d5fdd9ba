package calibrate

import (
	"slices"

	"throughline/internal/evidence"
)

// grid returns the constants of the cut that are tried. The bound is not among them: it is for corpora unlike any that are labelled.
func grid(bound float64) []evidence.CutRule {
	var out []evidence.CutRule
	for _, base := range []float64{.5, 1, 1.5} {
		for _, hold := range []float64{.005, .01, .02} {
			for _, shape := range []float64{.1, .2, .4} {
				for _, prior := range []float64{0, .5} {
					for _, blur := range []float64{.02, .05} {
						out = append(out, evidence.CutRule{Base: base, Prior: prior, Bound: bound, Shape: shape, Hold: hold, Blur: blur})
					}
				}
			}
		}
	}
	return out
}

// noise is the difference of mean F1 that says nothing. Around the best the grid is flat: its best thirty differ by .003 and change places with
// every set that is left out.
const noise = .003

// chooseRule returns the constants with which stories come out best, over trees of sets that the coefficients have not seen. Of those that differ
// from the best by noise only, it takes the ones with the fewest changes of what is in force, and among these the best.
func chooseRule(sets [][]*linked, inForce evidence.CutRule) evidence.CutRule {
	rules := grid(inForce.Bound)
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
func changes(a, b evidence.CutRule) int {
	n := 0
	for _, same := range []bool{a.Base == b.Base, a.Prior == b.Prior, a.Shape == b.Shape, a.Hold == b.Hold, a.Blur == b.Blur} {
		if !same {
			n++
		}
	}
	return n
}

// ruleScore is the mean story F1 over the sets, where the whole set counts as much as the mean of all its corpora.
func ruleScore(sets [][]*linked, r evidence.CutRule) float64 {
	sum := 0.0
	for _, trees := range sets {
		all, full := 0.0, 0.0
		for _, t := range trees {
			_, _, f1 := t.quality(t.tree.Even(r))
			all += f1
			if t.corpus.whole() {
				full = f1
			}
		}
		sum += (all/float64(len(trees)) + full) / 2
	}
	return sum / float64(len(sets))
}
