package qdrantlite

import (
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// contents reads the parts of a point that a reply carries beside its id.
func (c *collection) contents(r reader, row uint32, fields payloadSelector, with *qdrant.WithVectorsSelector) (payload, *qdrant.VectorsOutput, error) {
	var p payload
	if !fields.none() {
		var err error
		if p, err = c.payloadOf(r, c.records[row].payload, fields); err != nil {
			return nil, nil, err
		}
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

// output writes the wanted vectors of a point.
func (s *schema) output(v *vectorSet, wanted func(string) bool) *qdrant.VectorsOutput {
	named := make(map[string]*qdrant.VectorOutput)
	for i, d := range v.dense {
		if d != nil && wanted(s.dense[i].name) {
			named[s.dense[i].name] = &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: d}}}
		}
	}
	for i, d := range v.sparse {
		if d != nil && wanted(s.sparse[i].name) {
			named[s.sparse[i].name] = &qdrant.VectorOutput{
				Vector: &qdrant.VectorOutput_Sparse{Sparse: &qdrant.SparseVector{Indices: d.Terms, Values: d.Weights}}}
		}
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
	out := &qdrant.GetResponse{}
	defer timed(&out.Time)()
	if err := only(req, "collection_name", "ids", "with_payload", "with_vectors"); err != nil {
		return nil, err
	}
	ids, err := parseIDs(req.GetIds())
	if err != nil {
		return nil, err
	}
	fields, err := parsePayloadSelector(req.GetWithPayload(), true)
	if err != nil {
		return nil, err
	}
	return out, s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
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
}

// Scroll pages through points in order of their ids.
func (s *pointsService) Scroll(ctx context.Context, req *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	out := &qdrant.ScrollResponse{}
	defer timed(&out.Time)()
	if err := only(req, "collection_name", "filter", "offset", "limit", "with_payload", "with_vectors"); err != nil {
		return nil, err
	}
	limit := defaultLimit
	if req.Limit != nil {
		limit = int(min(req.GetLimit(), 1<<30))
	}
	if limit == 0 {
		return nil, invalid("limit: out of range (got 0, want at least 1)")
	}
	var from pointID
	if req.GetOffset() != nil {
		var err error
		if from, err = parseID(req.GetOffset()); err != nil {
			return nil, err
		}
	}
	fields, err := parsePayloadSelector(req.GetWithPayload(), true)
	if err != nil {
		return nil, err
	}
	return out, s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		cond, err := compileFilter(c, req.GetFilter())
		if err != nil {
			return err
		}
		rows, err := c.page(ctx, r, cond, from, limit)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			out.NextPageOffset = c.ids[rows[limit]].proto()
			rows = rows[:limit]
		}
		for _, row := range rows {
			point, err := c.retrieved(r, row, fields, req.GetWithVectors())
			if err != nil {
				return err
			}
			out.Result = append(out.Result, point)
		}
		return nil
	})
}

// page finds the rows of a page, and the first row after it.
func (c *collection) page(ctx context.Context, r reader, cond *condition, from pointID, limit int) (rows []uint32, err error) {
	if cond != nil && cond.rows != nil && cond.estimate < c.live/8 {
		err = c.each(ctx, r, cond, func(row uint32) bool {
			if c.ids[row].compare(from) >= 0 {
				rows = append(rows, row)
			}
			return true
		})
		slices.SortFunc(rows, func(a, b uint32) int { return c.ids[a].compare(c.ids[b]) })
		return rows[:min(limit+1, len(rows))], err
	}
	check := c.checker(r, cond)
	looked := 0
	c.order.from(c.ids, from, func(row uint32) bool {
		if looked++; looked%cancelEvery == 0 && ctx.Err() != nil {
			err = ctx.Err()
			return false
		}
		var ok bool
		if ok, err = check(row); ok {
			rows = append(rows, row)
		}
		return err == nil && len(rows) <= limit
	})
	return rows, err
}

func (s *pointsService) Count(ctx context.Context, req *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	out := &qdrant.CountResponse{Result: &qdrant.CountResult{}}
	defer timed(&out.Time)()
	if err := only(req, "collection_name", "filter", "exact"); err != nil {
		return nil, err
	}
	return out, s.s.view(req.GetCollectionName(), func(c *collection, r reader) error {
		cond, err := compileFilter(c, req.GetFilter())
		if err != nil {
			return err
		}
		n, err := c.count(ctx, r, cond)
		out.Result.Count = uint64(n)
		return err
	})
}

// CreateFieldIndex makes an index of a payload field. It replaces an index of the same field.
func (s *pointsService) CreateFieldIndex(ctx context.Context, req *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	out := &qdrant.PointsOperationResponse{}
	defer timed(&out.Time)()
	f, err := newFieldIndex(req)
	if err != nil {
		return nil, err
	}
	return out, s.s.do(&job{ctx: ctx, alone: func() error {
		c, err := s.s.find(req.GetCollectionName())
		if err != nil {
			return err
		}
		out.Result = completed(c.nextOp)
		c.nextOp++
		return s.s.createIndex(c, f)
	}})
}

// createIndex runs in the committer. Until it has finished, readers do without the index.
func (s *Server) createIndex(c *collection, f *fieldIndex) error {
	record, err := proto.Marshal(&qdrant.CreateFieldIndexCollection{CollectionName: c.name, FieldName: f.key, FieldType: &f.kind})
	if err != nil {
		return invalid("field %q: %v", f.key, err)
	}
	if err := s.fillIndex(c, f); err != nil {
		return err
	}
	if err := s.commit([]mutation{{table{kind: tableIndexes}, indexKey(c.number, f.key), seal(record)}}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes[f.key] = f
	return nil
}

func (s *Server) fillIndex(c *collection, f *fieldIndex) error {
	r, err := s.backend.read()
	if err != nil {
		return err
	}
	defer r.close()
	for row := range c.alive.all() {
		fields, err := c.payloadOf(r, c.records[row].payload, everything)
		if err != nil {
			return err
		}
		f.put(row, f.cellOf(fields))
	}
	return nil
}
