package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"throughline/cluster"
	"throughline/internal/report"
)

type clusterCmd struct {
	Input     []string `sep:"none" placeholder:"FILE" help:"Cluster this file instead of the store: vectors in a NumPy array or a column of a Parquet file, a row each, or articles in any format that ingest reads, or in Parquet. - is standard input."`
	Files     []string `arg:"" optional:"" name:"file" help:"More input files."`
	Output    []string `short:"o" sep:"none" placeholder:"FILE" help:"Write a label line for every row or article to FILE.jsonl, a table of them to FILE.parquet, or a page about them to FILE.html; - is JSON lines on standard output. May be given several times."`
	Apply     bool     `help:"Write the stories and topics of the store back; without it the store stays as it is."`
	Topics    int      `help:"How many topics to make of articles; 0: as many as they show."`
	Vectors   string   `placeholder:"COLUMN" help:"Cluster the vectors in this column of Parquet files, a list of floating-point numbers. Needed where there are several, or text too."`
	MaxMemory size     `placeholder:"SIZE" help:"Stay within this much memory, e.g. 2GB, and refuse before starting what cannot; 0: no limit."`
	Work      string   `type:"path" placeholder:"DIR" help:"Where finished stages are kept until the job is done, so that an interrupted one goes on from there; default: work in the data directory."`
	AddrFlag
}

// Help is the long help of the command.
func (clusterCmd) Help() string {
	return `Without input files the whole store is arranged anew, as the server does it: --apply writes the outcome back, without
it the summary says what would change. When a server has the store open, the server does it. Input files leave the store alone.

Labels are JSON lines {"id":...,"story":...,"topic":...,"theme":...,"strength":...,"topic_strength":...} in the order of the input:
numbers from 0, and -1 for none; strengths say how much an item belongs to its story and topic, 0 to 1. The id is the article's, that in
the column id of a Parquet file, or the number of the row, counted through all inputs. Articles of the store come in the order of
their ids; a server does not tell their topic_strength. The same input gives the same bytes on every run. The page is one file of HTML that loads nothing.

The rows of an array are compared by their cosines, so their lengths do not count.

A job on input files that is interrupted goes on from the last stage it finished when it is started again: the input is read again, and
where it, an option or the program is another one, everything is done anew.`
}

// arrangement is what a batch job found: parallel labels, numbered from 0, -1 for none.
type arrangement struct {
	Story, Topic, Theme     []int32
	Strength, TopicStrength []float32 // nil: unknown

	ids       []string          // nil: rows have their number
	documents []report.Document // what is known of the items, for a page; nil: nothing
	means     cluster.Matrix    // of the topics, for a page
	one, many string            // what items are called

	notes   []string // what people should know of the input
	changes *changes // of the store
	totals  *totals  // nil: follow from the labels
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

// Run clusters and writes the outputs.
func (c *clusterCmd) Run(ctx context.Context, p *program) (err error) {
	inputs := slices.Concat(c.Input, c.Files)
	if err := c.check(inputs); err != nil {
		return err
	}
	// The outputs first: that one cannot be written should not be found out after an hour.
	outs, err := createOutputs(c.Output, p.stdout)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() { err = errors.Join(err, outs.discard()) }()
	j := c.newJob(p)
	defer func() { err = errors.Join(err, j.close()) }()
	found, err := c.arrange(ctx, p, j, inputs)
	if err != nil {
		return err
	}
	if found.totals == nil {
		found.count()
	}
	j.begin("write")
	if err := outs.write(ctx, found, titleOf(inputs)); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	j.end("")
	if err := j.finished(); err != nil {
		return err
	}
	found.notes = append(found.notes, j.notes...) // not in the page: they are about this run
	return found.report(p.stderr, p.cli.JSON, j)
}

// titleOf says what was clustered.
func titleOf(inputs []string) string {
	switch len(inputs) {
	case 0:
		return "The store"
	case 1:
		if inputs[0] == "-" {
			return "Standard input"
		}
		return baseName(inputs[0])
	}
	return fmt.Sprintf("%s and %s", baseName(inputs[0]), plural(len(inputs)-1, "other file", "other files"))
}

// check finds mistakes in the call before anything is done.
func (c *clusterCmd) check(inputs []string) error {
	switch {
	case c.Apply && len(inputs) > 0:
		return usageError{errors.New("--apply writes the store's own stories back and cannot take input files")}
	case len(inputs) > 0 && len(c.Output) == 0:
		return usageError{errors.New("say where the labels go: --output FILE.jsonl, or --output - for standard output")}
	case c.Addr != "" && len(inputs) > 0:
		return usageError{errors.New("--addr is about the store of a server and does not go with input files")}
	case c.Topics < 0:
		return usageError{fmt.Errorf("--topics %d: must not be negative", c.Topics)}
	case c.Vectors != "" && len(inputs) == 0:
		return usageError{errors.New("--vectors names a column of input files, and there are none")}
	case c.Work != "" && len(inputs) == 0:
		return usageError{errors.New("--work is for input files: of the store, everything that takes long is in the store already")}
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
	return checkOutputs(c.Output)
}

// arrange goes the way that the input asks for.
func (c *clusterCmd) arrange(ctx context.Context, p *program, j *job, inputs []string) (*arrangement, error) {
	if len(inputs) == 0 {
		return c.arrangeStored(ctx, p, j)
	}
	sources, err := openSources(inputs, p.stdin, c.Vectors)
	if err != nil {
		return nil, err
	}
	defer sources.close()
	switch vectors := sources.vectors(); {
	case c.Vectors != "" && !sources.tables():
		return nil, usageError{fmt.Errorf("--vectors %s: none of the inputs is a Parquet file", c.Vectors)}
	case vectors == 0:
		return c.arrangeArticles(ctx, p, j, sources)
	case vectors < len(inputs):
		return nil, usageError{errors.New("arrays and articles cannot be clustered together: their vectors have nothing in common")}
	case c.Topics > 0:
		return nil, usageError{errors.New("--topics is for articles; the topics of an array follow from it")}
	}
	return c.arrangeVectors(ctx, p, j, sources)
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

// since is how long ago something was, in seconds.
func since(t time.Time) float64 { return time.Since(t).Seconds() }
