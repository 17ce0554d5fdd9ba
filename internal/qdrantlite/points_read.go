package qdrantlite

import (
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

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
	return out, s.s.view(req.GetCollectionName(), func(c *collection, r reader) (err error) {
		rows := make([]uint32, 0, len(ids))
		done := make(map[uint32]bool, len(ids))
		for _, id := range ids {
			if row, ok := c.order.find(c.ids, id); ok && !done[row] {
				done[row] = true
				rows = append(rows, row)
			}
		}
		out.Result, err = c.retrieved(r, rows, fields, req.GetWithVectors())
		return err
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
		out.Result, err = c.retrieved(r, rows, fields, req.GetWithVectors())
		return err
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
