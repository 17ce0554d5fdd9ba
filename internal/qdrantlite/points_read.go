package qdrantlite

import (
	"context"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"throughline/cluster/vector"
)

// contents reads what a reply carries of a point beside its id.
func (c *collection) contents(r reader, row uint32, fields payloadSelector, with *qdrant.WithVectorsSelector) (payload, *qdrant.VectorsOutput, error) {
	var p payload
	if !fields.none {
		stored, err := c.payloadOf(r, c.records[row].payload)
		if err != nil {
			return nil, nil, err
		}
		p = fields.apply(stored)
	}
	wanted := func(string) bool { return true }
	switch sel := with.GetSelectorOptions().(type) {
	case nil:
		return p, nil, nil
	case *qdrant.WithVectorsSelector_Enable:
		if !sel.Enable {
			return p, nil, nil
		}
	case *qdrant.WithVectorsSelector_Include:
		for _, name := range sel.Include.GetNames() {
			if _, _, ok := c.schema.field(name); !ok {
				return nil, nil, noVector(name)
			}
		}
		wanted = func(name string) bool { return slices.Contains(sel.Include.GetNames(), name) }
	}
	v, err := c.vectorsOf(r, c.records[row].vectors)
	if err != nil {
		return nil, nil, err
	}
	return p, c.schema.output(v, wanted), nil
}

func denseOutput(v []float32) *qdrant.VectorOutput {
	return &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: v}}}
}

func sparseOutput(v *vector.Sparse) *qdrant.VectorOutput {
	return &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Sparse{Sparse: &qdrant.SparseVector{Indices: v.Terms, Values: v.Weights}}}
}

// output writes the wanted vectors of a point: alone when it is the unnamed one, by name otherwise.
func (s *schema) output(v *vectorSet, wanted func(string) bool) *qdrant.VectorsOutput {
	named := make(map[string]*qdrant.VectorOutput)
	for i, d := range v.dense {
		if d != nil && wanted(s.dense[i].name) {
			named[s.dense[i].name] = denseOutput(d)
		}
	}
	for i, d := range v.sparse {
		if d != nil && wanted(s.sparse[i].name) {
			named[s.sparse[i].name] = sparseOutput(d)
		}
	}
	if alone, ok := named[""]; ok && len(named) == 1 {
		return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: alone}}
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vectors{Vectors: &qdrant.NamedVectorsOutput{Vectors: named}}}
}

func (c *collection) retrieved(r reader, row uint32, fields payloadSelector, with *qdrant.WithVectorsSelector) (*qdrant.RetrievedPoint, error) {
	p, vectors, err := c.contents(r, row, fields, with)
	if err != nil {
		return nil, err
	}
	return &qdrant.RetrievedPoint{Id: c.ids[row].proto(), Payload: p, Vectors: vectors}, nil
}

// Get returns the points that exist, each once, in the order in which they are asked for.
func (s *pointsService) Get(_ context.Context, req *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	start := time.Now()
	ids, err := parseIDs(req.GetIds())
	if err != nil {
		return nil, err
	}
	fields := payloadSelector{}
	if req.GetWithPayload() != nil {
		if fields, err = parsePayloadSelector(req.GetWithPayload()); err != nil {
			return nil, err
		}
	}
	if err := checkShards(req.GetShardKeySelector()); err != nil {
		return nil, err
	}
	out := &qdrant.GetResponse{}
	err = s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		done := make(map[pointID]bool, len(ids))
		for _, id := range ids {
			row, ok := c.order.find(c.ids, id)
			if !ok || done[id] {
				continue
			}
			done[id] = true
			point, err := c.retrieved(r, row, fields, req.GetWithVectors())
			if err != nil {
				return err
			}
			out.Result = append(out.Result, point)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Time = time.Since(start).Seconds()
	return out, nil
}

// Scroll pages through points by id, or gives the first ones by an indexed field.
func (s *pointsService) Scroll(ctx context.Context, req *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	start := time.Now()
	scroll, err := parseScroll(req)
	if err != nil {
		return nil, err
	}
	out := &qdrant.ScrollResponse{}
	err = s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		cond, err := compileFilter(c, req.GetFilter())
		if err != nil {
			return err
		}
		if req.GetOrderBy() != nil {
			return scroll.byField(ctx, c, r, cond, req, out)
		}
		return scroll.byID(ctx, c, r, cond, req, out)
	})
	if err != nil {
		return nil, err
	}
	out.Time = time.Since(start).Seconds()
	return out, nil
}

type scrolling struct {
	from   pointID
	limit  int
	fields payloadSelector
}

func parseScroll(req *qdrant.ScrollPoints) (s scrolling, err error) {
	if req.Limit != nil && req.GetLimit() == 0 {
		return s, invalid("limit: 0 is less than 1")
	}
	s.limit = defaultLimit
	if req.Limit != nil {
		s.limit = int(min(req.GetLimit(), 1<<30))
	}
	if req.GetOffset() != nil {
		if req.GetOrderBy() != nil {
			return s, invalid("Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` " +
				"and a filter to exclude the IDs that you've already seen for the `order_by.start_from` value")
		}
		if s.from, err = parseID(req.GetOffset()); err != nil {
			return s, err
		}
	}
	if req.GetWithPayload() != nil {
		if s.fields, err = parsePayloadSelector(req.GetWithPayload()); err != nil {
			return s, err
		}
	}
	return s, checkShards(req.GetShardKeySelector())
}

