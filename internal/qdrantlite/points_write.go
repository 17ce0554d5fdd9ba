package qdrantlite

import (
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// pointsService answers qdrant.Points.
type pointsService struct {
	qdrant.UnimplementedPointsServer
	s *Server
}

// operation is one change of points. It has been checked as far as that needs no stored points.
type operation func(*txn) error

// commit parses a change for its collection and commits it. Every write is durable before its
// reply, whether the client asked to wait or not.
func (s *pointsService) commit(ctx context.Context, name string, parse func(c *collection) (operation, error)) (*qdrant.PointsOperationResponse, error) {
	out := &qdrant.PointsOperationResponse{}
	defer timed(&out.Time)()
	c, err := s.s.find(name)
	if err != nil {
		return nil, err
	}
	stage, err := parse(c)
	if err != nil {
		return nil, err
	}
	j := &job{ctx: ctx, c: c, stage: stage}
	if err := s.s.do(j); err != nil {
		return nil, err
	}
	out.Result = completed(j.op)
	return out, nil
}

func completed(op uint64) *qdrant.UpdateResult {
	return &qdrant.UpdateResult{OperationId: proto.Uint64(op), Status: qdrant.UpdateStatus_Completed}
}

// Upsert replaces whole points: vectors and fields that are not given are gone afterwards.
func (s *pointsService) Upsert(ctx context.Context, req *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	if err := only(req, "collection_name", "wait", "points", "update_filter", "update_mode"); err != nil {
		return nil, err
	}
	insertOnly := req.GetUpdateMode() == qdrant.UpdateMode_InsertOnly
	if !insertOnly && req.GetUpdateMode() != qdrant.UpdateMode_Upsert {
		return nil, unsupported("the update mode %s", req.GetUpdateMode())
	}
	return s.commit(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
		return parseUpsert(c, req.GetPoints(), req.GetUpdateFilter(), insertOnly)
	})
}

// parsedPoint is a point of a request that has passed the checks.
type parsedPoint struct {
	id      pointID
	vectors *vectorSet
	payload payload
}

// parseUpsert makes an upsert. A point that exists and does not match the filter stays as it is;
// with insertOnly every point that exists does.
func parseUpsert(c *collection, points []*qdrant.PointStruct, filter *qdrant.Filter, insertOnly bool) (operation, error) {
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
			if was.exists && insertOnly {
				continue
			}
			if was.exists && cond != nil {
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

// selector is the points that a request names, by id or by filter. The filter is compiled when its
// turn comes, because indexes and ids may have changed by then.
type selector struct {
	ids    []pointID
	filter *qdrant.Filter // nil: by id
}

func parseSelector(given *qdrant.PointsSelector) (selector, error) {
	if err := only(given, "points", "filter"); err != nil {
		return selector{}, err
	}
	switch v := given.GetPointsSelectorOneOf().(type) {
	case *qdrant.PointsSelector_Points:
		ids, err := parseIDs(v.Points.GetIds())
		return selector{ids: ids}, err
	case *qdrant.PointsSelector_Filter:
		return selector{filter: v.Filter}, nil
	}
	return selector{}, invalid("points: selector is empty")
}

// resolve lists the selected points. Some of them may not exist when they were selected by id.
func (s selector) resolve(t *txn) ([]pointID, error) {
	if s.filter == nil {
		return s.ids, nil
	}
	cond, err := compileFilter(t.c, s.filter)
	if err != nil {
		return nil, err
	}
	return t.matching(cond)
}

// Delete removes points. Ids that do not exist are no error.
func (s *pointsService) Delete(ctx context.Context, req *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	if err := only(req, "collection_name", "wait", "points"); err != nil {
		return nil, err
	}
	return s.commit(ctx, req.GetCollectionName(), func(*collection) (operation, error) {
		return parseDelete(req.GetPoints())
	})
}

func parseDelete(points *qdrant.PointsSelector) (operation, error) {
	sel, err := parseSelector(points)
	if err != nil {
		return nil, err
	}
	return func(t *txn) error {
		ids, err := sel.resolve(t)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if t.look(id).exists {
				p := t.touch(id)
				p.exists, p.vectors, p.payload = false, nil, nil
			}
		}
		return nil
	}, nil
}

// parseSetPayload makes an operation that sets the given fields of every selected point and keeps
// its others. An id that does not exist is an error, as in Qdrant.
func parseSetPayload(points *qdrant.PointsSelector, fields payload) (operation, error) {
	if err := checkPayload(fields); err != nil {
		return nil, err
	}
	sel, err := parseSelector(points)
	if err != nil {
		return nil, err
	}
	return func(t *txn) error {
		ids, err := sel.resolve(t)
		if err != nil {
			return err
		}
		for _, id := range ids {
			was := t.look(id)
			if !was.exists {
				return notFound("point %s does not exist", id)
			}
			old, err := t.payloadOf(was)
			if err != nil {
				return err
			}
			t.touch(id).payload = mergePayload(old, fields)
		}
		return nil
	}, nil
}

// UpdateBatch applies its operations in order, all in one commit: when one is refused, none is
// applied. Qdrant keeps those before the refused one, so clients must not rely on either.
func (s *pointsService) UpdateBatch(ctx context.Context, req *qdrant.UpdateBatchPoints) (*qdrant.UpdateBatchResponse, error) {
	if err := only(req, "collection_name", "wait", "operations"); err != nil {
		return nil, err
	}
	if len(req.GetOperations()) == 0 {
		return nil, invalid("operations: empty (want at least one)")
	}
	one, err := s.commit(ctx, req.GetCollectionName(), func(c *collection) (operation, error) {
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
	results := slices.Repeat([]*qdrant.UpdateResult{one.GetResult()}, len(req.GetOperations()))
	return &qdrant.UpdateBatchResponse{Result: results, Time: one.GetTime()}, nil
}

func parseOperation(c *collection, one *qdrant.PointsUpdateOperation) (operation, error) {
	if err := only(one, "upsert", "delete_points", "set_payload"); err != nil {
		return nil, err
	}
	switch o := one.GetOperation().(type) {
	case *qdrant.PointsUpdateOperation_Upsert:
		if err := only(o.Upsert, "points"); err != nil {
			return nil, err
		}
		return parseUpsert(c, o.Upsert.GetPoints(), nil, false)
	case *qdrant.PointsUpdateOperation_DeletePoints_:
		if err := only(o.DeletePoints, "points"); err != nil {
			return nil, err
		}
		return parseDelete(o.DeletePoints.GetPoints())
	case *qdrant.PointsUpdateOperation_SetPayload_:
		if err := only(o.SetPayload, "payload", "points_selector"); err != nil {
			return nil, err
		}
		return parseSetPayload(o.SetPayload.GetPointsSelector(), o.SetPayload.GetPayload())
	}
	return nil, invalid("operations: one is empty")
}
