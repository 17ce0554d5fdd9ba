package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"throughline/internal/batch"
)

// output is a file that gets its name when it is complete, or standard output. Readers never see
// half of a file, and a failure leaves the file of the last run.
type output struct {
	*bufio.Writer
	temporary *os.File // nil: standard output, or committed
	name      string
}

// createOutput starts an output; "-" is stdout.
func createOutput(name string, stdout io.Writer) (*output, error) {
	if name == "-" {
		return &output{Writer: bufio.NewWriter(stdout), name: name}, nil
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	// Not os.CreateTemp: only their owner can read its files.
	hidden := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+newID("part"))
	f, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &output{Writer: bufio.NewWriterSize(f, 1<<18), temporary: f, name: name}, nil
}

// writeOutput writes a file at once.
func writeOutput(name string, write func(io.Writer) error) error {
	out, err := createOutput(name, nil)
	if err != nil {
		return err
	}
	if err = write(out); err == nil {
		err = out.commit()
	}
	return errors.Join(err, out.discard())
}

// commit completes the output.
func (o *output) commit() error {
	if err := o.Flush(); err != nil || o.temporary == nil {
		return err
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

// discard removes what was not committed. After commit it does nothing.
func (o *output) discard() error {
	if o.temporary == nil {
		return nil
	}
	f := o.temporary
	o.temporary = nil
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// outputs are all outputs of a job.
type outputs []*output

// write writes labels to all outputs, and commits them when all are complete.
func (all outputs) write(ctx context.Context, l *batch.Labeling, title string) error {
	for _, o := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		format, err := batch.FormatOf(o.name)
		if err == nil {
			err = format(o, l, title)
		}
		if err != nil {
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
