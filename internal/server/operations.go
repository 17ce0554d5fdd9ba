package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"throughline/internal/stories"
	throughlinev1 "throughline/proto/throughline/v1"
)

// operationPrefix starts the name of every operation.
const operationPrefix = "operations/"

// keptOperations is how many finished operations are remembered.
const keptOperations = 100

// operations are the jobs of this process. They end with it: what a job changed is in the ledger, not here.
type operations struct {
	now   func() time.Time
	newID func() string

	// jobs is the context of all jobs; close ends it and waits for them.
	jobs   context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	all    []*operation // by start
}

// operation is one job. Its fields are guarded by operations.mu, but for what never changes.
type operation struct {
	name     string
	cancel   context.CancelFunc
	finished chan struct{} // closed when result is there

	metadata *throughlinev1.ReclusterMetadata
	response *throughlinev1.ReclusterResponse
	failure  *apiError
}

func newOperations(now func() time.Time, newID func() string) *operations {
	o := &operations{now: now, newID: newID}
	o.jobs, o.cancel = context.WithCancel(context.Background())
	return o
}

// close cancels the jobs that run and waits until they have ended.
func (o *operations) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.cancel()
	o.done.Wait()
}

func (op *operation) over() bool {
	select {
	case <-op.finished:
		return true
	default:
		return false
	}
}

// message is the operation as it travels; it needs o.mu.
func (o *operations) message(op *operation) (*longrunning.Operation, error) {
	metadata, err := anypb.New(op.metadata)
	if err != nil {
		return nil, err
	}
	out := &longrunning.Operation{Name: op.name, Metadata: metadata, Done: op.over()}
	switch {
	case !out.Done:
	case op.failure != nil:
		out.Result = &longrunning.Operation_Error{Error: op.failure.toStatus("").Proto()}
	default:
		response, err := anypb.New(op.response)
		if err != nil {
			return nil, err
		}
		out.Result = &longrunning.Operation_Response{Response: response}
	}
	return out, nil
}

// startReclustering starts the one job there may be.
func (s *Server) startReclustering(engine Stories, opts stories.ReclusterOptions) (*longrunning.Operation, error) {
	o := s.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, shuttingDown()
	}
	for _, other := range o.all {
		if !other.over() {
			return nil, &apiError{code: codes.FailedPrecondition, reason: "RECLUSTER_RUNNING",
				message:  "a job is running already: wait for it or cancel it",
				metadata: map[string]string{"operation": other.name}}
		}
	}
	ctx, cancel := context.WithCancel(o.jobs)
	op := &operation{
		name: operationPrefix + o.newID(), cancel: cancel, finished: make(chan struct{}),
		metadata: &throughlinev1.ReclusterMetadata{Stage: "starting", StartTime: fromTime(o.now()), DryRun: opts.DryRun},
	}
	o.all = append(o.all, op)
	o.forget()
	o.done.Go(func() {
		defer cancel()
		s.recluster(ctx, engine, op, opts)
	})
	return o.message(op)
}

// forget drops the oldest finished operations beyond what is kept; it needs o.mu.
func (o *operations) forget() {
	for extra := len(o.all) - keptOperations; extra > 0; extra-- {
		at := slices.IndexFunc(o.all, (*operation).over)
		if at < 0 {
			return
		}
		o.all = slices.Delete(o.all, at, at+1)
	}
}

