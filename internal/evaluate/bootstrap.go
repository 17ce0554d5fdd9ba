package evaluate

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
)

// DefaultBootstrap is how many samples an interval is taken from. A percentile at 2.5 % asks for about a thousand (Efron and
// Tibshirani 1993, 13.3); they cost a tenth of a second a set.
const DefaultBootstrap = 1000

// Interval holds the 95 % of a figure's bootstrap distribution in the middle: from the 2.5th percentile to the 97.5th.
type Interval [2]Score

// Holds reports whether a figure lies within.
func (i Interval) Holds(s Score) bool { return i[0] <= s && s <= i[1] }

const intervalTail = 0.025

// bootstrap draws samples of a set and returns its figures in each, in the order of figures; nil where a figure has none.
//
// What is drawn, with replacement and as many as there are, are the stories of the labels, one-offs among them, each with
// all its articles. Articles of one story succeed and fail together: drawn one by one they would pass for independent
// witnesses and the intervals come out much too narrow (the cluster bootstrap: Davison and Hinkley 1997, 3.8; Field and
// Welsh 2007). What was found is not found anew in each sample: each article keeps the scores it has among all articles.
// So the interval answers "what if the labels were of other stories of this kind", and not "what if the corpus were
// another".
//
// The draw depends on the labels alone, so that two runs on one set see the same samples.
func bootstrap(units []sums, fingerprint string, samples int) [][]float64 {
	if len(units) < 2 || samples < 1 {
		return nil
	}
	seed, _ := hex.DecodeString(fingerprint) // our own
	random := rand.New(rand.NewPCG(1, binary.BigEndian.Uint64(append(seed, make([]byte, 8)...))))
	out := make([][]float64, len(figures))
	for range samples {
		var drawn sums
		for range units {
			drawn.add(&units[random.IntN(len(units))])
		}
		for f, figure := range figures {
			if figure.of == nil {
				continue
			}
			// A sample without a single article to ask about has no such figure.
			if x := figure.of(&drawn); !math.IsNaN(x) {
				out[f] = append(out[f], x)
			}
		}
	}
	return out
}

// intervals returns the interval of every figure that has one, by name.
func intervals(replicates [][]float64) map[string]Interval {
	if replicates == nil {
		return nil
	}
	out := make(map[string]Interval)
	for f, xs := range replicates {
		if len(xs) > 0 {
			out[figures[f].name] = middle(xs)
		}
	}
	return out
}

// middle is the interval of some values.
func middle(xs []float64) Interval {
	xs = slices.Sorted(slices.Values(xs))
	return Interval{Score(quantile(xs, intervalTail)), Score(quantile(xs, 1-intervalTail))}
}

// quantile interpolates between ascending values (type 7 of Hyndman and Fan 1996).
func quantile(xs []float64, q float64) float64 {
	at := q * float64(len(xs)-1)
	below := int(at)
	if below+1 >= len(xs) {
		return xs[len(xs)-1]
	}
	return xs[below] + (at-float64(below))*(xs[below+1]-xs[below])
}

// averaged returns the replicates of the mean over sets: sets are drawn independently, so the b-th sample of each may stand
// beside the b-th of the others.
func averaged(results []*Result) [][]float64 {
	out := make([][]float64, len(figures))
	for f := range figures {
		var lists [][]float64
		shortest := math.MaxInt
		for _, r := range results {
			if !figures[f].at(r).Known() {
				continue
			}
			if f >= len(r.replicates) || len(r.replicates[f]) == 0 {
				lists = nil // the mean is of more than what samples exist of
				break
			}
			lists = append(lists, r.replicates[f])
			shortest = min(shortest, len(r.replicates[f]))
		}
		if len(lists) == 0 {
			continue
		}
		for b := range shortest {
			sum := 0.0
			for _, xs := range lists {
				sum += xs[b]
			}
			out[f] = append(out[f], sum/float64(len(lists)))
		}
	}
	return out
}
