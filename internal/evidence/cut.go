package evidence

import (
	"math"
	"slices"

	"throughline/cluster"
)

// Cut says where the dendrogram was cut into stories and what led there, for the log, for filing and for evaluation.
type Cut struct {
	Logit     float64 // least mean logit at which groups are one story
	Even      float64 // what Logit is unless a precision is asked for: where stories of this corpus end
	Precision float64 // expected share of pairs of one event among the pairs of articles of one story
	Prior     float64 // estimated share of same-story pairs among the candidate pairs
	Largest   float64 // share of the articles in the largest story
	Raised    bool    // the cut was raised because one story held most of the corpus
}

// StartCut is the cut of a corpus that shows nothing yet.
func (m *Model) StartCut() Cut { return Cut{Logit: m.Cut.Base, Even: m.Cut.Base, Prior: 0.5} }

// prior estimates without labels which share of pairs are of one event, from the logits of a model that was fitted on
// as many pairs of one event as of two (expectation maximisation, Saerens et al. 2002). It works on a histogram, so its
// cost does not grow with the corpus.
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

// CutRule is how the cut follows from what can be seen of a corpus without labels: it has the least cost, where the cost of a logit c is
//
//	-2 agreement(c) + Shape*growth(c) + Hold*(c-target)^2
//
// Agreement is how far linking by vectors alone and linking by words alone lead to the same groups (see agreement). Growth is that
// of the logarithm of the mean story size as the cut is lowered, per unit of the logit: within stories and between them lie gaps where few
// groups are joined, and a cut in a gap is stable. Both have no scale, so they hold for corpora unlike those that the
// coefficients were fitted on. The target decides among levels at which a corpus holds together equally well, such as
// events and the themes they belong to: Base, less Prior times the log-odds of the estimated share of same-story pairs, which counts
// up to Bound, since the estimate runs away in unfamiliar corpora.
//
// The cut is the mean over all logits, weighted by exp(-cost/Blur): where one is clearly the best it is that, and where a range
// does as well it is the middle, so that no accident decides.
type CutRule struct {
	Base  float64 `json:"base"`
	Prior float64 `json:"prior"`
	Bound float64 `json:"bound"`
	Shape float64 `json:"shape"`
	Hold  float64 `json:"hold"`
	Blur  float64 `json:"blur"`
}

const (
	cutLeast, cutMost = -5.0, 6.0 // logits between which the cut is sought
	cutSteps          = 88        // of 1/8
	sizeSmooth        = 2.0       // standard deviation, in steps, of the smoothing of story sizes
	agreementSmooth   = 1.0       // and of the agreement
	cutReach          = 0.125     // logits by which a cut may move into a gap
)

// curves are what can be seen of a dendrogram at each of the logits tried, whatever the constants of the rule.
type curves struct {
	sizes  []float64 // logarithm of the mean story size
	agreed []float64 // with the other views
}

// curvesOf looks at a dendrogram, given other views of the same articles.
func curvesOf(tree *cluster.Dendrogram, views []*cluster.Dendrogram) curves {
	return curves{sizes: smooth(meanSizes(tree), sizeSmooth), agreed: smooth(agreement(tree, views), agreementSmooth)}
}

// at returns the logit to cut a dendrogram at, given its curves.
func (r CutRule) at(tree *cluster.Dendrogram, c curves, prior float64) float64 {
	z := math.Log(prior / (1 - prior))
	target := r.Base - r.Prior*min(max(z, -r.Bound), r.Bound)
	costs := make([]float64, len(c.sizes))
	for i := range costs {
		below, above := max(i-1, 0), min(i+1, len(costs)-1)
		growth := (c.sizes[below] - c.sizes[above]) / (cutAt(above) - cutAt(below))
		costs[i] = -2*c.agreed[i] + r.Shape*growth + r.Hold*(cutAt(i)-target)*(cutAt(i)-target)
	}
	least := slices.Min(costs)
	sum, total := 0.0, 0.0
	for i, cost := range costs {
		w := math.Exp((least - cost) / r.Blur)
		sum += w * cutAt(i)
		total += w
	}
	return settle(tree, sum/total)
}

// even is at, raised as long as one story holds most of a large corpus: such a result is not believed.
func (r CutRule) even(tree *cluster.Dendrogram, c curves, prior float64) (cut float64, raised bool) {
	cut = r.at(tree, c, prior)
	for tree.N >= swallowedFrom && cut <= swallowedUntil {
		if _, largest := withoutOneOffs(tree.Cut(float32(cut))); largest <= swallowed {
			break
		}
		cut, raised = cut+swallowedStep, true
	}
	return cut, raised
}

// settle moves a cut to the middle of the widest gap between the heights of joins near it. A cut next to a join would
// be a coin's toss: another server of the same model rounds its vectors otherwise, which moves heights by a hundredth.
func settle(tree *cluster.Dendrogram, cut float64) float64 {
	var near []float64
	for _, h := range tree.Heights() {
		if math.Abs(float64(h)-cut) < cutReach {
			near = append(near, float64(h))
		}
	}
	near = append(near, cut-cutReach, cut+cutReach)
	slices.Sort(near)
	widest, middle := 0.0, cut
	for i := 1; i < len(near); i++ {
		if gap := near[i] - near[i-1]; gap > widest {
			widest, middle = gap, near[i-1]+gap/2
		}
	}
	return middle
}

// cutAt returns the i-th of the logits that are tried.
func cutAt(i int) float64 { return cutLeast + (cutMost-cutLeast)*float64(i)/cutSteps }

// meanSizes returns, for every logit tried, the logarithm of the size of the group that an article is in, on average.
func meanSizes(tree *cluster.Dendrogram) []float64 {
	out := make([]float64, cutSteps+1)
	if tree.N == 0 {
		return out
	}
	sizes := make([]float64, tree.N, tree.N+len(tree.Merges))
	for i := range sizes {
		sizes[i] = 1
	}
	heights := tree.Heights()
	squares, next := float64(tree.N), 0
	for i := cutSteps; i >= 0; i-- {
		for ; next < len(heights) && float64(heights[next]) >= cutAt(i); next++ {
			a, b := sizes[tree.Merges[next].A], sizes[tree.Merges[next].B]
			sizes = append(sizes, a+b)
			squares += 2 * a * b
		}
		out[i] = math.Log(squares / float64(tree.N))
	}
	return out
}

// smooth convolves with a Gaussian, the ends continued.
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

// swallowed is the share of a corpus that one story may hold, and swallowedFrom the number of articles from which on that
// is asked: a folder of ten articles may well be on one event.
const (
	swallowed      = 0.5
	swallowedFrom  = 60
	swallowedStep  = 0.25 // of the logit, by which the cut goes up
	swallowedUntil = 6.0  // the logit at which that ends: such articles are on one event after all
)
