package qdrantlite

import (
	"context"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// pointsService answers qdrant.Points.
type pointsService struct {
	qdrant.UnimplementedPointsServer
	s *Server
}

// operation is one change of points, checked as far as that can be done before its turn comes.
type operation func(*txn) error

// change parses a request against its collection and commits it. Every write is durable before its reply, whether the client
// asked to wait or not.
func (s *pointsService) change(ctx context.Context, name string, parse func(c *collection) (operation, error)) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	op, err := s.commit(ctx, name, parse)
	if err != nil {
		return nil, err
	}
	return &qdrant.PointsOperationResponse{Result: completed(op), Time: time.Since(start).Seconds()}, nil
}

func completed(op uint64) *qdrant.UpdateResult {
	return &qdrant.UpdateResult{OperationId: proto.Uint64(op), Status: qdrant.UpdateStatus_Completed}
}

func (s *pointsService) commit(ctx context.Context, name string, parse func(c *collection) (operation, error)) (op uint64, err error) {
	c, err := s.s.find(name)
	if err != nil {
		return 0, err
	}
	stage, err := parse(c)
	if err != nil {
		return 0, asStatus(err)
	}
	j := &job{ctx: ctx, c: c, stage: stage}
	if err := s.s.do(j); err != nil {
		return 0, err
	}
	return j.op, nil
}

func checkShards(selector *qdrant.ShardKeySelector) error {
	if len(selector.GetShardKeys()) > 0 {
		return unsupported("shard keys")
	}
	return nil
}

func (s *pointsService) Upsert(ctx context.Context, req *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseUpsert(c, req.GetPoints(), req.GetUpdateFilter(), req.GetUpdateMode())
	})
}

// parsedPoint is a point of a request after all checks.
type parsedPoint struct {
	id      pointID
	vectors *vectorSet
	payload payload
}

// parseUpsert replaces whole points: vectors and fields that are not given are gone afterwards.
func parseUpsert(c *collection, points []*qdrant.PointStruct, filter *qdrant.Filter, mode qdrant.UpdateMode) (operation, error) {
	parsed := make([]parsedPoint, len(points))
	for i, p := range points {
		id, err := parseID(p.GetId())
		if err != nil {
			return nil, err
		}
		vectors, err := c.schema.vectorsFrom(p.GetVectors())
		if err != nil {
			return nil, err
		}
		if err := checkPayload(p.GetPayload()); err != nil {
			return nil, err
		}
		fields := p.GetPayload()
		if fields == nil {
			fields = payload{}
		}
		parsed[i] = parsedPoint{id, vectors, fields}
	}
	return func(t *txn) error {
		cond, err := compileFilter(c, filter)
		if err != nil {
			return err
		}
		for _, p := range parsed {
			was := t.look(p.id)
			switch {
			case was.exists && mode == qdrant.UpdateMode_InsertOnly, !was.exists && mode == qdrant.UpdateMode_UpdateOnly:
				continue
			case was.exists && cond != nil:
				ok, err := t.holds(cond, was)
				if err != nil {
					return err
				}
				if !ok {
					continue
				}
			}
			to := t.touch(p.id)
			to.exists, to.vectors, to.payload = true, p.vectors, p.payload
		}
		return nil
	}, nil
}

// selector is the points that a request names, by id or by filter. A filter is compiled when its turn comes, since indexes and
// ids may have changed by then.
type selector struct {
	ids    []pointID
	filter *qdrant.Filter
}

func parseSelector(c *collection, given *qdrant.PointsSelector) (selector, error) {
	switch v := given.GetPointsSelectorOneOf().(type) {
	case *qdrant.PointsSelector_Points:
		ids, err := parseIDs(v.Points.GetIds())
		return selector{ids: ids}, err
	case *qdrant.PointsSelector_Filter:
		filter := v.Filter
		if filter == nil {
			filter = &qdrant.Filter{}
		}
		_, err := compileFilter(&collection{schema: c.schema}, filter)
		return selector{filter: filter}, err
	}
	return selector{}, invalid("Malformed PointsSelector type")
}

// resolve lists the selected points. Ids that do not exist are an error where mustExist says so.
func (s selector) resolve(t *txn, mustExist bool) ([]pointID, error) {
	if s.filter != nil {
		cond, err := compileFilter(t.c, s.filter)
		if err != nil {
			return nil, err
		}
		return t.matching(cond)
	}
	for _, id := range s.ids {
		if mustExist && !t.look(id).exists {
			return nil, noPoint(id)
		}
	}
	return s.ids, nil
}

func noPoint(id pointID) error { return notFound("No point with id %s found", id) }

// forSelected makes an operation that changes every selected point.
func forSelected(c *collection, given *qdrant.PointsSelector, mustExist bool, change func(*txn, pointID) error) (operation, error) {
	sel, err := parseSelector(c, given)
	if err != nil {
		return nil, err
	}
	return func(t *txn) error {
		ids, err := sel.resolve(t, mustExist)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := change(t, id); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (s *pointsService) Delete(ctx context.Context, req *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseDelete(c, req.GetPoints())
	})
}

