package qdrantlite

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// defaultLimit is how many points a query or a scroll returns when the request does not say.
const defaultLimit = 10

// query is one query of a batch. It has a dense search or a sparse one.
type query struct {
	dense   *denseSearch
	sparse  *sparseSearch
	payload payloadSelector
	vectors *qdrant.WithVectorsSelector
}

// QueryBatch answers all queries from one state of the collection. Each finds the points nearest to
// one dense or sparse vector, by dot product, best first, equal scores by id. A query that is
// refused refuses the batch.
func (s *pointsService) QueryBatch(ctx context.Context, req *qdrant.QueryBatchPoints) (*qdrant.QueryBatchResponse, error) {
	out := &qdrant.QueryBatchResponse{}
	defer timed(&out.Time)()
	if err := only(req, "collection_name", "query_points"); err != nil {
		return nil, err
	}
	return out, s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		p := queryParser{ctx: ctx, c: c, r: r, matched: make(map[string]selection)}
		queries := make([]*query, len(req.GetQueryPoints()))
		byField := make(map[int][]*denseSearch) // searches of one field share a pass over its rows
		for i, given := range req.GetQueryPoints() {
			var err error
			if queries[i], err = p.parse(given); err != nil {
				return err
			}
			if dense := queries[i].dense; dense != nil {
				byField[dense.field] = append(byField[dense.field], dense)
			}
		}
		for _, searches := range byField {
			if err := c.searchDense(ctx, r, searches); err != nil {
				return err
			}
		}
		for _, q := range queries {
			points, err := c.answer(ctx, r, q)
			if err != nil {
				return err
			}
			out.Result = append(out.Result, &qdrant.BatchResult{Result: points})
		}
		return nil
	})
}

// queryParser checks the queries of a batch against their collection and evaluates their filters.
type queryParser struct {
	ctx     context.Context
	c       *collection
	r       reader
	matched map[string]selection // by encoded filter: the queries of a batch mostly share one
}

func (p *queryParser) parse(given *qdrant.QueryPoints) (*query, error) {
	if err := only(given, "collection_name", "query", "using", "filter", "params", "limit", "with_payload", "with_vectors"); err != nil {
		return nil, err
	}
	if err := only(given.GetParams(), "exact"); err != nil {
		return nil, err
	}
	if err := only(given.GetQuery(), "nearest"); err != nil {
		return nil, err
	}
	if err := only(given.GetQuery().GetNearest(), "dense", "sparse"); err != nil {
		return nil, err
	}
	limit := defaultLimit
	if given.Limit != nil {
		limit = int(min(given.GetLimit(), 1<<31))
	}
	if limit == 0 {
		return nil, invalid("limit: out of range (got 0, want at least 1)")
	}
	at, sparse, ok := p.c.schema.field(given.GetUsing())
	if !ok {
		return nil, noVector(given.GetUsing())
	}
	rows, err := p.rows(given.GetFilter())
	if err != nil {
		return nil, err
	}
	q := &query{vectors: given.GetWithVectors()}
	if q.payload, err = parsePayloadSelector(given.GetWithPayload(), false); err != nil {
		return nil, err
	}
	switch v := given.GetQuery().GetNearest().GetVariant().(type) {
	case *qdrant.VectorInput_Dense:
		if sparse {
			return nil, wrongKind(given.GetUsing())
		}
		q.dense = &denseSearch{field: at, query: v.Dense.GetData(), rows: rows, limit: limit, exact: given.GetParams().GetExact()}
		return q, p.c.schema.dense[at].check(q.dense.query)
	case *qdrant.VectorInput_Sparse:
		if !sparse {
			return nil, wrongKind(given.GetUsing())
		}
		terms, err := newSparse(given.GetUsing(), v.Sparse.GetIndices(), v.Sparse.GetValues())
		q.sparse = &sparseSearch{field: at, query: terms, rows: rows, limit: limit}
		return q, err
	}
	return nil, invalid("query: vector is missing")
}

// rows evaluates the filter of a query.
func (p *queryParser) rows(filter *qdrant.Filter) (selection, error) {
	cond, err := compileFilter(p.c, filter)
	if err != nil {
		return selection{}, err
	}
	key, err := proto.MarshalOptions{Deterministic: true}.Marshal(filter)
	if err != nil {
		return selection{}, invalid("filter: %v", err)
	}
	rows, ok := p.matched[string(key)]
	if !ok {
		if rows, err = p.c.match(p.ctx, p.r, cond); err != nil {
			return selection{}, err
		}
		p.matched[string(key)] = rows
	}
	return rows, nil
}

// answer turns the result of a query into messages. It runs a sparse search; a dense one has run.
func (c *collection) answer(ctx context.Context, r reader, q *query) ([]*qdrant.ScoredPoint, error) {
	var hits []hit
	if q.dense != nil {
		hits = q.dense.hits
	} else {
		var err error
		if hits, err = c.searchSparse(ctx, q.sparse); err != nil {
			return nil, err
		}
	}
	w, err := c.newReplyWriter(r, len(hits), func(i int) uint32 { return hits[i].row }, q.payload, q.vectors)
	if err != nil {
		return nil, err
	}
	points, out := make([]qdrant.ScoredPoint, len(hits)), make([]*qdrant.ScoredPoint, len(hits))
	for i, h := range hits {
		p := &points[i]
		p.Id, p.Score, p.Version = w.id(h.row), h.score, c.records[h.row].version
		if p.Payload, p.Vectors, err = w.contents(h.row); err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}
