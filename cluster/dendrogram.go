package cluster

import (
	"fmt"
	"slices"
)

// Join says that two nodes of a dendrogram become one. Nodes 0..N-1 are the items; node N+i is what Merges[i] makes.
type Join struct {
	A, B int32 // A has the lower first member
	// Similarity is the mean similarity between the members of A and those of B.
	Similarity float32
}

// Dendrogram is the history of a linkage. It is a forest: items that nothing was similar to remain alone.
//
// Merges are in order of their height, greatest first, where the height of a merge is the least similarity among it and all
// merges inside of it. Over a candidate graph that lacks pairs, a merge can be more similar than one inside of it; its own
// similarity stays on record, and heights are what cuts go by, so that a lower cut always contains a higher one.
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

// Cut returns the clusters that exist at a similarity: those whose merges all have at least it. Labels are 0..k-1, numbered by
// first member; an item alone has a label of its own.
func (d *Dendrogram) Cut(similarity float32) []int32 {
	heights := d.Heights()
	count, _ := slices.BinarySearchFunc(heights, similarity, func(h, s float32) int {
		if h >= s {
			return -1
		}
		return 1
	})
	return d.labels(count)
}

// CutN returns n clusters, or the fewest there are when the dendrogram has more than n trees, labelled like those of Cut.
func (d *Dendrogram) CutN(n int) []int32 {
	return d.labels(min(max(d.N-n, 0), len(d.Merges)))
}

// labels applies the first merges.
func (d *Dendrogram) labels(merges int) []int32 {
	joined := make([]bool, len(d.Merges))
	for i := range merges {
		joined[i] = true
	}
	return d.labelsWhere(joined)
}

// labelsWhere applies the merges that are marked, which must include all that are inside of a marked one.
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

// Check reports the first merge that the description of Dendrogram does not allow.
func (d *Dendrogram) Check() error {
	used := make([]bool, d.N+len(d.Merges))
	for i, m := range d.Merges {
		for _, child := range [2]int32{m.A, m.B} {
			if child < 0 || int(child) >= d.N+i || used[child] {
				return &InputError{-1, -1, fmt.Sprintf("merge %d of a dendrogram joins node %d, which is not there", i, child)}
			}
			used[child] = true
		}
		if m.Similarity != m.Similarity {
			return &InputError{-1, -1, fmt.Sprintf("merge %d of a dendrogram has no similarity", i)}
		}
	}
	heights := d.Heights()
	for i := 1; i < len(heights); i++ {
		if heights[i] > heights[i-1] {
			return &InputError{-1, -1, fmt.Sprintf("merge %d of a dendrogram is higher than the one before", i)}
		}
	}
	return nil
}

// ordered puts merges in order of height and renumbers the nodes. Merges come in with children before parents.
func ordered(n int, merges []Join) *Dendrogram {
	d := &Dendrogram{N: n, Merges: merges}
	heights := d.Heights()
	order := make([]int32, len(merges))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch x, y := heights[a], heights[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
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
