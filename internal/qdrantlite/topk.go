package qdrantlite

import (
	"cmp"
	"math"
	"slices"
)

// hit is a point that a search found. Greater scores are better.
type hit struct {
	row   uint32
	score float32
}

// topK keeps the k best of the hits that are pushed: greater scores first, equal scores by
// ascending point id, so the result does not depend on the order of the pushes or on the numbers of
// rows.
type topK struct {
	ids  []pointID
	k    int
	heap []hit // the worst hit first
}

// worse says whether a comes after b.
func (t *topK) worse(a, b hit) bool {
	if a.score != b.score {
		return a.score < b.score
	}
	return t.ids[a.row].compare(t.ids[b.row]) > 0
}

// floor is the least score that push may still keep.
func (t *topK) floor() float32 {
	if len(t.heap) < t.k {
		return float32(math.Inf(-1))
	}
	if t.k == 0 {
		return float32(math.Inf(1))
	}
	return t.heap[0].score
}

func (t *topK) push(h hit) {
	if len(t.heap) < t.k {
		if t.heap == nil {
			t.heap = make([]hit, 0, min(t.k, len(t.ids)))
		}
		t.heap = append(t.heap, h)
		for i := len(t.heap) - 1; i > 0; {
			parent := (i - 1) / 2
			if !t.worse(t.heap[i], t.heap[parent]) {
				break
			}
			t.heap[i], t.heap[parent] = t.heap[parent], t.heap[i]
			i = parent
		}
		return
	}
	if t.k == 0 || !t.worse(t.heap[0], h) {
		return
	}
	t.heap[0] = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(t.heap) {
			return
		}
		if child+1 < len(t.heap) && t.worse(t.heap[child+1], t.heap[child]) {
			child++
		}
		if !t.worse(t.heap[child], t.heap[i]) {
			return
		}
		t.heap[i], t.heap[child] = t.heap[child], t.heap[i]
		i = child
	}
}

// sorted returns the hits, best first, and empties t.
func (t *topK) sorted() []hit {
	hits := t.heap
	t.heap = nil
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), t.ids[a.row].compare(t.ids[b.row]))
	})
	return hits
}
