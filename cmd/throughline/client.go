package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"throughline/internal/qdrantlite"
	"throughline/internal/server"
	throughlinev1 "throughline/proto/throughline/v1"
)

// AddrFlag is for commands that can ask a running server.
type AddrFlag struct {
	Addr string `placeholder:"HOST:PORT" help:"Ask this running server. One that runs on the --data directory is found without it."`
}

// api is the API of a running server or of one in this process: commands see one thing.
type api struct {
	articles throughlinev1.ArticleServiceClient
	coverage throughlinev1.CoverageServiceClient
	clusters throughlinev1.ClusterServiceClient
	conn     *grpc.ClientConn
	close    func() error
}

// dialTimeout bounds how long it takes to find out that nobody listens.
const dialTimeout = 5 * time.Second

// dial reaches the API: at addr, by serving the store in this process, or, when that is taken, at the server that has it.
func (p *program) dial(ctx context.Context, addr string) (*api, error) {
	if addr == "" {
		a, err := p.serveInProcess(ctx)
		if !errors.Is(err, qdrantlite.ErrLocked) {
			return a, err
		}
		if addr = runningServer(p.cli.Data); addr == "" {
			return nil, err
		}
	}
	return p.dialServer(ctx, addr)
}

// dialServer reaches a running server.
func (p *program) dialServer(ctx context.Context, addr string) (*api, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, usageError{fmt.Errorf("--addr %q: give HOST:PORT", addr)}
	}
	// grpc would only say that it could not connect when the first call fails, and not why.
	try, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("no throughline server answers there: %w", err)
	}
	try.Close()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), callOptions, p.deadline())
	if err != nil {
		return nil, err
	}
	return newAPI(conn, conn.Close), nil
}

// callOptions allow answers as large as pages of full articles get.
var callOptions = grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20))

// deadline gives every call but streams the time of --timeout.
func (p *program) deadline() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, cancel := context.WithTimeout(ctx, p.cli.Timeout)
		defer cancel()
		return call(ctx, method, request, reply, conn, options...)
	})
}

func newAPI(conn *grpc.ClientConn, close func() error) *api {
	return &api{
		articles: throughlinev1.NewArticleServiceClient(conn),
		coverage: throughlinev1.NewCoverageServiceClient(conn),
		clusters: throughlinev1.NewClusterServiceClient(conn),
		conn:     conn,
		close:    close,
	}
}

// serveInProcess opens the store for reading and serves it to this process alone.
func (p *program) serveInProcess(ctx context.Context) (*api, error) {
	e, err := p.openEngine(ctx, true)
	if err != nil {
		return nil, err
	}
	srv, err := server.New(e.serverConfig(p, true))
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	listener := bufconn.Listen(1 << 20)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(serving, listener, nil) }()
	conn, err := grpc.NewClient("passthrough:///in-process", callOptions, p.deadline(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	closing := &once{do: func() error {
		var problems []error
		if conn != nil {
			problems = append(problems, conn.Close())
		}
		stop()
		return errors.Join(append(problems, <-done, e.Close())...)
	}}
	if err != nil {
		return nil, errors.Join(err, closing.Close())
	}
	return newAPI(conn, closing.Close), nil
}

// serverConfig serves this engine.
func (e *engine) serverConfig(p *program, readOnly bool) server.Config {
	cfg := server.Config{
		Reader: e.store, Coverage: server.EngineCoverage{Engine: e.coverage}, Stories: e.stories,
		Ready: e.store.Ready, Logger: p.logger(), Now: time.Now, Timeout: p.cli.Timeout,
	}
	if !readOnly {
		cfg.Writer = e.ingest
	}
	return cfg
}
