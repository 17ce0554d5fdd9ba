package calibrate

import "throughline/internal/evidence"

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

// noise is by how much the mean F1 of other constants must be better for them to replace those in force. Around the best the grid is flat:
// its best fifty differ by .01 and change places with every set that is left out.
const noise = .003

// chooseRule returns the constants with which stories come out best, over trees of sets that the coefficients have not seen, and
// the score they reach. Those in force stay when no others are better by more than noise.
func chooseRule(sets [][]*linked, inForce evidence.CutRule) (evidence.CutRule, float64) {
	rule, best := inForce, ruleScore(sets, inForce)+noise
	for _, r := range grid(inForce.Bound) {
		if score := ruleScore(sets, r); score > best {
			rule, best = r, score
		}
	}
	return rule, ruleScore(sets, rule)
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
