package calibrate

import (
	"fmt"
	"math"

	"throughline/internal/score"
)

// observation is the share (same) of some pairs that are of one event, at a distance x of their
// logit above the threshold, in a corpus with an estimated share of pairs of one event (odds).
type observation struct{ x, odds, same, weight float64 }

const (
	leastSlope = 0.1 // of reliability lines: more evidence is never less likely
	// mostError bounds the share of wrong pairs in joins of any height, and with it the precision
	// that can be asked for. Because labels are partly wrong the fit would give .07, and a target
	// of .95 would allow no story at all.
	mostError = 0.03
)

// binomial returns the mean loss of the probability (1-error)*sigmoid(slope*x+offset+share*odds),
// with Fisher's information. p is slope, offset, share and error.
func binomial(observed []observation, withError bool) objective {
	return func(p, gradient []float64, curvature [][]float64) float64 {
		const edge = 1e-9
		wrong, n := 0.0, 3
		if withError {
			wrong, n = p[3], 4
		}
		loss, total := 0.0, 0.0
		for _, o := range observed {
			s := sigmoid(p[0]*o.x + p[1] + p[2]*o.odds)
			q := math.Min(math.Max((1-wrong)*s, edge), 1-edge)
			loss -= o.weight * (o.same*math.Log(q) + (1-o.same)*math.Log1p(-q))
			total += o.weight
			inner := (1 - wrong) * s * (1 - s)
			slope := [4]float64{inner * o.x, inner, inner * o.odds, -s}
			for r := range n {
				gradient[r] += o.weight * (q - o.same) / (q * (1 - q)) * slope[r]
				for c := range n {
					curvature[r][c] += o.weight / (q * (1 - q)) * slope[r] * slope[c]
				}
			}
		}
		for r := range n {
			gradient[r] /= total
			for c := range n {
				curvature[r][c] /= total
			}
		}
		return loss / total
	}
}

// line fits log-odds of one event as a line over x.
func line(name string, observed []observation) (score.Line, error) {
	if len(observed) == 0 {
		return score.Line{}, fmt.Errorf("reliability.%s: %w: no such pairs", name, ErrTooFew)
	}
	p, err := minimize(binomial(observed, false), []float64{1, 0, 0}, []float64{leastSlope, -20, -20}, []float64{20, 20, 20})
	if err != nil {
		return score.Line{}, fmt.Errorf("reliability.%s: %w", name, err)
	}
	return score.Line{Slope: rounded(p[0]), Offset: rounded(p[1]), Share: rounded(p[2])}, nil
}

// joinsBelow and joinsAbove bound the distance from the threshold of joins that are fitted. Far
// above are copies. Far below are the joins of everything with everything, which hold most pairs
// but matter to no threshold: with joinsBelow 6 the precision for a target of .95 was .004 lower.
const joinsBelow, joinsAbove = 2.0, 6.0

// reliability fits the probabilities of logits around the thresholds of a rule, on corpora that
// were linked with models fitted without them and that count by their weights. The line of unfiled
// pairs is fitted on all pairs: it is for articles that arrive, whichever story they join.
func reliability(linkages []*linked, weights []float64, rule score.ThresholdRule) (score.Reliability, error) {
	var unfiled, joins []observation
	filings := map[score.Filed][]observation{}
	for i, t := range linkages {
		breakEven := t.tree.BreakEven(rule)
		for _, o := range t.joins(breakEven) {
			o.weight *= weights[i]
			joins = append(joins, o)
		}
		filed := t.filed(breakEven.Logit)
		for k, pair := range t.corpus.pairs {
			o := observation{x: t.tree.Logits[k] - breakEven.BreakEven, odds: breakEven.Odds(), weight: weights[i] / float64(len(t.corpus.pairs))}
			if t.corpus.same(pair) {
				o.same = 1
			}
			unfiled = append(unfiled, o)
			filings[filed(pair)] = append(filings[filed(pair)], o)
		}
	}
	var r score.Reliability
	var err error
	for _, f := range []struct {
		name     string
		observed []observation
		line     *score.Line
	}{
		{"unfiled", unfiled, &r.Unfiled},
		{"same_story", filings[score.SameStory], &r.SameStory},
		{"different_story", filings[score.DifferentStory], &r.DifferentStory},
	} {
		if *f.line, err = line(f.name, f.observed); err != nil {
			return r, err
		}
	}
	if len(joins) == 0 {
		return r, fmt.Errorf("reliability.join: %w: no joins near a threshold", ErrTooFew)
	}
	p, err := minimize(binomial(joins, true), []float64{1, 0, 0, mostError / 2}, []float64{leastSlope, -20, -20, 0}, []float64{20, 20, 20, mostError})
	if err != nil {
		return r, fmt.Errorf("reliability.join: %w", err)
	}
	r.Join, r.JoinError = score.Line{Slope: rounded(p[0]), Offset: rounded(p[1]), Share: rounded(p[2])}, rounded(p[3])
	return r, nil
}

// joins returns the joins near the threshold, weighted by their pairs to a sum of 1.
func (l *linked) joins(t *score.Threshold) []observation {
	var out []observation
	total := 0.0
	for k, m := range l.tree.Joins.Merges {
		if x := float64(m.Similarity) - t.BreakEven; x > -joinsBelow && x < joinsAbove {
			out = append(out, observation{x: x, odds: t.Odds(), same: l.together[k].same / l.together[k].all, weight: l.together[k].all})
			total += l.together[k].all
		}
	}
	for k := range out {
		out[k].weight /= total
	}
	return out
}
