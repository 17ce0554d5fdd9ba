package embed

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with an embedding endpoint. An [EndpointError] wraps one of these.
var (
	ErrUnreachable = errors.New("embedding endpoint not reachable")
	ErrAuth        = errors.New("embedding endpoint refuses the key")
	ErrQuota       = errors.New("embedding endpoint's quota is used up")
	ErrBusy        = errors.New("embedding endpoint is overloaded or failing")
	ErrRejected    = errors.New("embedding endpoint rejects the request")
	ErrTooLarge    = errors.New("embedding request is too large for the endpoint")
	ErrBadResponse = errors.New("embedding endpoint gives an unusable answer")
	ErrDimensions  = errors.New("embedding endpoint gives vectors of another length")
)

// advice is what the user can do about each.
var advice = map[error]string{
	ErrUnreachable: "check that the server runs and that the base URL is right",
	ErrAuth:        "check the API key and what it may do",
	ErrQuota:       "check the plan and the billing of the account",
	ErrBusy:        "try again later, or lower the concurrency",
	ErrRejected:    "check the model's name and that the base URL ends where /embeddings begins, often in /v1",
	ErrTooLarge:    "set a lower MaxTokens: the server reads less of a text than that",
	ErrBadResponse: "check that the base URL is that of an OpenAI-compatible server and the model an embedding model",
	ErrDimensions:  "check the model's name; vectors stored with another model need a space of their own",
}

// ConfigError reports an unusable field of an [OpenAIConfig].
type ConfigError struct{ Field, Problem string }

func (e *ConfigError) Error() string {
	return fmt.Sprintf("embedding endpoint: %s %s", e.Field, e.Problem)
}

// EndpointError is a failure to get vectors from a server. Its message has advice, never the key.
type EndpointError struct {
	// Reason is one of the errors above.
	Reason error
	// Endpoint and Model are those of the request.
	Endpoint, Model string
	// Status is the HTTP status, 0 when there was none.
	Status int
	// Detail is what the server, the network or the check of the answer said.
	Detail string
	// Err is the underlying error, if there was one.
	Err error
}

func (e *EndpointError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v (%s, model %q", e.Reason, e.Endpoint, e.Model)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", HTTP status %d", e.Status)
	}
	b.WriteString(")")
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if hint := advice[e.Reason]; hint != "" {
		b.WriteString("; " + hint)
	}
	return b.String()
}

// Unwrap returns the reason and the underlying error.
func (e *EndpointError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}
