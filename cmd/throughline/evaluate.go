package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"throughline/embed"
	"throughline/internal/evaluate"
	"throughline/internal/store"
	"throughline/internal/stories"
)

type evaluateCmd struct {
	Files []string `arg:"" name:"file" help:"JSON lines of articles with the labels story and topic."`
	VectorFlags
	Bootstrap int      `default:"${samples}" help:"Samples for the 95% intervals; 0: no intervals."`
	Ask       *int     `placeholder:"N" help:"Most articles of a file to list related articles for. Default: all."`
	Save      string   `type:"path" placeholder:"FILE" help:"Write the figures, as JSON, for --compare."`
	Compare   string   `type:"path" placeholder:"FILE" help:"Show the changes since the run saved in FILE."`
	MaxDrop   *float64 `placeholder:"X" help:"With --compare: fail if the mean of a figure drops by more than X."`
	Live      bool     `help:"Stream the articles in order of date, and compare with stories made anew."`
	Rate      float64  `help:"With --live: articles a second; 0: as fast as they can be stored."`
	DerivedFlags
}

// Help is the long help of the command.
func (evaluateCmd) Help() string {
	return `Each file is ingested into a store in memory and measured with the default settings. The store on disk is not changed.

An article whose label "story" occurs once is a one-off. An article without a label takes part but does not count. A figure
that follows from no label is a dash, in JSON null.

Stories: FOUND/GOLD are stories with at least two labelled articles, GROUPED is the percentage of articles in them, found and
gold, LARGEST that of all articles in the largest story. P, R and F1 are B-cubed, then over pairs of articles: PAIR P is the
share of pairs in one story that belong together. Related: ECE is the expected calibration error of the probabilities in
the lists. The 95% intervals come from resampling the stories of the labels, so they are about other stories of this kind.

--vectors takes a NumPy array with a row for each article, or a directory with an array NAME.npy for each file NAME.jsonl.
--ask 0 measures stories and topics only.

--live stores the articles of a file one after the other as a server does, and measures stories when it is quiet (F1), and after all
articles are arranged anew (REBUILT), which puts the share MOVED into other stories. TOPICS is the share of articles in stories that
have a topic, CHANGES how often an article changed its story, LATE the same more than a minute after it was stored, and RENAMES how
often a story got another title, on average, MEDIAN and P95 the seconds until an article was in its last story.

--derived 240 measures the stories of 240 small odd corpora that are drawn from the files: sub has some stories of a file, thin
mostly one-offs, ones nothing else, giant one story and little else, mix stories of two or three files, window those that begin
after some day. Of shortened texts, which --derived-amount asks for, the model makes the vectors, also with --vectors.`
}

// check finds flags that contradict each other.
func (c *evaluateCmd) check() error {
	switch {
	case c.Bootstrap < 0 || c.Bootstrap > maxBootstrap:
		return usageError{fmt.Errorf("--bootstrap %d: must be 0 to %d", c.Bootstrap, maxBootstrap)}
	case c.Cache != "" && c.Vectors != "" && !c.shortens():
		return usageError{errors.New("--cache is for the vectors of a model and does not go with --vectors")}
	case c.Ask != nil && *c.Ask < 0:
		return usageError{fmt.Errorf("--ask %d: must not be negative", *c.Ask)}
	case c.Save == "-":
		return usageError{errors.New("--save: must be a file; --json prints the same to standard output")}
	case c.Rate < 0 || c.Rate > 0 && !c.Live:
		return usageError{fmt.Errorf("--rate %v: want a number above 0, with --live", c.Rate)}
	case c.Live && (c.Derived > 0 || c.Save != "" || c.Compare != "" || c.Ask != nil):
		return usageError{errors.New("--live does not go with --derived, --save, --compare or --ask")}
	case c.MaxDrop != nil && c.Compare == "":
		return usageError{errors.New("--max-drop needs --compare")}
	case c.MaxDrop != nil && !(*c.MaxDrop >= 0 && *c.MaxDrop <= 1):
		return usageError{fmt.Errorf("--max-drop %v: must be 0 to 1", *c.MaxDrop)}
	}
	return c.DerivedFlags.check(c)
}

// maxBootstrap keeps a typing error from taking hours.
const maxBootstrap = 1_000_000

