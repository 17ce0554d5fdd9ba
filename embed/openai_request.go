package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sashabaranov/go-openai"
)

// exchange has the parts of the answer to a request that go-openai does not return.
type exchange struct {
	maxBody int64
	status  int
	header  http.Header
	body    []byte // nil until it has been read completely
}

type exchangeKey struct{}

var errBodyTooLong = errors.New("the answer is longer than a valid one can be")

// doer sends go-openai's requests. It reads each answer completely, with a limit that go-openai
// lacks, and stores it in the exchange of the request's context.
type doer struct{ client *http.Client }

func (d *doer) Do(request *http.Request) (*http.Response, error) {
	response, err := d.client.Do(request)
	if err != nil {
		return nil, err
	}
	x, ok := request.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return response, nil
	}
	defer response.Body.Close()
	x.status, x.header = response.StatusCode, response.Header
	body, err := io.ReadAll(io.LimitReader(response.Body, x.maxBody+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > x.maxBody {
		return nil, errBodyTooLong
	}
	x.body, response.Body = body, io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// request sends inputs until the server answers, fails permanently, or the attempts run out.
// Several inputs that timed out are not sent again as they are.
func (o *OpenAI) request(ctx context.Context, kind Kind, inputs []string) ([][]float32, error) {
	var last error
	vectors, err := backoff.Retry(ctx, func() ([][]float32, error) {
		vectors, wait, err := o.attempt(ctx, kind, inputs)
		last = err
		switch {
		case err == nil:
			return vectors, nil
		case ctx.Err() != nil || !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrBusy) || wait > maxWait || isTimeout(err) && len(inputs) > 1:
			return nil, backoff.Permanent(err)
		case wait > 0:
			return nil, errors.Join(err, &backoff.RetryAfterError{Duration: wait})
		}
		return nil, err
	},
		backoff.WithBackOff(o.backOff()),
		backoff.WithMaxTries(uint(o.config.MaxRetries)+1),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(_ error, wait time.Duration) {
			o.config.Logger.WarnContext(ctx, "embedding request failed, retrying", "wait", wait, "error", last)
		}))
	switch {
	case err == nil:
		return vectors, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, last
}

// maxWait is the longest wait that a server can ask for. For a longer one the request fails.
const maxWait = 2 * time.Minute

// attempt sends inputs once. After a failure it also returns how long the server asks to wait, or
// 0.
func (o *OpenAI) attempt(ctx context.Context, kind Kind, inputs []string) ([][]float32, time.Duration, error) {
	limiter := o.limiters[kind]
	if err := limiter.acquire(ctx); err != nil {
		return nil, 0, err
	}
	defer limiter.release()
	began := time.Now()
	dimensions := o.space.Dimensions
	expected := dimensions
	if expected == 0 {
		expected = maxDimensions
	}
	// A number in JSON needs less than 32 bytes, even when it is indented.
	x := &exchange{maxBody: int64(len(inputs))*int64(expected)*32 + 1<<20}
	attemptCtx, cancel := context.WithTimeout(context.WithValue(ctx, exchangeKey{}, x), o.config.Timeout)
	defer cancel()
	request := openai.EmbeddingRequest{
		Input: inputs, Model: openai.EmbeddingModel(o.config.Model), EncodingFormat: openai.EmbeddingEncodingFormatFloat,
	}
	if o.config.RequestDimensions {
		request.Dimensions = o.config.Dimensions
	}
	response, err := o.client.CreateEmbeddings(attemptCtx, request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		timedOut := attemptCtx.Err() != nil
		if timedOut {
			requests, inputsAllowed := limiter.timedOut(len(inputs))
			o.config.Logger.WarnContext(ctx, "embedding request timed out, sending smaller requests",
				"endpoint", o.config.BaseURL, "inputs", len(inputs), "timeout", o.config.Timeout, "max_inputs", inputsAllowed, "max_requests", requests)
		}
		return nil, retryAfter(x.header, time.Now()), o.explain(err, x, timedOut)
	}
	vectors, bad := check(response.Data, len(inputs), dimensions, x.body)
	if bad != nil {
		return nil, 0, o.failure(bad.Reason, x.status, bad.Detail, nil)
	}
	if time.Since(began) < o.config.Timeout/4 {
		limiter.quick(len(inputs))
	}
	return vectors, 0, nil
}

// isTimeout reports whether a request timed out.
func isTimeout(err error) bool {
	return errors.Is(err, ErrUnreachable) && errors.Is(err, context.DeadlineExceeded)
}

// check accepts an answer with exactly one vector for each of n inputs, all of one length
// (dimensions, unless that is 0), finite and not zero. It returns unit vectors in the order of the
// inputs, or an error with a reason and a detail.
func check(data []openai.Embedding, n, dimensions int, body []byte) ([][]float32, *EndpointError) {
	bad := func(format string, args ...any) ([][]float32, *EndpointError) {
		return nil, &EndpointError{Reason: ErrBadResponse, Detail: fmt.Sprintf(format, args...)}
	}
	if len(data) != n {
		if message := errorMessage(body); message != "" {
			return bad("status 200 with an error in it: %s", message)
		}
		return bad("%d vectors for %d inputs", len(data), n)
	}
	if bytes.Contains(body, []byte("null")) && nullNumber(body) {
		return bad("a null among the numbers of a vector")
	}
	vectors := make([][]float32, n)
	for _, d := range data {
		switch {
		case d.Index < 0 || d.Index >= n:
			return bad("index %d for %d inputs", d.Index, n)
		case vectors[d.Index] != nil:
			return bad("two vectors with index %d", d.Index)
		case len(d.Embedding) == 0:
			return bad("no numbers in the vector with index %d", d.Index)
		case len(d.Embedding) > maxDimensions:
			return bad("a vector of %d numbers", len(d.Embedding))
		}
		if dimensions == 0 {
			dimensions = len(d.Embedding)
		}
		if len(d.Embedding) != dimensions {
			return nil, &EndpointError{Reason: ErrDimensions, Detail: fmt.Sprintf("%d numbers where %d were expected", len(d.Embedding), dimensions)}
		}
		if !unit(d.Embedding) {
			return bad("the vector with index %d is zero or not finite", d.Index)
		}
		vectors[d.Index] = d.Embedding
	}
	return vectors, nil
}

// nullNumber reports whether a vector of the answer has a null, which would decode as 0.
func nullNumber(body []byte) bool {
	var answer struct {
		Data []struct{ Embedding []*float32 }
	}
	if json.Unmarshal(body, &answer) != nil {
		return true
	}
	for _, d := range answer.Data {
		if slices.Contains(d.Embedding, nil) {
			return true
		}
	}
	return false
}

// unit scales v to length 1. It reports false when v is zero or not finite.
func unit(v []float32) bool {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	length := math.Sqrt(squares)
	if !(length > 0) || math.IsInf(length, 0) {
		return false
	}
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return true
}

// explain converts an error of go-openai or the network to an EndpointError.
func (o *OpenAI) explain(err error, x *exchange, timedOut bool) error {
	var api *openai.APIError
	var other *openai.RequestError
	switch {
	case errors.As(err, &api) && api.HTTPStatusCode != 0:
		return o.failure(classify(x.status, api.Message, fmt.Sprint(api.Code), api.Type), x.status, api.Message, nil)
	case errors.As(err, &other):
		message := errorMessage(x.body)
		if message == "" {
			message = strings.TrimSpace(string(x.body))
		}
		return o.failure(classify(x.status, message), x.status, message, nil)
	case errors.Is(err, errBodyTooLong):
		return o.failure(ErrBadResponse, x.status, err.Error(), nil)
	case timedOut:
		return o.failure(ErrUnreachable, x.status, fmt.Sprintf("no answer within %v", o.config.Timeout), err)
	case x.body != nil:
		if message := errorMessage(x.body); message != "" {
			return o.failure(ErrBadResponse, x.status, "status 200 with an error in it: "+message, nil)
		}
		return o.failure(ErrBadResponse, x.status, "not an embeddings answer: "+err.Error(), nil)
	}
	// The text of a *url.Error repeats the URL.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return o.failure(ErrUnreachable, x.status, err.Error(), err)
}

func (o *OpenAI) failure(reason error, status int, detail string, err error) error {
	if key := o.config.APIKey; key != "" {
		detail = strings.ReplaceAll(detail, key, "[key]")
		if err != nil && strings.Contains(err.Error(), key) {
			err = nil
		}
	}
	detail = strings.Join(strings.Fields(strings.ToValidUTF8(detail, "\uFFFD")), " ")
	if len(detail) > maxDetail {
		detail = detail[:boundary(detail, maxDetail)] + " ..."
	}
	return &EndpointError{Reason: reason, Endpoint: o.config.BaseURL, Model: o.config.Model, Status: status, Detail: detail, Err: err}
}

// maxDetail bounds the text of a server in an error, because it may be a page of HTML.
const maxDetail = 300

// classify returns the reason for a status that is not 200, given the message, code and type of the
// error.
func classify(status int, words ...string) error {
	all := strings.ToLower(strings.Join(words, " "))
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return ErrAuth
	case strings.Contains(all, "insufficient_quota"):
		return ErrQuota
	case status == http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusInternalServerError:
		// llama.cpp uses status 500 for this.
		if slices.ContainsFunc(tooLargePhrases, func(phrase string) bool { return strings.Contains(all, phrase) }) {
			return ErrTooLarge
		}
	}
	if status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500 {
		return ErrBusy
	}
	return ErrRejected
}

// tooLargePhrases occur in the errors of OpenAI, Azure, vLLM, TEI, llama.cpp and Ollama for a
// request or an input that is too large.
var tooLargePhrases = []string{
	"too large", "too long", "too many", "context length", "batch size", "maximum allowed", "max_tokens", "exceeds the",
	"must have less than", "reduce the", "array length", "maximum of",
}

// errorMessage returns the message of an error object in a body, or "".
func errorMessage(body []byte) string {
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, raw := range []json.RawMessage{answer.Error, answer.Detail} {
		var object struct{ Message string }
		var text string
		if json.Unmarshal(raw, &object) == nil && object.Message != "" {
			return object.Message
		}
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return text
		}
	}
	if answer.Message != "" {
		return answer.Message
	}
	if len(answer.Error) > 0 && string(answer.Error) != "null" {
		return string(answer.Error)
	}
	return ""
}

// retryAfter returns how long a server asks to wait: milliseconds in OpenAI's own header, or
// seconds or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e12 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second))
	}
	if date, err := http.ParseTime(value); err == nil && date.After(now) {
		return date.Sub(now)
	}
	return 0
}
