package cluster

import "math"

// Likeness returns for every merge how similar the two clusters are relative to how similar their
// own members are:
//
//	mean similarity across / sqrt(mean similarity within one * mean similarity within the other)
//
// If members are the centre of their cluster plus independent noise, that is the cosine of the two
// centres, however wide the clusters are: 1 for two parts of one thing. Means within are computed
// as if three more pairs had a similarity of one half, because few pairs estimate the width of a
// cluster badly. It is meant for similarities that are cosines.
//
// On eight sets of labelled news (whitened MiniLM vectors) the best cut by likeness has a mean
// B-cubed F1 of .912, the best cut by similarity .903.
func (d *Dendrogram) Likeness() []float32 {
	const (
		priorWithin = 0.5
		priorPairs  = 3
		least       = 1e-3
	)
	size := d.sizes()
	sum := make([]float64, len(size)) // of the similarities of pairs within
	within := func(node int32) float64 {
		n := float64(size[node])
		return max(least, (sum[node]+priorPairs*priorWithin)/(n*(n-1)/2+priorPairs))
	}
	likeness := make([]float32, len(d.Merges))
	for i, m := range d.Merges {
		across := float64(m.Similarity)
		likeness[i] = float32(across / math.Sqrt(within(m.A)*within(m.B)))
		sum[d.N+i] = sum[m.A] + sum[m.B] + float64(across*float64(size[m.A])*float64(size[m.B]))
	}
	return likeness
}

// sizes returns the number of items of every node.
func (d *Dendrogram) sizes() []int32 { return d.sums(nil) }

// sums returns the sum of the weights of the items of every node; nil weights are 1.
func (d *Dendrogram) sums(weights []int32) []int32 {
	sum := make([]int32, d.N+len(d.Merges))
	for i := range d.N {
		if sum[i] = 1; weights != nil {
			sum[i] = weights[i]
		}
	}
	for i, m := range d.Merges {
		sum[d.N+i] = sum[m.A] + sum[m.B]
	}
	return sum
}

// enclosed returns for every merge the least of its value and the values of all merges inside of
// it.
func (d *Dendrogram) enclosed(values []float32) []float32 {
	out := make([]float32, len(d.Merges))
	for i, m := range d.Merges {
		out[i] = values[i]
		for _, child := range [2]int32{m.A, m.B} {
			if int(child) >= d.N {
				out[i] = min(out[i], out[int(child)-d.N])
			}
		}
	}
	return out
}

// CutRule adjusts Choose.
type CutRule struct {
	// Values has a value for every merge; nil means Heights. The cut is a bound of these values.
	Values []float32
	// Least and Most bound the cut. Values outside count as the nearer bound.
	Least, Most float32
	// MinSize is the number of items from which a cluster counts.
	MinSize int
	// Joined marks the merges of a finer layer, whose clusters are treated like items; nil marks
	// none. It must include all merges inside of a marked one.
	Joined []bool
	// Weights are the weights of items, e.g. 0 for all but one of several copies; nil means 1 each.
	Weights []int32
	// Absorb is the share of a cluster up to which a joining cluster leaves it the same cluster.
	Absorb float64
}

const (
	// sizePower is the exponent of the weight of a cluster. On the sets of news that whiten was
	// measured on, .85 to 1 give the same stories; with less, pairs outweigh larger stories.
	sizePower = 0.95
	// cutSteps is the resolution of Choose.
	cutSteps = 400
)

