package embed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sashabaranov/go-openai"
)

// OpenAIConfig says where a server that speaks OpenAI's embeddings API is and how to treat it. BaseURL and Model are
// required, everything else has a default.
type OpenAIConfig struct {
	// BaseURL is what comes before "/embeddings", such as "https://api.openai.com/v1" or "http://127.0.0.1:11434/v1".
	BaseURL string
	// APIKey is sent as a bearer token when it is not empty. It appears in no error and no log line.
	APIKey string
	// Model is the name that the server knows the model by. Space().Model is its canonical form.
	Model string

	// Dimensions is the length of the vectors. 0 takes what the server answers; otherwise another length is refused.
	Dimensions int
	// RequestDimensions asks the server for vectors of Dimensions, for models that can shorten theirs.
	RequestDimensions bool
	// DocumentPrefix and QueryPrefix are put before each text of that kind, as some models want it.
	DocumentPrefix, QueryPrefix string

	// MaxTokens is the longest input the model reads, its special tokens included. 0 is what is known of the model, or 512.
	// Longer texts are cut here, since many servers cut silently and others refuse.
	MaxTokens int
	// Count counts the tokens of a text. nil is EstimateTokens, which cuts long texts earlier than the model would; give
	// minilm.CountTokens for a server of all-MiniLM-L6-v2.
	Count func(string) int
	// MaxBatch is the most inputs in a request, 0 for 32, which every server takes.
	MaxBatch int
	// MaxBatchTokens is the most tokens in a request, 0 for 100,000. OpenAI takes 300,000.
	MaxBatchTokens int

	// Timeout is how long one request may take, 0 for a minute. After a request that takes longer, requests get smaller and fewer
	// at once, until the server answers well within it.
	Timeout time.Duration
	// MaxRetries is how often a request is sent again after a failure that may pass. 0 is 5, a negative number never.
	MaxRetries int
	// Concurrency is how many requests of each kind are in flight at most, by all callers together, 0 for 4.
	Concurrency int

	// HTTPClient sends the requests; nil is a client of its own with the usual transport.
	HTTPClient *http.Client
	// Logger is told about retries and split batches; nil is nobody.
	Logger *slog.Logger
}

