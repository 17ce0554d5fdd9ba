package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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

// readyEvery is how often a server asks whether its store answers, and so how late it can say that the paths are ingested.
const readyEvery = 2 * time.Second

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
	start := newStarting(e.store.Ready)
	cfg := e.serverConfig(p, c.ReadOnly)
	cfg.Drain, cfg.Ready, cfg.ReadyEvery = c.Drain, start.check, readyEvery
	srv, err := server.New(cfg)
	if err != nil {
		return err
	}
	if p.cli.Qdrant == "" {
		file := filepath.Join(p.cli.Data, addrFile)
		if err := os.WriteFile(file, []byte(reachable(grpcListener.Addr())+"\n"), 0o600); err != nil {
			return err
		}
		defer os.Remove(file)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return srv.Serve(ctx, grpcListener, httpListener) })
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
	store   func(context.Context) error
	taken   chan struct{} // closed when the paths are in
	serving chan struct{} // closed when the server has been told since that it is ready
	once    sync.Once
}

func newStarting(store func(context.Context) error) *starting {
	return &starting{store: store, taken: make(chan struct{}), serving: make(chan struct{})}
}

var errTakingIn = errors.New("the paths are being ingested")

// done is called when the paths are in.
func (s *starting) done() { close(s.taken) }

// check is asked again and again by the server.
func (s *starting) check(ctx context.Context) error {
	select {
	case <-s.taken:
	case <-ctx.Done():
		return errTakingIn
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
