// Package openaiapi serves the part of OpenAI's HTTP API that is about embeddings, so that other
// programs can use the model of this one. It has POST /v1/embeddings, GET /v1/models and
// GET /v1/models/{id}.
//
// It knows the requests, answers and errors of that API and their limits. It does not know how
// vectors are made, and it ignores API keys.
//
// Vectors are those of documents, see [embed.Document], because the API cannot say that a text is a
// query. What this server does not support is refused with the name of the field, never ignored.
package openaiapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"throughline/embed"
)

// Handler serves the paths of [Paths]. It answers other paths as OpenAI does: unknown URL.
type Handler struct {
	embedder embed.Embedder
	logger   *slog.Logger
	space    embed.Space
	count    func(string) int
	limits
	slots chan struct{} // one for each request in progress; others get status 429
}

type limits struct {
	inputs   int           // texts in a request
	body     int64         // bytes of a request
	requests int           // in progress
	read     time.Duration // for reading the body of a request
}

// defaultLimits are those of New. OpenAI allows as many inputs.
var defaultLimits = limits{inputs: 2048, body: 16 << 20, requests: 64, read: 30 * time.Second}

// Paths are the patterns of [http.ServeMux] that a Handler should be registered for.
var Paths = []string{embeddingsPath, modelsPath, modelPath}

const (
	embeddingsPath = "/v1/embeddings"
	modelsPath     = "/v1/models"
	modelPath      = "/v1/models/" // and the id
)

// New makes a handler, which logs failures of the embedder.
func New(embedder embed.Embedder, logger *slog.Logger) *Handler {
	return limited(embedder, logger, defaultLimits)
}

func limited(embedder embed.Embedder, logger *slog.Logger, l limits) *Handler {
	return &Handler{
		embedder: embedder, logger: logger, space: embedder.Space(), count: embed.Counter(embedder), limits: l, slots: make(chan struct{}, l.requests),
	}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, one := strings.CutPrefix(r.URL.Path, modelPath)
	methods := []string{http.MethodGet, http.MethodHead}
	var serve func(http.ResponseWriter, *http.Request) (any, *problem)
	switch {
	case r.URL.Path == embeddingsPath:
		methods, serve = []string{http.MethodPost}, h.embeddings
	case r.URL.Path == modelsPath:
		serve = func(http.ResponseWriter, *http.Request) (any, *problem) {
			return map[string]any{"object": "list", "data": []model{h.description()}}, nil
		}
	case one:
		serve = func(http.ResponseWriter, *http.Request) (any, *problem) { return h.description(), h.checkModel(id) }
	default:
		write(w, http.StatusNotFound, &problem{Message: "there is nothing at " + r.URL.Path, Code: "unknown_url"})
		return
	}
	if !slices.Contains(methods, r.Method) {
		allow := strings.Join(methods, ", ")
		w.Header().Set("Allow", allow)
		write(w, http.StatusMethodNotAllowed, &problem{
			Message: fmt.Sprintf("%s is not a method of %s; use %s", r.Method, r.URL.Path, allow), Code: "method_not_supported",
		})
		return
	}
	answer, bad := serve(w, r)
	if bad != nil {
		write(w, cmp.Or(bad.status, http.StatusBadRequest), bad)
		return
	}
	write(w, http.StatusOK, answer)
}

// model is OpenAI's description of a model. Created is always 0; clients expect the field.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (h *Handler) description() model {
	return model{ID: h.space.Model, Object: "model", OwnedBy: "throughline"}
}

// checkModel accepts any of the names of the model.
func (h *Handler) checkModel(name string) *problem {
	if embed.CanonicalModel(name) == h.space.Model {
		return nil
	}
	p := invalid("model", "model_not_found", "the model %q does not exist here; this server has %q", clip(name), h.space.Model)
	p.status = http.StatusNotFound
	return p
}

// item is a vector of an answer.
type item struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64 of them in little-endian order
}

type answer struct {
	Object string `json:"object"`
	Data   []item `json:"data"`
	Model  string `json:"model"`
	Usage  struct {
		PromptTokens int `json:"prompt_tokens"`
		TotalTokens  int `json:"total_tokens"`
	} `json:"usage"`
}

func (h *Handler) embeddings(w http.ResponseWriter, r *http.Request) (any, *problem) {
	body, bad := h.readBody(w, r)
	if bad != nil {
		return nil, bad
	}
	q, bad := parse(body)
	if bad == nil {
		bad = h.check(q)
	}
	if bad != nil {
		return nil, bad
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		return nil, &problem{status: http.StatusTooManyRequests, Message: "too many requests at once; try again", Type: "rate_limit_error", Code: "rate_limit_exceeded"}
	}
	vectors, err := h.embedder.Embed(r.Context(), embed.Document, q.texts)
	if err != nil {
		return nil, h.failed(w, r, len(q.texts), err)
	}
	out := answer{Object: "list", Model: h.space.Model, Data: make([]item, len(vectors))}
	for i, v := range vectors {
		out.Data[i] = item{Object: "embedding", Index: i, Embedding: v}
		if q.base64 {
			out.Data[i].Embedding = inBase64(v)
		}
		out.Usage.PromptTokens += h.tokens(q.texts[i])
	}
	out.Usage.TotalTokens = out.Usage.PromptTokens
	return out, nil
}

// readBody reads the body of a request, limited in size and time.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Now().Add(h.read)) // not every server supports it
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.body))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		p := invalid("", "request_too_large", "the request is longer than %d bytes; send fewer inputs at a time", h.body)
		p.status = http.StatusRequestEntityTooLarge
		return nil, p
	case err != nil:
		return nil, invalid("", "", "the body of the request is incomplete")
	}
	_ = controller.SetReadDeadline(time.Time{})
	return body, nil
}

// specialTokens is the number of tokens that a model adds to a text. Servers count them.
const specialTokens = 2

// tokens returns how many tokens of a text the model reads.
func (h *Handler) tokens(text string) int {
	n := h.count(text) + specialTokens
	if h.space.MaxTokens > 0 {
		n = min(n, h.space.MaxTokens)
	}
	return n
}

// failed answers an error of the embedder. Its text is only logged, because it may name an
// endpoint.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, inputs int, err error) *problem {
	if r.Context().Err() == nil {
		h.logger.ErrorContext(r.Context(), "embedding for a client failed", "inputs", inputs, "error", err)
	}
	transient := []error{embed.ErrBusy, embed.ErrUnreachable, embed.ErrQuota, context.DeadlineExceeded}
	if slices.ContainsFunc(transient, func(kind error) bool { return errors.Is(err, kind) }) {
		w.Header().Set("Retry-After", "5")
		return &problem{status: http.StatusServiceUnavailable, Message: "the embedding model is not available at present", Type: "server_error"}
	}
	return &problem{status: http.StatusInternalServerError, Message: "the texts could not be embedded", Type: "server_error"}
}

// problem is an error of OpenAI's API.
type problem struct {
	status  int // of HTTP; 0: 400
	Message string
	Type    string // "": invalid_request_error
	Param   string // the invalid field; "": null
	Code    string // "": null
}

func invalid(param, code, format string, args ...any) *problem {
	return &problem{Message: fmt.Sprintf(format, args...), Param: param, Code: code}
}

// MarshalJSON writes the problem as OpenAI does.
func (p *problem) MarshalJSON() ([]byte, error) {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	return json.Marshal(map[string]any{"error": map[string]any{
		"message": p.Message, "type": cmp.Or(p.Type, "invalid_request_error"), "param": orNull(p.Param), "code": orNull(p.Code),
	}})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error means that the client went away
}

// clip shortens what an error quotes from a request.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
