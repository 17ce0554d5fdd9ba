package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"throughline/internal/server"
	throughlinev1 "throughline/proto/throughline/v1"
)

// AddrFlag is for commands that can ask a running server.
type AddrFlag struct {
	Addr string `placeholder:"HOST:PORT" help:"Ask this running server instead of opening the store. A server that runs on the --data directory is found without it."`
}

// api is the API of a running server or of one in this process: commands see one thing.
type api struct {
	articles throughlinev1.ArticleServiceClient
	coverage throughlinev1.CoverageServiceClient
	clusters throughlinev1.ClusterServiceClient
	conn     *grpc.ClientConn
	close    func() error
}

// addrFile names the file in the data directory that says where the server which holds the store listens.
const addrFile = "server.addr"

// dial reaches the API: at addr, at the server that runs on the data directory, or by serving the store in this process.
func (p *program) dial(ctx context.Context, addr string) (*api, error) {
	if addr == "" && p.cli.Qdrant == "" {
		addr = runningServer(p.cli.Data)
	}
	if addr == "" {
		return p.serveInProcess(ctx)
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), callOptions)
	if err != nil {
		return nil, err
	}
	return newAPI(conn, conn.Close), nil
}

// callOptions allow answers as large as pages of full articles get.
var callOptions = grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20))

func newAPI(conn *grpc.ClientConn, close func() error) *api {
	return &api{
		articles: throughlinev1.NewArticleServiceClient(conn),
		coverage: throughlinev1.NewCoverageServiceClient(conn),
		clusters: throughlinev1.NewClusterServiceClient(conn),
		conn:     conn,
		close:    close,
	}
}

// runningServer is the address of the server that has the data directory open, or "". The file of a server that was killed
// leads nowhere and is not trusted.
func runningServer(data string) string {
	text, err := os.ReadFile(filepath.Join(data, addrFile))
	if err != nil {
		return ""
	}
	addr := strings.TrimSpace(string(text))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return ""
	}
	conn.Close()
	return addr
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
	conn, err := grpc.NewClient("passthrough:///in-process", callOptions, grpc.WithTransportCredentials(insecure.NewCredentials()),
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
