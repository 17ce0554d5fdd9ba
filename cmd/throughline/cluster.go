package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/embed"
	"throughline/internal/batch"
	"throughline/internal/parquet"
	"throughline/internal/score"
)

type clusterCmd struct {
	Input     []string `sep:"none" placeholder:"FILE" help:"Cluster this file instead of the store; - is standard input. May be repeated."`
	Files     []string `arg:"" optional:"" name:"file" help:"More input files."`
	Output    []string `short:"o" sep:"none" placeholder:"FILE" help:"Write to FILE.jsonl, .parquet or .html; - is standard output. May be repeated."`
	Apply     bool     `help:"Write the new stories and topics to the store. Default: report only."`
	Topics    int      `placeholder:"N" help:"Number of topics to make; 0: as many as show."`
	MinStory  int      `placeholder:"N" help:"Fewest rows of a story of vectors. Default: 2."`
	MinTopic  int      `placeholder:"N" help:"Fewest rows of a topic of vectors. Default: by the number of rows."`
	Neighbors int      `placeholder:"N" help:"Number of nearest rows that a row of vectors is linked with. Default: 15."`
	Vectors   string   `placeholder:"COLUMN" help:"Column of vectors in Parquet files. Default: the only one, if no text."`
	MaxMemory size     `placeholder:"SIZE" help:"Most memory to use, e.g. 2GB; 0: no limit."`
	Work      string   `type:"path" placeholder:"DIR" help:"Directory of checkpoints. Default: work in the data directory."`
	AddrFlag
}

// Help is the long help of the command.
func (clusterCmd) Help() string {
	return `Without input files the command clusters all articles of the store again and reports what would change; --apply writes
it. When a server has the store open, the server does it. Input files leave the store alone.

An input has vectors, one in each row of a NumPy array or of a Parquet column of lists of floating-point numbers, or
articles in any format that ingest reads, or in Parquet. --vectors names the column where a Parquet file has several, or
text too. Vectors are compared by cosine, so their lengths do not count.

Where stories end follows from what is clustered. --granularity moves it, for articles and vectors; --precision sets it
for articles. --min-story, --min-topic and --neighbors are for vectors.

Labels are JSON lines {"id":...,"story":...,"topic":...,"theme":...,"strength":...,"topic_strength":...}, a Parquet
table with these columns, or one HTML page that loads no other file. Items come in the order of the input, articles of
the store in the order of their ids. Labels count from 0; -1 is none. Strengths, 0 to 1, say how surely an item
belongs to its story and topic. With --apply a server does not return topic_strength. The id is that of the article,
the value of the Parquet column id, or the number of the row, counted through all inputs. The same input gives the same
bytes.

An interrupted job on input files resumes after its last finished stage. When the input, an option or the program has
changed it starts over. A job that does not fit into --max-memory is refused before it starts.`
}

// Run clusters and writes the outputs.
func (c *clusterCmd) Run(ctx context.Context, p *program) (err error) {
	inputs := slices.Concat(c.Input, c.Files)
	if err := c.check(inputs); err != nil {
		return err
	}
	// The outputs first: an output that cannot be written should not show after an hour.
	var outs outputs
	defer func() { err = errors.Join(err, outs.discard()) }()
	for _, name := range c.Output {
		out, err := createOutput(name, p.stdout)
		if err != nil {
			return fmt.Errorf("--output: %w", err)
		}
		outs = append(outs, out)
	}
	defer batch.LimitMemory(int64(c.MaxMemory))()
	shown := &stagePrinter{p: p, bar: p.stages(), at: time.Now()}
	defer shown.bar.done()
	stages := batch.NewStages(shown)
	write := func(l *batch.Labeling) error {
		stages.Begin("write")
		if err := outs.write(ctx, l, titleOf(inputs)); err != nil {
			return fmt.Errorf("--output: %w", err)
		}
		stages.End("")
		return nil
	}
	var found *clustered
	if len(inputs) == 0 {
		found, err = c.clusterStore(ctx, p, stages, write)
	} else {
		found, err = c.clusterInputs(ctx, p, stages, inputs, write)
	}
	if err != nil {
		return err
	}
	return p.printClustered(found, shown.finished, stages.Total())
}

