package qdrantlite

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
)

// queryRequest is one query in the form that all the searching methods share.
type queryRequest struct {
	parts   queryParts
	offset  int
	payload payloadSelector
	vectors *qdrant.WithVectorsSelector
}

func parseQuery(q *qdrant.QueryPoints) (queryRequest, error) {
	limit, err := limitOf(q.Limit)
	if err != nil {
		return queryRequest{}, err
	}
	out := queryRequest{
		parts: queryParts{
			prefetch: q.GetPrefetch(), query: q.GetQuery(), using: q.GetUsing(), filter: q.GetFilter(), params: q.GetParams(),
			threshold: q.ScoreThreshold, limit: limit, lookup: q.GetLookupFrom(),
		},
		offset:  int(min(q.GetOffset(), 1<<31)),
		payload: payloadSelector{none: true},
		vectors: q.GetWithVectors(),
	}
	if q.GetWithPayload() != nil {
		if out.payload, err = parsePayloadSelector(q.GetWithPayload()); err != nil {
			return out, err
		}
	}
	return out, checkShards(q.GetShardKeySelector())
}

// query answers queries of one collection from one view of it, in one pass over each dense field.
func (s *Server) query(ctx context.Context, name string, requests []queryRequest) (results [][]*qdrant.ScoredPoint, err error) {
	parts := make([]queryParts, len(requests))
	for i := range requests {
		parts[i] = requests[i].parts
		parts[i].limit += requests[i].offset
	}
	found, err := s.elsewhere(name, parts)
	if err != nil {
		return nil, asStatus(err)
	}
	err = s.view(name, func(c *collection, r reader) error {
		p := &planner{ctx: ctx, c: c, r: r, lookup: found}
		steps := make([]*step, len(parts))
		for i, q := range parts {
			var err error
			if steps[i], err = p.planRoot(name, q); err != nil {
				return err
			}
		}
		if err := p.run(steps); err != nil {
			return err
		}
		results = make([][]*qdrant.ScoredPoint, len(steps))
		for i, s := range steps {
			var err error
			if results[i], err = c.scoredPoints(r, s, requests[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return results, err
}

// scoredPoints turns the hits of a query, less its offset, into messages.
func (c *collection) scoredPoints(r reader, s *step, q queryRequest) ([]*qdrant.ScoredPoint, error) {
	from := min(q.offset, len(s.hits))
	out := make([]*qdrant.ScoredPoint, 0, len(s.hits)-from)
	for i, h := range s.hits[from:] {
		fields, vectors, err := c.contents(r, h.row, q.payload, q.vectors)
		if err != nil {
			return nil, err
		}
		point := &qdrant.ScoredPoint{
			Id: c.ids[h.row].proto(), Payload: fields, Score: s.clientScore(h), Version: c.records[h.row].version, Vectors: vectors,
		}
		if s.values != nil {
			point.OrderValue = s.values[from+i].proto()
		}
		out = append(out, point)
	}
	return out, nil
}

func (s *pointsService) Query(ctx context.Context, req *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	start := time.Now()
	q, err := parseQuery(req)
	if err != nil {
		return nil, err
	}
	results, err := s.s.query(ctx, req.GetCollectionName(), []queryRequest{q})
	if err != nil {
		return nil, err
	}
	return &qdrant.QueryResponse{Result: results[0], Time: time.Since(start).Seconds()}, nil
}

func (s *pointsService) QueryBatch(ctx context.Context, req *qdrant.QueryBatchPoints) (*qdrant.QueryBatchResponse, error) {
	start := time.Now()
	requests := make([]queryRequest, len(req.GetQueryPoints()))
	for i, q := range req.GetQueryPoints() {
		var err error
		if requests[i], err = parseQuery(q); err != nil {
			return nil, err
		}
	}
	results, err := s.s.query(ctx, req.GetCollectionName(), requests)
	if err != nil {
		return nil, err
	}
	out := &qdrant.QueryBatchResponse{Time: time.Since(start).Seconds()}
	for _, points := range results {
		out.Result = append(out.Result, &qdrant.BatchResult{Result: points})
	}
	return out, nil
}
