package qdrantlite

import (
	"context"
	"math"
	"math/bits"
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

// sums has buffers of searchSparse: a partial score per row, untouched between uses.
var sums = sync.Pool{New: func() any { return new(sparseSums) }}

type sparseSums struct {
	sum     []float32
	touched []uint32
}

// untouched marks a row that no term has touched: -0, to which any number adds up as to 0. Products
// have 0 added to them, because one that is -0 would leave the mark.
var untouched = math.Float32frombits(1 << 31)

func isUntouched(x float32) bool { return math.Float32bits(x) == 1<<31 }

// room makes room for n rows.
func (s *sparseSums) room(n int) {
	for len(s.sum) < n {
		s.sum = append(s.sum, untouched)
	}
}

// fewPostings is the share of the rows below which the rows that a query touches are listed rather
// than found among all.
const fewPostings = 1. / 8

// searchSparse adds up postings, term by term in ascending order, in float32. It does not find rows
// that share no term with the query. Postings of dropped rows, and of rows that the filter leaves
// out, are added up too: it is cheaper to pass over their sums in the end.
func (c *collection) searchSparse(ctx context.Context, s *sparseSearch) ([]hit, error) {
	field := c.sparse[s.field]
	scratch := sums.Get().(*sparseSums)
	defer sums.Put(scratch)
	scratch.room(len(c.ids))
	sum := scratch.sum
	postings := 0
	for _, term := range s.query.Terms {
		if list := field.lists[term]; list != nil {
			postings += len(list.entries)
		}
	}
	few := float64(postings) < fewPostings*float64(len(c.ids))
	touched := scratch.touched[:0]
	for i, term := range s.query.Terms {
		list := field.lists[term]
		if list == nil || ctx.Err() != nil {
			continue
		}
		weight := s.query.Weights[i]
		if field.params.idf {
			weight *= field.idf(term)
		}
		if few {
			for _, entry := range list.entries {
				if isUntouched(sum[entry.row]) {
					touched = append(touched, entry.row)
				}
				sum[entry.row] += weight*entry.weight + 0
			}
		} else {
			for _, entry := range list.entries {
				sum[entry.row] += weight*entry.weight + 0
			}
		}
	}
	best := topK{ids: c.ids, k: s.limit}
	if few {
		for _, row := range touched {
			if score := sum[row]; !isUntouched(score) && s.rows.rows.has(row) && field.present.has(row) {
				best.push(hit{row, score})
			}
			sum[row] = untouched
		}
		scratch.touched = touched
		return best.sorted(), ctx.Err()
	}
	floor := best.floor()
	for i, present := range field.present {
		for mask := s.rows.rows.word(i) & present; mask != 0; mask &= mask - 1 {
			row := i*64 + bits.TrailingZeros64(mask)
			if score := sum[row]; score >= floor && !isUntouched(score) {
				best.push(hit{uint32(row), score})
				floor = best.floor()
			}
		}
	}
	for i := range c.ids {
		sum[i] = untouched
	}
	return best.sorted(), ctx.Err()
}
