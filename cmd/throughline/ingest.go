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
	"throughline/internal/qdrantlite"
	"throughline/internal/stories"
)

type ingestCmd struct {
	Paths []string `arg:"" name:"path" help:"Files and directories; - is standard input."`
	AddrFlag
}

// Help is the long help of the command.
func (ingestCmd) Help() string {
	return `Plain text, Markdown, HTML, JSON, JSON lines, RSS and Atom, told apart by their content, and any of them with .gz. What is stored
already with the same content is left alone, so an interrupted ingest goes on where it stopped when it is run again.

Items that cannot be read are listed with file and line, and the rest is stored. The exit code is 1 only when nothing
could be read, or when the ingest did not get to its end.`
}

// Run takes the paths in and prints what became of them.
func (c *ingestCmd) Run(ctx context.Context, p *program) error {
	var each func(ingest.Report)
	var lines *json.Encoder
	if p.cli.JSON {
		lines = json.NewEncoder(p.stdout)
		each = func(r ingest.Report) { _ = lines.Encode(reportJSON(r)) } // the output remembers what fails
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

// ingestAnywhere takes the paths into the server at addr, into the store, or into the server that has it open.
func (p *program) ingestAnywhere(ctx context.Context, addr string, paths []string, each func(ingest.Report)) (_ ingest.Summary, err error) {
	if addr != "" {
		return p.ingestRemote(ctx, addr, paths, each)
	}
	e, err := p.openEngine(ctx, false)
	if errors.Is(err, qdrantlite.ErrLocked) {
		if addr = runningServer(p.cli.Data); addr != "" {
			return p.ingestRemote(ctx, addr, paths, each)
		}
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

// refileShare is how many new articles, as a share of all, are filed by clustering everything anew: beyond it that costs
// less than filing one by one, and gives the better stories.
const refileShare = 0.05

// ingestInto takes the paths into an engine and brings its stories up to date, after a stop or a failure too: what was
// stored would otherwise stay without a story.
func (p *program) ingestInto(ctx context.Context, e *engine, paths []string, each func(ingest.Report)) (ingest.Summary, error) {
	mark, err := p.markUnfiled()
	if err != nil {
		return ingest.Summary{}, err
	}
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
	if len(written) > 0 || mark.before {
		if ctx.Err() != nil {
			fmt.Fprintln(p.stderr, "stopping: finding the stories of what is stored; interrupt again to leave that to the next ingest")
		}
		if filing := p.findStories(context.WithoutCancel(ctx), e, written, mark.before); filing != nil {
			return summary, errors.Join(err, fmt.Errorf("finding stories: %w", filing))
		}
	}
	if err != nil && ctx.Err() == nil {
		return summary, err // of a commit that failed nobody knows what it stored, so the mark stays
	}
	return summary, errors.Join(err, mark.remove())
}

// findStories files the articles that were written, or arranges everything anew.
func (p *program) findStories(ctx context.Context, e *engine, written []string, everything bool) error {
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return err
	}
	if !everything && float64(len(written)) < refileShare*float64(counts.Articles) {
		return e.stories.File(ctx, written)
	}
	stage := p.stages()
	defer stage.done()
	_, err = e.stories.Recluster(ctx, stories.ReclusterOptions{}, stage.at)
	return err
}

// bar shows progress on a terminal and nothing elsewhere: it counts, because nobody knows how much is still to be read.
type bar struct {
	on   *progressbar.ProgressBar
	what string
	n    *int
}

func (p *program) progress(what string) bar {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return bar{}
	}
	on := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetRenderBlankState(true))
	return bar{on: on, what: what, n: new(int)}
}

func (b bar) step() {
	if b.on != nil {
		*b.n++
		b.on.Describe(fmt.Sprintf("%s: %d", b.what, *b.n))
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
	fmt.Fprintf(w, "%s read: %d new, %d updated, %d unchanged, %d rejected; %s stored in %.1f s\n", plural(s.Items(), "item", "items"),
		s.New, s.Updated, s.Unchanged, len(s.Rejected), plural(s.Sections, "section", "sections"), s.Took.Seconds())
	if s.Reused > 0 {
		fmt.Fprintf(w, "%s embedded, the vectors of %d were there already\n", plural(s.Embedded, "text", "texts"), s.Reused)
	}
	for i, r := range s.Rejected {
		if i == maxShown {
			fmt.Fprintf(w, "  and %d more; --json lists all\n", len(s.Rejected)-maxShown)
			break
		}
		fmt.Fprintf(w, "  rejected  %s\n", rejection(r.Err))
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
		line.Error = rejection(r.Err)
		var item *article.ItemError
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
	if s.Embedded+s.Reused > 0 { // a server does not tell
		counts["embedded"], counts["reused"] = s.Embedded, s.Reused
	}
	return map[string]any{"summary": counts}
}