func parseDelete(c *collection, points *qdrant.PointsSelector) (operation, error) {
	return forSelected(c, points, false, func(t *txn, id pointID) error {
		if t.look(id).exists {
			p := t.touch(id)
			p.exists, p.vectors, p.payload = false, nil, nil
		}
		return nil
	})
}

// editPayload makes an operation that gives every selected point a changed copy of its payload.
func editPayload(c *collection, points *qdrant.PointsSelector, edit func(payload) payload) (operation, error) {
	return forSelected(c, points, true, func(t *txn, id pointID) error {
		was, err := t.payloadOf(t.look(id))
		if err != nil {
			return err
		}
		t.touch(id).payload = edit(clonePayload(was))
		return nil
	})
}

// parseKey parses the optional path at which a payload is set.
func parseKey(key string) (jsonPath, error) {
	if key == "" {
		return nil, nil
	}
	return parsePath(key)
}

func (s *pointsService) SetPayload(ctx context.Context, req *qdrant.SetPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseSetPayload(c, req.GetPointsSelector(), req.GetPayload(), req.GetKey())
	})
}

func parseSetPayload(c *collection, points *qdrant.PointsSelector, fields payload, key string) (operation, error) {
	if err := checkPayload(fields); err != nil {
		return nil, err
	}
	path, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	return editPayload(c, points, func(p payload) payload {
		if path == nil {
			mergePayload(p, fields)
		} else {
			setAt(path, p, fields)
		}
		return p
	})
}

func (s *pointsService) OverwritePayload(ctx context.Context, req *qdrant.SetPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseOverwritePayload(c, req.GetPointsSelector(), req.GetPayload(), req.GetKey())
	})
}

func parseOverwritePayload(c *collection, points *qdrant.PointsSelector, fields payload, key string) (operation, error) {
	if err := checkPayload(fields); err != nil {
		return nil, err
	}
	if key != "" {
		return nil, unsupported("overwriting a payload at a key")
	}
	return editPayload(c, points, func(payload) payload { return clonePayload(fields) })
}

func (s *pointsService) DeletePayload(ctx context.Context, req *qdrant.DeletePayloadPoints) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseDeletePayload(c, req.GetPointsSelector(), req.GetKeys())
	})
}

func parseDeletePayload(c *collection, points *qdrant.PointsSelector, keys []string) (operation, error) {
	paths, err := parsePaths(keys)
	if err != nil {
		return nil, err
	}
	return editPayload(c, points, func(p payload) payload {
		for _, path := range paths {
			removeAt(path, p)
		}
		return p
	})
}

func (s *pointsService) ClearPayload(ctx context.Context, req *qdrant.ClearPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseClearPayload(c, req.GetPoints())
	})
}

func parseClearPayload(c *collection, points *qdrant.PointsSelector) (operation, error) {
	return editPayload(c, points, func(payload) payload { return payload{} })
}

func (s *pointsService) UpdateVectors(ctx context.Context, req *qdrant.UpdatePointVectors) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseUpdateVectors(c, req.GetPoints(), req.GetUpdateFilter())
	})
}

// parseUpdateVectors sets the vectors that are given and keeps the others.
func parseUpdateVectors(c *collection, points []*qdrant.PointVectors, filter *qdrant.Filter) (operation, error) {
	parsed := make([]parsedPoint, len(points))
	for i, p := range points {
		var err error
		if parsed[i].id, err = parseID(p.GetId()); err != nil {
			return nil, err
		}
		if parsed[i].vectors, err = c.schema.vectorsFrom(p.GetVectors()); err != nil {
			return nil, err
		}
	}
	return func(t *txn) error {
		cond, err := compileFilter(c, filter)
		if err != nil {
			return err
		}
		for _, p := range parsed {
			was := t.look(p.id)
			if !was.exists {
				return noPoint(p.id)
			}
			if cond != nil {
				ok, err := t.holds(cond, was)
				if err != nil {
					return err
				}
				if !ok {
					continue
				}
			}
			old, err := t.vectorsOf(was)
			if err != nil {
				return err
			}
			merged := old.clone()
			for i, v := range p.vectors.dense {
				if v != nil {
					merged.dense[i] = v
				}
			}
			for i, v := range p.vectors.sparse {
				if v != nil {
					merged.sparse[i] = v
				}
			}
			t.touch(p.id).vectors = merged
		}
		return nil
	}, nil
}

func (s *pointsService) DeleteVectors(ctx context.Context, req *qdrant.DeletePointVectors) (*qdrant.PointsOperationResponse, error) {
	return s.change(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		if err := checkShards(req.GetShardKeySelector()); err != nil {
			return nil, err
		}
		return parseDeleteVectors(c, req.GetPointsSelector(), req.GetVectors().GetNames())
	})
}

