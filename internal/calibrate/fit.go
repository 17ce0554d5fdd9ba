package calibrate

import (
	"fmt"
	"math"
	"sync"

	"throughline/internal/evidence"
)

// widths are the days at which the hat functions end. The sum of them falls fast at first and slowly later; a fifth one, of 60 days,
// got a weight of .1 and would cost more than the others together.
var widths = [...]int{1, 3, 8, 20}

// The coefficients, in the order of a vector of parameters: weights of the cosines (dense, lexical, lead, names), the gain of the dense one, the
// sum and the product of lengths, what unknown dates add, the intercept, and the weights of the hats.
const (
	cosines   = 4
	atGain    = cosines
	atSum     = atGain + 1
	atProduct = atSum + 1
	atUndated = atSum + 2
	atBase    = atSum + 3
	atHats    = atSum + 4
	count     = atHats + len(widths)
)

// wordGain is the gain of the cosines of words: what two texts share counts in proportion to the lengths of both. Left free, these gains go to 1
// or, where noisy labels of short texts make shared words look bad, take the weights with them to 0. With sets left out that costs .001 of story
// F1 and .002 of nDCG; in corpora whose vectors are poor it would leave nothing to go by.
const wordGain = 1.0

// example is a candidate pair: what the logit depends on, and whether it is of one event.
type example struct {
	cosine  [cosines]float64
	a, b    float64 // lengths
	hats    [len(widths)]float64
	undated float64
	same    float64 // 1 or 0
	weight  float64
}

func newExample(s evidence.Signals, same bool) example {
	e := example{cosine: [cosines]float64{s.Centred, s.Lexical, s.Lead, s.Names}, a: s.Lengths[0], b: s.Lengths[1]}
	if same {
		e.same = 1
	}
	if !s.Dated {
		e.undated = 1
		return e
	}
	for i, w := range widths {
		e.hats[i] = math.Max(0, 1-s.Days/float64(w))
	}
	return e
}

// logit returns the log-odds of an example, and the derivatives by the coefficients in slope.
func (e *example) logit(p []float64, slope *[count]float64) float64 {
	a, b := e.a-1, e.b-1
	z := p[atBase]
	dense := p[0] * e.cosine[0]
	fa, fb := 1+p[atGain]*a, 1+p[atGain]*b
	slope[0], slope[atGain] = fa*fb*e.cosine[0], dense*(a*fb+b*fa)
	z += p[0] * slope[0]
	for k := 1; k < cosines; k++ {
		slope[k] = (1 + wordGain*a) * (1 + wordGain*b) * e.cosine[k]
		z += p[k] * slope[k]
	}
	slope[atSum], slope[atProduct], slope[atUndated], slope[atBase] = e.a+e.b, e.a*e.b, e.undated, 1
	z += p[atSum]*slope[atSum] + p[atProduct]*slope[atProduct] + p[atUndated]*e.undated
	for k, h := range e.hats {
		slope[atHats+k] = h
		z += p[atHats+k] * h
	}
	return z
}

// pull is how strongly each coefficient is drawn to its centre. The gain, which takes over where lengths say nothing else, is held most. Chosen with
// eight sets in view: a third of it makes the mean story F1 of sets left out .002 worse; drawn to nothing instead, words lose to names with
// which they go together, and nDCG@10 is .002 worse, on look-alike events .006.
func pull() (r [count]float64) {
	const strength = 1e-3
	for k := range r {
		r[k] = strength
	}
	r[atGain], r[atBase] = 10*strength, 0
	return r
}

// centre is what a coefficient is drawn to: cosines to an equal say, all else to none.
func centre(r int) float64 {
	if r < cosines {
		return equalSay
	}
	return 0
}

const equalSay = 4.0

// likelihood is the mean loss of logistic regression over the blocks of examples, weighted, plus the penalty. Blocks are summed apart and then in
// their order, so that the number of workers changes nothing.
func likelihood(blocks [][]example, penalty [count]float64, workers int) objective {
	type sums struct {
		loss, weight float64
		gradient     [count]float64
		curvature    [count][count]float64
	}
	return func(p, gradient []float64, curvature [][]float64) float64 {
		parts := make([]sums, len(blocks))
		var wait sync.WaitGroup
		for from := range workers {
			wait.Go(func() {
				for i := from; i < len(blocks); i += workers {
					s := &parts[i]
					var slope [count]float64
					for k := range blocks[i] {
						e := &blocks[i][k]
						z := e.logit(p, &slope)
						q := sigmoid(z)
						s.loss += e.weight * (softplus(z) - e.same*z)
						s.weight += e.weight
						miss, spread := e.weight*(q-e.same), e.weight*q*(1-q)
						for r, x := range slope {
							if x == 0 {
								continue
							}
							s.gradient[r] += miss * x
							x *= spread
							row := &s.curvature[r]
							for c := range r + 1 {
								row[c] += x * slope[c]
							}
						}
					}
				}
			})
		}
		wait.Wait()
		var all sums
		for i := range parts {
			s := &parts[i]
			all.loss += s.loss
			all.weight += s.weight
			for r := range count {
				all.gradient[r] += s.gradient[r]
				for c := range r + 1 {
					all.curvature[r][c] += s.curvature[r][c]
				}
			}
		}
		value := all.loss / all.weight
		for r := range count {
			off := p[r] - centre(r)
			value += penalty[r] * off * off
			gradient[r] = all.gradient[r]/all.weight + 2*penalty[r]*off
			for c := range r + 1 {
				x := all.curvature[r][c] / all.weight
				if r == c {
					x += 2 * penalty[r]
				}
				curvature[r][c], curvature[c][r] = x, x
			}
		}
		return value
	}
}

// fit returns the coefficients that the examples are most likely with: weights are not negative, so that more evidence is never less likely, and
// the gain is between -1 and 1, so that no length turns a cosine round.
func fit(blocks [][]example, penalty [count]float64, workers int) ([]float64, error) {
	start, lower, upper := make([]float64, count), make([]float64, count), make([]float64, count)
	for k := range start {
		lower[k], upper[k] = -20, 20
	}
	for k := range cosines {
		start[k], lower[k], upper[k] = equalSay, 0, 60
	}
	start[atGain], lower[atGain], upper[atGain] = .2, -1, 1
	start[atBase] = -4
	for k := range widths {
		start[atHats+k], lower[atHats+k] = .5, 0
	}
	p, err := minimize(likelihood(blocks, penalty, max(workers, 1)), start, lower, upper)
	if err != nil {
		return nil, fmt.Errorf("coefficients: %w", err)
	}
	return p, nil
}

// coefficients puts parameters, rounded to what is written, into a model.
func coefficients(p []float64) evidence.Model {
	words := func(k int) evidence.Term { return evidence.Term{Weight: rounded(p[k]), Gain: wordGain} }
	m := evidence.Model{
		Version: evidence.Version, Intercept: rounded(p[atBase]),
		Dense: evidence.Term{Weight: rounded(p[0]), Gain: rounded(p[atGain])}, Lexical: words(1), Lead: words(2), Names: words(3),
		Length:  evidence.Length{Sum: rounded(p[atSum]), Product: rounded(p[atProduct])},
		Undated: rounded(p[atUndated]),
	}
	for k, w := range widths {
		m.Days = append(m.Days, evidence.Hat{Width: w, Weight: rounded(p[atHats+k])})
	}
	return m
}

// rounded gives three digits: the fourth is noise.
func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1 + exp(x)).
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
