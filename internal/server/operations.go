package server

import (
	"cmp"
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

// keptOperations is how many operations are kept.
const keptOperations = 100

// operations are the jobs of this process. They end with it; what a job changed is in the ledger.
type operations struct {
	now   func() time.Time
	newID func() string

	// jobs is the context of all jobs. close cancels it and waits for them.
	jobs   context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	all    []*operation // in order of start
}

// operation is one job. operations.mu guards metadata, response and failure.
type operation struct {
	name     string
	cancel   context.CancelFunc
	finished chan struct{} // closed when response or failure is set

	metadata *throughlinev1.ReclusterMetadata
	response *throughlinev1.ReclusterResponse // without details
	failure  *apiError
	// details are memberships, stories and topics, kept until the next job starts; nil: not asked
	// for.
	details *throughlinev1.ReclusterResponse
}

// maxMemberships is how many bytes the details of a job may take. Clients of this program
// receive messages of up to 64 MiB.
const maxMemberships = 60 << 20

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

// message is the operation as a message, with or without details. It needs o.mu.
func (o *operations) message(op *operation, details bool) (*longrunning.Operation, error) {
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
		full := op.response
		if details && op.details != nil {
			full = proto.CloneOf(full)
			full.Memberships, full.FoundStories, full.FoundTopics = op.details.Memberships, op.details.FoundStories, op.details.FoundTopics
		}
		response, err := anypb.New(full)
		if err != nil {
			return nil, err
		}
		out.Result = &longrunning.Operation_Response{Response: response}
	}
	return out, nil
}

// startReclustering starts a job. Only one may run.
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
		other.details = nil
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
	return o.message(op, true)
}

// forget drops the oldest finished operations beyond keptOperations. It needs o.mu.
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
	var found *stories.Arrangement
	err := s.guard(func() (err error) {
		found, err = engine.Recluster(ctx, opts, func(stage string, done float64) {
			o.mu.Lock()
			defer o.mu.Unlock()
			op.metadata.Stage, op.metadata.Progress = validUTF8(stage), min(max(done, 0), 1)
		})
		return err
	})
	var details *throughlinev1.ReclusterResponse
	if err == nil && opts.TopicStrengths {
		details, err = fromDetails(found)
	}
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
		op.response, op.details = fromSummary(found.Summary), details
	}
	close(op.finished)
}

// fromDetails converts the memberships, stories and topics of an arrangement, unless they take more
// than maxMemberships.
func fromDetails(a *stories.Arrangement) (*throughlinev1.ReclusterResponse, error) {
	out := &throughlinev1.ReclusterResponse{FoundStories: each(a.Stories, fromStory), FoundTopics: each(a.Topics, fromTopic)}
	for i, m := range a.Memberships {
		out.Memberships = append(out.Memberships, &throughlinev1.ArticleMembership{
			ArticleId: m.ArticleID, StoryId: m.StoryID, TopicId: m.TopicID, ThemeId: m.ThemeID,
			Probability: m.Probability, TopicStrength: float64(a.TopicStrengths[i]),
		})
	}
	if size := proto.Size(out); size > maxMemberships {
		return nil, &apiError{code: codes.ResourceExhausted, reason: "MEMBERSHIPS_TOO_LARGE", message: fmt.Sprintf(
			"the memberships of %d articles do not fit into one answer (got %d MiB, limit %d): leave out include_memberships",
			len(out.Memberships), size>>20, maxMemberships>>20)}
	}
	return out, nil
}

// with calls fn with an operation. It holds o.mu meanwhile.
func (o *operations) with(name string, fn func(*operation) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := slices.IndexFunc(o.all, func(op *operation) bool { return op.name == name })
	if at < 0 {
		return notFound("operation", name)
	}
	return fn(o.all[at])
}

// operationsService is google.longrunning.Operations for the jobs of this process.
type operationsService struct {
	longrunning.UnimplementedOperationsServer
	server *Server
}

func (s *operationsService) GetOperation(_ context.Context, in *longrunning.GetOperationRequest) (*longrunning.Operation, error) {
	o := s.server.operations
	var out *longrunning.Operation
	err := o.with(in.GetName(), func(op *operation) (err error) {
		out, err = o.message(op, true)
		return err
	})
	return out, err
}

// ListOperations lists the operations, the latest first.
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
	page, cursor, err := s.server.pager.open("ListOperations", in)
	if err != nil {
		return nil, err
	}
	o := s.server.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	// The cursor is the name of the last operation shown. Those after it started earlier.
	from := len(o.all)
	if cursor != "" {
		from = slices.IndexFunc(o.all, func(op *operation) bool { return op.name == cursor })
		if from < 0 {
			return nil, expiredToken()
		}
	}
	out := &longrunning.ListOperationsResponse{}
	for size := cmp.Or(int(in.GetPageSize()), 50); from > 0 && len(out.Operations) < size; {
		from--
		message, err := o.message(o.all[from], false)
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
	return &emptypb.Empty{}, s.server.operations.with(in.GetName(), func(op *operation) error {
		op.cancel()
		return nil
	})
}

// DeleteOperation forgets a finished operation. It does not cancel one that runs.
func (s *operationsService) DeleteOperation(_ context.Context, in *longrunning.DeleteOperationRequest) (*emptypb.Empty, error) {
	o := s.server.operations
	return &emptypb.Empty{}, o.with(in.GetName(), func(op *operation) error {
		if !op.over() {
			return &apiError{code: codes.FailedPrecondition, reason: "OPERATION_RUNNING", message: "the operation is running: cancel it first"}
		}
		o.all = slices.DeleteFunc(o.all, func(other *operation) bool { return other == op })
		return nil
	})
}

// WaitOperation returns the operation when it is done or the time is up, whichever comes first.
func (s *operationsService) WaitOperation(ctx context.Context, in *longrunning.WaitOperationRequest) (*longrunning.Operation, error) {
	o := s.server.operations
	var op *operation
	if err := o.with(in.GetName(), func(found *operation) error { op = found; return nil }); err != nil {
		return nil, err
	}
	var d decoder
	limit := s.server.cfg.Timeout
	if in.GetTimeout() != nil {
		limit = d.duration("timeout", in.GetTimeout())
	}
	if err := d.err(); err != nil {
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
	return o.message(op, true)
}
