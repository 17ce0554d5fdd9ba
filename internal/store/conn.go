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
	// dialTimeout is how long Dial waits for an answer: longer than a handshake across an ocean and a retry or two, short
	// enough that somebody who mistyped an address is still looking.
	dialTimeout = 10 * time.Second
	// maxMessage bounds what is received in one message. gRPC's default of 4 MiB is about a thousand vectors of 1,024
	// dimensions; requests are sized to stay far below this one, so it only guards memory.
	maxMessage = 256 << 20
)

// DialConfig says how to reach a Qdrant server.
type DialConfig struct {
	Addr   string      // host:port of the gRPC interface; the port defaults to 6334
	APIKey string      // sent with every request when set
	TLS    *tls.Config // nil: no TLS
	// Timeout bounds one request, its retries included, beside the context's own deadline; default 60 s.
	Timeout time.Duration
	Logger  *slog.Logger // retries are logged at debug level; default: discard
}

// Conn is a connection to a server. It is safe for concurrent use; several stores may share it.
type Conn struct {
	client  *qdrant.Client
	timeout time.Duration
	log     *slog.Logger
	// ownProcess: the server lives in this process and nobody else can reach it, so a lease of another process is that of
	// a dead one.
	ownProcess bool
	closers    []func() error
}

// Dial connects to a Qdrant server and makes one authenticated request, so that a wrong address or key fails here.
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

// newConn makes a Conn of a client configuration. The interceptors in extra run inside the retries, once per attempt.
func newConn(cfg qdrant.Config, apiKey string, timeout time.Duration, log *slog.Logger, extra ...grpc.UnaryClientInterceptor) (*Conn, error) {
	// One connection: go-client's pool multiplies retries, and gRPC multiplexes. The version check would log to the
	// default logger; what an older server lacks shows in its answers.
	cfg.PoolSize = 1
	cfg.SkipCompatibilityCheck = true
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	// Interceptors are chained: one that is merely set replaces the client's own.
	chain := []grpc.UnaryClientInterceptor{retrier(log)}
	if apiKey != "" {
		chain = append(chain, authenticator(apiKey))
	}
	cfg.GrpcOptions = append(cfg.GrpcOptions,
		grpc.WithChainUnaryInterceptor(append(chain, extra...)...),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	client, err := qdrant.NewClient(&cfg)
	if err != nil {
		return nil, err
	}
	return &Conn{client: client, timeout: timeout, log: log}, nil
}

// authenticator adds the API key. go-client's own way warns on the default logger.
func authenticator(key string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(metadata.AppendToOutgoingContext(ctx, "api-key", key), method, req, reply, cc, opts...)
	}
}

func splitAddr(addr string) (string, int, error) {
	if addr == "" {
		return "", 0, errors.New("empty; give host:port of Qdrant's gRPC interface")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		if strings.ContainsAny(addr, ":[]") && net.ParseIP(addr) == nil {
			return "", 0, fmt.Errorf("%q is not host:port", addr)
		}
		host, port = addr, defaultPort
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, fmt.Errorf("%q is not host:port", addr)
	}
	return host, int(n), nil
}

// Ready makes an authenticated request and reports whether it was answered. Qdrant's health check answers without
// authentication, so it would say yes to a client whose every request will be refused.
func (c *Conn) Ready(ctx context.Context) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	if _, err := c.client.ListCollections(ctx); err != nil {
		return translate("list collections", "", err)
	}
	return nil
}

// Close closes the connection. Close the stores first.
func (c *Conn) Close() error {
	err := c.client.Close()
	for _, f := range c.closers {
		err = errors.Join(err, f())
	}
	return err
}

// bound gives a request its deadline: the caller's or the connection's, whichever is earlier.
func (c *Conn) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