// Run measures file by file and prints the figures.
func (c *evaluateCmd) Run(ctx context.Context, p *program) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	// Measuring takes minutes: a missing file should show at once.
	for _, name := range c.Files {
		if name != "-" {
			if _, err := os.Stat(name); err != nil {
				return err
			}
		}
	}
	if c.Derived > 0 {
		return c.derived(ctx, p)
	}
	earlier, err := c.earlier(func(r *evaluate.Report) error { return r.Covers(c.Files) })
	if err != nil {
		return err
	}
	source, err := c.source(ctx, p, c.Files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if c.Live {
		return c.live(ctx, p, source)
	}
	var results []*evaluate.Result
	for _, name := range c.Files {
		result, err := c.evaluate(ctx, p, source, name)
		if err != nil {
			return errors.Join(err, p.printReport(evaluate.NewReport(source.model, results)))
		}
		results = append(results, result)
	}
	return c.finish(p, evaluate.NewReport(source.model, results), earlier)
}

// finish compares, keeps and prints a report. earlier may be nil.
func (c *evaluateCmd) finish(p *program, report, earlier *evaluate.Report) (err error) {
	if earlier != nil {
		if report.Comparison, err = evaluate.Compare(earlier, report); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", c.Compare, err), p.printReport(report))
		}
	}
	if c.Save != "" {
		kept := *report
		kept.Comparison = nil
		err = writeJSON(c.Save, kept)
	}
	if err := errors.Join(err, p.printReport(report)); err != nil || c.MaxDrop == nil {
		return err
	}
	var failed []error
	for _, change := range report.Comparison.Dropped(*c.MaxDrop) {
		failed = append(failed, fmt.Errorf("the mean dropped by more than %v: %v", *c.MaxDrop, change))
	}
	return errors.Join(failed...)
}

// earlier reads the run to compare with, nil if there is none, and checks that it is of the same
// articles.
func (c *evaluateCmd) earlier(check func(*evaluate.Report) error) (*evaluate.Report, error) {
	if c.Compare == "" {
		return nil, nil
	}
	report, err := readReport(c.Compare)
	if err != nil {
		return nil, err
	}
	if err := check(report); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Compare, err)
	}
	return report, nil
}

// writeJSON writes a file with a value as indented JSON.
func writeJSON(path string, value any) error {
	return writeOutput(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	})
}

// evaluate measures one file in a store of its own.
func (c *evaluateCmd) evaluate(ctx context.Context, p *program, source *vectorSource, name string) (*evaluate.Result, error) {
	opts := evaluate.Options{Now: time.Now, Workers: p.cli.Workers, Bootstrap: c.Bootstrap}
	if c.Ask != nil {
		if opts.Ask = *c.Ask; opts.Ask == 0 {
			opts.Ask = -1
		}
	}
	embedder, vectors, err := source.of(name)
	if err != nil {
		return nil, err
	}
	opts.Vectors = vectors
	shown := p.counter(name + ", ")
	defer shown.done()
	opts.Progress = shown.count
	return p.measure(ctx, embedder, vectors != nil, name, evaluate.Read(ctx, name, p.readOptions()), opts)
}

// live streams the files, each into a store of its own, and prints the figures.
func (c *evaluateCmd) live(ctx context.Context, p *program, source *vectorSource) error {
	var results []*evaluate.Live
	var read []*evaluate.Result
	for _, name := range c.Files {
		embedder, vectors, err := source.of(name)
		if err != nil {
			return err
		}
		shown := p.counter(name + ", ")
		opts := evaluate.Options{Now: time.Now, Vectors: vectors, Rate: c.Rate, Progress: shown.count}
		var result *evaluate.Live
		err = p.withEngine(ctx, embedder, vectors != nil, p.cli.Workers, func(e *engine) error {
			sys := evaluate.LiveEngines{Engines: e.evaluated(), Background: []func(context.Context){e.states.Run, e.stories.KeepFiling, func(ctx context.Context) { e.stories.KeepArranged(ctx, stories.DefaultWindow) }}}
			result, err = evaluate.RunLive(ctx, sys, name, evaluate.Read(ctx, name, p.readOptions()), opts)
			return err
		})
		if shown.done(); err != nil {
			return err
		}
		results, read = append(results, result), append(read, result.Read)
	}
	if err := evaluate.WriteNotes(p.stderr, read); err != nil {
		return err
	}
	report := evaluate.NewLiveReport(source.model, results)
	if p.cli.JSON {
		return json.NewEncoder(p.stdout).Encode(report)
	}
	return evaluate.WriteLive(p.stdout, report)
}

// measure measures articles in a store of their own. fixed means that the embedder has the vectors
// of these articles only.
func (p *program) measure(ctx context.Context, embedder embed.Embedder, fixed bool, name string, items iter.Seq2[evaluate.Labelled, error],
	opts evaluate.Options) (result *evaluate.Result, err error) {
	err = p.withEngine(ctx, embedder, fixed, opts.Workers, func(e *engine) error {
		result, err = evaluate.Run(ctx, e.evaluated(), name, items, opts)
		return err
	})
	return result, err
}

