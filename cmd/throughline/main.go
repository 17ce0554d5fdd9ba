// Throughline takes news articles in and answers what else was written about something and what everybody is writing
// about. Run it without arguments for its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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

// errReported marks a failure whose message has been printed already, e.g. as the table of rejected items.
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

// run is the whole program: parse, then run the chosen command. Every error is printed once, on stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c cli
	exited := false
	parser, err := kong.New(&c,
		kong.Name("throughline"),
		kong.Description("Related coverage, stories and topics from news articles."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, Tree: false, FlagsLast: true}),
		kong.DefaultEnvars("THROUGHLINE"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.Vars{"data": defaultDataDir()},
	)
	if err != nil {
		fmt.Fprintln(stderr, "throughline:", err)
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if exited { // --help printed its page
		return nil
	}
	if err != nil {
		fmt.Fprintf(stderr, "throughline: %v\nRun throughline --help, or throughline COMMAND --help.\n", err)
		return usageError{err}
	}
	kctx.BindTo(ctx, (*context.Context)(nil))
	err = kctx.Run(&program{stdin: stdin, stdout: stdout, stderr: stderr, cli: &c})
	if err != nil && !errors.Is(err, errReported) {
		fmt.Fprintln(stderr, "throughline:", explain(err))
	}
	return err
}
