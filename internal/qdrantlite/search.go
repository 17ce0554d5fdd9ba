package qdrantlite

import (
	"context"
	"fmt"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// The eight-bit scan hands candidates to float32: the limit times oversampling, and leastCandidates
// at least. When the last candidate is so close to the last result that a row behind it might
// belong among the results, the scan is repeated with widening times as many, up to mostCandidates.
const (
	oversampling    = 2
	leastCandidates = 50
	mostCandidates  = 10_000
	widening        = 4
	// certainty is how many standard deviations of the eight-bit error separate a row behind the
	// candidates from the last result before the scan may stop.
	certainty = 5
)

// denseSearch asks for the nearest rows by one dense field.
type denseSearch struct {
	field      int
	query      []float32
	rows       selection
	limit      int
	exact      bool // score every row in float32
	candidates int
	hits       []hit // the result, best first
}

// searchDense runs searches of one field in one pass over its rows.
func (c *collection) searchDense(ctx context.Context, r reader, searches []*denseSearch) error {
	var scans []*denseSearch
	for _, s := range searches {
		if s.limit = min(s.limit, s.rows.count); s.limit == 0 {
			continue
		}
		s.candidates = min(max(s.limit*oversampling, leastCandidates), s.rows.count)
		if s.exact || s.candidates == s.rows.count {
			if err := c.rescore(ctx, r, s, slices.Collect(s.rows.rows.all())); err != nil {
				return err
			}
			continue
		}
		scans = append(scans, s)
	}
	for len(scans) > 0 {
		found, err := c.scan(ctx, scans)
		if err != nil {
			return err
		}
		var again []*denseSearch
		for i, s := range scans {
			rows := make([]uint32, 0, len(found[i].heap))
			for _, h := range found[i].heap {
				rows = append(rows, h.row)
			}
			if err := c.rescore(ctx, r, s, rows); err != nil {
				return err
			}
			if len(rows) == s.candidates && s.candidates < mostCandidates && c.doubtful(s, found[i].floor()) {
				s.candidates = min(s.candidates*widening, mostCandidates)
				again = append(again, s)
			}
		}
		scans = again
	}
	return nil
}

// doubtful says whether a row that the scan scored no higher than floor could still be nearer than
// the last result.
func (c *collection) doubtful(s *denseSearch, floor float32) bool {
	last := float32(math.Inf(-1))
	if len(s.hits) == s.limit {
		last = s.hits[len(s.hits)-1].score
	}
	return floor+certainty*scanError(c.dense[s.field], s.query) > last
}

// scanError is the standard deviation of a product in eight bits. Rounding moves each element of a
// vector by up to half its scale, evenly, so by scale/sqrt(12) in the quadratic mean, and each such
// error counts as much as the element of the other vector that it is multiplied by.
func scanError(d *denseRows, query []float32) float32 {
	scale := vector.Quantize(query, make([]int8, len(query)))
	return float32(math.Sqrt(float64(vector.Dot(query, query)*d.maxScale*d.maxScale+d.maxSquare*scale*scale) / 12))
}

// rescore scores rows in float32 by the vectors in the file and keeps the best as the search's
// result.
func (c *collection) rescore(ctx context.Context, r reader, s *denseSearch, rows []uint32) error {
	d := c.dense[s.field]
	best := topK{ids: c.ids, k: min(s.limit, len(rows))}
	stored := make([]float32, d.params.size)
	for i, row := range rows {
		if i%cancelEvery == cancelEvery-1 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !d.present.has(row) {
			continue
		}
		record := r.get(c.table(tableVectors), slotKey(c.records[row].vectors))
		if !denseOf(record, s.field, stored) {
			return fmt.Errorf("%w: collection %q: the vectors record of point %s", ErrCorrupt, c.name, c.ids[row])
		}
		best.push(hit{row, vector.Dot(s.query, stored)})
	}
	s.hits = best.sorted()
	return nil
}