func (s *Server) recluster(ctx context.Context, engine Stories, op *operation, opts stories.ReclusterOptions) {
	o := s.operations
	var found stories.Summary
	err := s.guard(func() (err error) {
		found, err = engine.Recluster(ctx, opts, func(stage string, done float64) {
			o.mu.Lock()
			defer o.mu.Unlock()
			op.metadata.Stage, op.metadata.Progress = validUTF8(stage), min(max(done, 0), 1)
		})
		return err
	})
	if err != nil {
		s.log.WarnContext(ctx, "clustering failed", "operation", op.name, "error", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	op.metadata.EndTime = fromTime(o.now())
	if err != nil {
		op.failure = classify(err)
	} else {
		op.metadata.Stage, op.metadata.Progress = "done", 1
		op.response = fromSummary(found)
	}
	close(op.finished)
}

// find needs o.mu.
func (o *operations) find(name string) (*operation, error) {
	for _, op := range o.all {
		if op.name == name {
			return op, nil
		}
	}
	return nil, notFound("operation", name)
}

// operationsService is google.longrunning.Operations over this process's jobs.
type operationsService struct {
	longrunning.UnimplementedOperationsServer
	server *Server
}

func (s *operationsService) GetOperation(_ context.Context, in *longrunning.GetOperationRequest) (*longrunning.Operation, error) {
	o := s.server.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	op, err := o.find(in.GetName())
	if err != nil {
		return nil, err
	}
	return o.message(op)
}

// ListOperations lists the latest first.
func (s *operationsService) ListOperations(_ context.Context, in *longrunning.ListOperationsRequest) (*longrunning.ListOperationsResponse, error) {
	switch {
	case in.GetFilter() != "":
		return nil, unsupported("filter")
	case in.GetReturnPartialSuccess():
		return nil, unsupported("return_partial_success")
	case in.GetName() != "" && in.GetName() != strings.TrimSuffix(operationPrefix, "/"):
		return nil, invalid(violation{"name", `must be empty or "operations"`})
	case in.GetPageSize() < 0 || in.GetPageSize() > keptOperations:
		return nil, invalid(violation{"page_size", fmt.Sprintf("must be from 0 to %d", keptOperations)})
	}
	page, err := s.server.pager.pageOf("ListOperations", proto.Message(in))
	if err != nil {
		return nil, err
	}
	cursor, err := page.cursor(in.GetPageToken())
	if err != nil {
		return nil, err
	}
	o := s.server.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	// The cursor is the name of the last operation shown; those after it started earlier.
	from := len(o.all)
	if cursor != "" {
		from = slices.IndexFunc(o.all, func(op *operation) bool { return op.name == cursor })
		if from < 0 {
			e := badToken("has expired: ask for the first page again")
			e.reason = "PAGE_TOKEN_EXPIRED"
			return nil, e
		}
	}
	out := &longrunning.ListOperationsResponse{}
	for size := pageSize(in.GetPageSize(), 50); from > 0 && len(out.Operations) < size; {
		from--
		message, err := o.message(o.all[from])
		if err != nil {
			return nil, err
		}
		out.Operations = append(out.Operations, message)
	}
	if from > 0 {
		out.NextPageToken = page.token(o.all[from].name)
	}
	return out, nil
}

func (s *operationsService) CancelOperation(_ context.Context, in *longrunning.CancelOperationRequest) (*emptypb.Empty, error) {
	o := s.server.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	op, err := o.find(in.GetName())
	if err != nil {
		return nil, err
	}
	op.cancel()
	return &emptypb.Empty{}, nil
}

// DeleteOperation forgets a finished operation. It does not cancel one that runs.
func (s *operationsService) DeleteOperation(_ context.Context, in *longrunning.DeleteOperationRequest) (*emptypb.Empty, error) {
	o := s.server.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	op, err := o.find(in.GetName())
	if err != nil {
		return nil, err
	}
	if !op.over() {
		return nil, &apiError{code: codes.FailedPrecondition, reason: "OPERATION_RUNNING", message: "the operation is running: cancel it first"}
	}
	o.all = slices.DeleteFunc(o.all, func(other *operation) bool { return other == op })
	return &emptypb.Empty{}, nil
}

// WaitOperation returns the operation when it is done or the time is up, whichever comes first.
func (s *operationsService) WaitOperation(ctx context.Context, in *longrunning.WaitOperationRequest) (*longrunning.Operation, error) {
	o := s.server.operations
	o.mu.Lock()
	op, err := o.find(in.GetName())
	o.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var f fields
	limit := s.server.cfg.Timeout
	if in.GetTimeout() != nil {
		limit = f.duration("timeout", in.GetTimeout())
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-op.finished:
	case <-wait.Done():
	case <-s.server.draining.Done():
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.message(op)
}