// check finds mistakes in the call before anything is done.
func (c *clusterCmd) check(inputs []string) error {
	switch {
	case c.Apply && len(inputs) > 0:
		return usageError{errors.New("--apply changes the store and does not go with input files")}
	case len(inputs) > 0 && len(c.Output) == 0:
		return usageError{errors.New("input files need --output: FILE.jsonl, .parquet or .html, or - for standard output")}
	case c.Addr != "" && len(inputs) > 0:
		return usageError{errors.New("--addr names the server of a store and does not go with input files")}
	case c.Topics < 0:
		return usageError{fmt.Errorf("--topics %d: must not be negative", c.Topics)}
	case c.MinStory < 0 || c.MinStory == 1:
		return usageError{fmt.Errorf("--min-story %d: must be at least 2", c.MinStory)}
	case c.MinTopic < 0 || c.MinTopic == 1:
		return usageError{fmt.Errorf("--min-topic %d: must be at least 2", c.MinTopic)}
	case c.Neighbors < 0:
		return usageError{fmt.Errorf("--neighbors %d: must not be negative", c.Neighbors)}
	case c.forVectors() != "" && len(inputs) == 0:
		return usageError{fmt.Errorf("%s is for vectors, and the store has articles", c.forVectors())}
	case c.Vectors != "" && len(inputs) == 0:
		return usageError{errors.New("--vectors names a column of input files, and there are none")}
	case c.Work != "" && len(inputs) == 0:
		return usageError{errors.New("--work is for input files; the store needs no checkpoints")}
	}
	first := slices.Index(inputs, "-")
	if first >= 0 && slices.Contains(inputs[first+1:], "-") {
		return usageError{errors.New("standard input can be read only once")}
	}
	for i, name := range c.Output {
		if slices.Contains(c.Output[:i], name) {
			return usageError{fmt.Errorf("--output %s is given twice", name)}
		}
		if _, err := batch.FormatOf(name); err != nil {
			return usageError{fmt.Errorf("--output: %w", err)}
		}
	}
	return nil
}

// forVectors names a flag that was given and is for vectors only; empty: none.
func (c *clusterCmd) forVectors() string {
	switch {
	case c.MinStory > 0:
		return "--min-story"
	case c.MinTopic > 0:
		return "--min-topic"
	case c.Neighbors > 0:
		return "--neighbors"
	}
	return ""
}

// wantsPage reports whether an output is a page, which shows more than labels.
func (c *clusterCmd) wantsPage() bool { return slices.ContainsFunc(c.Output, batch.IsPage) }

// titleOf is the title of a page: what was clustered.
func titleOf(inputs []string) string {
	switch {
	case len(inputs) == 0:
		return "The store"
	case len(inputs) > 1:
		return fmt.Sprintf("%s and %s", filepath.Base(inputs[0]), plural(len(inputs)-1, "other file", "other files"))
	case inputs[0] == "-":
		return "Standard input"
	}
	return filepath.Base(inputs[0])
}

// clusterInputs clusters input files.
func (c *clusterCmd) clusterInputs(ctx context.Context, p *program, stages *batch.Stages, inputs []string, write func(*batch.Labeling) error) (*clustered, error) {
	sources, err := batch.Open(inputs, p.stdin, c.Vectors)
	if errors.Is(err, parquet.ErrAmbiguous) {
		return nil, fmt.Errorf("%w: choose one with --vectors", err)
	}
	if err != nil {
		return nil, err
	}
	defer sources.Close()
	kind, err := sources.Kind()
	switch {
	case err != nil:
		return nil, usageError{err}
	case c.Vectors != "" && !sources.HasTable():
		return nil, usageError{fmt.Errorf("--vectors %s: no input is a Parquet file", c.Vectors)}
	case kind == batch.Vectors && p.cli.target().Precision > 0:
		return nil, usageError{errors.New("--precision is for articles; vectors have --granularity")}
	case kind != batch.Vectors && c.forVectors() != "":
		return nil, usageError{fmt.Errorf("%s is for vectors, and the inputs have articles", c.forVectors())}
	}
	background, err := p.cli.background()
	if err != nil {
		return nil, err
	}
	work, tidy := c.workDir(p.cli.Data)
	job := batch.NewJob(batch.Options{
		Background: background, Topics: c.Topics, Target: p.cli.target(), MinStory: c.MinStory, MinTopic: c.MinTopic, Neighbors: c.Neighbors, Documents: c.wantsPage(), Workers: p.cli.Workers, MaxMemory: int64(c.MaxMemory),
		Work: work, Build: fmt.Sprint(readBuild()), Logger: p.logger(),
	}, stages)
	var labels *batch.Labeling
	if kind == batch.Vectors {
		labels, err = job.Vectors(ctx, sources)
	} else {
		var embedder, reference embed.Embedder
		if embedder, err = p.embedder(ctx); err != nil {
			return nil, err
		}
		if reference, err = referenceFor(embedder, score.Default(), p.cli.Workers); err != nil {
			return nil, err
		}
		labels, err = job.Articles(ctx, sources, embedder, reference)
	}
	if err != nil {
		return nil, err
	}
	if err := write(labels); err != nil {
		return nil, err
	}
	if err := job.Finish(); err != nil {
		return nil, err
	}
	tidy()
	return &clustered{one: labels.One, many: labels.Many, Totals: labels.Totals(), Notes: slices.Concat(labels.Notes, job.Notes())}, nil
}

