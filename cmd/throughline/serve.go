package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/embed"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/openaiapi"
	"throughline/internal/server"
	"throughline/internal/stories"
)

type serveCmd struct {
	Paths         []string      `arg:"" optional:"" name:"path" help:"Files and directories to ingest first; - is standard input."`
	Listen        string        `default:"127.0.0.1:50051" help:"Address of the gRPC port; port 0: any free one."`
	HTTP          string        `name:"http" default:"127.0.0.1:8080" help:"Address of the HTTP port for JSON and the page; empty: none."`
	ReadOnly      bool          `help:"Do not write. Many such servers can share a Qdrant with one writer."`
	Arrange       bool          `default:"true" negatable:"" help:"Arrange all articles anew by itself, soon after some have changed."`
	ArrangeMost   int           `default:"50000" help:"Articles that are arranged at once, the latest; a smaller store whole."`
	ArrangeWithin age           `default:"30d" placeholder:"AGE" help:"Of a larger store arrange the stories with articles of this age."`
	Keep          age           `placeholder:"AGE" help:"Delete articles older than this, such as 90d. Default: keep all."`
	KeepBy        string        `enum:"published,arrived" default:"published" help:"Count --keep from when an article was published or arrived."`
	Memory        size          `default:"256MB" placeholder:"SIZE" help:"Most memory for what articles are compared by; 0: none."`
	Drain         time.Duration `default:"10s" help:"Time that running calls have to end at shutdown."`
}

// age is a time such as 90d, 2w or 36h.
type age time.Duration

// UnmarshalText reads a positive number of weeks, days, hours, minutes or seconds.
func (a *age) UnmarshalText(text []byte) error {
	s, unit := string(text), time.Duration(1)
	for suffix, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = number+"h", length/time.Hour
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 || d > math.MaxInt64/unit {
		return fmt.Errorf("want an age above 0 such as 90d, 2w or 36h (got %q)", text)
	}
	*a = age(d * unit)
	return nil
}

// Help is the long help of the command.
func (serveCmd) Help() string {
	return `The server answers calls at once, from the articles stored so far; health is NOT_SERVING until the paths are ingested. A second
interrupt does not wait for running calls. There is no TLS and no authentication: put a proxy in front of the ports where
others can reach them.`
}

