// Package openaiapi answers the part of OpenAI's HTTP API that is about embeddings, so that other programs can use the
// model of this one: POST /v1/embeddings, GET /v1/models and GET /v1/models/{id}.
//
// It knows the requests, answers and errors of that API and their limits. It does not know how vectors are made, and it
// does not check keys: what clients send as one is ignored.
//
// Vectors are those of documents, see [embed.Document]; the API has no way to say that a text is a query. What this server
// cannot do is refused by the name of the field, never ignored.
package openaiapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"throughline/embed"
)

// Config says what is served and its limits. Embedder is needed, the rest has defaults.
type Config struct {
	Embedder embed.Embedder
	Logger   *slog.Logger // told about failures of the embedder; nil: nobody

	MaxInputs   int           // texts in a request; 0: 2,048, as OpenAI has it
	MaxBody     int64         // bytes of a request; 0: 16 MiB
	MaxRequests int           // requests that are answered at once, others are told to come back; 0: 64
	ReadTimeout time.Duration // for sending a request's body; 0: 30 s
}

// Handler answers the paths of [Paths]. Anything else is answered as OpenAI does: there is no such path.
type Handler struct {
	cfg   Config
	space embed.Space
	count func(string) int
	slots chan struct{}
	mux   *http.ServeMux
}

// Paths are the patterns, in the language of [http.ServeMux], that a Handler is to be registered for.
var Paths = []string{embeddingsPath, modelsPath, modelsPath + "/"}

const (
	embeddingsPath = "/v1/embeddings"
	modelsPath     = "/v1/models"
)

// New makes a handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Embedder == nil {
		return nil, errors.New("openaiapi: Config needs Embedder")
	}
	if cfg.MaxInputs < 0 || cfg.MaxBody < 0 || cfg.MaxRequests < 0 || cfg.ReadTimeout < 0 {
		return nil, errors.New("openaiapi: a limit is negative")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.MaxInputs = or(cfg.MaxInputs, 2048)
	cfg.MaxBody = or(cfg.MaxBody, 16<<20)
	cfg.MaxRequests = or(cfg.MaxRequests, 64)
	cfg.ReadTimeout = or(cfg.ReadTimeout, 30*time.Second)
	h := &Handler{cfg: cfg, space: cfg.Embedder.Space(), count: embed.Counter(cfg.Embedder), slots: make(chan struct{}, cfg.MaxRequests)}
	h.mux = http.NewServeMux()
	h.mux.HandleFunc("POST "+embeddingsPath, h.embeddings)
	h.mux.HandleFunc("GET "+modelsPath, h.models)
	h.mux.HandleFunc("GET "+modelsPath+"/{id...}", h.model)
	for _, path := range []struct{ path, allow string }{{embeddingsPath, "POST"}, {modelsPath, "GET, HEAD"}, {modelsPath + "/{id...}", "GET, HEAD"}} {
		h.mux.HandleFunc(path.path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", path.allow)
			fail(w, http.StatusMethodNotAllowed, problem{Message: fmt.Sprintf("%s is not a method of %s; use %s", r.Method, r.URL.Path, path.allow), Code: "method_not_supported"})
		})
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, problem{Message: "there is nothing at " + r.URL.Path, Code: "unknown_url"})
	})
	return h, nil
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// model is how OpenAI describes a model. Created is always 0: nobody needs it, but clients expect it.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (h *Handler) description() model {
	return model{ID: h.space.Model, Object: "model", OwnedBy: "throughline"}
}

func (h *Handler) models(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{"object": "list", "data": []model{h.description()}})
}

func (h *Handler) model(w http.ResponseWriter, r *http.Request) {
	if p := h.wrongModel(r.PathValue("id")); p != nil {
		fail(w, http.StatusNotFound, *p)
		return
	}
	write(w, http.StatusOK, h.description())
}

// wrongModel says that a model is not the one that is served, or nothing. Any of the names that the model goes by is right.
func (h *Handler) wrongModel(name string) *problem {
	if embed.CanonicalModel(name) == h.space.Model {
		return nil
	}
	return &problem{Message: fmt.Sprintf("the model %q does not exist here; this server has %q", clip(name), h.space.Model), Param: "model", Code: "model_not_found"}
}

// item is one vector of an answer.
type item struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64 of them in little-endian order
}

type usage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

type answer struct {
	Object string `json:"object"`
	Data   []item `json:"data"`
	Model  string `json:"model"`
	Usage  usage  `json:"usage"`
}

func (h *Handler) embeddings(w http.ResponseWriter, r *http.Request) {
	// Servers without such deadlines do as they do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.cfg.ReadTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		fail(w, http.StatusRequestEntityTooLarge, problem{Message: fmt.Sprintf("the request is longer than %d bytes; send fewer inputs at a time", h.cfg.MaxBody), Code: "request_too_large"})
		return
	case err != nil:
		fail(w, http.StatusBadRequest, problem{Message: "the request ended before its end"})
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	q, bad := parse(body)
	if bad == nil {
		bad = h.check(q)
	}
	if bad != nil {
		code := http.StatusBadRequest
		if bad.Code == "model_not_found" {
			code = http.StatusNotFound
		}
		fail(w, code, *bad)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, problem{Message: "too many requests at once; try again", Type: "rate_limit_error", Code: "rate_limit_exceeded"})
		return
	}
	vectors, err := h.cfg.Embedder.Embed(r.Context(), embed.Document, q.texts)
	if err != nil {
		h.failed(w, r, len(q.texts), err)
		return
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
	write(w, http.StatusOK, out)
}

// specialTokens is how many tokens a model adds to a text. They are counted, as in every server of such models.
const specialTokens = 2

// tokens is how many tokens of a text the model reads.
func (h *Handler) tokens(text string) int {
	n := h.count(text) + specialTokens
	if h.space.MaxTokens > 0 {
		n = min(n, h.space.MaxTokens)
	}
	return n
}

// failed answers for an embedder that failed. What it said is for the log: it may name an endpoint of its own.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, inputs int, err error) {
	if r.Context().Err() != nil {
		return // nobody reads the answer
	}
	h.cfg.Logger.ErrorContext(r.Context(), "embedding for a client failed", "inputs", inputs, "error", err)
	for _, passing := range []error{embed.ErrBusy, embed.ErrUnreachable, embed.ErrQuota, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			w.Header().Set("Retry-After", "5")
			fail(w, http.StatusServiceUnavailable, problem{Message: "the embedding model is not available at present", Type: "server_error"})
			return
		}
	}
	fail(w, http.StatusInternalServerError, problem{Message: "the texts could not be embedded", Type: "server_error"})
}

// problem is OpenAI's form of an error.
type problem struct {
	Message string
	Type    string // "": invalid_request_error
	Param   string // the field that is wrong; "": null
	Code    string // "": null
}

func fail(w http.ResponseWriter, code int, p problem) {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	write(w, code, map[string]any{"error": map[string]any{
		"message": p.Message, "type": or(p.Type, "invalid_request_error"), "param": orNull(p.Param), "code": orNull(p.Code),
	}})
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that went away needs no answer
}

// clip shortens what a client sent for a message.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
