package hierarchy

import (
	"throughline/cluster"
)

// coherence is the share of the difference between the logits within two groups and those between
// them by which their join is lowered. Two groups that hold together much better than with each
// other are two events, even if they are near: what is near depends on how much the articles say,
// and the groups show it. Mean story F1 of corpora drawn from sets left out of the fit, at the
// chosen threshold: 0 .938, .2 .942, .4 .947, .7 .948, 1 .946; of titles alone .910, .906, .912,
// .913, .910; the tenth percentile is largest with .4.
const coherence = 0.4

// mostIncoherent bounds the difference.
const mostIncoherent = 6.0

// coherent lowers the joins between groups of articles by coherence times the amount by which the
// mean logit within the less coherent of the two exceeds the one between them. A join of a single
// article stays. nodes has what is joined; nil: single articles.
func coherent(d *cluster.Dendrogram, nodes []Node) *cluster.Dendrogram {
	size, sum := make([]float64, d.N+len(d.Merges)), make([]float64, d.N+len(d.Merges)) // of logits within
	for i := range d.N {
		size[i] = 1
	}
	for i, n := range nodes {
		size[i] = float64(n.Articles)
		sum[i] = n.Within * size[i] * (size[i] - 1) / 2
	}
	within := func(node int32) (mean float64, group bool) {
		n := size[node]
		return sum[node] / (n * (n - 1) / 2), n > 1
	}
	heights := make([]float32, len(d.Merges))
	for i, m := range d.Merges {
		between := float64(m.Similarity)
		size[d.N+i] = size[m.A] + size[m.B]
		sum[d.N+i] = sum[m.A] + sum[m.B] + between*size[m.A]*size[m.B]
		a, groupA := within(m.A)
		b, groupB := within(m.B)
		if excess := min(a, b) - between; groupA && groupB && excess > 0 {
			between -= coherence * min(excess, mostIncoherent)
		}
		heights[i] = float32(between)
	}
	return d.WithHeights(heights)
}