// evaluated is the engine as a system to evaluate.
func (e *engine) evaluated() evaluate.Engines {
	return evaluate.Engines{Pipeline: e.ingest, Ranking: e.related, Stories: e.stories, Store: e.store}
}

// evaluateMemory is the memory for features of articles: each is compared many times.
const evaluateMemory = 256 << 20

// withEngine calls do with an engine on an empty store in memory.
func (p *program) withEngine(ctx context.Context, embedder embed.Embedder, fixed bool, workers int, do func(*engine) error) (err error) {
	conn, err := store.Local("", p.logger())
	if err != nil {
		return err
	}
	background, err := p.cli.background()
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	e, err := assemble(ctx, conn, embedder, settings{
		background: background,
		purpose:    purpose{scoring: true, memory: evaluateMemory}, prefix: "evaluate", workers: workers, target: p.cli.target(), logger: p.logger(), fixed: fixed,
	})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return do(e)
}

// printReport prints the figures to stdout, and notes about them to stderr.
func (p *program) printReport(report *evaluate.Report) error {
	if len(report.Sets) == 0 {
		return nil
	}
	if err := evaluate.WriteNotes(p.stderr, report.Sets); err != nil {
		return err
	}
	if p.cli.JSON {
		return json.NewEncoder(p.stdout).Encode(report)
	}
	write := evaluate.WriteTables
	if report.Derived != nil {
		write = evaluate.WriteDerived
	}
	if err := write(p.stdout, report); err != nil || report.Comparison == nil {
		return err
	}
	fmt.Fprintln(p.stdout)
	return evaluate.WriteComparison(p.stdout, report.Comparison)
}

// VectorFlags say where the vectors of labelled files come from.
type VectorFlags struct {
	Vectors      string `type:"path" placeholder:"PATH" help:"NumPy array, or directory of NAME.npy, to use instead of a model."`
	VectorsModel string `default:"all-MiniLM-L6-v2" placeholder:"NAME" help:"Model of --vectors (${default})."`
	Cache        string `type:"path" placeholder:"DIR" help:"Keep the vectors of texts in DIR for the next run."`
}

// vectorSource has the vectors of files, of a model or of arrays.
type vectorSource struct {
	model  string
	cache  *evaluate.Cache   // nil: arrays
	arrays map[string]string // by file
}

// of opens the vectors of a file. arrays is nil for those of a model.
func (s *vectorSource) of(name string) (embedder embed.Embedder, arrays *evaluate.Vectors, err error) {
	if s.cache != nil {
		return s.cache, nil, nil
	}
	if arrays, err = evaluate.OpenVectors(s.arrays[name], s.model); err != nil {
		return nil, nil, err
	}
	if d := arrays.Space().Dimensions; s.model == embed.MiniLM && d != builtinDimensions {
		return nil, nil, usageError{fmt.Errorf("--vectors %s: not vectors of %s (got %d numbers, want %d): name the model with --vectors-model",
			s.arrays[name], s.model, d, builtinDimensions)}
	}
	return arrays, arrays, nil
}

// builtinDimensions is the length of the vectors of the built-in model.
const builtinDimensions = 384

func (s *vectorSource) Close() error {
	if s.cache == nil {
		return nil
	}
	return s.cache.Close()
}

// source finds the model, or the array of each file.
func (f VectorFlags) source(ctx context.Context, p *program, files []string) (*vectorSource, error) {
	if f.Vectors == "" {
		embedder, err := p.embedder(ctx)
		if err != nil {
			return nil, err
		}
		cache, err := evaluate.NewCache(ctx, embedder, f.Cache)
		if err != nil {
			return nil, fmt.Errorf("--cache: %w", err)
		}
		return &vectorSource{model: embedder.Space().Model, cache: cache}, nil
	}
	info, err := os.Stat(f.Vectors)
	if err != nil {
		return nil, err
	}
	s := &vectorSource{model: embed.CanonicalModel(f.VectorsModel), arrays: make(map[string]string)}
	if !info.IsDir() {
		if len(files) > 1 {
			return nil, usageError{fmt.Errorf("--vectors %s: an array is for one file; give a directory with an array for each", f.Vectors)}
		}
		s.arrays[files[0]] = f.Vectors
		return s, nil
	}
	for _, name := range files {
		if name == "-" {
			return nil, usageError{errors.New("--vectors: standard input has no name to find an array by; give the array itself")}
		}
		array := filepath.Join(f.Vectors, evaluate.SetName(name)+".npy")
		if _, err := os.Stat(array); err != nil {
			return nil, fmt.Errorf("the vectors of %s: %w", name, err)
		}
		s.arrays[name] = array
	}
	return s, nil
}