// Choose returns the cut whose clusters are most persistent. The persistence of a cluster is the
// length of the range of cuts over which it exists unchanged. The chosen cut has the greatest sum,
// over its clusters, of persistence times a power of weight; when several neighbouring cuts are
// within 3 % of it, the middle one is chosen. Choose reports false when no cut has a cluster that
// counts.
//
// For lifetimes of clusters see Fred and Jain 2005; for absorbing, Campello, Moulavi and Sander
// 2013.
func (d *Dendrogram) Choose(rule CutRule) (cut float32, ok bool) {
	values := rule.Values
	if values == nil {
		values = d.Heights()
	}
	if !(rule.Least < rule.Most) {
		return 0, false
	}
	sums, clusters := d.persistence(rule, d.enclosed(values))
	best := -1
	for k := cutSteps; k >= 0; k-- {
		if clusters[k] > 0 && (best < 0 || sums[k] > sums[best]) {
			best = k
		}
	}
	if best < 0 {
		return 0, false
	}
	low, high := best, best
	for low > 0 && clusters[low-1] > 0 && sums[low-1] >= 0.97*sums[best] {
		low--
	}
	for high < cutSteps && clusters[high+1] > 0 && sums[high+1] >= 0.97*sums[best] {
		high++
	}
	return rule.Least + (rule.Most-rule.Least)*(float32(low+high)/(2*cutSteps)), true
}

// persistence returns, for cuts at evenly spaced values, the sum that Choose maximizes and the
// number of clusters in it.
//
// A node that absorbs a small cluster is the same cluster as its large child and exists since that
// did. When the large child is an item, or a cluster of the finer layer, the node is not a cluster
// of this layer, however many it absorbs.
func (d *Dendrogram) persistence(rule CutRule, values []float32) (sums []float64, clusters []int) {
	n := d.N
	size, units := d.sizes(), d.sums(rule.Weights)
	clamp := func(v float32) float64 { return float64(min(max(v, rule.Least), rule.Most)) }
	merged := func(node int32) bool { return int(node) >= n && (rule.Joined == nil || !rule.Joined[int(node)-n]) }
	absorbs := func(large, small int32) bool { return float64(units[small]) < rule.Absorb*float64(units[large]) }

	parent, sibling := make([]int32, len(size)), make([]int32, len(size))
	birth, counts := make([]float64, len(d.Merges)), make([]bool, len(d.Merges))
	for i, m := range d.Merges {
		if !merged(int32(n + i)) {
			continue
		}
		parent[m.A], parent[m.B] = int32(n+i), int32(n+i)
		sibling[m.A], sibling[m.B] = m.B, m.A
		birth[i], counts[i] = clamp(values[i]), true
		large, small := m.A, m.B
		if units[large] < units[small] {
			large, small = small, large
		}
		if absorbs(large, small) {
			if merged(large) {
				birth[i], counts[i] = birth[int(large)-n], counts[int(large)-n]
			} else {
				counts[i] = false
			}
		}
	}

	sums, clusters = make([]float64, cutSteps+2), make([]int, cutSteps+2)
	step := float64(rule.Most-rule.Least) / cutSteps
	stepOf := func(v float64) int { return int(math.Floor((v - float64(rule.Least)) / step)) }
	death := make([]float64, len(d.Merges))
	for i := len(d.Merges) - 1; i >= 0; i-- {
		node := int32(n + i)
		if !merged(node) {
			continue
		}
		// The node exists at cuts above the value of its parent and up to its own value.
		first := 0
		death[i] = float64(rule.Least)
		if up := parent[node]; up != 0 {
			ends := clamp(values[int(up)-n])
			if ends > float64(rule.Least) {
				first = stepOf(ends) + 1
			}
			if death[i] = ends; absorbs(node, sibling[node]) {
				death[i] = death[int(up)-n]
			}
		}
		last := stepOf(clamp(values[i]))
		if !counts[i] || int(size[node]) < rule.MinSize || values[i] < rule.Least || first > last {
			continue
		}
		weight := math.Pow(float64(units[node]), sizePower) * (birth[i] - death[i])
		sums[first] += weight
		sums[last+1] -= weight
		clusters[first]++
		clusters[last+1]--
	}
	for k := 1; k <= cutSteps; k++ {
		sums[k] += sums[k-1]
		clusters[k] += clusters[k-1]
	}
	return sums[:cutSteps+1], clusters[:cutSteps+1]
}
