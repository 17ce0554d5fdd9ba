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
	Files  []string `arg:"" optional:"" name:"file" help:"Files with one text a line; - or nothing reads standard input."`
	Field  string   `placeholder:"NAME" help:"Read JSON lines: every line is an object, and the text is the string in this field."`
	Query  bool     `help:"Embed as queries, with the query prefix, instead of as documents."`
	Output string   `short:"o" placeholder:"FILE" help:"Write to FILE.npy, a float32 array with a row for each text, or to FILE.jsonl; - or nothing is standard output."`
}

// Help is the long help of the command.
func (embedCmd) Help() string {
	return `Turns each line into a vector of length 1, in the order of the input: a JSON array of numbers a line, or a row of a
NumPy array. An empty line is a text too, unless --field is given. What the model does not read of a long text does not
count. A file gets its name when it is complete.`
}

// Bounds of what is embedded at once: enough to fill every core or several requests to an endpoint, little beside the memory
// of a laptop.
const (
	embedBatch = 256
	embedBytes = 4 << 20
)

// maxLine bounds one line of input: far beyond what any model reads, and small beside the memory of a laptop.
const maxLine = 16 << 20

// vectorWriter is where vectors go.
type vectorWriter interface {
	Append(vector []float32) error
}

// Run embeds line by line, in batches.
func (c *embedCmd) Run(ctx context.Context, p *program) (err error) {
	format := strings.ToLower(filepath.Ext(c.Output))
	if c.Output != "" && c.Output != "-" && format != ".npy" && format != ".jsonl" {
		return usageError{fmt.Errorf("--output %s: give it the extension .npy or .jsonl, the formats that vectors are written in", c.Output)}
	}
	embedder, err := p.embedder(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	name := c.Output
	if name == "" {
		name = "-"
	}
	out, err := createOutput(name, p.stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	e := &embedding{ctx: ctx, embedder: embedder, field: c.Field, out: jsonVectors{out.Writer}}
	if c.Query {
		e.kind = embed.Query
	}
	var array *npy.Writer
	if format == ".npy" {
		if array, err = npy.NewWriter(out.temporary, embedder.Space().Dimensions); err != nil {
			return err
		}
		e.out = array
	}
	if f, ok := p.stdout.(*os.File); !ok || name != "-" || !term.IsTerminal(int(f.Fd())) { // it would get between the lines
		e.bar = p.progress("embedding")
	}
	err = e.files(c.Files, p.stdin, out.Flush)
	e.bar.done()
	if err != nil {
		if out.temporary == nil {
			err = errors.Join(err, out.Flush()) // what was ready is of use to who reads along
		}
		return err
	}
	if array != nil {
		if err := array.Close(); err != nil {
			return err
		}
	}
	if err := out.commit(); err != nil {
		return err
	}
	if name != "-" {
		fmt.Fprintf(p.stdout, "%s of %d numbers in %s, %.1f s\n", plural(e.done, "vector", "vectors"), embedder.Space().Dimensions, name, time.Since(started).Seconds())
	}
	return nil
}

// jsonVectors writes a JSON array a line.
type jsonVectors struct{ w *bufio.Writer }

func (j jsonVectors) Append(vector []float32) error {
	line, err := json.Marshal(vector)
	if err == nil {
		_, err = j.w.Write(append(line, '\n'))
	}
	return err
}

// embedding is a run of the command. It holds one batch of texts.
type embedding struct {
	ctx      context.Context
	embedder embed.Embedder
	kind     embed.Kind
	field    string
	out      vectorWriter
	bar      bar

	batch []string
	bytes int
	done  int
}

// files embeds the lines of files, one after another. flush is called after each batch.
func (e *embedding) files(names []string, stdin io.Reader, flush func() error) error {
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		if err := e.file(name, stdin, flush); err != nil {
			return err
		}
	}
	return nil
}

func (e *embedding) file(name string, stdin io.Reader, flush func() error) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	number := 0
	send := func() error {
		err := e.send()
		if err == nil {
			err = flush()
		}
		if err != nil {
			return fmt.Errorf("%s, lines up to %d: %w", name, number, err)
		}
		return nil
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		number++
		text, ok, err := e.text(lines.Bytes())
		if err != nil {
			return errors.Join(send(), fmt.Errorf("%s:%d: %w", name, number, err))
		}
		if !ok {
			continue
		}
		e.batch, e.bytes = append(e.batch, text), e.bytes+len(text)
		if len(e.batch) == embedBatch || e.bytes >= embedBytes {
			if err := send(); err != nil {
				return err
			}
		}
	}
	// What came before a line that cannot be read is not lost.
	err := send()
	switch broken := lines.Err(); {
	case errors.Is(broken, bufio.ErrTooLong):
		return errors.Join(err, fmt.Errorf("%s:%d: longer than %d MiB", name, number+1, maxLine>>20))
	case broken != nil:
		return errors.Join(err, fmt.Errorf("%s:%d: %w", name, number+1, broken))
	}
	return err
}

// text reads a line. Of JSON lines, empty ones are no texts.
func (e *embedding) text(line []byte) (text string, ok bool, err error) {
	if e.field == "" {
		return strings.ToValidUTF8(string(line), "\uFFFD"), true, nil
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return "", false, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil || object == nil {
		return "", false, errors.New("not a JSON object")
	}
	value, ok := object[e.field]
	switch {
	case !ok || string(value) == "null":
		return "", false, fmt.Errorf("the object has no field %q", e.field)
	case value[0] != '"':
		return "", false, fmt.Errorf("the field %q is not a string", e.field)
	}
	err = json.Unmarshal(value, &text)
	return text, err == nil, err
}

// send embeds the batch and writes its vectors.
func (e *embedding) send() error {
	if len(e.batch) == 0 {
		return nil
	}
	vectors, err := e.embedder.Embed(e.ctx, e.kind, e.batch)
	e.batch, e.bytes = e.batch[:0], 0
	if err != nil {
		return err
	}
	for _, v := range vectors {
		if err := e.out.Append(v); err != nil {
			return err
		}
		e.done++
		e.bar.step()
	}
	return nil
}
