package hierarchy

import (
	"math"
	"math/rand/v2"
	"slices"

	"throughline/cluster"
	"throughline/internal/score"
)

const (
	// leastLogit and mostLogit bound the logits that are looked at.
	leastLogit, mostLogit = -5.0, 6.0
	logitSteps            = 88  // of 1/8
	sizeSmooth            = 2.0 // standard deviation in steps for story sizes
	agreementSmooth       = 1.0 // the same for the agreement
	mostMargin            = 2.0 // bounds how far below a logit the next join counts
	randomPairs           = 1000
)

// Sight is what can be seen of a corpus without labels.
type Sight struct {
	// Features are those of score.ThresholdRule, for each of the logits looked at.
	Features [logitSteps + 1][score.RuleFeatures]float64
	// United is the highest logit at which nearly all articles are in one group; -Inf: none is.
	United float64
	// Structure is the greatest agreement with the views, times the share of articles in groups, of
	// groups that are not united, 0 to 1.
	Structure float64
	Random    float64 // median logit of random pairs
}

// sightOf looks at a linkage of articles, given its views, the logits of random pairs and the
// estimated share of candidate pairs of one event.
func sightOf(dendrogram *cluster.Dendrogram, views []*cluster.Dendrogram, random []float64, share float64) *Sight {
	s := &Sight{Random: median(random), United: math.Inf(-1)}
	sizes, grouped, margins := smooth(meanSizes(dendrogram), sizeSmooth), groupedShares(dendrogram), meanMargins(dendrogram)
	agreed, united := agreement(dendrogram, views)
	for i := range united {
		if united[i] {
			s.United = LogitAt(i)
		} else {
			s.Structure = max(s.Structure, math.Exp(agreed[i])*grouped[i])
		}
	}
	agreed = smooth(agreed, agreementSmooth)
	odds := (&score.Threshold{Prior: share}).Odds()
	for i := range s.Features {
		c := LogitAt(i)
		below, above := max(i-1, 0), min(i+1, logitSteps)
		growth := (sizes[below] - sizes[above]) / (LogitAt(above) - LogitAt(below))
		s.Features[i] = [...]float64{agreed[i], agreed[i] * grouped[i], math.Exp(agreed[i]) * grouped[i], growth, margins[i], c * c, c, c * odds}
	}
	return s
}

// LogitAt returns the i-th of the logits looked at.
func LogitAt(i int) float64 { return leastLogit + (mostLogit-leastLogit)*float64(i)/logitSteps }

// meanSizes returns, for every logit looked at, the logarithm of the mean over articles of the size
// of their group.
func meanSizes(dendrogram *cluster.Dendrogram) []float64 {
	out := make([]float64, logitSteps+1)
	if dendrogram.N == 0 {
		return out
	}
	heights, pairs := dendrogram.Heights(), joinedPairs(dendrogram)
	squares, next := float64(dendrogram.N), 0
	for i := logitSteps; i >= 0; i-- {
		for ; next < len(heights) && float64(heights[next]) >= LogitAt(i); next++ {
			squares += 2 * pairs[next]
		}
		out[i] = math.Log(squares / float64(dendrogram.N))
	}
	return out
}

// meanMargins returns, for every logit looked at, the mean over articles of how far below it the
// next join of their group lies, at most mostMargin.
func meanMargins(dendrogram *cluster.Dendrogram) []float64 {
	n := dendrogram.N
	formed, joined := slices.Repeat([]float64{math.Inf(1)}, n), slices.Repeat([]float64{math.Inf(-1)}, n+len(dendrogram.Merges))
	sizes := slices.Repeat([]float64{1}, n)
	for _, m := range dendrogram.Merges {
		h := float64(m.Similarity)
		formed, joined[m.A], joined[m.B] = append(formed, h), h, h
		sizes = append(sizes, sizes[m.A]+sizes[m.B])
	}
	out := make([]float64, logitSteps+1)
	for node, top := range formed {
		for i := stepAbove(joined[node]); i <= logitSteps && LogitAt(i) <= top; i++ {
			out[i] += sizes[node] * min(LogitAt(i)-joined[node], mostMargin) / float64(n)
		}
	}
	return out
}

// stepAbove returns the number of the first logit looked at that is above one.
func stepAbove(logit float64) int {
	below := math.Floor((max(logit, leastLogit-1) - leastLogit) * logitSteps / (mostLogit - leastLogit))
	return max(int(min(below, logitSteps))+1, 0)
}

// smooth convolves with a Gaussian. Beyond the ends it repeats the last value.
func smooth(xs []float64, deviation float64) []float64 {
	reach := int(3 * deviation)
	out := make([]float64, len(xs))
	for i := range xs {
		sum, total := 0.0, 0.0
		for d := -reach; d <= reach; d++ {
			w := math.Exp(-float64(d*d) / (2 * deviation * deviation))
			sum += w * xs[min(max(i+d, 0), len(xs)-1)]
			total += w
		}
		out[i] = sum / total
	}
	return out
}

// groupedShares returns, for every logit looked at, the share of articles that are in groups.
func groupedShares(dendrogram *cluster.Dendrogram) []float64 {
	out := make([]float64, logitSteps+1)
	heights, grouped, next := dendrogram.Heights(), 0.0, 0
	for i := logitSteps; i >= 0; i-- {
		for ; next < len(heights) && float64(heights[next]) >= LogitAt(i); next++ {
			for _, node := range [2]int32{dendrogram.Merges[next].A, dendrogram.Merges[next].B} {
				if int(node) < dendrogram.N {
					grouped++
				}
			}
		}
		out[i] = grouped / float64(max(dendrogram.N, 1))
	}
	return out
}

// randomLogits returns the logits of some pairs of items, the same for the same items.
func randomLogits(it cluster.Items) []float64 {
	n := it.Dense.Rows
	if n < 2 {
		return nil
	}
	r := rand.New(rand.NewPCG(uint64(n), 1))
	out := make([]float64, randomPairs)
	for k := range out {
		i := r.IntN(n)
		out[k] = pairLogit(it, i, (i+1+r.IntN(n-1))%n)
	}
	return out
}

// median returns the middle of xs, 0 for none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(xs))[len(xs)/2]
}
