package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"throughline/internal/parquet"
	"throughline/internal/report"
)

// writers are the formats of outputs, by extension.
var writers = map[string]func(w io.Writer, a *arrangement, title string) error{
	".jsonl":   writeLabels,
	".ndjson":  writeLabels,
	".parquet": writeTable,
	".html":    writePage,
	".htm":     writePage,
}

func extension(name string) string {
	if name == "-" {
		return ".jsonl"
	}
	return strings.ToLower(filepath.Ext(name))
}

func baseName(name string) string { return filepath.Base(name) }

// checkOutputs refuses what labels cannot be written as, and to write one file twice.
func checkOutputs(names []string) error {
	for i, name := range names {
		if name == "" {
			return usageError{errors.New("--output names no file")}
		}
		if slices.Contains(names[:i], name) {
			return usageError{fmt.Errorf("--output %s is given twice", name)}
		}
		switch ext := extension(name); {
		case ext == "":
			return usageError{fmt.Errorf("--output %s: give it an extension: .jsonl, .parquet or .html says what is written", name)}
		case writers[ext] == nil:
			return usageError{fmt.Errorf("--output %s: %s is not supported; .jsonl, .parquet and .html are", name, ext)}
		}
	}
	return nil
}

// wants reports whether an output has one of the extensions.
func wants(names []string, extensions ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(extensions, extension(name)) })
}

// wantsPage reports whether a page is wanted, which needs more than labels.
func (c *clusterCmd) wantsPage() bool { return wants(c.Output, ".html", ".htm") }

// outputs are all outputs of a job.
type outputs []*output

// createOutputs begins every output, or none.
func createOutputs(names []string, stdout io.Writer) (outputs, error) {
	var all outputs
	for _, name := range names {
		o, err := createOutput(name, stdout)
		if err != nil {
			return nil, errors.Join(err, all.discard())
		}
		all = append(all, o)
	}
	return all, nil
}

// write writes every output, and gives them their names when all of them are complete.
func (all outputs) write(ctx context.Context, a *arrangement, title string) error {
	for _, o := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writers[extension(o.name)](o, a, title); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		if err := o.Flush(); err != nil {
			return err
		}
	}
	for _, o := range all {
		if err := o.commit(); err != nil {
			return err
		}
	}
	return nil
}

func (all outputs) discard() error {
	var err error
	for _, o := range all {
		err = errors.Join(err, o.discard())
	}
	return err
}

// writeLabels writes one line for every item. The fields have a fixed order, so equal labels are equal bytes.
func writeLabels(w io.Writer, a *arrangement, _ string) error {
	line := struct {
		ID            any      `json:"id"`
		Story         int32    `json:"story"`
		Topic         int32    `json:"topic"`
		Theme         int32    `json:"theme"`
		Strength      *float32 `json:"strength,omitempty"`
		TopicStrength *float32 `json:"topic_strength,omitempty"`
	}{}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i := range a.Story {
		line.ID, line.Story, line.Topic, line.Theme = i, a.Story[i], a.Topic[i], a.Theme[i]
		if a.ids != nil {
			line.ID = a.ids[i]
		}
		if a.Strength != nil {
			line.Strength = &a.Strength[i]
		}
		if a.TopicStrength != nil {
			line.TopicStrength = &a.TopicStrength[i]
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// writeTable writes the same as a table.
func writeTable(w io.Writer, a *arrangement, _ string) error {
	return parquet.WriteLabels(w, parquet.Labels{
		IDs: a.ids, Story: a.Story, Topic: a.Topic, Theme: a.Theme, Strength: a.Strength, TopicStrength: a.TopicStrength,
	})
}

// writePage writes a page about the labels.
func writePage(w io.Writer, a *arrangement, title string) error {
	in := report.Input{Title: title, One: a.one, Many: a.many, Story: a.Story, Topic: a.Topic, Theme: a.Theme, Strength: a.Strength, Means: a.means, Notes: a.notes}
	if a.documents != nil {
		in.Documents = func(i int) report.Document { return a.documents[i] }
	}
	return report.Write(w, in)
}

// output is where something is written. A file gets its name when it is complete: who reads it never sees half of it, and a job that
// fails leaves the file of the last one.
type output struct {
	*bufio.Writer
	temporary *os.File // nil: a stream, or nothing
	name      string
}

// createOutput begins an output: a file, standard output for "-", or nothing for "".
func createOutput(name string, stdout io.Writer) (*output, error) {
	switch name {
	case "":
		return &output{Writer: bufio.NewWriter(io.Discard)}, nil
	case "-":
		return &output{Writer: bufio.NewWriter(stdout), name: name}, nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	// Not os.CreateTemp: its files are readable by their owner only.
	hidden := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+newID("part"))
	f, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &output{Writer: bufio.NewWriterSize(f, 1<<18), temporary: f, name: name}, nil
}

// commit completes the output.
func (o *output) commit() error {
	if err := o.Flush(); err != nil || o.temporary == nil {
		return err // of an unfinished file, discard takes care
	}
	f := o.temporary
	o.temporary = nil
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// discard removes what was not committed. After a commit it does nothing.
func (o *output) discard() error {
	if o.temporary == nil {
		return nil
	}
	f := o.temporary
	o.temporary = nil
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
