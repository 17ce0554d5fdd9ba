package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"throughline/embed"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/store"
)

// Domain is the domain of every ErrorInfo.
const Domain = "throughline"

// apiError is an error as a client sees it. All its text is of this package or of the request.
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

// toStatus is the error as a gRPC status. requestID may be empty.
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

// violation is a field that cannot be used, and why.
type violation struct{ field, reason string }

// invalid refuses a request for its fields; there is at least one violation.
func invalid(violations ...violation) *apiError {
	bad := &errdetails.BadRequest{}
	texts := make([]string, 0, len(violations))
	for _, v := range violations {
		field, reason := validUTF8(v.field), validUTF8(v.reason)
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: reason})
		texts = append(texts, field+": "+reason)
	}
	return &apiError{
		code: codes.InvalidArgument, reason: "INVALID_FIELD", message: strings.Join(texts, "; "),
		details: []protoadapt.MessageV1{bad},
	}
}

// unsupported refuses a field that the API has but this server does not use: ignoring it would
// mislead.
func unsupported(field string) *apiError {
	e := invalid(violation{field, "is not supported by this server yet"})
	e.reason = "UNSUPPORTED_FIELD"
	return e
}

// notFound is the error for an unknown resource of a kind, e.g. "article" or "story".
func notFound(kind, id string) *apiError {
	id = validUTF8(id)
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
	return "throughline.v1." + strings.ToUpper(kind[:1]) + kind[1:]
}

// unbuilt is the error of a method that this server has no engine for.
func unbuilt(method string) *apiError {
	return &apiError{code: codes.Unimplemented, reason: "METHOD_UNIMPLEMENTED", message: method + " is not implemented by this server"}
}

// errReadOnly is the error of writes where there is no writer.
var errReadOnly = &apiError{code: codes.FailedPrecondition, reason: "READ_ONLY",
	message: "this server is read-only: send writes to the one that writes"}

// retryAfter is an error after which the same request may succeed later.
func retryAfter(code codes.Code, reason, message string, after time.Duration) *apiError {
	return &apiError{code: code, reason: reason, message: message,
		details: []protoadapt.MessageV1{&errdetails.RetryInfo{RetryDelay: durationpb.New(after)}}}
}

// fieldError puts the field paths of an engine's error below a field of the request: "title" to
// package news is "article.title" to the caller of PutArticle.
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

// row is what a client gets for one kind of error.
type row struct {
	is              error // matched with errors.Is
	code            codes.Code
	reason, message string
	retry           time.Duration // after which the request may succeed; 0: never
}

// say makes the error of a row, without a cause, which classify sets.
func (r row) say() *apiError {
	if r.retry > 0 {
		return retryAfter(r.code, r.reason, r.message, r.retry)
	}
	return &apiError{code: r.code, reason: r.reason, message: r.message}
}

const misconfigured = "the embedding endpoint does not work with this server's settings; its log says what to change"

// table maps the errors of the engines to what clients get; the first row that matches counts.
// classifyTyped handles errors with a field or an id before it.
var table = []row{
	// First, because a call that ran out of time may have caused other errors.
	{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the answer was ready", time.Second},
	{context.Canceled, codes.Canceled, "CANCELLED", "the call was cancelled", 0},

	{store.ErrNotFound, codes.NotFound, "NOT_FOUND", "not found", 0},
	{store.ErrReadOnly, errReadOnly.code, errReadOnly.reason, errReadOnly.message, 0},
	{store.ErrLeaseHeld, codes.FailedPrecondition, "WRITER_ELSEWHERE", "another server writes to this store: send writes to it", 0},
	{store.ErrLeaseLost, codes.FailedPrecondition, "WRITER_ELSEWHERE", "this server may not write any more: another one took over", 0},
	{store.ErrOverloaded, codes.ResourceExhausted, "STORE_OVERLOADED", "the store refuses more requests for now", time.Second},
	{store.ErrUnavailable, codes.Unavailable, "STORE_UNAVAILABLE", "the store does not answer", time.Second},
	{store.ErrClosed, codes.Unavailable, "SHUTTING_DOWN", "the server is shutting down", time.Second},
	{store.ErrUnauthorized, codes.Internal, "STORE_CREDENTIALS", "the store refuses this server's credentials", 0},
	{store.ErrInvalid, codes.InvalidArgument, "INVALID_INPUT", "the request cannot be carried out as given", 0},

	{embed.ErrUnreachable, codes.Unavailable, "EMBEDDER_UNAVAILABLE", "the embedding endpoint does not answer", 2 * time.Second},
	{embed.ErrBusy, codes.Unavailable, "EMBEDDER_UNAVAILABLE", "the embedding endpoint is overloaded", 2 * time.Second},
	{embed.ErrQuota, codes.ResourceExhausted, "EMBEDDER_QUOTA", "the quota of the embedding endpoint is used up", time.Minute},
	{embed.ErrAuth, codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured, 0},
	{embed.ErrRejected, codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured, 0},
	{embed.ErrTooLarge, codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured, 0},
	{embed.ErrBadResponse, codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured, 0},
	{embed.ErrDimensions, codes.Internal, "EMBEDDER_MISCONFIGURED", misconfigured, 0},

	{related.ErrNoVectors, codes.InvalidArgument, "NOTHING_TO_COMPARE", "the seed has no words to compare with", 0},
}

// classify turns any error into what a client gets. An unknown error is INTERNAL without details,
// also when it is a gRPC status: its text is of a server behind this one.
func classify(err error) *apiError {
	if known, ok := errors.AsType[*apiError](err); ok {
		return known
	}
	e := classifyTyped(err)
	if e == nil {
		i := slices.IndexFunc(table, func(r row) bool { return errors.Is(err, r.is) })
		if i < 0 {
			return &apiError{code: codes.Internal, reason: "INTERNAL", message: "internal error; the server's log has it under the request id", cause: err}
		}
		e = table[i].say()
	}
	e.cause = err
	return e
}

// classifyTyped handles errors that name a field or an id. It returns nil for all others.
func classifyTyped(err error) *apiError {
	prefix := ""
	if placed, ok := errors.AsType[*fieldError](err); ok {
		prefix = placed.prefix
	}
	if item, ok := errors.AsType[*news.ItemError](err); ok && item.Field != "" {
		return invalid(violation{joinPath(prefix, cmp.Or(apiNames[item.Field], item.Field)), fmt.Sprint(item.Err)})
	}
	if stored, ok := errors.AsType[*store.InvalidError](err); ok {
		return invalid(violation{joinPath(prefix, stored.Field), stored.Reason})
	}
	if asked, ok := errors.AsType[*related.FieldError](err); ok {
		return invalid(violation{joinPath(prefix, asked.Field), asked.Reason})
	}
	if missing, ok := errors.AsType[*store.NotFoundError](err); ok {
		return notFound(missing.Kind, missing.ID)
	}
	return nil
}

// apiNames are the API's names of fields of a news.ItemError, where they differ.
var apiNames = map[string]string{"date": "published_time", "heading": "sections"}

func joinPath(prefix, field string) string {
	if prefix == "" || field == "" {
		return prefix + field
	}
	return prefix + "." + field
}
