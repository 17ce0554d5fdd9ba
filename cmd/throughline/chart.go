package main

import (
	"fmt"
	"os"

	"throughline/internal/evaluate"
)

type chartCmd struct {
	Before string `arg:"" type:"path" help:"Figures that evaluate --derived saved."`
	After  string `arg:"" type:"path" help:"Later figures of the same corpora."`
}

// Help is the long help of the command.
func (chartCmd) Help() string {
	return `Writes an SVG to standard output: the story F1 of derived corpora by kind and size, before and after. The files are of
evaluate --derived N --save FILE. Nothing is measured again.`
}

// Run reads both files and draws.
func (c *chartCmd) Run(p *program) error {
	before, err := readReport(c.Before)
	if err != nil {
		return err
	}
	after, err := readReport(c.After)
	if err != nil {
		return err
	}
	if err := evaluate.WriteChart(p.stdout, before, after); err != nil {
		return fmt.Errorf("%s, %s: %w", c.Before, c.After, err)
	}
	return nil
}

// readReport reads figures that evaluate saved.
func readReport(name string) (*evaluate.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read from only
	report, err := evaluate.ReadReport(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return report, nil
}
