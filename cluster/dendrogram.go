package cluster

import (
	"cmp"
	"slices"
)

// Join is a merge of two nodes of a dendrogram. Nodes 0 to N-1 are the items; node N+i is the
// result of Merges[i].
type Join struct {
	A, B int32 // A has the lower first member
	// Similarity is the mean similarity between the members of A and those of B.
	Similarity float32
}

// Dendrogram is the result of a linkage. It is a forest: items that nothing was similar to stay
// alone.
//
// Merges are ordered by height, greatest first. The height of a merge is the least similarity of it
// and all merges inside of it. Over a candidate graph that lacks pairs, a merge can be more similar
// than one inside of it. Cuts use heights, so that the clusters of a higher cut are parts of those
// of a lower one.
type Dendrogram struct {
	N      int
	Merges []Join
}

// Heights returns the height of every merge, never ascending.
func (d *Dendrogram) Heights() []float32 {
	similarities := make([]float32, len(d.Merges))
	for i, m := range d.Merges {
		similarities[i] = m.Similarity
	}
	return d.enclosed(similarities)
}

// Cut returns the labels of the clusters whose merges all have at least a similarity. Labels are
// numbered from 0 by first member; an item alone has a label of its own.
func (d *Dendrogram) Cut(similarity float32) []int32 {
	joined := make([]bool, len(d.Merges))
	for i, h := range d.Heights() {
		joined[i] = h >= similarity
	}
	return d.labelsWhere(joined)
}

// CutN returns n clusters, or one for each tree when the dendrogram has more trees. They are
// labelled like those of Cut.
func (d *Dendrogram) CutN(n int) []int32 {
	joined := make([]bool, len(d.Merges))
	for i := range joined {
		joined[i] = i < d.N-n
	}
	return d.labelsWhere(joined)
}

// labelsWhere returns the labels when the marked merges are applied. All merges inside of a marked
// one must be marked.
func (d *Dendrogram) labelsWhere(joined []bool) []int32 {
	root := make([]int32, d.N+len(d.Merges))
	for i := range root {
		root[i] = int32(i)
	}
	for i := len(d.Merges) - 1; i >= 0; i-- {
		if joined[i] {
			m := d.Merges[i]
			root[m.A], root[m.B] = root[d.N+i], root[d.N+i]
		}
	}
	number := slices.Repeat([]int32{-1}, len(root))
	labels := make([]int32, d.N)
	next := int32(0)
	for i := range labels {
		r := root[i]
		if number[r] < 0 {
			number[r] = next
			next++
		}
		labels[i] = number[r]
	}
	return labels
}

// Check returns an *InputError for the first merge that contradicts the description of Dendrogram.
func (d *Dendrogram) Check() error {
	used := make([]bool, d.N+len(d.Merges))
	for i, m := range d.Merges {
		for _, child := range [2]int32{m.A, m.B} {
			if child < 0 || int(child) >= d.N+i || used[child] {
				return inputError("merge %d of a dendrogram: node %d does not exist or was merged before", i, child)
			}
			used[child] = true
		}
		if m.Similarity != m.Similarity {
			return inputError("merge %d of a dendrogram: the similarity is NaN", i)
		}
	}
	heights := d.Heights()
	for i := 1; i < len(heights); i++ {
		if heights[i] > heights[i-1] {
			return inputError("merge %d of a dendrogram: it is higher than the one before", i)
		}
	}
	return nil
}

// WithHeights returns the dendrogram with another similarity for every merge. A merge is as high as
// the lowest one inside of it at most. d stays as it is.
func (d *Dendrogram) WithHeights(similarities []float32) *Dendrogram {
	merges := slices.Clone(d.Merges)
	for i, h := range d.enclosed(similarities) {
		merges[i].Similarity = h
	}
	return ordered(d.N, merges)
}

// ordered sorts merges by height and renumbers the nodes. Children must come before their parents.
func ordered(n int, merges []Join) *Dendrogram {
	d := &Dendrogram{N: n, Merges: merges}
	heights := d.Heights()
	order := identity(len(merges))
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(heights[b], heights[a]) })
	place := make([]int32, len(merges))
	for at, i := range order {
		place[i] = int32(at)
	}
	renumber := func(node int32) int32 {
		if int(node) < n {
			return node
		}
		return int32(n) + place[int(node)-n]
	}
	sorted := make([]Join, len(merges))
	for at, i := range order {
		m := merges[i]
		sorted[at] = Join{renumber(m.A), renumber(m.B), m.Similarity}
	}
	d.Merges = sorted
	return d
}