func (s scrolling) byField(ctx context.Context, c *collection, r reader, cond *condition, req *qdrant.ScrollPoints, out *qdrant.ScrollResponse) error {
	order, err := newOrdering(c, req.GetOrderBy())
	if err != nil {
		return err
	}
	rows, err := c.match(ctx, r, cond)
	if err != nil {
		return err
	}
	hits, values := order.first(c, rows, s.limit)
	for i, h := range hits {
		point, err := c.retrieved(r, h.row, s.fields, req.GetWithVectors())
		if err != nil {
			return err
		}
		point.OrderValue = values[i].proto()
		out.Result = append(out.Result, point)
	}
	return nil
}

func (s scrolling) byID(ctx context.Context, c *collection, r reader, cond *condition, req *qdrant.ScrollPoints, out *qdrant.ScrollResponse) error {
	rows, err := s.page(ctx, c, r, cond)
	if err != nil {
		return err
	}
	if len(rows) > s.limit {
		out.NextPageOffset = c.ids[rows[s.limit]].proto()
		rows = rows[:s.limit]
	}
	for _, row := range rows {
		point, err := c.retrieved(r, row, s.fields, req.GetWithVectors())
		if err != nil {
			return err
		}
		out.Result = append(out.Result, point)
	}
	return nil
}

// page finds the rows of a page and the first one after it.
func (s scrolling) page(ctx context.Context, c *collection, r reader, cond *condition) (rows []uint32, err error) {
	if cond != nil && cond.rows != nil && cond.estimate < c.live/8 {
		err = c.each(ctx, r, cond, func(row uint32) bool {
			if c.ids[row].compare(s.from) >= 0 {
				rows = append(rows, row)
			}
			return true
		})
		slices.SortFunc(rows, func(a, b uint32) int { return c.ids[a].compare(c.ids[b]) })
		return rows[:min(s.limit+1, len(rows))], err
	}
	check := c.checker(r, cond)
	looked := 0
	c.order.from(c.ids, s.from, func(row uint32) bool {
		if looked++; looked%cancelEvery == 0 && ctx.Err() != nil {
			err = ctx.Err()
			return false
		}
		var ok bool
		if ok, err = check(row); ok {
			rows = append(rows, row)
		}
		return err == nil && len(rows) <= s.limit
	})
	return rows, err
}

func (s *pointsService) Count(ctx context.Context, req *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	start := time.Now()
	if err := checkShards(req.GetShardKeySelector()); err != nil {
		return nil, err
	}
	n := 0
	err := s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		cond, err := compileFilter(c, req.GetFilter())
		if err != nil {
			return err
		}
		n, err = c.count(ctx, r, cond)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &qdrant.CountResponse{Result: &qdrant.CountResult{Count: uint64(n)}, Time: time.Since(start).Seconds()}, nil
}

func (s *pointsService) CreateFieldIndex(ctx context.Context, req *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	f, err := newFieldIndex(proto.Clone(req).(*qdrant.CreateFieldIndexCollection))
	if err != nil {
		return nil, err
	}
	return s.changeIndexes(ctx, req.GetCollectionName(), func(c *collection) error { return s.s.createIndex(c, f) })
}

func (s *pointsService) DeleteFieldIndex(ctx context.Context, req *qdrant.DeleteFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	path, err := parsePath(req.GetFieldName())
	if err != nil {
		return nil, err
	}
	return s.changeIndexes(ctx, req.GetCollectionName(), func(c *collection) error { return s.s.deleteIndex(c, path.String()) })
}

func (s *pointsService) changeIndexes(ctx context.Context, name string, fn func(*collection) error) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	var op uint64
	err := s.s.do(&job{ctx: ctx, alone: func() error {
		c, err := s.s.find(name)
		if err != nil {
			return err
		}
		op = c.nextOp
		c.nextOp++
		return fn(c)
	}})
	if err != nil {
		return nil, err
	}
	return &qdrant.PointsOperationResponse{Result: completed(op), Time: time.Since(start).Seconds()}, nil
}

// createIndex builds an index of the points there are. It runs in the committer; readers go on without the index until it is there.
func (s *Server) createIndex(c *collection, f *fieldIndex) error {
	f.params.CollectionName = c.name
	f.params.Wait, f.params.Ordering, f.params.Timeout = nil, nil, nil
	record, err := proto.Marshal(f.params)
	if err != nil {
		return invalid("field %q: %v", f.key, err)
	}
	r, err := s.backend.read()
	if err != nil {
		return err
	}
	for row := range c.ids {
		if !c.alive.has(uint32(row)) {
			continue
		}
		fields, err := c.payloadOf(r, c.records[row].payload)
		if err != nil {
			r.close()
			return err
		}
		f.put(uint32(row), f.cellOf(fields))
	}
	r.close()
	if err := s.commit([]mutation{{table{kind: tableIndexes}, indexKey(c.number, f.key), seal(record)}}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes[f.key] = f
	return nil
}

func (s *Server) deleteIndex(c *collection, key string) error {
	if c.indexes[key] == nil {
		return nil
	}
	if err := s.commit([]mutation{{table{kind: tableIndexes}, indexKey(c.number, key), nil}}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.indexes, key)
	return nil
}