// withDefaults checks the configuration and fills in what was left out.
func (c OpenAIConfig) withDefaults() (OpenAIConfig, error) {
	c.BaseURL = strings.TrimRight(strings.TrimSpace(c.BaseURL), "/")
	u, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		return c, &ConfigError{"BaseURL", "is empty; set it to what comes before /embeddings, such as http://127.0.0.1:11434/v1"}
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return c, &ConfigError{"BaseURL", "is not a URL that begins with http:// or https:// and names a host"}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return c, &ConfigError{"BaseURL", "must not have a user, a query or a fragment; a key belongs into APIKey"}
	case strings.TrimSpace(c.Model) == "":
		return c, &ConfigError{"Model", "is empty; set it to the name the server knows the model by"}
	case strings.ContainsAny(c.APIKey, "\r\n"):
		return c, &ConfigError{"APIKey", "contains a line break"}
	case c.RequestDimensions && c.Dimensions == 0:
		return c, &ConfigError{"RequestDimensions", "needs Dimensions"}
	}
	for _, field := range []struct {
		name  string
		value int
	}{
		{"Dimensions", c.Dimensions}, {"MaxTokens", c.MaxTokens}, {"MaxBatch", c.MaxBatch}, {"MaxBatchTokens", c.MaxBatchTokens},
		{"Timeout", int(c.Timeout)}, {"Concurrency", c.Concurrency},
	} {
		if field.value < 0 {
			return c, &ConfigError{field.name, "is negative"}
		}
	}
	if c.Dimensions > maxDimensions {
		return c, &ConfigError{"Dimensions", fmt.Sprintf("is more than %d", maxDimensions)}
	}
	c.MaxTokens = cmp.Or(c.MaxTokens, maxTokensOf(c.Model))
	c.MaxBatch = cmp.Or(c.MaxBatch, 32)
	c.MaxBatchTokens = cmp.Or(c.MaxBatchTokens, 100_000)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.MaxRetries = max(0, cmp.Or(c.MaxRetries, 5))
	c.Concurrency = cmp.Or(c.Concurrency, 4)
	if c.Count == nil {
		c.Count = EstimateTokens
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// maxDimensions bounds what a server can make us allocate. The largest model known has 16,384.
const maxDimensions = 1 << 16

// OpenAI is an [Embedder] that asks a server. It runs no goroutines beyond those of the calls in progress.
type OpenAI struct {
	config    OpenAIConfig
	client    *openai.Client
	space     Space
	textLimit [2]int // tokens of an input, its prefix included, by kind
	paces     [2]*pace
	backOff   func() backoff.BackOff // makes the waits between the attempts of a request
}

var (
	_ Embedder     = (*OpenAI)(nil)
	_ TokenCounter = (*OpenAI)(nil)
)

// NewOpenAI checks the configuration and asks the server for one vector, so that what cannot work fails here: a wrong
// address, key or model name, or vectors of another length. Errors are a *[ConfigError], an *[EndpointError], or the
// context's.
func NewOpenAI(ctx context.Context, config OpenAIConfig) (*OpenAI, error) {
	return newOpenAI(ctx, config, func() backoff.BackOff {
		b := backoff.NewExponentialBackOff() // 0.5 s, 0.75 s, ... each times 0.5 to 1.5
		b.MaxInterval = 20 * time.Second
		return b
	})
}

func newOpenAI(ctx context.Context, config OpenAIConfig, backOff func() backoff.BackOff) (*OpenAI, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	o := &OpenAI{
		config: config,
		client: newClient(config),
		space: Space{
			Model: CanonicalModel(config.Model), Dimensions: config.Dimensions, MaxTokens: config.MaxTokens,
			DocumentPrefix: config.DocumentPrefix, QueryPrefix: config.QueryPrefix,
		},
		backOff: backOff,
	}
	for kind := range o.paces {
		o.paces[kind] = newPace(config.Concurrency, config.MaxBatch)
		o.textLimit[kind] = config.MaxTokens - specialTokens
		if prefix := config.Count(o.space.Prefix(Kind(kind))); prefix >= o.textLimit[kind] {
			return nil, &ConfigError{"MaxTokens", fmt.Sprintf("is %d, which leaves no room for text beside the %s prefix of %d tokens", config.MaxTokens, Kind(kind), prefix)}
		}
	}
	probe, err := o.Embed(ctx, Document, []string{""})
	if err != nil {
		return nil, err
	}
	o.space.Dimensions = len(probe[0])
	return o, nil
}

func newClient(config OpenAIConfig) *openai.Client {
	c := openai.DefaultConfig(config.APIKey)
	c.BaseURL = config.BaseURL
	c.HTTPClient = &doer{client: config.HTTPClient}
	return openai.NewClientWithConfig(c)
}

// Space implements [Embedder].
func (o *OpenAI) Space() Space { return o.space }

// CountTokens implements [TokenCounter].
func (o *OpenAI) CountTokens(text string) int { return o.config.Count(text) }

// emptyText stands in for texts without a visible character, which servers refuse. It is as close to nothing as a model reads.
const emptyText = "."

// Embed implements [Embedder]. Texts without a visible character get the vector of a lone full stop. Errors are an
// *[EndpointError] or the context's.
func (o *OpenAI) Embed(ctx context.Context, kind Kind, texts []string) ([][]float32, error) {
	if kind != Query {
		kind = Document
	}
	inputs, batches := o.plan(kind, texts)
	vectors := make([][]float32, len(texts))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	var next atomic.Int64
	for range min(o.config.Concurrency, len(batches)) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) || ctx.Err() != nil {
					return
				}
				batch := batches[i]
				if err := o.batch(ctx, kind, inputs[batch.first:batch.last], vectors[batch.first:batch.last]); err != nil {
					cancel(err)
				}
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return vectors, nil
}

type span struct{ first, last int }

// plan turns texts into inputs (prefixed, valid UTF-8, cut) and divides them into requests.
func (o *OpenAI) plan(kind Kind, texts []string) ([]string, []span) {
	inputs := make([]string, len(texts))
	var batches []span
	first, tokens := 0, 0
	for i, text := range texts {
		if text = strings.ToValidUTF8(text, "\uFFFD"); strings.TrimSpace(text) == "" {
			text = emptyText
		}
		input, n := cut(o.space.Prefix(kind)+text, o.textLimit[kind], o.config.Count)
		inputs[i] = input
		n += specialTokens
		if i > first && (i-first >= o.config.MaxBatch || tokens+n > o.config.MaxBatchTokens) {
			batches, first, tokens = append(batches, span{first, i}), i, 0
		}
		tokens += n
	}
	if len(texts) > first {
		batches = append(batches, span{first, len(texts)})
	}
	return inputs, batches
}

// batch fills vectors for inputs. When the server finds a request too large, or does not answer it in time, each half of it is a
// request.
func (o *OpenAI) batch(ctx context.Context, kind Kind, inputs []string, vectors [][]float32) error {
	if len(inputs) <= o.paces[kind].batch() {
		got, err := o.request(ctx, kind, inputs)
		if err == nil {
			copy(vectors, got)
			return nil
		}
		switch {
		case ctx.Err() != nil || len(inputs) == 1:
			return err
		case errors.Is(err, ErrTooLarge):
			o.config.Logger.WarnContext(ctx, "embedding request too large for the server, sending halves; a smaller MaxBatch avoids this",
				"endpoint", o.config.BaseURL, "inputs", len(inputs), "error", err)
		case !isLate(err): // which has been logged
			return err
		}
	}
	half := len(inputs) / 2
	if err := o.batch(ctx, kind, inputs[:half], vectors[:half]); err != nil {
		return err
	}
	return o.batch(ctx, kind, inputs[half:], vectors[half:])
}
