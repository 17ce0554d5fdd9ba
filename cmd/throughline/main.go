// Throughline answers two questions about news articles. What else was written about this? What is
// everybody writing about? Run it without arguments for its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"throughline/internal/evaluate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in how the program was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// errReported is a failure that has been printed already, e.g. as a list of rejected items.
var errReported = errors.New("reported")

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return exitUsage
	default:
		return exitFailed
	}
}

// program is everything a command needs from outside, so that tests run the real program.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	cli            *cli
}

// printed is an output that keeps the first error, so that printing needs no checks; run reports
// it.
type printed struct {
	to  io.Writer
	err error
}

func (o *printed) Write(data []byte) (int, error) {
	n, err := o.to.Write(data)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// failure prints and returns the error, if any.
func (o *printed) failure(stderr io.Writer) error {
	if o.err != nil {
		fmt.Fprintln(stderr, "throughline:", o.err)
	}
	return o.err
}

// run is the whole program: parse, then run the chosen command. Every error is printed once, on
// stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c cli
	exited := false
	out := &printed{to: stdout}
	parser, err := newParser(&c, out, stderr, func(int) { exited = true })
	if err != nil {
		fmt.Fprintln(stderr, "throughline:", err)
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if exited || out.err != nil { // --help printed its page, or tried to
		return out.failure(stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "throughline: %v\nRun throughline --help, or throughline COMMAND --help.\n", err)
		return usageError{err}
	}
	p := &program{stdin: &interruptible{ctx: ctx, from: stdin}, stdout: out, stderr: stderr, cli: &c}
	kctx.BindTo(ctx, (*context.Context)(nil))
	if err = c.check(); err == nil {
		err = kctx.Run(p)
	}
	if err != nil && !errors.Is(err, errReported) {
		fmt.Fprintln(stderr, "throughline:", p.explain(ctx, err))
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "Run throughline %s --help.\n", kctx.Selected().Name)
	}
	if err == nil {
		return out.failure(stderr)
	}
	return err
}

// newParser makes the parser of the command line. It calls parsed after --help instead of ending
// the process.
func newParser(c *cli, stdout, stderr io.Writer, parsed func(int)) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("throughline"),
		kong.Description("Related coverage, stories and topics from news articles."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.DefaultEnvars("THROUGHLINE"),
		kong.Writers(stdout, stderr),
		kong.Exit(parsed),
		kong.Vars{"data": defaultDataDir(), "prefix": defaultPrefix, "samples": strconv.Itoa(evaluate.DefaultBootstrap), "seed": derivedSeed},
	)
}
