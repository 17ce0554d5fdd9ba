package qdrantlite

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"
)

// Facet counts the points per value of an indexed field: the most frequent values first, equal counts by value. Counts are exact.
func (s *pointsService) Facet(ctx context.Context, req *qdrant.FacetCounts) (*qdrant.FacetResponse, error) {
	start := time.Now()
	path, err := parsePath(req.GetKey())
	if err != nil {
		return nil, err
	}
	if err := checkShards(req.GetShardKeySelector()); err != nil {
		return nil, err
	}
	limit, err := limitOf(req.Limit)
	if err != nil {
		return nil, err
	}
	out := &qdrant.FacetResponse{}
	err = s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		cond, err := compileFilter(c, req.GetFilter())
		if err != nil {
			return err
		}
		index := c.index(path)
		if index == nil || index.real != nil || index.kind == qdrant.FieldType_FieldTypeDatetime {
			return invalid("No appropriate index for faceting: `%s`. Please create one to facet on this field. "+
				"Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support Match conditions", path)
		}
		rows, err := c.match(ctx, r, cond)
		if err != nil {
			return err
		}
		if index.text != nil {
			out.Hits = facets(index.text, rows, limit, func(v string) *qdrant.FacetValue {
				return &qdrant.FacetValue{Variant: &qdrant.FacetValue_StringValue{StringValue: v}}
			})
			return nil
		}
		out.Hits = facets(index.whole, rows, limit, func(v int64) *qdrant.FacetValue {
			if index.kind == qdrant.FieldType_FieldTypeBool {
				return &qdrant.FacetValue{Variant: &qdrant.FacetValue_BoolValue{BoolValue: v != 0}}
			}
			return &qdrant.FacetValue{Variant: &qdrant.FacetValue_IntegerValue{IntegerValue: v}}
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Time = time.Since(start).Seconds()
	return out, nil
}

func facets[T cmp.Ordered](column *column[T], rows selection, limit int, value func(T) *qdrant.FacetValue) []*qdrant.FacetHit {
	counts := make(map[T]uint64)
	for _, row := range rows.list() {
		for _, v := range distinct(column.values(row)) {
			counts[v]++
		}
	}
	values := slices.SortedFunc(maps.Keys(counts), func(a, b T) int {
		if c := cmp.Compare(counts[b], counts[a]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	var hits []*qdrant.FacetHit
	for _, v := range values[:min(limit, len(values))] {
		hits = append(hits, &qdrant.FacetHit{Value: value(v), Count: counts[v]})
	}
	return hits
}
