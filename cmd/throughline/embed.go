package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"throughline/embed"
)

type embedCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"Files with one text a line; - or nothing reads standard input."`
	Query bool     `help:"Embed as queries, with the query prefix, instead of as documents."`
}

// Help is the long help of the command.
func (embedCmd) Help() string {
	return "Writes one JSON array of numbers a line, in the order of the input. An empty line is a text too."
}

// embedBatch is how many lines are embedded at once: enough to fill every core, few enough to answer a pipe soon.
const embedBatch = 64

// maxLine bounds one line of input: far beyond what any model reads, and small beside the memory of a laptop.
const maxLine = 16 << 20

// Run embeds line by line, in batches.
func (c *embedCmd) Run(ctx context.Context, p *program) error {
	embedder, err := p.embedder(ctx)
	if err != nil {
		return err
	}
	kind := embed.Document
	if c.Query {
		kind = embed.Query
	}
	out := bufio.NewWriter(p.stdout)
	files := c.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := embedFile(ctx, embedder, kind, name, p.stdin, out); err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}

func embedFile(ctx context.Context, embedder embed.Embedder, kind embed.Kind, name string, stdin io.Reader, out *bufio.Writer) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	encoder := json.NewEncoder(out)
	batch := make([]string, 0, embedBatch)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		vectors, err := embedder.Embed(ctx, kind, batch)
		if err != nil {
			return err
		}
		batch = batch[:0]
		for _, v := range vectors {
			if err := encoder.Encode(v); err != nil {
				return err
			}
		}
		return out.Flush()
	}
	n := 1
	for ; lines.Scan(); n++ {
		batch = append(batch, strings.ToValidUTF8(lines.Text(), "\uFFFD"))
		if len(batch) == embedBatch {
			if err := flush(); err != nil {
				return fmt.Errorf("%s, lines up to %d: %w", name, n, err)
			}
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%s:%d: longer than %d MiB", name, n, maxLine>>20)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := flush(); err != nil {
		return fmt.Errorf("%s, lines up to %d: %w", name, n-1, err)
	}
	return nil
}
