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
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sashabaranov/go-openai"
	"golang.org/x/sync/errgroup"
)

// OpenAIConfig configures the client of a server with OpenAI's embeddings API. BaseURL and Model
// are required, everything else has a default.
type OpenAIConfig struct {
	// BaseURL is what comes before "/embeddings", such as "https://api.openai.com/v1" or
	// "http://127.0.0.1:11434/v1".
	BaseURL string
	// APIKey is sent as a bearer token when it is not empty. No error and no log line contains it.
	APIKey string
	// Model is the server's name of the model. Space().Model is its canonical form.
	Model string

	// Dimensions is the length of the vectors; another length is an error. 0: as the server
	// answers.
	Dimensions int
	// RequestDimensions asks the server for vectors of Dimensions, for models that can shorten
	// theirs.
	RequestDimensions bool
	// DocumentPrefix and QueryPrefix are put before each text of that kind.
	DocumentPrefix, QueryPrefix string

	// MaxTokens is the length of the longest input that the model reads, including special tokens.
	// 0: that of a known model, else 512. Longer texts are truncated, because many servers truncate
	// silently and others refuse them.
	MaxTokens int
	// Count counts the tokens of a text. nil: EstimateTokens, which truncates long texts more than
	// necessary. For a server of all-MiniLM-L6-v2 set it to minilm.CountTokens.
	Count func(string) int
	// MaxBatch is the most inputs in a request. 0: 32, which every server accepts.
	MaxBatch int
	// MaxBatchTokens is the most tokens in a request. 0: 100,000. OpenAI accepts 300,000.
	MaxBatchTokens int

	// Timeout is the time limit of a request. 0: a minute. After a timeout, requests get smaller
	// and fewer at once, until the server answers well within the limit.
	Timeout time.Duration
	// MaxRetries is how often a request is repeated after a transient failure. 0: 5; negative:
	// never.
	MaxRetries int
	// Concurrency is the most requests of each kind in flight, of all callers together. 0: 4.
	Concurrency int

	// HTTPClient sends the requests. nil: a client with the default transport.
	HTTPClient *http.Client
	// Logger logs retries and split batches. nil: no logging.
	Logger *slog.Logger
}

// withDefaults checks the configuration and sets defaults.
func (c OpenAIConfig) withDefaults() (OpenAIConfig, error) {
	c.BaseURL = strings.TrimRight(strings.TrimSpace(c.BaseURL), "/")
	u, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		return c, &ConfigError{"BaseURL", "is empty; set it to what comes before /embeddings, such as http://127.0.0.1:11434/v1"}
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return c, &ConfigError{"BaseURL", "is not a URL that begins with http:// or https:// and names a host"}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return c, &ConfigError{"BaseURL", "must not have a user, a query or a fragment; set APIKey for a key"}
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
	c.HTTPClient = cmp.Or(c.HTTPClient, &http.Client{})
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c, nil
}

// maxDimensions bounds the memory for an answer. The largest known model has 16,384 dimensions.
const maxDimensions = 1 << 16

// OpenAI is an [Embedder] that asks a server. It has no goroutines besides those of calls in
// progress.
type OpenAI struct {
	config    OpenAIConfig
	client    *openai.Client
	space     Space
	textLimit [2]int // by kind: tokens of an input with its prefix
	limiters  [2]*adaptiveLimiter
	backOff   func() backoff.BackOff // for the attempts of a request
}

var (
	_ Embedder     = (*OpenAI)(nil)
	_ TokenCounter = (*OpenAI)(nil)
)

// NewOpenAI checks the configuration and asks the server for one vector, so that it fails for a
// wrong address, key or model name, or for vectors of another length. Errors are a *[ConfigError],
// an *[EndpointError], or the context's.
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
	for kind := range o.limiters {
		o.limiters[kind] = newLimiter(config.Concurrency, config.MaxBatch)
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

// emptyText replaces texts without a visible character, which servers refuse.
const emptyText = "."

// Embed implements [Embedder]. Texts without a visible character get the vector of a full stop.
// Errors are an *[EndpointError] or the context's.
func (o *OpenAI) Embed(ctx context.Context, kind Kind, texts []string) ([][]float32, error) {
	if kind != Query {
		kind = Document
	}
	inputs, batches := o.plan(kind, texts)
	vectors := make([][]float32, len(texts))
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(o.config.Concurrency)
	for _, batch := range batches {
		group.Go(func() error {
			if each.Err() != nil {
				return context.Cause(each)
			}
			return o.batch(each, kind, inputs[batch.first:batch.last], vectors[batch.first:batch.last])
		})
	}
	if err := cmp.Or(group.Wait(), context.Cause(ctx)); err != nil {
		return nil, err
	}
	return vectors, nil
}

type span struct{ first, last int }

// plan turns texts into inputs (with prefix, valid UTF-8, truncated) and divides them into
// requests.
func (o *OpenAI) plan(kind Kind, texts []string) ([]string, []span) {
	inputs := make([]string, len(texts))
	var batches []span
	first, tokens := 0, 0
	for i, text := range texts {
		if text = strings.ToValidUTF8(text, "\uFFFD"); strings.TrimSpace(text) == "" {
			text = emptyText
		}
		input, n := truncate(o.space.Prefix(kind)+text, o.textLimit[kind], o.config.Count)
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

// batch sets the vectors of inputs. When a request is too large for the server or times out, its
// halves are sent.
func (o *OpenAI) batch(ctx context.Context, kind Kind, inputs []string, vectors [][]float32) error {
	if len(inputs) <= o.limiters[kind].batch() {
		got, err := o.request(ctx, kind, inputs)
		if err == nil {
			copy(vectors, got)
			return nil
		}
		switch {
		case ctx.Err() != nil || len(inputs) == 1:
			return err
		case errors.Is(err, ErrTooLarge):
			o.config.Logger.WarnContext(ctx, "embedding request too large for the server, sending its halves; a smaller MaxBatch avoids this",
				"endpoint", o.config.BaseURL, "inputs", len(inputs), "error", err)
		case !isTimeout(err): // a timeout has been logged
			return err
		}
	}
	half := len(inputs) / 2
	if err := o.batch(ctx, kind, inputs[:half], vectors[:half]); err != nil {
		return err
	}
	return o.batch(ctx, kind, inputs[half:], vectors[half:])
}
