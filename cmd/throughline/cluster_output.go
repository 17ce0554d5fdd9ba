package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// checkOutput refuses what labels cannot be written as.
func checkOutput(name string) error {
	if name == "" || name == "-" {
		return nil
	}
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".jsonl", ".ndjson":
		return nil
	case "":
		return usageError{fmt.Errorf("--output %s: give it the extension .jsonl, the format that labels are written in", name)}
	default:
		return usageError{fmt.Errorf("--output %s: %s is not supported; labels are written as .jsonl", name, ext)}
	}
}

// output is where labels go. A file gets its name when it is complete: who reads it never sees half of it, and a job that
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
		return &output{Writer: bufio.NewWriter(stdout)}, nil
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
