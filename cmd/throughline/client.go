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

	"throughline/internal/server"
	throughlinev1 "throughline/proto/throughline/v1"
)

// AddrFlag is for commands that can call a running server.
type AddrFlag struct {
	Addr string `placeholder:"HOST:PORT" help:"Call this server. Default: the one running on --data, if any."`
}

// api is the API of a running server, or of one in this process.
type api struct {
	articles throughlinev1.ArticleServiceClient
	coverage throughlinev1.CoverageServiceClient
	clusters throughlinev1.ClusterServiceClient
	conn     *grpc.ClientConn
	close    func() error
}

// articlesAtOnce is the page size of eachArticle.
const articlesAtOnce = 100

// eachArticle calls fn for all articles of a request.
func (a *api) eachArticle(ctx context.Context, request *throughlinev1.ListArticlesRequest, fn func(*throughlinev1.Article) error) error {
	request.PageSize = articlesAtOnce
	for {
		page, err := a.articles.ListArticles(ctx, request)
		if err != nil {
			return err
		}
		for _, article := range page.GetArticles() {
			if err := fn(article); err != nil {
				return err
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return nil
		}
	}
}

// dialTimeout bounds the time to find out that no server listens at an address.
const dialTimeout = 5 * time.Second

// dial connects to the API: to the server at addr or, without an address, to the store in this
// process or the server that has it open. Without why.scoring, a store in this process only shows
// what is stored.
func (p *program) dial(ctx context.Context, addr string, why purpose) (*api, error) {
	if addr == "" {
		a, err := p.serveInProcess(ctx, why)
		if addr = p.serverInstead(err); addr == "" {
			return a, err
		}
	}
	return p.dialServer(ctx, addr)
}

// dialServer connects to a running server.
func (p *program) dialServer(ctx context.Context, addr string) (*api, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, usageError{fmt.Errorf("--addr %q: give HOST:PORT", addr)}
	}
	// gRPC would report a failure at the first call only, and without its cause.
	try, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("no throughline server at %s: %w", addr, err)
	}
	try.Close()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), callOptions, p.deadline())
	if err != nil {
		return nil, err
	}
	return newAPI(conn, conn.Close), nil
}

// callOptions allow answers as large as a page of full articles.
var callOptions = grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20))

// deadline applies --timeout to every call except streams.
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

// serveInProcess opens the store and serves it to this process only.
func (p *program) serveInProcess(ctx context.Context, why purpose) (*api, error) {
	e, err := p.openEngine(ctx, why)
	if err != nil {
		return nil, err
	}
	srv, err := server.New(e.serverConfig(p, why.readOnly))
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	listener := bufconn.Listen(1 << 20)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(serving, listener, nil) }()
	conn, err := grpc.NewClient("passthrough:///in-process", callOptions, p.deadline(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		stop()
		return nil, errors.Join(err, <-done, e.Close())
	}
	return newAPI(conn, func() error {
		closed := conn.Close()
		stop()
		return errors.Join(closed, <-done, e.Close())
	}), nil
}

// serverConfig is the configuration of a server of this engine.
func (e *engine) serverConfig(p *program, readOnly bool) server.Config {
	cfg := server.Config{
		Reader: e.store, Stories: e.stories,
		Ready: e.store.Ready, Logger: p.logger(), Now: time.Now, Timeout: p.cli.Timeout,
	}
	if e.states.Ready() == nil {
		cfg.Related = e.related
	}
	if !readOnly {
		cfg.Writer = e.ingest
	}
	return cfg
}
