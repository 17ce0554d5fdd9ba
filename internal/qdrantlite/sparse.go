package qdrantlite

import (
	"math"

	"throughline/cluster/vector"
)

// sparseRows holds one sparse vector field as postings: for each term the rows that have it, with their weights. A row that goes
// away stays in its lists until they are swept, one list at a time, when a quarter of it is dead; only when no list names the row
// any more may its number be used again.
type sparseRows struct {
	params  sparseParams
	lists   map[uint32]*postings
	present bitset
	count   int
}

type postings struct {
	rows    []uint32
	weights []float32
	dead    int
}

func (s *sparseRows) put(row uint32, v *vector.Sparse) {
	for i, term := range v.Terms {
		list := s.lists[term]
		if list == nil {
			list = &postings{}
			s.lists[term] = list
		}
		list.rows = append(list.rows, row)
		list.weights = append(list.weights, v.Weights[i])
	}
	s.present.set(row)
	s.count++
}

// drop removes a row that had the vector v. It calls released for every list that no longer names a dead row: once per term of
// that row in the end, though not always now and not always for this row.
func (s *sparseRows) drop(row uint32, v *vector.Sparse, released func(row uint32)) {
	s.present.unset(row)
	s.count--
	for _, term := range v.Terms {
		list := s.lists[term]
		list.dead++
		if list.dead*4 < len(list.rows) {
			continue
		}
		kept := 0
		for i, r := range list.rows {
			if !s.present.has(r) {
				released(r)
				continue
			}
			list.rows[kept], list.weights[kept] = r, list.weights[i]
			kept++
		}
		list.rows, list.weights, list.dead = list.rows[:kept], list.weights[:kept], 0
		if kept == 0 {
			delete(s.lists, term)
		}
	}
}

// idf is the weight that Qdrant's IDF modifier gives a term of a query: ln((N - n + 0.5) / (n + 0.5) + 1), where N counts the
// points with this sparse vector and n those whose vector has the term, as in
// https://en.wikipedia.org/wiki/Okapi_BM25, computed in float32 as there.
func (s *sparseRows) idf(term uint32) float32 {
	df := 0
	if list := s.lists[term]; list != nil {
		df = len(list.rows) - list.dead
	}
	n, f := float32(s.count), float32(df)
	return float32(math.Log(float64((n-f+0.5)/(f+0.5) + 1)))
}
