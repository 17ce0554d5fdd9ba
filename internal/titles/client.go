package titles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sashabaranov/go-openai"
)

// Config configures a Client for a server with the chat API of OpenAI. BaseURL and Model are
// required.
type Config struct {
	BaseURL string // what comes before "/chat/completions"
	APIKey  string // sent as a bearer token when it is not empty; no error contains it
	Model   string // its name on the server
}

const (
	requestTimeout = time.Minute
	maxTries       = 3 // attempts at one title, after transient failures
	maxInFlight    = 2 // requests
)

// ConfigError reports an unusable field of a Config.
type ConfigError struct{ Field, Problem string }

func (e *ConfigError) Error() string { return fmt.Sprintf("chat endpoint: %s %s", e.Field, e.Problem) }

// EndpointError is a failure to get an answer from the server. Its text does not contain the key.
type EndpointError struct {
	Endpoint, Model string
	Status          int    // of HTTP; 0: there was no answer
	Detail          string // the error of the server or the network
	Transient       bool   // trying again later may help
}

func (e *EndpointError) Error() string {
	status := ""
	if e.Status != 0 {
		status = fmt.Sprintf(", HTTP status %d", e.Status)
	}
	return fmt.Sprintf("the chat endpoint gives no answer (%s, model %q%s): %s", e.Endpoint, e.Model, status, e.Detail)
}

// Client asks one model. It is safe for concurrent use and has no goroutines of its own.
type Client struct {
	config   Config
	client   *openai.Client
	timeout  time.Duration // of a request
	tries    uint
	inFlight chan struct{}
	noFormat atomic.Bool // the server does not support response_format
	backOff  func() backoff.BackOff
}

// New makes a client. It sends no request, so that a server that is down does not prevent anything
// from starting. Its error is a *ConfigError.
func New(config Config) (*Client, error) {
	config.BaseURL = strings.TrimRight(strings.TrimSpace(config.BaseURL), "/")
	u, err := url.Parse(config.BaseURL)
	switch {
	case config.BaseURL == "":
		return nil, &ConfigError{"BaseURL", "is empty; set it to what comes before /chat/completions, such as http://127.0.0.1:11434/v1"}
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, &ConfigError{"BaseURL", "is not a URL that begins with http:// or https:// and names a host"}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, &ConfigError{"BaseURL", "must not have a user, a query or a fragment; set APIKey for a key"}
	case strings.TrimSpace(config.Model) == "":
		return nil, &ConfigError{"Model", "is empty"}
	case strings.ContainsAny(config.APIKey, "\r\n"):
		return nil, &ConfigError{"APIKey", "contains a line break"}
	}
	oc := openai.DefaultConfig(config.APIKey)
	oc.BaseURL, oc.HTTPClient = config.BaseURL, bounded{}
	return &Client{
		config: config, client: openai.NewClientWithConfig(oc),
		timeout: requestTimeout, tries: maxTries, inFlight: make(chan struct{}, maxInFlight),
		backOff: func() backoff.BackOff { return backoff.NewExponentialBackOff() },
	}, nil
}

// Model returns the name of the model.
func (c *Client) Model() string { return c.config.Model }

// Key identifies the prompt for a subject and the model.
func (c *Client) Key(s Subject) string { return key(c.config.Model, s) }

// maxAnswer bounds the body of an answer in bytes, including thoughts.
const maxAnswer = 1 << 20

// bounded reads answers with a limit, which go-openai lacks, and stores the wait that a server asks
// for in the duration of the request's context.
type bounded struct{}

type waitKey struct{}

func (bounded) Do(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if wait, ok := request.Context().Value(waitKey{}).(*time.Duration); ok {
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
			*wait = min(time.Duration(seconds)*time.Second, maxWait)
		}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errTooLong
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// maxWait bounds how long a server may ask to wait.
const maxWait = 30 * time.Second

var errTooLong = errors.New("the answer is longer than a valid one can be")

// Title asks for a title. Errors are a *ReplyError, an *EndpointError, or the context's.
func (c *Client) Title(ctx context.Context, s Subject) (Title, error) {
	select {
	case c.inFlight <- struct{}{}:
		defer func() { <-c.inFlight }()
	case <-ctx.Done():
		return Title{}, ctx.Err()
	}
	system, user, err := messages(s)
	if err != nil {
		return Title{}, err
	}
	var last error
	answer, err := backoff.Retry(ctx, func() (string, error) {
		var wait time.Duration
		var answer string
		answer, last = c.ask(context.WithValue(ctx, waitKey{}, &wait), system, user)
		var failed *EndpointError
		switch {
		case last == nil:
			return answer, nil
		case ctx.Err() != nil || !errors.As(last, &failed) || !failed.Transient:
			return "", backoff.Permanent(last)
		case wait > 0:
			return "", errors.Join(last, &backoff.RetryAfterError{Duration: wait})
		}
		return "", last
	}, backoff.WithBackOff(c.backOff()), backoff.WithMaxTries(c.tries), backoff.WithMaxElapsedTime(0))
	switch {
	case ctx.Err() != nil:
		return Title{}, ctx.Err()
	case err != nil:
		return Title{}, last
	}
	return parse(answer, s)
}

// ask sends one request.
func (c *Client) ask(ctx context.Context, system, user string) (string, error) {
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request := openai.ChatCompletionRequest{Model: c.config.Model, Messages: []openai.ChatCompletionMessage{
		{Role: openai.ChatMessageRoleSystem, Content: system}, {Role: openai.ChatMessageRoleUser, Content: user},
	}}
	if !c.noFormat.Load() {
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	}
	response, err := c.client.CreateChatCompletion(attempt, request)
	if err != nil {
		failed := c.failure(err, attempt)
		if failed.Status == http.StatusBadRequest && request.ResponseFormat != nil && strings.Contains(failed.Detail, "response_format") {
			c.noFormat.Store(true) // ask without it
			return c.ask(ctx, system, user)
		}
		return "", failed
	}
	if len(response.Choices) == 0 {
		return "", refused("it is empty")
	}
	return response.Choices[0].Message.Content, nil
}

// maxDetail bounds the text of a server in an error, because it may be a page of HTML.
const maxDetail = 300

func (c *Client) failure(err error, attempt context.Context) *EndpointError {
	failed := &EndpointError{Endpoint: c.config.BaseURL, Model: c.config.Model, Detail: err.Error(), Transient: true}
	var api *openai.APIError
	var other *openai.RequestError
	var u *url.Error
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &api):
		failed.Status, failed.Detail = api.HTTPStatusCode, api.Message
	case errors.As(err, &other):
		failed.Status, failed.Detail = other.HTTPStatusCode, strings.TrimSpace(string(other.Body))
	case errors.Is(err, errTooLong) || errors.As(err, &syntax) || errors.As(err, &typed): // not a chat endpoint
		failed.Transient = false
	case attempt.Err() != nil:
		failed.Detail = fmt.Sprintf("no answer within %v", c.timeout)
	case errors.As(err, &u):
		failed.Detail = u.Err.Error() // without the URL, which is in Endpoint
	}
	switch status := failed.Status; {
	case status == 0 || status == http.StatusRequestTimeout || status == http.StatusTooEarly || status >= 500:
	case status == http.StatusTooManyRequests:
		failed.Transient = !strings.Contains(err.Error(), "insufficient_quota")
	default:
		failed.Transient = false
	}
	if key := c.config.APIKey; key != "" {
		failed.Detail = strings.ReplaceAll(failed.Detail, key, "[key]")
	}
	failed.Detail = plain(failed.Detail, maxDetail)
	return failed
}
