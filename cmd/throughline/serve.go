package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"throughline/internal/article"
	"throughline/internal/points"
	"throughline/internal/server"
	"throughline/internal/stories"
)

type serveCmd struct {
	Paths    []string      `arg:"" optional:"" name:"path" help:"Files and directories to ingest first; - is standard input."`
	Listen   string        `default:"127.0.0.1:50051" help:"Address of the gRPC port."`
	HTTP     string        `name:"http" default:"127.0.0.1:8080" help:"Address of the HTTP port: JSON and the page."`
	ReadOnly bool          `help:"Serve without writing: any number of such servers may share a Qdrant with one writer."`
	Drain    time.Duration `default:"10s" help:"How long running calls may take to end at shutdown."`
}

// Run ingests the paths, then serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, p *program) (err error) {
	if c.ReadOnly && len(c.Paths) > 0 {
		return usageError{errors.New("--read-only cannot ingest paths")}
	}
	// The ports first: a taken one should not be found out after minutes of embedding.
	grpcListener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer grpcListener.Close() // a second close after Serve is harmless
	httpListener, err := net.Listen("tcp", c.HTTP)
	if err != nil {
		return fmt.Errorf("--http: %w", err)
	}
	defer httpListener.Close()

	e, err := p.openEngine(ctx, c.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if len(c.Paths) > 0 {
		summary, err := p.ingestInto(ctx, e, c.Paths, nil)
		if err != nil {
			return err
		}
		p.printSummary(p.stderr, summary)
	}
	cfg := e.serverConfig(p, c.ReadOnly)
	cfg.Drain = c.Drain
	srv, err := server.New(cfg)
	if err != nil {
		return err
	}
	if p.cli.Qdrant == "" {
		file := filepath.Join(p.cli.Data, addrFile)
		if err := os.WriteFile(file, []byte(grpcListener.Addr().String()+"\n"), 0o600); err != nil {
			return err
		}
		defer os.Remove(file)
	}
	if err := c.announce(ctx, p, e, grpcListener.Addr(), httpListener.Addr()); err != nil {
		return err
	}
	return srv.Serve(ctx, grpcListener, httpListener)
}

// announce prints what is served, where, and three calls to copy.
func (c *serveCmd) announce(ctx context.Context, p *program, e *engine, grpcAddr, httpAddr net.Addr) error {
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return err
	}
	topics, err := e.stories.Topics(ctx, stories.TopicsRequest{Level: points.LevelTopic})
	if err != nil {
		return err
	}
	example, err := exampleArticle(ctx, e)
	if err != nil {
		return err
	}
	id := "ID"
	if example != nil {
		id = example.ID
	}
	fmt.Fprintf(p.stdout, "%s, %s, %s\n", plural(int(counts.Articles), "article", "articles"),
		plural(int(counts.Stories), "story", "stories"), plural(len(topics), "topic", "topics"))
	fmt.Fprintf(p.stdout, "gRPC  %s\nHTTP  http://%s\n\nTry:\n", grpcAddr, httpAddr)
	fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d '{\"article_id\": %s}' %s throughline.v1.CoverageService/Related\n", strconv.Quote(id), grpcAddr)
	fmt.Fprintf(p.stdout, "  grpcurl -plaintext -d '{\"order\": \"STORY_ORDER_LARGEST\"}' %s throughline.v1.ClusterService/ListStories\n", grpcAddr)
	fmt.Fprintf(p.stdout, "  curl 'http://%s/v1/search?query=%s'\n", httpAddr, "earthquake+rescue")
	return nil
}

// exampleArticle is one that has company: the representative of the largest story, or any, or nil in an empty store.
func exampleArticle(ctx context.Context, e *engine) (*points.Article, error) {
	list, err := e.stories.List(ctx, stories.ListRequest{Order: stories.Largest})
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		found, err := e.store.Get(ctx, []string{list[0].Representative}, points.WithNothing)
		if err != nil {
			return nil, err
		}
		if found[0] != nil {
			return &found[0].Article, nil
		}
	}
	articles, _, err := e.store.List(ctx, points.Filter{}, 1, "")
	if err != nil || len(articles) == 0 {
		return nil, err
	}
	return &articles[0], nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// readOptions are how every command reads articles.
func readOptions(p *program) article.Options { return article.Options{Stdin: p.stdin} }
