package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/internal/article"
	"throughline/internal/server"
)

type serveCmd struct {
	Paths    []string      `arg:"" optional:"" name:"path" help:"Files and directories to ingest first; - is standard input."`
	Listen   string        `default:"127.0.0.1:50051" help:"Address of the gRPC port."`
	HTTP     string        `name:"http" default:"127.0.0.1:8080" help:"Address of the HTTP port: JSON and the page. Empty: none."`
	ReadOnly bool          `help:"Serve without writing: any number of such servers may share a Qdrant with one writer."`
	Drain    time.Duration `default:"10s" help:"How long running calls may take to end at shutdown."`
}

// Help is the long help of the command.
func (serveCmd) Help() string {
	return `Calls are answered at once, from what is stored so far; health says NOT_SERVING until the paths are ingested. A second interrupt
does not wait for running calls to end. There is no TLS and no authentication: put a proxy in front of it where others
can reach it.`
}

// Run ingests the paths and serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, p *program) (err error) {
	switch {
	case c.ReadOnly && len(c.Paths) > 0:
		return usageError{errors.New("--read-only cannot ingest paths")}
	case c.Listen == "":
		return usageError{errors.New("--listen: give HOST:PORT")}
	case c.Drain <= 0:
		return usageError{fmt.Errorf("--drain %s: must be more than 0", c.Drain)}
	}
	// The ports first: a taken one should not be found out after minutes of embedding.
	grpcListener, err := listen("--listen", c.Listen)
	if err != nil {
		return err
	}
	defer grpcListener.Close() // a second close after Serve is harmless
	var httpListener net.Listener
	if c.HTTP != "" {
		if httpListener, err = listen("--http", c.HTTP); err != nil {
			return err
		}
		defer httpListener.Close()
	}
	e, err := p.openEngine(ctx, c.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	group, ctx := errgroup.WithContext(ctx)
	start := newStarting(ctx, e.store.Ready)
	cfg := e.serverConfig(p, c.ReadOnly)
	cfg.Drain, cfg.Ready = c.Drain, start.check
	if cfg.Handlers, err = embeddingHandlers(e.embedder, p.logger()); err != nil {
		return err
	}
	srv, err := server.New(cfg)
	if err != nil {
		return err
	}
	if p.cli.Qdrant == "" {
		withdraw, err := publishAddr(p.cli.Data, reachable(grpcListener.Addr()))
		if err != nil {
			return err
		}
		defer withdraw()
	}
	group.Go(func() error { return srv.Serve(ctx, grpcListener, httpListener) })
	if e.namer != nil && !c.ReadOnly {
		group.Go(func() error {
			select {
			case <-start.taken:
				e.stories.KeepNaming(ctx, e.namer)
			case <-ctx.Done():
			}
			return nil
		})
	}
	group.Go(func() error {
		if err := c.takeIn(ctx, p, e); err != nil {
			return err
		}
		start.done()
		select {
		case <-start.serving:
		case <-ctx.Done():
			return nil
		}
		return c.announce(ctx, p, e, grpcListener, httpListener)
	})
	return group.Wait()
}

// listen opens a port.
func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s: another program listens there: stop it, or give another port, or port 0 for any that is free", flag, addr)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	return l, nil
}

// reachable is an address to give to clients: one that listens everywhere can be reached here.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// takeIn ingests the paths, and files what an earlier process left.
func (c *serveCmd) takeIn(ctx context.Context, p *program, e *engine) error {
	if c.ReadOnly || len(c.Paths) == 0 && !p.leftUnfiled() {
		return nil
	}
	summary, err := p.ingestInto(ctx, e, c.Paths, nil)
	if summary.Items() > 0 {
		p.printSummary(p.stderr, summary)
	}
	return err
}

// starting holds back that a server is ready until it has taken its paths in.
type starting struct {
	ctx     context.Context // of the server
	store   func(context.Context) error
	taken   chan struct{} // closed when the paths are in
	serving chan struct{} // closed when the server has been told since that it is ready
	once    sync.Once
}

func newStarting(ctx context.Context, store func(context.Context) error) *starting {
	return &starting{ctx: ctx, store: store, taken: make(chan struct{}), serving: make(chan struct{})}
}

// done is called when the paths are in.
func (s *starting) done() { close(s.taken) }

// firstCheck is how long the store may take to answer for the first time.
const firstCheck = 10 * time.Second

// check is asked again and again by the server, which is not ready until it has an answer. The first one takes as long as
// the paths do, whatever the time that the server gives: asked later, it would come late.
func (s *starting) check(ctx context.Context) error {
	select {
	case <-s.taken:
	default:
		select {
		case <-s.taken:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		fresh, cancel := context.WithTimeout(s.ctx, firstCheck)
		defer cancel()
		ctx = fresh
	}
	if err := s.store(ctx); err != nil {
		return err
	}
	s.once.Do(func() { close(s.serving) })
	return nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// readOptions are how every command reads articles.
func readOptions(p *program) article.Options { return article.Options{Stdin: p.stdin} }
