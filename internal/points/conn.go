package points

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"
)

// DialConfig says how to reach a Qdrant server.
type DialConfig struct {
	Addr   string      // host:port of the gRPC interface; the port defaults to 6334
	APIKey string      // sent with every request when set
	TLS    *tls.Config // nil: no TLS
	// Timeout bounds one request, its retries included, when the context does not; default 60 s.
	Timeout time.Duration
	Logger  *slog.Logger // retries are logged at debug level; default: discard
}

// Conn is a connection to a server. It is safe for concurrent use; several stores may share it.
type Conn struct{}

// Dial connects to a Qdrant server and makes one authenticated request, so that a wrong address or key fails here.
func Dial(ctx context.Context, cfg DialConfig) (*Conn, error) { return nil, errTodo }

// Ready makes an authenticated request and reports whether it was answered. Qdrant's health check answers without
// authentication, so it would say yes to a client whose every request will be refused.
func (c *Conn) Ready(ctx context.Context) error { return errTodo }

// Close closes the connection. Close the stores first.
func (c *Conn) Close() error { return nil }
