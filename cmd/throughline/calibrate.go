package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	News    []string          `type:"path" sep:"none" placeholder:"FILE" help:"Unlabelled general news, to learn what is usual. May be repeated."`
	Corpora int               `placeholder:"N" help:"Corpora to draw to fit on, and to report on. Default: 636 and 480."`
	Kind    map[string]string `mapsep:"none" placeholder:"NAME=SET,SET" help:"Also report on these sets with all of them left out. May be repeated."`
	Output  string            `short:"o" type:"path" placeholder:"FILE" help:"Write the model to FILE."`
	Date    time.Time         `format:"2006-01-02" placeholder:"YYYY-MM-DD" help:"Date of the model. Default: none."`
	Check   string            `type:"path" placeholder:"FILE" help:"Fit the coefficients only, and fail if FILE has others."`
}

// Help is the long help of the command.
func (calibrateCmd) Help() string {
	return `Fits the coefficients of scores, internal/score/model.json. An article without a label "story" is left out; of each file the first
2,500 others count.

Each line of a table is about a model fitted without the set: P, R and F1 are B-cubed at the threshold chosen without
labels, BEST is the F1 of the best threshold, nDCG@10 is for ranking by the same score. AT .80, .90 and .95 are the shares
of right pairs at these target precisions. ECE is the expected calibration error of the probabilities.

With --background the files, which need no labels, are only counted, and what is usual in them is written to that file. Other
commands read it. It takes 500 articles of the field at least. Of several that are near each other one counts.

Texts are embedded in full, and cut for corpora of short texts. --vectors is a directory with an array NAME.npy
for each file NAME.jsonl, for the full texts.`
}

// Run fits a model and prints a report.
func (c *calibrateCmd) Run(ctx context.Context, p *program) (err error) {
	switch {
	case c.Check != "" && (c.Output != "" || len(c.Kind) > 0 || !c.Date.IsZero()):
		return usageError{errors.New("--check does not go with --output, --kind and --date")}
	case p.cli.Background != "" && (c.Output != "" || c.Check != "" || len(c.Kind) > 0 || !c.Date.IsZero()):
		return usageError{errors.New("--background goes with --news, --vectors and --cache only")}
	case p.cli.Background == "-":
		return usageError{errors.New("--background: must be a file")}
	case c.Corpora < 0:
		return usageError{fmt.Errorf("--corpora %d: must not be negative", c.Corpora)}
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
	if p.cli.Background != "" {
		return c.background(ctx, p)
	}
	shown := p.counter("")
	defer shown.done()
	opts := calibrate.Options{Corpora: c.Corpora, Workers: p.cli.Workers, Progress: shown.count}
	for _, name := range slices.Sorted(maps.Keys(c.Kind)) {
		opts.Kinds = append(opts.Kinds, calibrate.Kind{Name: name, Sets: strings.Split(c.Kind[name], ",")})
	}
	model, err := VectorFlags{Cache: c.Cache}.source(ctx, p, c.Files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	opts.Short = model.cache
	if opts.News, err = c.read(ctx, p, opts.Short, c.News); err != nil {
		return err
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
		err = calibrate.Same(checked, fitted, made.Labelled())
		if len(c.News) > 0 {
			files, failed := c.read(ctx, p, opts.Short, c.Files)
			if failed != nil {
				return failed
			}
			background, failed := counted(files, opts.News)
			if failed != nil {
				return failed
			}
			err = errors.Join(err, score.DefaultBackground().Same(background))
		}
		return err
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
func (c *calibrateCmd) prepare(ctx context.Context, p *program, opts calibrate.Options) (*calibrate.Calibration, error) {
	arrays := make(map[string]*evaluate.Vectors)
	var source *vectorSource
	var err error
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

// background writes what is usual in the files.
func (c *calibrateCmd) background(ctx context.Context, p *program) (err error) {
	model, err := VectorFlags{Cache: c.Cache}.source(ctx, p, c.Files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	files, err := c.read(ctx, p, model.cache, slices.Concat(c.Files, c.News))
	if err != nil {
		return err
	}
	made, err := counted(files)
	if err != nil {
		return err
	}
	if err := writeOutput(p.cli.Background, func(w io.Writer) error {
		_, err := w.Write(made.AppendBinary(nil))
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "%s: what is usual in %d articles that are not near each other\n", p.cli.Background, made.Articles())
	return nil
}

// read returns the features of the articles of files that count for what is usual. With --vectors
// the vectors of Files come from there.
func (c *calibrateCmd) read(ctx context.Context, p *program, embedder embed.Embedder, files []string) ([]score.Features, error) {
	var out []score.Features
	for _, file := range files {
		embedder, items := embedder, evaluate.Read(ctx, file, p.readOptions())
		if c.Vectors != "" && slices.Contains(c.Files, file) {
			source, err := c.source(ctx, p, c.Files)
			if err != nil {
				return nil, err
			}
			_, arrays, err := source.of(file)
			if err != nil {
				return nil, err
			}
			embedder, items = arrays, arrays.Of(items)
		}
		fs, err := calibrate.ReadNews(ctx, evaluate.SetName(file), items, embedder)
		if err != nil {
			return nil, err
		}
		out = append(out, fs...)
	}
	return out, nil
}

// counted returns what is usual in articles.
func counted(articles ...[]score.Features) (*score.Background, error) {
	b := score.NewStatsBuilder()
	for _, fs := range articles {
		for i := range fs {
			b.Add(&fs[i])
		}
	}
	return score.NewBackground(b)
}
