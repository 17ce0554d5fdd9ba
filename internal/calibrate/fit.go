package calibrate

import (
	"fmt"
	"math"
	"sync"

	"throughline/internal/score"
)

// widths are the days at which the time kernels end. A fifth one, of 60 days, got a weight of .1
// and would cost more than the others together.
var widths = [...]int{1, 3, 8, 20}

// Indexes into the vector of parameters: weights of the cosines (dense, lexical, lead, names), the
// gain of the dense one, the sum and the product of lengths, the term of unknown dates, the
// intercept, and the weights of the time kernels.
const (
	cosines   = 4
	atGain    = cosines
	atSum     = atGain + 1
	atProduct = atSum + 1
	atUndated = atSum + 2
	atBase    = atSum + 3
	atKernels = atSum + 4
	count     = atKernels + len(widths)
)

// wordGain is the gain of the cosines of words: shared words count in proportion to the lengths of
// both texts. Fitted freely, these gains go to 1 or, if noisy labels of short texts make shared
// words look bad, take the weights with them to 0. With sets left out that costs .001 of story F1
// and .002 of nDCG; corpora with poor vectors would have no signal left.
const wordGain = 1.0

// example is a candidate pair with all that the logit depends on.
type example struct {
	cosine  [cosines]float64
	a, b    float64 // lengths
	kernels [len(widths)]float64
	undated float64
	same    float64 // 1: of one event; 0: of two
	weight  float64
}

func newExample(s score.Signals, same bool) example {
	e := example{cosine: [cosines]float64{s.Centred, s.Lexical, s.Lead, s.Names}, a: s.Lengths[0], b: s.Lengths[1]}
	if same {
		e.same = 1
	}
	if !s.Dated {
		e.undated = 1
		return e
	}
	for i, w := range widths {
		e.kernels[i] = math.Max(0, 1-s.Days/float64(w))
	}
	return e
}

// logit returns the log-odds of an example, and the derivatives by the parameters in slope.
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
	for k, h := range e.kernels {
		slope[atKernels+k] = h
		z += p[atKernels+k] * h
	}
	return z
}

// pull returns the ridge penalty of each parameter, which draws it to its target. The gain, which
// absorbs whatever lengths do not explain, has the largest. Chosen on eight sets: a third of it
// makes the mean story F1 of sets left out .002 worse. With targets of 0, words lose to the names
// that occur with them, and nDCG@10 is .002 worse, on similar events .006.
func pull() (r [count]float64) {
	const strength = 1e-3
	for k := range r {
		r[k] = strength
	}
	r[atGain], r[atBase] = 10*strength, 0
	return r
}

// target returns the value that the penalty draws a parameter to: one weight for all cosines, 0 for
// all else.
func target(r int) float64 {
	if r < cosines {
		return cosineTarget
	}
	return 0
}

const cosineTarget = 4.0

// block is the examples of a corpus, with the weight of the corpus.
type block struct {
	examples []example
	weight   float64
}

// likelihood returns the mean loss of logistic regression over the weighted blocks of examples,
// plus the penalty. Blocks are summed separately and then in order, so the number of workers does
// not change the result.
func likelihood(blocks []block, penalty [count]float64, workers int) objective {
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
					for k := range blocks[i].examples {
						e := &blocks[i].examples[k]
						z := e.logit(p, &slope)
						q, weight := sigmoid(z), e.weight*blocks[i].weight
						s.loss += weight * (softplus(z) - e.same*z)
						s.weight += weight
						residual, variance := weight*(q-e.same), weight*q*(1-q)
						for r, x := range slope {
							if x == 0 {
								continue
							}
							s.gradient[r] += residual * x
							x *= variance
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
			off := p[r] - target(r)
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

// fit returns the parameters of greatest likelihood. Weights are at least 0, so that more evidence
// is never less likely, and the gain is within -1 and 1, so that no length changes the sign of a
// cosine.
func fit(blocks []block, penalty [count]float64, workers int) ([]float64, error) {
	start, lower, upper := make([]float64, count), make([]float64, count), make([]float64, count)
	for k := range start {
		lower[k], upper[k] = -20, 20
	}
	for k := range cosines {
		start[k], lower[k], upper[k] = cosineTarget, 0, 60
	}
	start[atGain], lower[atGain], upper[atGain] = .2, -1, 1
	start[atBase] = -4
	for k := range widths {
		start[atKernels+k], lower[atKernels+k] = .5, 0
	}
	p, err := minimize(likelihood(blocks, penalty, max(workers, 1)), start, lower, upper)
	if err != nil {
		return nil, fmt.Errorf("coefficients: %w", err)
	}
	return p, nil
}

// coefficients makes a model of the rounded parameters.
func coefficients(p []float64) score.Model {
	words := func(k int) score.Term { return score.Term{Weight: rounded(p[k]), Gain: wordGain} }
	m := score.Model{
		Version: score.Version, Intercept: rounded(p[atBase]),
		Dense: score.Term{Weight: rounded(p[0]), Gain: rounded(p[atGain])}, Lexical: words(1), Lead: words(2), Names: words(3),
		Length:  score.Length{Sum: rounded(p[atSum]), Product: rounded(p[atProduct])},
		Undated: rounded(p[atUndated]),
	}
	for k, w := range widths {
		m.Days = append(m.Days, score.TimeKernel{Width: w, Weight: rounded(p[atKernels+k])})
	}
	return m
}

// rounded rounds to three digits: the fourth is noise.
func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus returns log(1 + exp(x)).
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
