package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"throughline/embed"
	"throughline/internal/calibrate"
	"throughline/internal/evaluate"
	"throughline/internal/score"
)

type calibrateCmd struct {
	Files []string `arg:"" name:"file" help:"JSON lines of articles with the label story, at least three files."`
	VectorFlags
	Kind   map[string]string `mapsep:"none" placeholder:"NAME=SET,SET" help:"Also report on these sets with all of them left out. May be repeated."`
	Output string            `short:"o" type:"path" placeholder:"FILE" help:"Write the model to FILE."`
	Date   time.Time         `format:"2006-01-02" placeholder:"YYYY-MM-DD" help:"Date of the model. Default: none."`
	Check  string            `type:"path" placeholder:"FILE" help:"Fit the coefficients only, and fail if FILE has others."`
}

// Help is the long help of the command.
func (calibrateCmd) Help() string {
	return `Fits the coefficients of scores, internal/score/model.json. An article without a label "story" is left out; of each file the first
2,500 others count.

Each line of a table is about a model fitted without the set: P, R and F1 are B-cubed at the threshold chosen without
labels, BEST is the F1 of the best threshold, nDCG@10 is for ranking by the same score. AT .80, .90 and .95 are the shares
of right pairs at these target precisions. ECE is the expected calibration error of the probabilities.

Texts are embedded in full, and cut for sets of teasers and headlines. --vectors is a directory with an array NAME.npy
for each file NAME.jsonl, for the full texts.`
}

// Run fits a model and prints a report.
func (c *calibrateCmd) Run(ctx context.Context, p *program) error {
	switch {
	case c.Check != "" && (c.Output != "" || len(c.Kind) > 0 || !c.Date.IsZero()):
		return usageError{errors.New("--check does not go with --output, --kind and --date")}
	case c.Output == "-":
		return usageError{errors.New("--output: must be a file; --json prints the model to standard output")}
	case slices.Contains(c.Files, "-"):
		return usageError{errors.New("sets are named after their files, and standard input has no name")}
	}
	var checked *score.Model
	if c.Check != "" {
		data, err := os.ReadFile(c.Check)
		if err == nil {
			checked, err = score.ParseModel(data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Check, err)
		}
	}
	shown := p.counter("")
	defer shown.done()
	opts := calibrate.Options{InForce: score.Default().Threshold, Workers: p.cli.Workers, Progress: shown.count}
	for _, name := range slices.Sorted(maps.Keys(c.Kind)) {
		opts.Kinds = append(opts.Kinds, calibrate.Kind{Name: name, Sets: strings.Split(c.Kind[name], ",")})
	}
	made, err := c.prepare(ctx, p, opts)
	if err != nil {
		return err
	}
	if checked != nil {
		fitted, err := made.Coefficients()
		if err != nil {
			return err
		}
		return calibrate.Same(checked, fitted, made.Labelled())
	}
	report, err := made.Report(ctx)
	if err != nil {
		return err
	}
	if !c.Date.IsZero() {
		report.Model.Provenance.Date = c.Date.Format(time.DateOnly)
	}
	if c.Output != "" {
		err = writeJSON(c.Output, report.Model)
	}
	if p.cli.JSON {
		return errors.Join(err, json.NewEncoder(p.stdout).Encode(report))
	}
	return errors.Join(err, calibrate.WriteTables(p.stdout, report))
}

// prepare reads the sets and embeds their texts.
func (c *calibrateCmd) prepare(ctx context.Context, p *program, opts calibrate.Options) (_ *calibrate.Calibration, err error) {
	model, err := VectorFlags{Cache: c.Cache}.source(ctx, p, c.Files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	opts.Short = model.cache
	arrays := make(map[string]*evaluate.Vectors)
	var source *vectorSource
	if c.Vectors != "" {
		if source, err = c.source(ctx, p, c.Files); err != nil {
			return nil, err
		}
		opts.Full = func(set string) embed.Embedder { return arrays[set] }
	}
	var sets []*calibrate.Set
	for _, file := range c.Files {
		name := evaluate.SetName(file)
		items := evaluate.Read(ctx, file, p.readOptions())
		if source != nil {
			if _, arrays[name], err = source.of(file); err != nil {
				return nil, err
			}
			items = arrays[name].Of(items)
		}
		set, err := calibrate.NewSet(name, items)
		if err != nil {
			return nil, err
		}
		if source != nil {
			if err := arrays[name].Check(); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		sets = append(sets, set)
	}
	return calibrate.New(ctx, sets, opts)
}
