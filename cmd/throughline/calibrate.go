package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/embed"
	"throughline/internal/calibrate"
	"throughline/internal/evaluate"
	"throughline/internal/evidence"
)

type calibrateCmd struct {
	Files        []string `arg:"" name:"file" help:"Labelled articles: JSON lines with the field story beside those of an article."`
	Vectors      string   `type:"path" placeholder:"DIR" help:"Use vectors made before for the texts in full: a directory with a NumPy array NAME.npy for each file NAME.jsonl."`
	VectorsModel string   `default:"all-MiniLM-L6-v2" placeholder:"NAME" help:"Model that made the vectors (${default})."`
	Cache        string   `type:"path" placeholder:"DIR" help:"Keep the vectors of texts in DIR, so that the next run need not embed them."`
	Kind         []string `sep:"none" placeholder:"NAME=SET,SET" help:"Also report what is reached on these sets when none of them is learnt from. May be repeated."`
	Output       string   `short:"o" type:"path" placeholder:"FILE" help:"Write the model to FILE."`
	Date         string   `placeholder:"YYYY-MM-DD" help:"Date that the model is to carry; else that of SOURCE_DATE_EPOCH, else none."`
	Check        string   `type:"path" placeholder:"FILE" help:"Fit the coefficients only, and fail when those in FILE are others."`
}

// Help is the long help of the command.
func (calibrateCmd) Help() string {
	return `Makes the file of coefficients by which articles are put together, internal/evidence/model.json, from three labelled files or more. An
article without a label "story" is left out; of a file the first 2,500 others count.

Each line of a table is of a model that has not seen the set: P, R and F1 are B-cubed at the cut that was chosen without labels, BEST is the
F1 of the best cut for this set, nDCG@10 that of ranking by the same evidence. AT .80, .90 and .95 are the shares of right pairs when so
much was asked for. ECE is the expected calibration error of the probabilities.

Texts are embedded in full, and cut short for corpora of teasers and headlines. With --vectors only the latter are embedded.`
}

// check finds flags that do not go together.
func (c *calibrateCmd) check() error {
	switch {
	case c.Check != "" && (c.Output != "" || len(c.Kind) > 0 || c.Date != ""):
		return usageError{errors.New("--check fits and compares only: it does not go with --output, --kind and --date")}
	case c.Output == "-":
		return usageError{errors.New("--output: give the name of a file; --json prints the model with the figures to standard output")}
	case slices.Contains(c.Files, "-"):
		return usageError{errors.New("standard input has no name: the sets of a model are named after their files")}
	}
	return nil
}

// date is what the model carries.
func (c *calibrateCmd) date() (string, error) {
	if c.Date != "" {
		if _, err := time.Parse(time.DateOnly, c.Date); err != nil {
			return "", usageError{fmt.Errorf("--date %s: must be a day such as 2031-03-03", c.Date)}
		}
		return c.Date, nil
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return "", nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", fmt.Errorf("SOURCE_DATE_EPOCH %q: must be seconds since 1970", epoch)
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
}

// kinds reads the flags --kind.
func (c *calibrateCmd) kinds() ([]calibrate.Kind, error) {
	var out []calibrate.Kind
	for _, flag := range c.Kind {
		name, sets, ok := strings.Cut(flag, "=")
		if !ok || name == "" || sets == "" {
			return nil, usageError{fmt.Errorf("--kind %s: must be a name, =, and names of sets with commas between", flag)}
		}
		out = append(out, calibrate.Kind{Name: name, Sets: strings.Split(sets, ",")})
	}
	return out, nil
}

// Run fits, and prints what the fit is worth.
func (c *calibrateCmd) Run(ctx context.Context, p *program) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	date, err := c.date()
	if err != nil {
		return err
	}
	kinds, err := c.kinds()
	if err != nil {
		return err
	}
	var checked *evidence.Model
	if c.Check != "" {
		if checked, err = readModel(c.Check); err != nil {
			return err
		}
	}
	var on bar
	stage := ""
	defer func() { on.done() }()
	opts := calibrate.Options{InForce: evidence.Default().Cut, Kinds: kinds, Workers: p.cli.Workers, Progress: func(now string) {
		if now != stage {
			on.done()
			stage, on = now, p.progress(now)
		}
		on.step()
	}}
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
	on.done()
	report.Model.Provenance.Date = date
	if c.Output != "" {
		if err := writeModel(c.Output, report.Model); err != nil {
			return errors.Join(err, p.printCalibration(report))
		}
	}
	return p.printCalibration(report)
}

// prepare reads the sets and embeds their texts.
func (c *calibrateCmd) prepare(ctx context.Context, p *program, opts calibrate.Options) (_ *calibrate.Calibration, err error) {
	vectors := evaluateCmd{Files: c.Files, Vectors: c.Vectors, VectorsModel: c.VectorsModel}
	model, err := p.embedder(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := evaluate.NewCache(ctx, model, c.Cache)
	if err != nil {
		return nil, fmt.Errorf("--cache: %w", err)
	}
	defer func() { err = errors.Join(err, cache.Close()) }()
	opts.Short = cache
	arrays := make(map[string]*evaluate.Vectors)
	var source *vectorSource
	if c.Vectors != "" {
		if source, err = vectors.source(ctx, p); err != nil {
			return nil, err
		}
		opts.Full = func(set string) embed.Embedder { return arrays[set] }
	}
	var sets []*calibrate.Set
	for _, file := range c.Files {
		name := evaluate.SetName(file)
		items := evaluate.Read(ctx, file, readOptions(p))
		if source != nil {
			_, array, err := source.of(file)
			if err != nil {
				return nil, err
			}
			arrays[name], items = array, array.Of(items)
		}
		set, err := calibrate.NewSet(name, items)
		if err != nil {
			return nil, err
		}
		if arrays[name] != nil {
			if err := arrays[name].Check(); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		sets = append(sets, set)
	}
	return calibrate.New(ctx, sets, opts)
}

// readModel reads a file of coefficients.
func readModel(path string) (*evidence.Model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := evidence.ParseModel(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// writeModel writes a file of coefficients. It gets its name when it is complete, and when the program could read it.
func writeModel(path string, m *evidence.Model) error {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		return err
	}
	if _, err := evidence.ParseModel(data.Bytes()); err != nil {
		return fmt.Errorf("%s was not written: %w", path, err)
	}
	out, err := createOutput(path, nil)
	if err != nil {
		return err
	}
	if _, err := data.WriteTo(out); err != nil {
		return errors.Join(err, out.discard())
	}
	return errors.Join(out.commit(), out.discard())
}

// printCalibration prints the figures, with the model where JSON is wanted.
func (p *program) printCalibration(r *calibrate.Report) error {
	if p.cli.JSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	return calibrate.WriteTables(p.stdout, r)
}
