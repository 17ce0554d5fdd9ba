package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"throughline/embed"
	"throughline/internal/npy"
)

type embedCmd struct {
	Files  []string `arg:"" optional:"" name:"file" help:"Files with a text in each line; - or none: standard input."`
	Field  string   `placeholder:"NAME" help:"Read JSON lines, and embed the string in this field of each object."`
	Query  bool     `help:"Embed queries, with the query prefix, instead of documents."`
	Output string   `short:"o" default:"-" placeholder:"FILE" help:"Write to FILE.npy or FILE.jsonl; -: JSON on standard output."`
}

// Help is the long help of the command.
func (embedCmd) Help() string {
	return `Turns each line into a vector of length 1, in the order of the input: a line with a JSON array of numbers, or a float32 row of
a NumPy array. An empty line is a text too, except with --field. Text beyond the limit of the model does not count. A file
gets its name when it is complete.`
}

const (
	// embedBatch and embedBytes bound a batch of texts: enough for every core or several requests
	// to an endpoint, and little memory.
	embedBatch = 256
	embedBytes = 4 << 20
	// maxLine bounds a line of input, far beyond what models read.
	maxLine = 16 << 20
)

// Run embeds lines in batches.
func (c *embedCmd) Run(ctx context.Context, p *program) (err error) {
	format := strings.ToLower(filepath.Ext(c.Output))
	if c.Output != "-" && format != ".npy" && format != ".jsonl" {
		return usageError{fmt.Errorf("--output %s: the extension must be .npy or .jsonl", c.Output)}
	}
	embedder, err := p.embedder(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	out, err := createOutput(c.Output, p.stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	write, end := jsonVectors(out), out.Flush
	if format == ".npy" {
		array, err := npy.NewWriter(out.temporary, embedder.Space().Dimensions)
		if err != nil {
			return err
		}
		write, end = array.Append, array.Close
	}
	shown := &counter{}
	if f, ok := p.stdout.(*os.File); !ok || c.Output != "-" || !term.IsTerminal(int(f.Fd())) { // it would mix with the lines
		shown = p.counter("")
	}
	defer shown.done()
	kind := embed.Document
	if c.Query {
		kind = embed.Query
	}
	var texts []string
	done, size, last := 0, 0, ""
	send := func() error {
		batch := texts
		texts, size = nil, 0
		if len(batch) == 0 {
			return nil
		}
		vectors, err := embedder.Embed(ctx, kind, batch)
		if err != nil {
			return fmt.Errorf("embedding up to %s: %w", last, err)
		}
		for _, v := range vectors {
			if err := write(v); err != nil {
				return err
			}
			done++
			shown.count("embedding")
		}
		return out.Flush()
	}
	err = c.eachText(p.stdin, func(text, at string) error {
		texts, size, last = append(texts, text), size+len(text), at
		if len(texts) == embedBatch || size >= embedBytes {
			return send()
		}
		return nil
	})
	if err = errors.Join(send(), err); err != nil { // the lines before one that cannot be read are not lost
		return err
	}
	if err := errors.Join(end(), out.commit()); err != nil {
		return err
	}
	if c.Output != "-" {
		fmt.Fprintf(p.stdout, "%s of %d numbers in %s, %.1f s\n", plural(done, "vector", "vectors"), embedder.Space().Dimensions, c.Output, time.Since(started).Seconds())
	}
	return nil
}

// jsonVectors writes a JSON array a line.
func jsonVectors(w io.Writer) func([]float32) error {
	return func(vector []float32) error {
		line, err := json.Marshal(vector)
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		return err
	}
}

// eachText calls fn for the texts of all files, with their file and line.
func (c *embedCmd) eachText(stdin io.Reader, fn func(text, at string) error) error {
	files := c.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := c.eachTextOf(name, stdin, fn); err != nil {
			return err
		}
	}
	return nil
}

func (c *embedCmd) eachTextOf(name string, stdin io.Reader, fn func(text, at string) error) error {
	in, err := open(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close() // read from only
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	number := 1
	for ; lines.Scan(); number++ {
		at := fmt.Sprintf("%s:%d", name, number)
		text, ok, err := c.text(lines.Bytes())
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if ok {
			if err := fn(text, at); err != nil {
				return err
			}
		}
	}
	err = lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("longer than %d MiB", maxLine>>20)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %w", name, number, err)
	}
	return nil
}

// text returns the text of a line, if the line has one.
func (c *embedCmd) text(line []byte) (text string, ok bool, err error) {
	if c.Field == "" {
		return strings.ToValidUTF8(string(line), "\uFFFD"), true, nil
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return "", false, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil || object == nil {
		return "", false, errors.New("not a JSON object")
	}
	value, ok := object[c.Field]
	switch {
	case !ok || string(value) == "null":
		return "", false, fmt.Errorf("the object has no field %q", c.Field)
	case value[0] != '"':
		return "", false, fmt.Errorf("the field %q is not a string", c.Field)
	}
	err = json.Unmarshal(value, &text)
	return text, err == nil, err
}