// workDir returns the directory of checkpoints. tidy removes what a job made for it, unless
// something is left there.
func (c *clusterCmd) workDir(data string) (work string, tidy func()) {
	if c.Work != "" {
		return c.Work, func() {}
	}
	work = filepath.Join(data, "work")
	_, err := os.Stat(data)
	return work, func() {
		_ = os.Remove(work)
		if errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(data)
		}
	}
}

// clustered is what a job found.
type clustered struct {
	one, many string // what items are called
	batch.Totals
	Changes *changes `json:"changes,omitempty"`
	Notes   []string `json:"notes,omitempty"`
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

// printClustered prints the summary, with what the job took. It goes to stderr, so that stdout has
// labels only.
func (p *program) printClustered(found *clustered, stages []batch.Stage, total batch.Cost) error {
	if p.cli.JSON {
		return json.NewEncoder(p.stderr).Encode(map[string]any{"summary": struct {
			*clustered
			Stages []batch.Stage `json:"stages"`
			batch.Cost
		}{found, stages, total}})
	}
	out := &printed{to: p.stderr}
	for _, note := range found.Notes {
		fmt.Fprintln(out, note)
	}
	fmt.Fprintf(out, "%s: %s, the largest of %d; %d in no story; %s, %s\n", plural(found.Items, found.one, found.many), plural(found.Stories, "story", "stories"),
		found.Largest, found.OneOffs, plural(found.Topics, "topic", "topics"), plural(found.Themes, "theme", "themes"))
	if ch := found.Changes; ch != nil {
		fmt.Fprintf(out, "stories: %d created, %d merged, %d split, %d renamed, %d deleted; %s moved\n", ch.Created, ch.Merged, ch.Split, ch.Renamed, ch.Deleted,
			plural(ch.Moved, "article", "articles"))
		if !ch.Applied {
			fmt.Fprintln(out, "nothing was changed: --apply writes this to the store")
		}
	}
	if total.Peak > 0 {
		fmt.Fprintf(out, "%.1f s, %.1f CPU s, peak memory %s\n", total.Seconds, total.CPU, batch.MB(total.Peak))
	} else {
		fmt.Fprintf(out, "%.1f s\n", total.Seconds)
	}
	return out.err
}

// stagePrinter prints the stages of a job as they end, and shows a bar on a terminal.
type stagePrinter struct {
	p        *program
	bar      *stages
	at       time.Time // of the last line
	finished []batch.Stage
}

// quietFor is how long a log that is no terminal shows nothing of a running stage.
const quietFor = 20 * time.Second

// Progress implements batch.Observer.
func (s *stagePrinter) Progress(stage, doing string, done float64) {
	s.bar.at(doing, done)
	if s.bar.on == nil && !s.p.cli.JSON && time.Since(s.at) > quietFor {
		s.at = time.Now()
		fmt.Fprintf(s.p.stderr, "%-10s %s: %.0f %%\n", stage, doing, 100*done)
	}
}

// Finished implements batch.Observer.
func (s *stagePrinter) Finished(stage batch.Stage) {
	s.at, s.finished = time.Now(), append(s.finished, stage)
	if s.p.cli.JSON {
		_ = json.NewEncoder(s.p.stderr).Encode(map[string]any{"stage": stage}) // a closed terminal does not end the job
		return
	}
	s.bar.clear()
	line := fmt.Sprintf("%-10s %7.1f s", stage.Name, stage.Seconds)
	if stage.Peak > 0 {
		line += fmt.Sprintf(" %7.1f CPU s %7s", stage.CPU, batch.MB(stage.Peak))
	}
	if stage.Detail != "" {
		line += "  " + stage.Detail
	}
	fmt.Fprintln(s.p.stderr, line)
}

// size is a number of bytes, written with or without a unit.
type size int64

var sizePattern = regexp.MustCompile(`^([0-9.]+) *(?:([kmgt])(i?))?b?$`)

// UnmarshalText reads a size such as 700MB, 1.5GiB or 1000000.
func (s *size) UnmarshalText(text []byte) error {
	if m := sizePattern.FindStringSubmatch(strings.ToLower(string(text))); m != nil {
		unit := 1000.
		if m[3] != "" {
			unit = 1024
		}
		x, err := strconv.ParseFloat(m[1], 64)
		if x *= math.Pow(unit, float64(strings.Index("kmgt", m[2])+len(m[2]))); err == nil && x < math.MaxInt64 {
			*s = size(x)
			return nil
		}
	}
	return fmt.Errorf("not a size (got %q, want e.g. 700MB or 2GB)", text)
}
