package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// translate turns an error of the server or of gRPC into a *BackendError.
func translate(op, collection string, err error) error {
	if err == nil {
		return nil
	}
	e := &BackendError{Op: op, Collection: collection, Code: status.Code(err), Detail: err.Error()}
	// go-client turns a rate limit with a retry-after trailer into its own error, which has no
	// code.
	if _, limited := errors.AsType[*qdrant.QdrantResourceExhaustedError](err); limited {
		e.Code = codes.ResourceExhausted
	}
	switch {
	case e.Code == codes.Canceled || errors.Is(err, context.Canceled):
		e.Code, e.kind = codes.Canceled, context.Canceled
	case e.Code == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		e.Code, e.kind = codes.DeadlineExceeded, context.DeadlineExceeded
	case e.Code == codes.Unavailable:
		e.kind = ErrUnavailable
	case e.Code == codes.ResourceExhausted:
		e.kind = ErrOverloaded
	case e.Code == codes.Unauthenticated || e.Code == codes.PermissionDenied:
		e.kind = ErrUnauthorized
	case e.Code == codes.NotFound:
		e.kind = errNoCollection
	}
	return e
}

// completed checks the outcome of a write: Qdrant may answer before a write is applied, and only
// the status Completed says that it is.
func completed(op, collection string, result *qdrant.UpdateResult) error {
	switch state := result.GetStatus(); state {
	case qdrant.UpdateStatus_Completed:
		return nil
	case qdrant.UpdateStatus_WaitTimeout:
		return &BackendError{Op: op, Collection: collection, Code: codes.DeadlineExceeded, Detail: "write not applied in time", kind: ErrUnavailable}
	default:
		return &BackendError{Op: op, Collection: collection, Code: codes.Internal, Detail: fmt.Sprintf("write answered with status %v", state)}
	}
}

// upsertOptions are the conditions of an upsert.
type upsertOptions struct {
	onlyIf     *qdrant.Filter // an existing point that does not match stays as it is
	insertOnly bool           // an existing point stays as it is
}

func (c *Conn) upsert(ctx context.Context, collection string, points []*qdrant.PointStruct, opts upsertOptions) error {
	if len(points) == 0 {
		return nil
	}
	req := &qdrant.UpsertPoints{CollectionName: collection, Wait: qdrant.PtrOf(true), Points: points, UpdateFilter: opts.onlyIf}
	if opts.insertOnly {
		req.UpdateMode = qdrant.PtrOf(qdrant.UpdateMode_InsertOnly)
	}
	result, err := c.client.Upsert(ctx, req)
	if err != nil {
		return translate("upsert", collection, err)
	}
	return completed("upsert", collection, result)
}

// remove deletes points by filter or by id. A point that does not exist is no error.
func (c *Conn) remove(ctx context.Context, collection string, which *qdrant.PointsSelector) error {
	result, err := c.client.Delete(ctx, &qdrant.DeletePoints{CollectionName: collection, Wait: qdrant.PtrOf(true), Points: which})
	if err != nil {
		return translate("delete", collection, err)
	}
	return completed("delete", collection, result)
}

// setPayload changes fields of the points that match a filter. A selector of ids would fail for one
// that does not exist.
type setPayload struct {
	payload map[string]*qdrant.Value
	where   *qdrant.Filter
}

// set applies changes in order, in one request.
func (c *Conn) set(ctx context.Context, collection string, changes []setPayload) error {
	if len(changes) == 0 {
		return nil
	}
	req := &qdrant.UpdateBatchPoints{CollectionName: collection, Wait: qdrant.PtrOf(true)}
	for _, change := range changes {
		req.Operations = append(req.Operations, qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{
			Payload: change.payload, PointsSelector: qdrant.NewPointsSelectorFilter(change.where)}))
	}
	results, err := c.client.UpdateBatch(ctx, req)
	if err != nil {
		return translate("set payload", collection, err)
	}
	if len(results) != len(changes) {
		return &BackendError{Op: "set payload", Collection: collection, Code: codes.Internal,
			Detail: fmt.Sprintf("%d changes, %d results", len(changes), len(results))}
	}
	for _, result := range results {
		if err := completed("set payload", collection, result); err != nil {
			return err
		}
	}
	return nil
}

// get reads points by id, in no particular order; ids that do not exist are absent. fields names
// the payload fields to read, nil: all.
func (c *Conn) get(ctx context.Context, collection string, ids []*qdrant.PointId, fields, vectors []string) ([]*qdrant.RetrievedPoint, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	points, err := c.client.Get(ctx, &qdrant.GetPoints{CollectionName: collection, Ids: ids,
		WithPayload: withPayload(fields), WithVectors: withVectors(vectors)})
	return points, translate("get", collection, err)
}

// record reads the payload of one point by its number; nil when there is no such point, or no such
// collection.
func (c *Conn) record(ctx context.Context, collection string, number uint64) (payload, error) {
	points, err := c.get(ctx, collection, []*qdrant.PointId{qdrant.NewIDNum(number)}, nil, nil)
	if errors.Is(err, errNoCollection) || err == nil && len(points) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return payload(points[0].GetPayload()), nil
}

// scroll reads one page of the points that match a filter, in order of point id.
func (c *Conn) scroll(ctx context.Context, collection string, filter *qdrant.Filter, from *qdrant.PointId, limit int, fields, vectors []string) ([]*qdrant.RetrievedPoint, *qdrant.PointId, error) {
	points, next, err := c.client.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: collection, Filter: filter, Offset: from,
		Limit: qdrant.PtrOf(uint32(limit)), WithPayload: withPayload(fields), WithVectors: withVectors(vectors)})
	return points, next, translate("scroll", collection, err)
}

func (c *Conn) count(ctx context.Context, collection string, filter *qdrant.Filter) (int64, error) {
	n, err := c.client.Count(ctx, &qdrant.CountPoints{CollectionName: collection, Filter: filter, Exact: qdrant.PtrOf(true)})
	return int64(n), translate("count", collection, err)
}

func (c *Conn) query(ctx context.Context, collection string, queries []*qdrant.QueryPoints) ([]*qdrant.BatchResult, error) {
	results, err := c.client.QueryBatch(ctx, &qdrant.QueryBatchPoints{CollectionName: collection, QueryPoints: queries})
	if err != nil {
		return nil, translate("query", collection, err)
	}
	if len(results) != len(queries) {
		return nil, &BackendError{Op: "query", Collection: collection, Code: codes.Internal,
			Detail: fmt.Sprintf("%d queries, %d results", len(queries), len(results))}
	}
	return results, nil
}

// noFields are the fields of a read without payload.
var noFields = []string{}

func withPayload(fields []string) *qdrant.WithPayloadSelector {
	if fields == nil {
		return qdrant.NewWithPayload(true)
	}
	if len(fields) == 0 {
		return qdrant.NewWithPayload(false)
	}
	return qdrant.NewWithPayloadInclude(fields...)
}

func withVectors(names []string) *qdrant.WithVectorsSelector {
	if len(names) == 0 {
		return qdrant.NewWithVectors(false)
	}
	return qdrant.NewWithVectorsInclude(names...)
}
