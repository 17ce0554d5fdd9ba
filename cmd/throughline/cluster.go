package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

type clusterCmd struct {
	Input  []string `sep:"none" placeholder:"FILE" help:"Cluster this file instead of the store: a NumPy array of unit vectors, a row each, or articles in any format that ingest reads. - is standard input."`
	Files  []string `arg:"" optional:"" name:"file" help:"More input files."`
	Output string   `short:"o" placeholder:"FILE" help:"Write a label line for every row or article to this .jsonl file, or to standard output with -."`
	Apply  bool     `help:"Write the stories and topics of the store back; without it the store stays as it is."`
	Topics int      `help:"How many topics to make of articles; 0: as many as they show."`
	AddrFlag
}

// Help is the long help of the command.
func (clusterCmd) Help() string {
	return `Without input files the whole store is arranged anew, as the server does it: --apply writes the outcome back, without
it the summary says what would change. When a server has the store open, the server does it. Input files leave the store alone.

Labels are JSON lines {"id":...,"story":...,"topic":...,"theme":...} in the order of the input: numbers from 0, and -1 for
none. The id is the number of the row, counted through all arrays, or the article's id. Articles of the store come in the
order of their ids. The same input gives the same bytes on every run.

The rows of an array are compared by their cosines, so their lengths do not count.`
}

// arrangement is what a batch job found: parallel labels, numbered from 0, -1 for none.
type arrangement struct {
	Story, Topic, Theme []int32
	ids                 []string // of articles; nil: rows have their number
	notes               []string // what people should know of the input
	changes             *changes // of the store
	totals              *totals  // nil: follow from the labels
}

// totals say how much there is.
type totals struct {
	Items   int `json:"items"`
	Stories int `json:"stories"`
	Topics  int `json:"topics"`
	Themes  int `json:"themes"`
	OneOffs int `json:"one_offs"`      // items in no story
	Largest int `json:"largest_story"` // items of the largest
}

// changes are those of the stories in the store.
type changes struct {
	Applied bool `json:"applied"`
	Created int  `json:"created"`
	Merged  int  `json:"merged"`
	Split   int  `json:"split"`
	Renamed int  `json:"renamed"`
	Deleted int  `json:"deleted"`
	Moved   int  `json:"moved"` // articles
}

// Run clusters and writes the labels.
func (c *clusterCmd) Run(ctx context.Context, p *program) (err error) {
	started := time.Now()
	inputs := slices.Concat(c.Input, c.Files)
	if err := c.check(inputs); err != nil {
		return err
	}
	// The output first: that it cannot be written should not be found out after an hour.
	out, err := createOutput(c.Output, p.stdout)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	found, err := c.arrange(ctx, p, inputs)
	if err != nil {
		return err
	}
	if found.totals == nil {
		found.count()
	}
	if err := errors.Join(found.writeLabels(out), out.commit()); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return found.report(p.stderr, p.cli.JSON, time.Since(started))
}

// check finds mistakes in the call before anything is done.
func (c *clusterCmd) check(inputs []string) error {
	switch {
	case c.Apply && len(inputs) > 0:
		return usageError{errors.New("--apply writes the store's own stories back and cannot take input files")}
	case len(inputs) > 0 && c.Output == "":
		return usageError{errors.New("say where the labels go: --output FILE.jsonl, or --output - for standard output")}
	case c.Addr != "" && len(inputs) > 0:
		return usageError{errors.New("--addr is about the store of a server and does not go with input files")}
	case c.Topics < 0:
		return usageError{fmt.Errorf("--topics %d: must not be negative", c.Topics)}
	}
	stdin := 0
	for _, name := range inputs {
		if name == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return usageError{errors.New("standard input can be read once only")}
	}
	return checkOutput(c.Output)
}

// arrange goes the way that the input asks for.
func (c *clusterCmd) arrange(ctx context.Context, p *program, inputs []string) (*arrangement, error) {
	if len(inputs) == 0 {
		return c.arrangeStored(ctx, p)
	}
	sources, err := openSources(inputs, p.stdin)
	if err != nil {
		return nil, err
	}
	defer sources.close()
	switch arrays := sources.arrays(); {
	case arrays == 0:
		return c.arrangeArticles(ctx, p, sources)
	case arrays < len(inputs):
		return nil, usageError{errors.New("arrays and articles cannot be clustered together: their vectors have nothing in common")}
	case c.Topics > 0:
		return nil, usageError{errors.New("--topics is for articles; the topics of an array follow from it")}
	}
	return c.arrangeVectors(ctx, p, sources)
}

// count fills in the totals.
func (a *arrangement) count() {
	sizes := labelSizes(a.Story)
	t := &totals{Items: len(a.Story), Stories: len(sizes), Topics: len(labelSizes(a.Topic)), Themes: len(labelSizes(a.Theme)), OneOffs: len(a.Story)}
	for _, size := range sizes {
		t.OneOffs -= size
		t.Largest = max(t.Largest, size)
	}
	a.totals = t
}

// labelSizes says how many items have each label.
func labelSizes(labels []int32) map[int32]int {
	sizes := make(map[int32]int)
	for _, l := range labels {
		if l >= 0 {
			sizes[l]++
		}
	}
	return sizes
}

// writeLabels writes one line for every item. The fields have a fixed order, so equal labels are equal bytes.
func (a *arrangement) writeLabels(w io.Writer) error {
	line := struct {
		ID    any   `json:"id"`
		Story int32 `json:"story"`
		Topic int32 `json:"topic"`
		Theme int32 `json:"theme"`
	}{}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i := range a.Story {
		line.ID, line.Story, line.Topic, line.Theme = i, a.Story[i], a.Topic[i], a.Theme[i]
		if a.ids != nil {
			line.ID = a.ids[i]
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// report writes the summary, with what the job took. It goes to stderr, so that labels on stdout stay alone.
func (a *arrangement) report(w io.Writer, asJSON bool, took time.Duration) error {
	peak := peakMemory()
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"summary": struct {
			*totals
			Changes *changes `json:"changes,omitempty"`
			Notes   []string `json:"notes,omitempty"`
			Seconds float64  `json:"seconds"`
			Peak    int64    `json:"peak_memory_bytes,omitempty"`
		}{a.totals, a.changes, a.notes, took.Seconds(), peak}})
	}
	var failed error
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(w, format+"\n", args...); err != nil && failed == nil {
			failed = err
		}
	}
	what := [2]string{"article", "articles"}
	if a.ids == nil {
		what = [2]string{"row", "rows"}
	}
	for _, note := range a.notes {
		say("%s", note)
	}
	t := a.totals
	say("%s: %s, the largest of %d; %d in no story; %s, %s", plural(t.Items, what[0], what[1]), plural(t.Stories, "story", "stories"), t.Largest,
		t.OneOffs, plural(t.Topics, "topic", "topics"), plural(t.Themes, "theme", "themes"))
	if ch := a.changes; ch != nil {
		say("stories: %d created, %d merged, %d split, %d renamed, %d deleted; %s moved", ch.Created, ch.Merged, ch.Split, ch.Renamed, ch.Deleted,
			plural(ch.Moved, "article", "articles"))
		if !ch.Applied {
			say("nothing was changed: --apply writes this back")
		}
	}
	if peak > 0 {
		say("%.1f s, peak memory %d MB", took.Seconds(), peak>>20)
	} else {
		say("%.1f s", took.Seconds())
	}
	return failed
}
