package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

const (
	defaultPort    = "6334"
	defaultTimeout = 60 * time.Second
	// dialTimeout is how long Dial waits for an answer: longer than a handshake across an ocean
	// with a retry or two, short enough for somebody who mistyped an address.
	dialTimeout = 10 * time.Second
	// maxMessage bounds what is received in one message. gRPC's default of 4 MiB is about a
	// thousand vectors of 1,024 dimensions; requests are sized to stay far below this one, so it
	// only guards memory.
	maxMessage = 256 << 20
)

// DialConfig says how to reach a Qdrant server.
type DialConfig struct {
	Addr   string      // host:port of the gRPC interface; the port defaults to 6334
	APIKey string      // sent with every request when set
	TLS    *tls.Config // nil: no TLS
	// Timeout bounds one request, its retries included, beside the context's own deadline; default
	// 60 s.
	Timeout time.Duration
	Logger  *slog.Logger // retries are logged at debug level; default: discard
}

// Conn is a connection to a server. It is safe for concurrent use; several stores may share it.
type Conn struct {
	client *qdrant.Client
	// ownProcess: the server runs in this process and no other can reach it, so a lease of another
	// process is that of a dead one.
	ownProcess bool
	closers    []func() error
}

// Dial connects to a Qdrant server and makes one authenticated request, so that a wrong address or
// key fails here.
func Dial(ctx context.Context, cfg DialConfig) (*Conn, error) {
	host, port, err := splitAddr(cfg.Addr)
	if err != nil {
		return nil, &InvalidError{Field: "address", Reason: err.Error()}
	}
	log := orDiscard(cfg.Logger)
	if cfg.APIKey != "" && cfg.TLS == nil {
		log.Warn("the API key of the storage server is sent without TLS", "addr", cfg.Addr)
	}
	c, err := newConn(qdrant.Config{Host: host, Port: port, UseTLS: cfg.TLS != nil, TLSConfig: cfg.TLS},
		cfg.APIKey, cfg.Timeout, log)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", cfg.Addr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to the Qdrant server at %s: %w", cfg.Addr, err), c.Close())
	}
	return c, nil
}

// newConn makes a Conn. The interceptors in extra run inside the retries, once per attempt.
func newConn(cfg qdrant.Config, apiKey string, timeout time.Duration, log *slog.Logger, extra ...grpc.UnaryClientInterceptor) (*Conn, error) {
	// One connection: go-client's pool multiplies retries, and gRPC multiplexes. The version check
	// is skipped because it logs to the default logger.
	cfg.PoolSize = 1
	cfg.SkipCompatibilityCheck = true
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	// WithUnaryInterceptor instead of a chain would replace the client's own interceptor.
	chain := []grpc.UnaryClientInterceptor{bounded(timeout), retrier(log)}
	if apiKey != "" {
		chain = append(chain, authenticator(apiKey))
	}
	cfg.GrpcOptions = append([]grpc.DialOption{
		grpc.WithChainUnaryInterceptor(append(chain, extra...)...),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	}, cfg.GrpcOptions...)
	client, err := qdrant.NewClient(&cfg)
	if err != nil {
		return nil, err
	}
	return &Conn{client: client}, nil
}

// authenticator adds the API key. go-client's own way warns on the default logger.
func authenticator(key string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(metadata.AppendToOutgoingContext(ctx, "api-key", key), method, req, reply, cc, opts...)
	}
}

func splitAddr(addr string) (string, int, error) {
	if addr == "" {
		return "", 0, errors.New("empty (want host:port of Qdrant's gRPC interface)")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		if strings.ContainsAny(addr, ":[]") && net.ParseIP(addr) == nil {
			return "", 0, badAddr(addr)
		}
		host, port = addr, defaultPort
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, badAddr(addr)
	}
	return host, int(n), nil
}

func badAddr(addr string) error { return fmt.Errorf("invalid (got %q, want host:port)", addr) }

// Ready makes an authenticated request. Qdrant's health check would not do: it answers without
// authentication, so it succeeds for a client whose every other request is refused.
func (c *Conn) Ready(ctx context.Context) error {
	_, err := c.client.ListCollections(ctx)
	return translate("list collections", "", err)
}

// Close closes the connection. Close the stores first.
func (c *Conn) Close() error {
	err := c.client.Close()
	for _, f := range c.closers {
		err = errors.Join(err, f())
	}
	return err
}

// bounded sets the deadline of a request: the caller's or after a time, whichever is earlier.
func bounded(after time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		ctx, cancel := context.WithTimeout(ctx, after)
		defer cancel()
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
