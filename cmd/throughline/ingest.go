package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"throughline/internal/article"
	"throughline/internal/ingest"
	"throughline/internal/stories"
)

type ingestCmd struct {
	Paths []string `arg:"" name:"path" help:"Files and directories; - is standard input."`
	AddrFlag
}

// Run takes the paths in and prints what became of them. Some rejected items are no failure of the program; nothing but
// rejected items is.
func (c *ingestCmd) Run(ctx context.Context, p *program) (err error) {
	var each func(ingest.Report)
	var lines *json.Encoder
	if p.cli.JSON {
		lines = json.NewEncoder(p.stdout)
		each = func(r ingest.Report) { _ = lines.Encode(reportJSON(r)) } // a broken pipe shows when the summary is written
	}
	addr := c.Addr
	if addr == "" && p.cli.Qdrant == "" {
		addr = runningServer(p.cli.Data)
	}
	var summary ingest.Summary
	if addr != "" {
		summary, err = p.ingestRemote(ctx, addr, c.Paths, each)
	} else {
		summary, err = p.ingestLocal(ctx, c.Paths, each)
	}
	if lines != nil {
		err = errors.Join(err, lines.Encode(summaryJSON(summary)))
	} else if err == nil || summary.Items() > 0 {
		p.printSummary(p.stdout, summary)
	}
	if err == nil && summary.Items() > 0 && len(summary.Rejected) == summary.Items() {
		return errReported
	}
	return err
}

func (p *program) ingestLocal(ctx context.Context, paths []string, each func(ingest.Report)) (_ ingest.Summary, err error) {
	e, err := p.openEngine(ctx, false)
	if err != nil {
		return ingest.Summary{}, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return p.ingestInto(ctx, e, paths, each)
}

// refileShare is how many new articles, as a share of all, are filed by clustering everything anew: beyond it that costs
// less than filing one by one, and gives the better stories.
const refileShare = 0.05

// ingestInto takes the paths into an engine and brings its stories up to date.
func (p *program) ingestInto(ctx context.Context, e *engine, paths []string, each func(ingest.Report)) (ingest.Summary, error) {
	bar := p.progress("reading")
	var written []string
	summary, err := e.ingest.Run(ctx, article.Read(ctx, paths, readOptions(p)), ingest.Options{Each: func(r ingest.Report) {
		bar.step()
		if r.Outcome == ingest.New || r.Outcome == ingest.Updated {
			written = append(written, r.ID)
		}
		if each != nil {
			each(r)
		}
	}})
	bar.done()
	if len(written) == 0 {
		return summary, err
	}
	if err != nil {
		return summary, err
	}
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return summary, err
	}
	if float64(len(written)) < refileShare*float64(counts.Articles) {
		return summary, e.stories.File(ctx, written)
	}
	stage := p.progress("finding stories")
	defer stage.done()
	_, err = e.stories.Recluster(ctx, stories.ReclusterOptions{}, func(string, float64) { stage.step() })
	return summary, err
}

// bar is a progress bar on a terminal and nothing elsewhere: it counts, because nobody knows how much is still to be read.
type bar struct{ on *progressbar.ProgressBar }

func (p *program) progress(what string) bar {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return bar{}
	}
	return bar{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("articles"),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetRenderBlankState(true))}
}

func (b bar) step() {
	if b.on != nil {
		_ = b.on.Add(1) // a terminal that went away is no reason to stop
	}
}

func (b bar) done() {
	if b.on != nil {
		_ = b.on.Finish()
	}
}

// maxShown bounds how many rejected items are listed for people; --json lists all.
const maxShown = 50

// printSummary tells people what became of everything that was read.
func (p *program) printSummary(w io.Writer, s ingest.Summary) {
	fmt.Fprintf(w, "%s read: %d new, %d updated, %d unchanged, %d rejected; %s, %.1f s\n", plural(s.Items(), "article", "articles"),
		s.New, s.Updated, s.Unchanged, len(s.Rejected), plural(s.Sections, "section", "sections"), s.Took.Seconds())
	for i, r := range s.Rejected {
		if i == maxShown {
			fmt.Fprintf(w, "  and %d more; --json lists all\n", len(s.Rejected)-maxShown)
			break
		}
		fmt.Fprintf(w, "  rejected  %v\n", r.Err)
	}
}

// reportJSON is the line of one item in the output of ingest --json.
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
		line.Error = r.Err.Error()
		var item *article.ItemError
		if errors.As(r.Err, &item) {
			line.Field = item.Field
		}
	}
	return line
}

func summaryJSON(s ingest.Summary) any {
	return map[string]any{"summary": map[string]any{
		"new": s.New, "updated": s.Updated, "unchanged": s.Unchanged, "rejected": len(s.Rejected), "sections": s.Sections, "seconds": s.Took.Seconds(),
	}}
}
