package hierarchy

import (
	"math"
	"slices"

	"throughline/cluster"
	"throughline/internal/score"
)

// prior estimates without labels the share of pairs that are of one event, from the logits of a
// model that was fitted on as many pairs of one event as of two (expectation maximisation, Saerens
// et al. 2002). It works on a histogram, so its cost per round does not grow with the corpus.
func prior(logits []float64) float64 {
	const (
		bins   = 512
		bound  = 16.0
		rounds = 200
	)
	if len(logits) == 0 {
		return 0.5
	}
	var counts, factors [bins]float64
	for _, z := range logits {
		bin := int((math.Min(math.Max(z, -bound), bound) + bound) * (bins - 1) / (2 * bound))
		counts[bin]++
	}
	for i := range factors {
		factors[i] = math.Exp(-(float64(i)*2*bound/(bins-1) - bound))
	}
	share := 0.3
	for range rounds {
		odds, sum := share/(1-share), 0.0
		for i, n := range counts {
			if n > 0 {
				sum += n * odds / (odds + factors[i])
			}
		}
		share = math.Min(math.Max(sum/float64(len(logits)), 1e-4), 1-1e-4)
	}
	return share
}

const (
	leastLogit, mostLogit = -5.0, 6.0 // bounds of the logits tried as thresholds
	logitSteps            = 88        // of 1/8
	sizeSmooth            = 2.0       // standard deviation in steps for story sizes
	agreementSmooth       = 1.0       // the same for the agreement
	gapReach              = 0.125     // most logits by which intoGap moves a threshold
)

// curves holds properties of a dendrogram at each of the logits tried. They do not depend on the
// rule.
type curves struct {
	sizes  []float64 // logarithm of the mean story size
	agreed []float64 // agreement with the views
}

// curvesOf measures a dendrogram, given the views of the same articles.
func curvesOf(dendrogram *cluster.Dendrogram, views []*cluster.Dendrogram) curves {
	return curves{sizes: smooth(meanSizes(dendrogram), sizeSmooth), agreed: smooth(agreement(dendrogram, views), agreementSmooth)}
}

// choose returns the threshold that a rule chooses for a dendrogram, see score.ThresholdRule.
func choose(r score.ThresholdRule, dendrogram *cluster.Dendrogram, c curves, prior float64) float64 {
	z := math.Log(prior / (1 - prior))
	target := r.Target - r.PriorWeight*min(max(z, -r.PriorClip), r.PriorClip)
	costs := make([]float64, len(c.sizes))
	for i := range costs {
		below, above := max(i-1, 0), min(i+1, len(costs)-1)
		growth := (c.sizes[below] - c.sizes[above]) / (logitAt(above) - logitAt(below))
		costs[i] = -2*c.agreed[i] + r.GapWeight*growth + r.TargetWeight*(logitAt(i)-target)*(logitAt(i)-target)
	}
	least := slices.Min(costs)
	sum, total := 0.0, 0.0
	for i, cost := range costs {
		w := math.Exp((least - cost) / r.Temperature)
		sum += w * logitAt(i)
		total += w
	}
	return intoGap(dendrogram, sum/total)
}

// breakEven is choose, but raises the threshold while one story holds most of a large corpus, which
// is never right.
func breakEven(r score.ThresholdRule, dendrogram *cluster.Dendrogram, c curves, prior float64) (at float64, guarded bool) {
	at = choose(r, dendrogram, c, prior)
	for dendrogram.N >= guardFrom && at <= guardUntil {
		if _, largest := withoutSingletons(dendrogram.Cut(float32(at))); largest <= guardShare {
			break
		}
		at, guarded = at+guardStep, true
	}
	return at, guarded
}

// intoGap moves a threshold to the middle of the widest gap between the heights of joins near it. A
// threshold next to a join would make the result depend on rounding: another server of the same
// embedding model rounds differently, which moves heights by a hundredth.
func intoGap(dendrogram *cluster.Dendrogram, threshold float64) float64 {
	var near []float64
	for _, h := range dendrogram.Heights() {
		if math.Abs(float64(h)-threshold) < gapReach {
			near = append(near, float64(h))
		}
	}
	near = append(near, threshold-gapReach, threshold+gapReach)
	slices.Sort(near)
	widest, middle := 0.0, threshold
	for i := 1; i < len(near); i++ {
		if gap := near[i] - near[i-1]; gap > widest {
			widest, middle = gap, near[i-1]+gap/2
		}
	}
	return middle
}

// logitAt returns the i-th of the logits tried.
func logitAt(i int) float64 { return leastLogit + (mostLogit-leastLogit)*float64(i)/logitSteps }

// meanSizes returns, for every logit tried, the logarithm of the mean over articles of the size of
// their group.
func meanSizes(dendrogram *cluster.Dendrogram) []float64 {
	out := make([]float64, logitSteps+1)
	if dendrogram.N == 0 {
		return out
	}
	heights, pairs := dendrogram.Heights(), joinedPairs(dendrogram)
	squares, next := float64(dendrogram.N), 0
	for i := logitSteps; i >= 0; i-- {
		for ; next < len(heights) && float64(heights[next]) >= logitAt(i); next++ {
			squares += 2 * pairs[next]
		}
		out[i] = math.Log(squares / float64(dendrogram.N))
	}
	return out
}

// joinedPairs returns, for every join of a dendrogram in order, the number of pairs that it puts
// together.
func joinedPairs(dendrogram *cluster.Dendrogram) []float64 {
	sizes := slices.Repeat([]float64{1}, dendrogram.N)
	out := make([]float64, len(dendrogram.Merges))
	for i, m := range dendrogram.Merges {
		out[i] = sizes[m.A] * sizes[m.B]
		sizes = append(sizes, sizes[m.A]+sizes[m.B])
	}
	return out
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

// guardShare is the largest share of a corpus that one story may hold. The guard applies from
// guardFrom articles: a folder of ten may well be about one event.
const (
	guardShare = 0.5
	guardFrom  = 60
	guardStep  = 0.25 // logits by which the guard raises the threshold
	guardUntil = 6.0  // logit at which it stops: such articles are about one event
)

// precision returns, for every join of a dendrogram in order, the expected share of pairs of one
// event among all pairs that this join and those before it put together.
func precision(r score.Reliability, dendrogram *cluster.Dendrogram, breakEven float64) []float64 {
	out := joinedPairs(dendrogram)
	right, all := 0.0, 0.0
	for i, pairs := range out {
		right += pairs * r.Joined(float64(dendrogram.Merges[i].Similarity), breakEven)
		all += pairs
		out[i] = right / all
	}
	return out
}

// forPrecision returns the lowest threshold with the wanted expected pair precision, in the gap
// below the last join that it allows. If it allows none it is near maxThreshold.
func forPrecision(r score.Reliability, dendrogram *cluster.Dendrogram, breakEven, wanted float64) float64 {
	heights := dendrogram.Heights()
	lowest, next := maxThreshold, math.Inf(-1)
	for i, p := range precision(r, dendrogram, breakEven) {
		last := i+1 == len(heights)
		if !last && heights[i+1] == heights[i] {
			continue // a threshold allows all joins of one height or none
		}
		if p < wanted {
			next = float64(heights[i])
			break
		}
		lowest = min(lowest, float64(heights[i]))
	}
	return lowest - min(gapReach, (lowest-next)/2)
}

// maxThreshold bounds the thresholds for a precision.
const maxThreshold = 12.0
