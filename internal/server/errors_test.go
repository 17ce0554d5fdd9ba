package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"throughline/embed"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/store"
)

func TestErrorTable(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		retry  bool
		fields []string
		what   string
	}{
		"deadline":         {context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", true, nil, ""},
		"cancelled":        {context.Canceled, codes.Canceled, "CANCELLED", false, nil, ""},
		"unknown article":  {&store.NotFoundError{Kind: "article", ID: "x"}, codes.NotFound, "ARTICLE_NOT_FOUND", false, nil, "throughline.v1.Article x"},
		"unknown story":    {&store.NotFoundError{Kind: "story", ID: "x"}, codes.NotFound, "STORY_NOT_FOUND", false, nil, "throughline.v1.Story x"},
		"not found":        {store.ErrNotFound, codes.NotFound, "NOT_FOUND", false, nil, ""},
		"read-only":        {store.ErrReadOnly, codes.FailedPrecondition, "READ_ONLY", false, nil, ""},
		"lease held":       {&store.LeaseHeldError{Owner: "secret"}, codes.FailedPrecondition, "WRITER_ELSEWHERE", false, nil, ""},
		"lease lost":       {&store.LeaseLostError{Owner: "secret"}, codes.FailedPrecondition, "WRITER_ELSEWHERE", false, nil, ""},
		"overloaded":       {store.ErrOverloaded, codes.ResourceExhausted, "STORE_OVERLOADED", true, nil, ""},
		"unavailable":      {store.ErrUnavailable, codes.Unavailable, "STORE_UNAVAILABLE", true, nil, ""},
		"closed":           {store.ErrClosed, codes.Unavailable, "SHUTTING_DOWN", true, nil, ""},
		"credentials":      {store.ErrUnauthorized, codes.Internal, "STORE_CREDENTIALS", false, nil, ""},
		"invalid":          {store.ErrInvalid, codes.InvalidArgument, "INVALID_INPUT", false, nil, ""},
		"invalid field":    {&store.InvalidError{ID: "x", Field: "title", Reason: "is bad"}, codes.InvalidArgument, "INVALID_FIELD", false, []string{"title"}, ""},
		"no words":         {related.ErrNoVectors, codes.InvalidArgument, "NOTHING_TO_COMPARE", false, nil, ""},
		"coverage field":   {&related.FieldError{Field: "section", Reason: "is too high"}, codes.InvalidArgument, "INVALID_FIELD", false, []string{"section"}, ""},
		"article field":    {under("article", &news.ItemError{Field: "url", Err: errors.New("is bad")}), codes.InvalidArgument, "INVALID_FIELD", false, []string{"article.url"}, ""},
		"endpoint":         {&embed.EndpointError{Reason: embed.ErrBusy, Detail: "secret"}, codes.Unavailable, "EMBEDDER_UNAVAILABLE", true, nil, ""},
		"quota":            {&embed.EndpointError{Reason: embed.ErrQuota, Detail: "secret"}, codes.ResourceExhausted, "EMBEDDER_QUOTA", true, nil, ""},
		"broken endpoint":  {&embed.EndpointError{Reason: embed.ErrAuth, Endpoint: "secret"}, codes.Internal, "EMBEDDER_MISCONFIGURED", false, nil, ""},
		"article date":     {&news.ItemError{Field: "date", Err: errors.New("is bad")}, codes.InvalidArgument, "INVALID_FIELD", false, []string{"published_time"}, ""},
		"backend's status": {status.Error(codes.NotFound, "collection secret"), codes.Internal, "INTERNAL", false, nil, ""},
		"anything":         {errors.New("secret"), codes.Internal, "INTERNAL", false, nil, ""},
		"panic":            {errors.New("panic: secret\nstack"), codes.Internal, "INTERNAL", false, nil, ""},
		"unsupported":      {unsupported("filter"), codes.InvalidArgument, "UNSUPPORTED_FIELD", false, []string{"filter"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			// Wrapped, as errors arrive.
			st := classify(fmt.Errorf("read secret: %w", c.err)).toStatus("the-id")
			got := wantError(t, st.Err(), c.code, c.reason, c.fields...)
			if got.retry != c.retry || got.what != c.what || got.request != "the-id" {
				t.Errorf("retry %v, resource %q, request %q", got.retry, got.what, got.request)
			}
			if text := prototext.Format(st.Proto()); strings.Contains(text, "secret") {
				t.Errorf("what was behind reached the client: %s", text)
			}
			if st.Message() == "" {
				t.Error("no message")
			}
		})
	}
}

func TestEveryRowIsToldApart(t *testing.T) {
	for i, r := range table {
		e := r.say()
		if e.reason == "" || e.message == "" || e.code == codes.OK {
			t.Errorf("row %d says %+v", i, e)
		}
		if c := classify(r.is); c.reason != e.reason {
			t.Errorf("row %d (%v) is hidden by an earlier one: %s", i, r.is, c.reason)
		}
		if (e.code == codes.Unavailable || e.code == codes.ResourceExhausted) != hasRetry(e) && e.code != codes.DeadlineExceeded {
			t.Errorf("row %d (%v, %v): RetryInfo is %v", i, r.is, e.code, hasRetry(e))
		}
	}
}

func hasRetry(e *apiError) bool {
	for _, d := range e.details {
		if _, ok := d.(*errdetails.RetryInfo); ok {
			return true
		}
	}
	return false
}

// A detail with bytes that are no text must not cost the client the whole answer.
func TestErrorsAreAlwaysText(t *testing.T) {
	for _, e := range []*apiError{notFound("article", "a\xffb"), invalid(violation{"f\xff", "r\xff"})} {
		if st := e.toStatus("id"); len(st.Details()) < 3 {
			t.Errorf("details are missing: %v", st.Proto())
		}
	}
}
