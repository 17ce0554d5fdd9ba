package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"throughline/internal/evaluate"
	"throughline/internal/store"
)

type evaluateCmd struct {
	Files        []string `arg:"" name:"file" help:"Labelled articles: JSON lines with the fields story and topic beside those of an article."`
	Vectors      string   `type:"path" placeholder:"PATH" help:"Use vectors made before instead of a model: a NumPy array with a row for each article, or a directory with an array NAME.npy for each file NAME.jsonl."`
	VectorsModel string   `default:"all-MiniLM-L6-v2" placeholder:"NAME" help:"Model that made the vectors (${default})."`
	Cache        string   `type:"path" placeholder:"DIR" help:"Keep the vectors of texts in DIR, so that the next run need not embed them."`
	Bootstrap    int      `default:"1000" help:"Samples that the 95% intervals are taken from; 0 leaves them out."`
	Ask          *int     `placeholder:"N" help:"Ask for the coverage related to at most N articles a file instead of all; 0 measures stories and topics only."`
	Save         string   `type:"path" placeholder:"FILE" help:"Keep the figures, as JSON, for --compare."`
	Compare      string   `type:"path" placeholder:"FILE" help:"Show what changed since the run kept in FILE."`
	MaxDrop      *float64 `placeholder:"X" help:"With --compare: fail when the mean of a figure is worse than it was by more than X."`
}

// Help is the long help of the command.
func (evaluateCmd) Help() string {
	return `Each file is ingested into a store in memory and measured with the settings that readers get; the store on disk is not touched.

An article whose label "story" occurs once is a one-off. One without a label takes part as one more article to choose from,
but is not counted. A figure that no label can decide is a dash, in JSON null.

Stories: FOUND/GOLD are stories with two labelled articles or more, GROUPED the percentage of articles in them, found and
gold, LARGEST that of all articles in the largest story. P, R and F1 are B-cubed, then over pairs of articles: PAIR P is the
share of pairs put into one story that belong there. Related: ECE is the expected calibration error of the probabilities in
the lists. 95% intervals come from drawing the stories of the labels anew, so they speak of other stories of the same kind.`
}

// check finds flags that do not go together.
func (c *evaluateCmd) check() error {
	switch {
	case c.Bootstrap < 0 || c.Bootstrap > maxBootstrap:
		return usageError{fmt.Errorf("--bootstrap %d: must be 0 to %d", c.Bootstrap, maxBootstrap)}
	case c.Cache != "" && c.Vectors != "":
		return usageError{errors.New("--cache is for a model's vectors; with --vectors there is none")}
	case c.Ask != nil && *c.Ask < 0:
		return usageError{fmt.Errorf("--ask %d: must not be negative", *c.Ask)}
	case c.Save == "-":
		return usageError{errors.New("--save: give the name of a file; --json prints the same to standard output")}
	case c.MaxDrop != nil && c.Compare == "":
		return usageError{errors.New("--max-drop needs --compare: a run to compare with")}
	case c.MaxDrop != nil && !(*c.MaxDrop >= 0 && *c.MaxDrop <= 1):
		return usageError{fmt.Errorf("--max-drop %v: must be 0 to 1", *c.MaxDrop)}
	}
	return nil
}

// maxBootstrap keeps a slip of the keyboard from taking hours.
const maxBootstrap = 1_000_000

// Run measures file by file and prints the figures.
func (c *evaluateCmd) Run(ctx context.Context, p *program) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	// Measuring takes minutes: what cannot work should be found out at the beginning.
	for _, name := range c.Files {
		if name == "-" {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	var earlier *evaluate.Report
	if c.Compare != "" {
		var err error
		if earlier, err = readReport(c.Compare, c.Files); err != nil {
			return err
		}
	}
	source, err := c.source(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	var results []*evaluate.Result
	for _, name := range c.Files {
		result, err := c.evaluate(ctx, p, source, name)
		if err != nil {
			return errors.Join(err, p.printReport(evaluate.NewReport(source.model, results))) // what was measured before is worth showing
		}
		results = append(results, result)
	}
	return c.finish(p, evaluate.NewReport(source.model, results), earlier)
}

// finish keeps and prints the figures, and judges them.
func (c *evaluateCmd) finish(p *program, report, earlier *evaluate.Report) error {
	if earlier != nil {
		var err error
		if report.Comparison, err = evaluate.Compare(earlier, report); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", c.Compare, err), p.printReport(report))
		}
	}
	if c.Save != "" {
		if err := saveReport(c.Save, report); err != nil {
			return errors.Join(err, p.printReport(report))
		}
	}
	if err := p.printReport(report); err != nil || c.MaxDrop == nil {
		return err
	}
	var failed []error
	for _, change := range report.Comparison.Dropped(*c.MaxDrop) {
		failed = append(failed, fmt.Errorf("the mean is worse by more than %v: %v", *c.MaxDrop, change))
	}
	return errors.Join(failed...)
}

// evaluate measures one file in a store of its own.
func (c *evaluateCmd) evaluate(ctx context.Context, p *program, source *vectorSource, name string) (_ *evaluate.Result, err error) {
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
	conn, err := store.Local("", p.logger())
	if err != nil {
		return nil, err
	}
	e, err := assemble(ctx, conn, embedder, settings{
		prefix: "evaluate", workers: p.cli.Workers, precision: p.cli.Precision, logger: p.logger(), fixed: vectors != nil,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	var on bar
	stage := ""
	defer func() { on.done() }()
	opts.Progress = func(now string) {
		if now != stage {
			on.done()
			stage, on = now, p.progress(name+", "+now)
		}
		on.step()
	}
	return evaluate.Run(ctx, evaluate.Engines{Pipeline: e.ingest, Coverage: e.coverage, Stories: e.stories, Store: e.store},
		name, evaluate.Read(ctx, name, readOptions(p)), opts)
}

// printReport prints the figures on stdout and what is missing from them on stderr.
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
	if err := evaluate.WriteTables(p.stdout, report); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	if report.Comparison == nil {
		return nil
	}
	fmt.Fprintln(p.stdout)
	return evaluate.WriteComparison(p.stdout, report.Comparison)
}
