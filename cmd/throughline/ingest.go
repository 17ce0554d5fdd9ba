package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	"throughline/internal/formats"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/server"
	throughlinev1 "throughline/proto/throughline/v1"
)

type ingestCmd struct {
	Paths []string `arg:"" name:"path" help:"Files and directories; - is standard input."`
	AddrFlag
}

// Help is the long help of the command.
func (ingestCmd) Help() string {
	return `Reads plain text, Markdown, HTML, JSON, JSON lines, RSS and Atom, recognised by content, and any of them with .gz. An article
whose content is stored already is skipped, so an interrupted ingest resumes when it is run again.

Items that cannot be read are listed with file and line, and the rest is stored. The exit code is 1 when no item could
be read or when the ingest failed.`
}

// Run ingests the paths and prints the outcome of each item.
func (c *ingestCmd) Run(ctx context.Context, p *program) error {
	var each func(ingest.Report)
	var lines *json.Encoder
	if p.cli.JSON {
		lines = json.NewEncoder(p.stdout)
		each = func(r ingest.Report) { _ = lines.Encode(reportJSON(r)) } // printed keeps the error
	}
	summary, err := p.ingestAnywhere(ctx, c.Addr, c.Paths, each)
	switch {
	case lines != nil:
		_ = lines.Encode(summaryJSON(summary))
	case err == nil || summary.Items() > 0:
		p.printSummary(p.stdout, summary)
	}
	if err == nil && summary.Items() > 0 && len(summary.Rejected) == summary.Items() {
		return errReported
	}
	return err
}

