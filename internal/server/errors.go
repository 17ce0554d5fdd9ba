package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/related"
	"throughline/internal/store"
)

// Domain is the domain of every ErrorInfo.
const Domain = "throughline"

// apiError is an error as a client sees it. Everything in it is written here or came from the request.
type apiError struct {
	code     codes.Code
	reason   string // ErrorInfo.reason: stable, for programs
	message  string // for people
	metadata map[string]string
	details  []protoadapt.MessageV1 // beside ErrorInfo
	cause    error                  // for the log; may be nil
}

func (e *apiError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.message, e.cause)
	}
	return e.message
}

func (e *apiError) Unwrap() error { return e.cause }

// toStatus is the error as it travels. requestID may be empty.
func (e *apiError) toStatus(requestID string) *status.Status {
	details := append([]protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: e.reason, Domain: Domain, Metadata: e.metadata},
	}, e.details...)
	if requestID != "" {
		details = append(details, &errdetails.RequestInfo{RequestId: requestID})
	}
	st := status.New(e.code, e.message)
	detailed, err := st.WithDetails(details...)
	if err != nil { // Only a message that is not valid UTF-8 cannot be packed.
		return st
	}
	return detailed
}

// violation is one field that cannot be used and why.
type violation struct{ field, reason string }

// invalid refuses a request for its fields; there is at least one violation.
func invalid(violations ...violation) *apiError {
	bad := &errdetails.BadRequest{}
	texts := make([]string, 0, len(violations))
	for _, v := range violations {
		field, reason := strings.ToValidUTF8(v.field, "\uFFFD"), strings.ToValidUTF8(v.reason, "\uFFFD")
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: reason})
		texts = append(texts, field+": "+reason)
	}
	return &apiError{
		code: codes.InvalidArgument, reason: "INVALID_FIELD", message: strings.Join(texts, "; "),
		details: []protoadapt.MessageV1{bad},
	}
}

// unsupported refuses a field that the API has but this server does not act on, rather than ignore it.
func unsupported(field string) *apiError {
	e := invalid(violation{field, "is not supported by this server yet"})
	e.reason = "UNSUPPORTED_FIELD"
	return e
}

// notFound says that a resource of the kind ("article", "story", ...) is not there.
func notFound(kind, id string) *apiError {
	id = strings.ToValidUTF8(id, "\uFFFD")
	return &apiError{
		code: codes.NotFound, reason: strings.ToUpper(kind) + "_NOT_FOUND", message: fmt.Sprintf("%s %q not found", kind, id),
		metadata: map[string]string{"id": id},
		details: []protoadapt.MessageV1{&errdetails.ResourceInfo{
			ResourceType: resourceType(kind), ResourceName: id, Description: "not found",
		}},
	}
}

func resourceType(kind string) string {
	if kind == "operation" {
		return "google.longrunning.Operation"
	}
	if kind == "" {
		return "throughline.v1"
	}
	return "throughline.v1." + strings.ToUpper(kind[:1]) + kind[1:]
}

// unbuilt answers a method that this server has no engine for.
func unbuilt(method string) *apiError {
	return &apiError{code: codes.Unimplemented, reason: "METHOD_UNIMPLEMENTED", message: method + " is not implemented by this server"}
}

// errReadOnly refuses writes where there is no writer.
var errReadOnly = &apiError{code: codes.FailedPrecondition, reason: "READ_ONLY",
	message: "this server is read-only: send writes to the one that writes"}

// retryAfter says that the same request may succeed later.
func retryAfter(code codes.Code, reason, message string, after time.Duration) *apiError {
	return &apiError{code: code, reason: reason, message: message,
		details: []protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: durationpb.New(after)}}}
}

// fieldError puts the field paths of an engine's error below a field of the request: what is "title" to the article
// package is "article.title" to the caller of PutArticle.
type fieldError struct {
	prefix string
	err    error
}

