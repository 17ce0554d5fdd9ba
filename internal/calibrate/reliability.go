package calibrate

import (
	"fmt"
	"math"

	"throughline/internal/evidence"
)

// observation is a share of pairs that are of one event, at some distance of their logit above the cut.
type observation struct{ x, same, weight float64 }

const (
	leastSlope = 0.1 // of reliability lines: more evidence is never less likely
	// mostError bounds the share of wrong pairs in joins of any height. It limits what precision can be asked for: with labels that are themselves wrong
	// it would come out at .07, and who asks for .95 would get no story at all.
	mostError = 0.03
)

// binomial is the mean loss of a probability (1-error)*sigmoid(slope*x+offset), p being slope, offset and error, with Fisher's information.
func binomial(observed []observation, withError bool) objective {
	return func(p, gradient []float64, curvature [][]float64) float64 {
		const edge = 1e-9
		wrong, n := 0.0, 2
		if withError {
			wrong, n = p[2], 3
		}
		loss, total := 0.0, 0.0
		for _, o := range observed {
			s := sigmoid(p[0]*o.x + p[1])
			q := math.Min(math.Max((1-wrong)*s, edge), 1-edge)
			loss -= o.weight * (o.same*math.Log(q) + (1-o.same)*math.Log1p(-q))
			total += o.weight
			inner := (1 - wrong) * s * (1 - s)
			slope := [3]float64{inner * o.x, inner, -s}
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

// line fits a line of log-odds.
func line(name string, observed []observation) (evidence.Line, error) {
	if len(observed) == 0 {
		return evidence.Line{}, fmt.Errorf("reliability.%s: %w: there are no such pairs", name, ErrTooFew)
	}
	p, err := minimize(binomial(observed, false), []float64{1, 0}, []float64{leastSlope, -20}, []float64{20, 20})
	if err != nil {
		return evidence.Line{}, fmt.Errorf("reliability.%s: %w", name, err)
	}
	return evidence.Line{Slope: rounded(p[0]), Offset: rounded(p[1])}, nil
}

// joinsBelow and joinsAbove bound how far from the cut joins are looked at. Far above are copies. Far below lie the joins of all with all,
// which hold most pairs, and nobody cuts there who asks for a precision: with 6 below, .004 less was delivered where .95 was asked for.
const joinsBelow, joinsAbove = 2.0, 6.0

// reliability says what logits are worth above and below the cuts that a rule makes. Trees are of models that did not see the set. What is of
// pairs comes from whole sets, and what is of joins from their copies as well, since precision is asked for in any corpus. The line for pairs of
// which one is not filed is of all pairs: it is for articles that arrive, whatever they turn out to be.
func reliability(sets [][]*linked, rule evidence.CutRule) (evidence.Reliability, error) {
	var alone, together, apart, joins []observation
	for _, trees := range sets {
		for _, t := range trees {
			even := t.tree.Even(rule)
			joins = append(joins, t.joins(even)...)
			if !t.corpus.whole() {
				continue
			}
			filed := t.filed(even)
			for k, pair := range t.corpus.pairs {
				o := observation{x: t.tree.Logits[k] - even, weight: 1 / float64(len(t.corpus.pairs))}
				if t.corpus.same(pair) {
					o.same = 1
				}
				alone = append(alone, o)
				switch filed(pair) {
				case evidence.Together:
					together = append(together, o)
				case evidence.Apart:
					apart = append(apart, o)
				}
			}
		}
	}
	var r evidence.Reliability
	var err error
	for _, f := range []struct {
		name     string
		observed []observation
		line     *evidence.Line
	}{{"alone", alone, &r.Alone}, {"together", together, &r.Together}, {"apart", apart, &r.Apart}} {
		if *f.line, err = line(f.name, f.observed); err != nil {
			return r, err
		}
	}
	if len(joins) == 0 {
		return r, fmt.Errorf("reliability.join: %w: nothing is joined near a cut", ErrTooFew)
	}
	p, err := minimize(binomial(joins, true), []float64{1, 0, mostError / 2}, []float64{leastSlope, -20, 0}, []float64{20, 20, mostError})
	if err != nil {
		return r, fmt.Errorf("reliability.join: %w", err)
	}
	r.Join, r.JoinError = evidence.Line{Slope: rounded(p[0]), Offset: rounded(p[1])}, rounded(p[2])
	return r, nil
}

// joins returns the joins near a cut, each weighted by its pairs, together 1.
func (l *linked) joins(even float64) []observation {
	var out []observation
	total := 0.0
	for k, m := range l.tree.Joins.Merges {
		if x := float64(m.Similarity) - even; x > -joinsBelow && x < joinsAbove {
			out = append(out, observation{x: x, same: l.together[k].same / l.together[k].all, weight: l.together[k].all})
			total += l.together[k].all
		}
	}
	for k := range out {
		out[k].weight /= total
	}
	return out
}