// ingestAnywhere ingests the paths into the server at addr, into the store, or into the server that
// has it open.
func (p *program) ingestAnywhere(ctx context.Context, addr string, paths []string, each func(ingest.Report)) (_ ingest.Summary, err error) {
	if addr != "" {
		return p.ingestRemote(ctx, addr, paths, each)
	}
	e, err := p.openEngine(ctx, purpose{scoring: true})
	if addr = p.serverInstead(err); addr != "" {
		return p.ingestRemote(ctx, addr, paths, each)
	}
	if err != nil {
		return ingest.Summary{}, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	summary, err := p.ingestInto(ctx, e, paths, each)
	if err != nil {
		return summary, err
	}
	return summary, e.nameStories(ctx)
}

// ingestInto ingests the paths and files what was stored, after an interrupt or a failure too.
func (p *program) ingestInto(ctx context.Context, e *engine, paths []string, each func(ingest.Report)) (ingest.Summary, error) {
	shown := p.counter("")
	summary, err := e.ingest.Run(ctx, formats.Read(ctx, paths, p.readOptions()), ingest.Options{Each: func(r ingest.Report) {
		shown.count("reading")
		if each != nil {
			each(r)
		}
	}})
	shown.done()
	if ctx.Err() != nil && summary.New+summary.Updated > 0 {
		fmt.Fprintln(p.stderr, "stopping: filing the articles that are stored; interrupt again to leave that to the next start")
	}
	stage := p.stages()
	defer stage.done()
	if filing := e.stories.FilePending(context.WithoutCancel(ctx), stage.at); filing != nil {
		err = errors.Join(err, fmt.Errorf("filing articles into stories: %w", filing))
	}
	return summary, err
}

// readOptions are how every command reads articles.
func (p *program) readOptions() formats.Options { return formats.Options{Stdin: p.stdin} }

// maxShown is the most rejected items that are listed; --json lists all.
const maxShown = 50

// printSummary prints how many items had which outcome, and why items were rejected.
func (p *program) printSummary(w io.Writer, s ingest.Summary) {
	fmt.Fprintf(w, "%s read: %d new, %d updated, %d unchanged, %d rejected; %s stored in %.1f s\n", plural(s.Items(), "item", "items"),
		s.New, s.Updated, s.Unchanged, len(s.Rejected), plural(s.Sections, "section", "sections"), s.Took.Seconds())
	if s.Reused > 0 {
		fmt.Fprintf(w, "%s embedded, %s reused\n", plural(s.Embedded, "text", "texts"), plural(s.Reused, "vector", "vectors"))
	}
	for i, r := range s.Rejected {
		if i == maxShown {
			fmt.Fprintf(w, "  and %d more; --json lists all\n", len(s.Rejected)-maxShown)
			break
		}
		fmt.Fprintf(w, "  rejected  %s\n", rejection(r.Err))
	}
}

// reportJSON is the line of an item in the output of ingest --json.
func reportJSON(r ingest.Report) any {
	line := struct {
		Item     int    `json:"item"`
		ID       string `json:"id,omitempty"`
		Outcome  string `json:"outcome"`
		Sections int    `json:"sections,omitempty"`
		Path     string `json:"path,omitempty"`
		Line     int    `json:"line,omitempty"`
		Field    string `json:"field,omitempty"`
		Error    string `json:"error,omitempty"`
	}{Item: r.Item, ID: r.ID, Outcome: r.Outcome.String(), Sections: r.Sections, Path: r.Origin.Path, Line: r.Origin.Line}
	if r.Err != nil {
		line.Error = rejection(r.Err)
		var item *news.ItemError
		if errors.As(r.Err, &item) {
			line.Field = item.Field
		}
	}
	return line
}

func summaryJSON(s ingest.Summary) any {
	counts := map[string]any{
		"new": s.New, "updated": s.Updated, "unchanged": s.Unchanged, "rejected": len(s.Rejected), "sections": s.Sections, "seconds": s.Took.Seconds(),
	}
	if s.Embedded+s.Reused > 0 { // a server does not report them
		counts["embedded"], counts["reused"] = s.Embedded, s.Reused
	}
	return map[string]any{"summary": counts}
}

// inFlight is the most articles that a running server has not acknowledged yet.
const inFlight = 256

// ingestRemote streams articles to a running server. Items that cannot be read are rejected here,
// with file and line.
func (p *program) ingestRemote(ctx context.Context, addr string, paths []string, each func(ingest.Report)) (ingest.Summary, error) {
	started := time.Now()
	var summary ingest.Summary
	a, err := p.dialServer(ctx, addr)
	if err != nil {
		return summary, err
	}
	defer a.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := a.articles.IngestArticles(ctx)
	if err != nil {
		return summary, err
	}
	shown := p.counter("")
	defer shown.done()
	var mu sync.Mutex
	report := func(r ingest.Report) {
		mu.Lock()
		defer mu.Unlock()
		shown.count("sending")
		summary.Count(r)
		if each != nil {
			each(r)
		}
	}
	sent := make(chan ingest.Report, inFlight) // in order; the server acknowledges in this order
	var g errgroup.Group
	g.Go(func() error {
		position := 0
		for valid, err := range formats.Read(ctx, paths, p.readOptions()) {
			if ctx.Err() != nil {
				return ctx.Err() // err may be the same, which is no fault of an item
			}
			item := valid.Article()
			r := ingest.Report{Item: position, ID: item.ID, Origin: item.Origin, Sections: len(item.Sections)}
			position++
			if err != nil {
				r.Outcome, r.Err = ingest.Rejected, err
				var bad *news.ItemError
				if errors.As(err, &bad) {
					r.Origin = bad.Origin
				}
				report(r)
				continue
			}
			select {
			case sent <- r:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: sentArticle(item), WaitForStory: true}); errors.Is(err, io.EOF) {
				return nil // the receiver gets the reason
			} else if err != nil {
				return err
			}
		}
		return stream.CloseSend()
	})
	g.Go(func() error {
		defer cancel()
		for {
			response, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			r := <-sent
			r.ID, r.Outcome = response.GetArticleId(), wireOutcome[response.GetOutcome()]
			if s := response.GetStatus(); s.GetCode() != int32(codes.OK) {
				r.Err = &news.ItemError{Origin: r.Origin, Err: errors.New(s.GetMessage())}
			}
			report(r)
		}
	})
	err = g.Wait()
	summary.Took = time.Since(started)
	return summary, err
}

var wireOutcome = map[throughlinev1.IngestOutcome]ingest.Outcome{
	throughlinev1.IngestOutcome_INGEST_OUTCOME_NEW:       ingest.New,
	throughlinev1.IngestOutcome_INGEST_OUTCOME_UPDATED:   ingest.Updated,
	throughlinev1.IngestOutcome_INGEST_OUTCOME_UNCHANGED: ingest.Unchanged,
	throughlinev1.IngestOutcome_INGEST_OUTCOME_REJECTED:  ingest.Rejected,
}

// sentArticle is an article as the API takes it. A derived title is left out, so that the server
// derives it and marks it.
func sentArticle(a news.Article) *throughlinev1.Article {
	m := server.ArticleMessage(a)
	if a.TitleDerived {
		m.Title, m.TitleDerived = "", false
	}
	for _, s := range a.Sections {
		m.Sections = append(m.Sections, &throughlinev1.Section{Heading: s.Heading, Text: s.Text})
	}
	return m
}