// Run ingests the paths and serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, p *program) (err error) {
	switch {
	case c.ReadOnly && len(c.Paths) > 0:
		return usageError{errors.New("--read-only cannot ingest paths")}
	case c.Listen == "":
		return usageError{errors.New("--listen: give HOST:PORT")}
	case c.ReadOnly && c.Keep > 0:
		return usageError{errors.New("--read-only cannot delete articles: leave out --keep")}
	case c.ArrangeMost < 1:
		return usageError{fmt.Errorf("--arrange-most %d: must be more than 0", c.ArrangeMost)}
	case c.Drain <= 0:
		return usageError{fmt.Errorf("--drain %s: must be more than 0", c.Drain)}
	}
	// The ports first: a port in use should not show after minutes of embedding.
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
	e, err := p.openEngine(ctx, purpose{readOnly: c.ReadOnly, scoring: true, memory: int64(c.Memory)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	group, ctx := errgroup.WithContext(ctx)
	start := newReadinessGate(ctx, e.store.Ready)
	cfg := e.serverConfig(p, c.ReadOnly)
	cfg.Drain, cfg.Ready = c.Drain, start.check
	cfg.Handlers = embeddingHandlers(e.embedder, p.logger())
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
	background := func(work func(context.Context)) {
		group.Go(func() error {
			work(ctx)
			return nil
		})
	}
	background(e.states.Run)
	group.Go(func() error {
		if err := c.takeIn(ctx, p, e); err != nil {
			return err
		}
		close(start.taken)
		background(e.stories.KeepFiling)
		if c.Keep > 0 {
			background(func(ctx context.Context) {
				e.ingest.KeepWithin(ctx, ingest.Retention{Keep: time.Duration(c.Keep), ByArrival: c.KeepBy == "arrived"})
			})
		}
		if c.Arrange {
			background(func(ctx context.Context) {
				e.stories.KeepArranged(ctx, stories.Window{Most: c.ArrangeMost, Age: time.Duration(c.ArrangeWithin)})
			})
		}
		if e.namer != nil && !c.ReadOnly {
			background(func(ctx context.Context) { e.stories.KeepNaming(ctx, e.namer) })
		}
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
		return nil, fmt.Errorf("%s %s: the port is in use: stop the other program, or give another port, or 0 for any free one", flag, addr)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	return l, nil
}

// reachable is an address for clients on this machine.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// takeIn ingests the paths and files what is pending, in this run or after a crash. Without paths a
// failure of filing does not stop the server, which tries again.
func (c *serveCmd) takeIn(ctx context.Context, p *program, e *engine) error {
	switch {
	case c.ReadOnly:
		return nil
	case len(c.Paths) == 0:
		if err := e.stories.FilePending(ctx, nil); err != nil && ctx.Err() == nil {
			p.logger().WarnContext(ctx, "pending articles are not filed yet", "error", err)
		}
		return nil
	}
	summary, err := p.ingestInto(ctx, e, c.Paths, nil)
	if summary.Items() > 0 {
		p.printSummary(p.stderr, summary)
	}
	return err
}

// readinessGate reports not-ready until the initial ingest is done.
type readinessGate struct {
	ctx     context.Context // of the server
	ready   func(context.Context) error
	taken   chan struct{} // closed when the paths are ingested
	serving chan struct{} // closed after the first check that succeeds
	serve   func()
}

func newReadinessGate(ctx context.Context, ready func(context.Context) error) *readinessGate {
	g := &readinessGate{ctx: ctx, ready: ready, taken: make(chan struct{}), serving: make(chan struct{})}
	g.serve = sync.OnceFunc(func() { close(g.serving) })
	return g
}

// firstCheck is the timeout of the first probe of the store.
const firstCheck = 10 * time.Second

// check is the server's readiness probe. It blocks until the initial ingest is done, ignoring the
// timeout of the probe, so that the server becomes ready without waiting for the next poll.
func (g *readinessGate) check(ctx context.Context) error {
	select {
	case <-g.taken:
	default:
		select {
		case <-g.taken:
		case <-g.ctx.Done():
			return g.ctx.Err()
		}
		fresh, cancel := context.WithTimeout(g.ctx, firstCheck)
		defer cancel()
		ctx = fresh
	}
	if err := g.ready(ctx); err != nil {
		return err
	}
	g.serve()
	return nil
}

// announce prints the contents of the store, the addresses, and three calls to try.
func (c *serveCmd) announce(ctx context.Context, p *program, e *engine, grpcListener, httpListener net.Listener) error {
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return err
	}
	topics, err := e.stories.Topics(ctx, stories.TopicsRequest{Level: news.LevelTopic})
	if err != nil {
		return err
	}
	id, words, err := example(ctx, e)
	if err != nil {
		return err
	}
	grpcAddr := reachable(grpcListener.Addr())
	fmt.Fprintf(p.stdout, "%s, %s, %s\n", plural(int(counts.Articles), "article", "articles"),
		plural(int(counts.Stories), "story", "stories"), plural(len(topics), "topic", "topics"))
	fmt.Fprintf(p.stdout, "gRPC  %s\n", grpcAddr)
	if httpListener != nil {
		fmt.Fprintf(p.stdout, "HTTP  http://%s\n", reachable(httpListener.Addr()))
	}
	fmt.Fprintf(p.stdout, "\nTry:\n")
	fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d %s %s throughline.v1.CoverageService/Related\n", shellQuote(`{"article_id": `+jsonText(id)+`}`), grpcAddr)
	fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d '{\"order\": \"STORY_ORDER_LARGEST\"}' %s throughline.v1.ClusterService/ListStories\n", grpcAddr)
	if httpListener != nil {
		fmt.Fprintf(p.stdout, "  curl %s\n", shellQuote("http://"+reachable(httpListener.Addr())+"/v1/search?query="+url.QueryEscape(words)))
	} else {
		fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d %s %s throughline.v1.CoverageService/Search\n", shellQuote(`{"query": `+jsonText(words)+`}`), grpcAddr)
	}
	return nil
}

// example returns an article and words for the calls to try: of the largest story, else of any
// article, else placeholders.
func example(ctx context.Context, e *engine) (id, words string, err error) {
	list, err := e.stories.List(ctx, stories.ListRequest{Order: stories.Largest})
	if err != nil {
		return "", "", err
	}
	if len(list) > 0 {
		words = list[0].Title
		if len(list[0].Keywords) > 0 {
			words = list[0].Keywords[0]
		}
		return list[0].Representative, words, nil
	}
	articles, _, err := e.store.List(ctx, news.Filter{}, 1, "")
	if err != nil {
		return "", "", err
	}
	if len(articles) == 0 {
		return "ID", "WORDS", nil
	}
	return articles[0].ID, articles[0].Title, nil
}

// jsonText is a JSON string.
func jsonText(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can always be encoded
	return strings.TrimSpace(b.String())
}

// shellQuote quotes a word for a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// embeddingHandlers make a server an embedding endpoint for other programs.
func embeddingHandlers(embedder embed.Embedder, logger *slog.Logger) map[string]http.Handler {
	api := openaiapi.New(embedder, logger)
	handlers := make(map[string]http.Handler)
	for _, path := range openaiapi.Paths {
		handlers[path] = api
	}
	return handlers
}
