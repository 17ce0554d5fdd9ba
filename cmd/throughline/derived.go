package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/internal/derive"
	"throughline/internal/evaluate"
)

// DerivedFlags say which corpora are drawn from labelled files.
type DerivedFlags struct {
	Derived       int           `placeholder:"N" help:"Measure the stories of N small odd corpora drawn from the files."`
	DerivedSeed   string        `default:"${seed}" help:"With --derived: another seed draws other corpora."`
	DerivedAmount derive.Amount `default:"whole" help:"With --derived: text that is left, whole, lead, first, title or mixed."`
	DerivedKind   []derive.Kind `placeholder:"KIND" help:"With --derived: of the N corpora, measure those of these kinds only."`
	DerivedOdd    bool          `help:"With --derived: now and then without dates, with duplicates or templates."`
}

const (
	// derivedSeed is the default of --derived-seed.
	derivedSeed = "1"
	// maxDerived keeps a typing error from taking days.
	maxDerived = 100_000
)

// shortens reports whether there are texts without a vector in --vectors.
func (f DerivedFlags) shortens() bool {
	return f.Derived > 0 && (f.DerivedAmount != derive.Whole || f.DerivedOdd)
}

// check finds flags that contradict each other.
func (f DerivedFlags) check(c *evaluateCmd) error {
	switch given := f.DerivedSeed != derivedSeed || f.DerivedAmount != derive.Whole || len(f.DerivedKind) > 0 || f.DerivedOdd; {
	case f.Derived < 0 || f.Derived > maxDerived:
		return usageError{fmt.Errorf("--derived %d: must be 0 to %d", f.Derived, maxDerived)}
	case f.Derived == 0 && given:
		return usageError{errors.New("--derived-seed, --derived-amount, --derived-kind and --derived-odd need --derived")}
	case f.Derived > 0 && c.Ask != nil:
		return usageError{errors.New("--derived measures stories only and does not go with --ask")}
	case f.Derived > 0 && c.Bootstrap != 0 && c.Bootstrap != evaluate.DefaultBootstrap:
		return usageError{errors.New("--derived has no intervals and does not go with --bootstrap")}
	}
	return nil
}

// derived measures corpora that are drawn from the files, and prints the figures.
func (c *evaluateCmd) derived(ctx context.Context, p *program) (err error) {
	whole, err := c.source(ctx, p, c.Files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, whole.Close()) }()
	collection := new(evaluate.Collection)
	if model := whole; c.Vectors == "" || c.shortens() {
		if c.Vectors != "" {
			if model, err = (VectorFlags{Cache: c.Cache}).source(ctx, p, c.Files); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, model.Close()) }()
		}
		collection.Model = model.cache
	}
	for _, name := range c.Files {
		embedder, _, err := whole.of(name)
		if err != nil {
			return err
		}
		notes, err := collection.Add(name, evaluate.Read(ctx, name, p.readOptions()), embedder)
		if err == nil {
			err = evaluate.WriteNotes(p.stderr, []*evaluate.Result{notes})
		}
		if err != nil {
			return err
		}
	}
	derived, corpora := collection.Draw(c.Derived, c.DerivedKind, derive.Options{Seed: c.DerivedSeed, Amount: c.DerivedAmount, Odd: c.DerivedOdd})
	if len(corpora) == 0 {
		return fmt.Errorf("--derived-kind: none of %v", derived)
	}
	earlier, err := c.earlier(func(r *evaluate.Report) error { return r.CoversDerived(derived) })
	if err != nil {
		return err
	}
	results, err := p.measureAll(ctx, collection, corpora)
	if err != nil {
		return err
	}
	return c.finish(p, evaluate.NewDerivedReport(whole.model, derived, results), earlier)
}

// measureAll measures corpora, as many at a time as there are workers: one corpus has too little
// work for several.
func (p *program) measureAll(ctx context.Context, collection *evaluate.Collection, corpora []derive.Corpus) ([]*evaluate.Result, error) {
	results := make([]*evaluate.Result, len(corpora))
	shown := p.counter(fmt.Sprintf("%d corpora, ", len(corpora)))
	defer shown.done()
	var mu sync.Mutex // of shown
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(p.cli.Workers, runtime.GOMAXPROCS(0)))
	for i, corpus := range corpora {
		group.Go(func() error {
			items, embedder, err := collection.Corpus(ctx, corpus)
			if err != nil {
				return fmt.Errorf("%s: %w", corpus.Name, err)
			}
			opts := evaluate.Options{Now: time.Now, Workers: 1, Ask: -1}
			if results[i], err = p.measure(ctx, embedder, collection.Model == nil, corpus.Name, items, opts); err != nil {
				return err
			}
			results[i].Drawn = collection.Drawn(corpus)
			mu.Lock()
			defer mu.Unlock()
			shown.count("measured")
			return nil
		})
	}
	return results, group.Wait()
}