func (e *fieldError) Error() string { return e.prefix + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

func under(prefix string, err error) error {
	if err == nil {
		return nil
	}
	return &fieldError{prefix, err}
}

// row says what a client is told about one kind of error.
type row struct {
	is  error                     // matched with errors.Is
	say func(err error) *apiError // the cause is filled in by classify
}

func fixed(code codes.Code, reason, message string) func(error) *apiError {
	return func(error) *apiError { return &apiError{code: code, reason: reason, message: message} }
}

func later(code codes.Code, reason, message string, after time.Duration) func(error) *apiError {
	return func(error) *apiError { return retryAfter(code, reason, message, after) }
}

const misconfigured = "the embedding endpoint does not work with this server's settings; its log says what to change"

// table maps the errors of the engines to what clients are told; the first row that matches counts. Errors that carry a
// field or an id are told apart by type in classify.
var table = []row{
	// A call that ran out of time says so, whatever it broke on its way down.
	{context.DeadlineExceeded, later(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the answer was ready", time.Second)},
	{context.Canceled, fixed(codes.Canceled, "CANCELLED", "the call was cancelled")},

	{store.ErrNotFound, fixed(codes.NotFound, "NOT_FOUND", "not found")},
	{store.ErrReadOnly, fixed(errReadOnly.code, errReadOnly.reason, errReadOnly.message)},
	{store.ErrLeaseHeld, fixed(codes.FailedPrecondition, "WRITER_ELSEWHERE", "another server writes to this store: send writes to it")},
	{store.ErrLeaseLost, fixed(codes.FailedPrecondition, "WRITER_ELSEWHERE", "this server may not write any more: another one took over")},
	{store.ErrOverloaded, later(codes.ResourceExhausted, "STORE_OVERLOADED", "the store refuses more requests for now", time.Second)},
	{store.ErrUnavailable, later(codes.Unavailable, "STORE_UNAVAILABLE", "the store does not answer", time.Second)},
	{store.ErrClosed, later(codes.Unavailable, "SHUTTING_DOWN", "the server is shutting down", time.Second)},
	{store.ErrUnauthorized, fixed(codes.Internal, "STORE_CREDENTIALS", "the store refuses this server's credentials")},
	{store.ErrInvalid, fixed(codes.InvalidArgument, "INVALID_INPUT", "the request cannot be carried out as given")},

	{embed.ErrUnreachable, later(codes.Unavailable, "EMBEDDER_UNAVAILABLE", "the embedding endpoint does not answer", 2*time.Second)},
	{embed.ErrBusy, later(codes.Unavailable, "EMBEDDER_UNAVAILABLE", "the embedding endpoint is overloaded", 2*time.Second)},
	{embed.ErrQuota, later(codes.ResourceExhausted, "EMBEDDER_QUOTA", "the quota of the embedding endpoint is used up", time.Minute)},
	{embed.ErrAuth, fixed(codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured)},
	{embed.ErrRejected, fixed(codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured)},
	{embed.ErrTooLarge, fixed(codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured)},
	{embed.ErrBadResponse, fixed(codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured)},
	{embed.ErrDimensions, fixed(codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured)},

	{related.ErrNoVectors, fixed(codes.InvalidArgument, "NOTHING_TO_COMPARE", "the seed has no words to compare with")},
}

// classify turns any error into what a client is told. Anything unknown is INTERNAL and says nothing more: a status that
// came from behind is no exception, since its text is not ours.
func classify(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	if e := classifyTyped(err); e != nil {
		e.cause = err
		return e
	}
	for _, r := range table {
		if errors.Is(err, r.is) {
			e := r.say(err)
			e.cause = err
			return e
		}
	}
	return &apiError{code: codes.Internal, reason: "INTERNAL", message: "internal error; the server's log has it under the request id", cause: err}
}

// classifyTyped handles the errors that say which field or which id; nil for all others.
func classifyTyped(err error) *apiError {
	prefix := ""
	var placed *fieldError
	if errors.As(err, &placed) {
		prefix = placed.prefix
	}
	var item *article.ItemError
	if errors.As(err, &item) && item.Field != "" {
		return invalid(violation{joinPath(prefix, or(articleFields[item.Field], item.Field)), fmt.Sprint(item.Err)})
	}
	var stored *store.InvalidError
	if errors.As(err, &stored) {
		return invalid(violation{joinPath(prefix, stored.Field), stored.Reason})
	}
	var asked *related.FieldError
	if errors.As(err, &asked) {
		return invalid(violation{joinPath(prefix, asked.Field), asked.Reason})
	}
	var missing *store.NotFoundError
	if errors.As(err, &missing) {
		return notFound(missing.Kind, missing.ID)
	}
	return nil
}

// articleFields are the fields of article.Article that the API has other names for.
var articleFields = map[string]string{"date": "published_time", "heading": "sections"}

func joinPath(prefix, field string) string {
	if prefix == "" || field == "" {
		return prefix + field
	}
	return prefix + "." + field
}

// fault reports whether an error is this server's to look into.
func fault(code codes.Code) bool {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	}
	return false
}
