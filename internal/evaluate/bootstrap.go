package evaluate

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
)

// DefaultBootstrap is the number of samples behind an interval. A percentile of 2.5 % needs about a
// thousand (Efron and Tibshirani 1993, 13.3), which take .1 s a set.
const DefaultBootstrap = 1000

// Interval is the central 95 % of the bootstrap distribution of a figure: the 2.5th and the 97.5th
// percentile.
type Interval [2]Score

// Holds reports whether a figure lies within the interval.
func (i Interval) Holds(s Score) bool { return i[0] <= s && s <= i[1] }

const intervalTail = 0.025

// bootstrap draws samples of a set and returns the figures of each, indexed by figure, then sample;
// nil for a figure that has none.
//
// It draws stories of the labels with replacement, one-offs among them, each with all its articles,
// as many as there are. Articles of one story succeed and fail together: drawing single articles
// would treat them as independent and make intervals much too narrow (cluster bootstrap: Davison
// and Hinkley 1997, 3.8; Field and Welsh 2007). Each article keeps the scores it has among all
// articles; nothing is clustered or ranked again. So the interval answers "what if the labels were
// of other stories of this kind", not "what if the corpus were another".
//
// The draw depends on the labels alone, so two runs on one set use the same samples.
func bootstrap(units []sums, fingerprint string, samples int) [][]float64 {
	if len(units) < 2 || samples < 1 {
		return nil
	}
	seed, _ := hex.DecodeString(fingerprint) // valid: number made it
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
			// A sample without a seed article has no such figure.
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
			out[figures[f].name] = central(xs)
		}
	}
	return out
}

// central returns the central interval of some values.
func central(xs []float64) Interval {
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

// averaged returns the replicates of the mean over sets. Sets are drawn independently, so the b-th
// sample of one may be paired with the b-th of another.
func averaged(results []*Result) [][]float64 {
	out := make([][]float64, len(figures))
	for f := range figures {
		sets := 0.0
		for _, r := range results {
			if !figures[f].at(r).Known() {
				continue
			}
			var samples []float64 // none: the mean includes a set without samples, so it has none
			if f < len(r.replicates) {
				samples = r.replicates[f]
			}
			if sets++; sets == 1 {
				out[f] = slices.Clone(samples)
			} else {
				out[f] = out[f][:min(len(out[f]), len(samples))]
				for b := range out[f] {
					out[f][b] += samples[b]
				}
			}
		}
		for b := range out[f] {
			out[f][b] /= sets
		}
	}
	return out
}
