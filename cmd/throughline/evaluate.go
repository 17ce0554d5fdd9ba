package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"throughline/embed"
	"throughline/internal/evaluate"
	"throughline/internal/points"
)

type evaluateCmd struct {
	Files []string `arg:"" name:"file" help:"Labelled articles: JSON lines with the fields story and topic beside those of an article."`
}

// Help is the long help of the command.
func (evaluateCmd) Help() string {
	return `Each file is ingested into a store in memory and measured with the settings that readers get; the store on disk is not touched.

An article whose label "story" occurs once is a one-off. One without a label takes part as one more article to choose from,
but is not counted. A figure that no label can decide is a dash, in JSON null.`
}

// Run measures file by file and prints the figures.
func (c *evaluateCmd) Run(ctx context.Context, p *program) error {
	// Measuring takes minutes: a mistyped name in the end should be found out at the beginning.
	for _, name := range c.Files {
		if name == "-" {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	embedder, err := p.embedder(ctx)
	if err != nil {
		return err
	}
	var results []*evaluate.Result
	for _, name := range c.Files {
		result, err := p.evaluate(ctx, embedder, name)
		if err != nil {
			return errors.Join(err, p.printResults(results)) // what was measured before is worth showing
		}
		results = append(results, result)
	}
	return p.printResults(results)
}

// evaluate measures one file in a store of its own.
func (p *program) evaluate(ctx context.Context, embedder embed.Embedder, name string) (_ *evaluate.Result, err error) {
	conn, err := points.Local("", p.logger())
	if err != nil {
		return nil, err
	}
	e, err := assemble(ctx, conn, embedder, "evaluate", false, p.cli.Workers, p.logger())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	var on bar
	stage := ""
	defer func() { on.done() }()
	return evaluate.Run(ctx, evaluate.Engines{Pipeline: e.ingest, Coverage: e.coverage, Stories: e.stories, Store: e.store},
		name, evaluate.Read(ctx, name, readOptions(p)), evaluate.Options{Now: time.Now, Workers: p.cli.Workers, Progress: func(now string) {
			if now != stage {
				on.done()
				stage, on = now, p.progress(name+", "+now)
			}
			on.step()
		}})
}

// printResults prints the figures on stdout and what is missing from them on stderr.
func (p *program) printResults(results []*evaluate.Result) error {
	if len(results) == 0 {
		return nil
	}
	if err := evaluate.WriteNotes(p.stderr, results); err != nil {
		return err
	}
	if p.cli.JSON {
		return json.NewEncoder(p.stdout).Encode(evaluate.Report{Sets: results})
	}
	if err := evaluate.WriteTable(p.stdout, results); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
