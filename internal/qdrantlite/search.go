package qdrantlite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

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
			all := make([]hit, 0, s.rows.count)
			for row := range s.rows.rows.all() {
				all = append(all, hit{row, float32(math.Inf(1))})
			}
			if _, err := c.rescore(ctx, r, s, all, 0); err != nil {
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
			doubt := certainty * scanError(c.dense[s.field], s.query)
			hits := found[i].sorted()
			certain, err := c.rescore(ctx, r, s, hits, doubt)
			if err != nil {
				return err
			}
			if !certain && len(hits) == s.candidates && s.candidates < mostCandidates {
				s.candidates = min(s.candidates*widening, mostCandidates)
				again = append(again, s)
			}
		}
		scans = again
	}
	return nil
}

// scanError is the standard deviation of a product in eight bits. Rounding moves each element of a
// vector by up to half its scale, evenly, so by scale/sqrt(12) in the quadratic mean, and each such
// error counts as much as the element of the other vector that it is multiplied by.
func scanError(d *denseRows, query []float32) float32 {
	scale := vector.Quantize(query, make([]int8, len(query)))
	return float32(math.Sqrt(float64(vector.Dot(query, query)*d.maxScale*d.maxScale+d.maxSquare*scale*scale) / 12))
}

// rescore scores rows in float32 by the vectors in the file and keeps the best as the search's
// result. The rows come with their scores in eight bits, best first. It stops, and is certain, when
// no later row could be nearer than the last result: when doubt does not lift its score above that.
func (c *collection) rescore(ctx context.Context, r reader, s *denseSearch, rows []hit, doubt float32) (certain bool, err error) {
	d := c.dense[s.field]
	best := topK{ids: c.ids, k: min(s.limit, len(rows))}
	stored := make([]float32, d.params.size)
	var key [8]byte
	for i, h := range rows {
		if i%cancelEvery == cancelEvery-1 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if !d.present.has(h.row) {
			continue
		}
		if certain = len(best.heap) == s.limit && h.score+doubt <= best.floor(); certain {
			break
		}
		binary.BigEndian.PutUint64(key[:], c.records[h.row].vectors)
		record := r.get(c.table(tableVectors), key[:])
		if !denseOf(record, s.field, stored) {
			return false, fmt.Errorf("%w: collection %q: the vectors record of point %s", ErrCorrupt, c.name, c.ids[h.row])
		}
		best.push(hit{h.row, vector.Dot(s.query, stored)})
	}
	s.hits = best.sorted()
	return certain, nil
}