func parseDeleteVectors(c *collection, points *qdrant.PointsSelector, names []string) (operation, error) {
	if len(names) == 0 {
		return nil, invalid("must specify vector names to delete")
	}
	for _, name := range names {
		if _, _, ok := c.schema.field(name); !ok {
			return nil, noVector(name)
		}
	}
	return forSelected(c, points, true, func(t *txn, id pointID) error {
		old, err := t.vectorsOf(t.look(id))
		if err != nil {
			return err
		}
		left := old.clone()
		for _, name := range names {
			if at, sparse, _ := c.schema.field(name); sparse {
				left.sparse[at] = nil
			} else {
				left.dense[at] = nil
			}
		}
		t.touch(id).vectors = left
		return nil
	})
}

// UpdateBatch applies its operations in order, all in one commit: one that is refused undoes those before it. Qdrant stops at the
// failed operation and keeps what was done, so a client that is right with this is right with both.
func (s *pointsService) UpdateBatch(ctx context.Context, req *qdrant.UpdateBatchPoints) (*qdrant.UpdateBatchResponse, error) {
	start := time.Now()
	if len(req.GetOperations()) == 0 {
		return nil, invalid("operations: there must be at least one")
	}
	op, err := s.commit(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		steps := make([]operation, len(req.GetOperations()))
		for i, one := range req.GetOperations() {
			var err error
			if steps[i], err = parseOperation(c, one); err != nil {
				return nil, err
			}
		}
		return func(t *txn) error {
			for _, step := range steps {
				if err := step(t); err != nil {
					return err
				}
			}
			return nil
		}, nil
	})
	if err != nil {
		return nil, err
	}
	out := &qdrant.UpdateBatchResponse{Time: time.Since(start).Seconds()}
	for range req.GetOperations() {
		out.Result = append(out.Result, completed(op))
	}
	return out, nil
}

func parseOperation(c *collection, one *qdrant.PointsUpdateOperation) (operation, error) {
	shards := []*qdrant.ShardKeySelector{
		one.GetUpsert().GetShardKeySelector(), one.GetSetPayload().GetShardKeySelector(),
		one.GetOverwritePayload().GetShardKeySelector(), one.GetDeletePayload().GetShardKeySelector(),
		one.GetUpdateVectors().GetShardKeySelector(), one.GetDeleteVectors().GetShardKeySelector(),
		one.GetDeletePoints().GetShardKeySelector(), one.GetClearPayload().GetShardKeySelector(),
	}
	if i := slices.IndexFunc(shards, func(s *qdrant.ShardKeySelector) bool { return checkShards(s) != nil }); i >= 0 {
		return nil, checkShards(shards[i])
	}
	switch o := one.GetOperation().(type) {
	case *qdrant.PointsUpdateOperation_Upsert:
		return parseUpsert(c, o.Upsert.GetPoints(), o.Upsert.GetUpdateFilter(), o.Upsert.GetUpdateMode())
	case *qdrant.PointsUpdateOperation_DeletePoints_:
		return parseDelete(c, o.DeletePoints.GetPoints())
	case *qdrant.PointsUpdateOperation_DeleteDeprecated:
		//lint:ignore SA1019 older clients send this form
		return parseDelete(c, o.DeleteDeprecated)
	case *qdrant.PointsUpdateOperation_SetPayload_:
		return parseSetPayload(c, o.SetPayload.GetPointsSelector(), o.SetPayload.GetPayload(), o.SetPayload.GetKey())
	case *qdrant.PointsUpdateOperation_OverwritePayload_:
		return parseOverwritePayload(c, o.OverwritePayload.GetPointsSelector(), o.OverwritePayload.GetPayload(), o.OverwritePayload.GetKey())
	case *qdrant.PointsUpdateOperation_DeletePayload_:
		return parseDeletePayload(c, o.DeletePayload.GetPointsSelector(), o.DeletePayload.GetKeys())
	case *qdrant.PointsUpdateOperation_ClearPayload_:
		return parseClearPayload(c, o.ClearPayload.GetPoints())
	case *qdrant.PointsUpdateOperation_ClearPayloadDeprecated:
		//lint:ignore SA1019 older clients send this form
		return parseClearPayload(c, o.ClearPayloadDeprecated)
	case *qdrant.PointsUpdateOperation_UpdateVectors_:
		return parseUpdateVectors(c, o.UpdateVectors.GetPoints(), o.UpdateVectors.GetUpdateFilter())
	case *qdrant.PointsUpdateOperation_DeleteVectors_:
		return parseDeleteVectors(c, o.DeleteVectors.GetPointsSelector(), o.DeleteVectors.GetVectors().GetNames())
	}
	return nil, invalid("Malformed operation of an update batch")
}
