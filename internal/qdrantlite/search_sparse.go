package qdrantlite

import (
	"context"
	"sync"

	"throughline/cluster/vector"
)

// sparseSearch asks for the nearest rows by one sparse field.
type sparseSearch struct {
	field int
	query *vector.Sparse
	rows  selection
	limit int
}

// sums are buffers of searchSparse: a partial score per row, all zero between uses.
var sums = sync.Pool{New: func() any { return new([]float32) }}

// searchSparse adds up postings, term by term in ascending order, in float32. It does not find rows
// that share no term with the query.
func (c *collection) searchSparse(ctx context.Context, s *sparseSearch) ([]hit, error) {
	field := c.sparse[s.field]
	scratch := sums.Get().(*[]float32)
	defer sums.Put(scratch)
	if len(*scratch) < len(c.ids) {
		*scratch = make([]float32, len(c.ids)+len(c.ids)/4)
	}
	sum := *scratch
	var touched []uint32
	seen := make(bitset, len(c.alive))
	for i, term := range s.query.Terms {
		list := field.lists[term]
		if list == nil || ctx.Err() != nil {
			continue
		}
		weight := s.query.Weights[i]
		if field.params.idf {
			weight *= field.idf(term)
		}
		for _, entry := range list.entries {
			row := entry.row
			if !s.rows.rows.has(row) || !field.present.has(row) {
				continue
			}
			if !seen.has(row) {
				seen.set(row)
				touched = append(touched, row)
			}
			sum[row] += weight * entry.weight
		}
	}
	best := topK{ids: c.ids, k: min(s.limit, len(touched))}
	for _, row := range touched {
		best.push(hit{row, sum[row]})
		sum[row] = 0
	}
	return best.sorted(), ctx.Err()
}
