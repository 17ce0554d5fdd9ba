package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// TestUsage lists what is wrong in a call before anything is done: code 2, a message that names the
// flag, and where to look.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string // split at spaces; _ is a space, "" nothing
		want string
	}{
		{"nosuch", "unexpected argument nosuch"},
		{"serve --nosuch", "unknown flag --nosuch"},
		{"ingest", `expected "<path> ..."`},
		{"article", `expected "<id>"`},
		{"stories --order random", `--order must be one of "largest","latest" but got "random"`},
		{"stories --log-level loud", `--log-level must be one of`},
		{"stories --embedder other", `--embedder must be one of "builtin","openai"`},
		{"stories --limit many", `--limit: expected`},
		{"stories --limit 1001", "--limit 1001: must be 1 to 1000"},
		{"story a --limit 0", "--limit 0: must be 1 to 1000"},
		{"topics --limit=-1", "--limit -1: must be 1 to 1000"},
		{"topic a --limit 0", "--limit 0: must be 1 to 1000"},
		{"related a --limit 201", "--limit 201: must be 1 to 200"},
		{"search rain --limit 0", "--limit 0: must be 1 to 200"},
		{"related", "give one of: an article id, --text FILE, --story ID, --liked ID"},
		{"related a --story b", "give one of"},
		{"related --text a --liked b", "give one of"},
		{"related a --relation cousin", `--relation "cousin": must be copy, same-story, follow-up, background or same-topic`},
		{"related a --half-life week", "--half-life: expected duration"},
		{"search _", "the query is empty"},
		{"search rain --after yesterday", `--after "yesterday": give a day like 2024-03-29`},
		{"related a --before 2024-13-01", `--before "2024-13-01": give a day`},
		{"export --after 1", `--after "1": give a day`},
		{"stories --after 1", `--after "1": give a day`},
		{"stories --before 1", `--before "1": give a day`},
		{"stories --timeout 0s", "--timeout 0s: must be more than 0"},
		{"stories --timeout soon", "--timeout: expected duration"},
		{"stories --workers=-1", "--workers -1: must not be negative"},
		{"stories --precision 1", "--precision 1: must be at least 0 and below 1"},
		{"stories --granularity fine", `--granularity: out of range (got "fine", want finer, coarser, or -4 to 4)`},
		{"stories --granularity=-5", `--granularity: out of range (got "-5"`},
		{"stories --granularity 5", `--granularity: out of range (got "5"`},
		{"cluster --precision .9 --granularity finer", "--granularity does not go with --precision: give one of them"},
		{"stories --addr nowhere", `--addr "nowhere": give HOST:PORT`},
		{"ingest a --addr nowhere", `--addr "nowhere": give HOST:PORT`},
		{"serve --read-only some/path", "--read-only cannot ingest paths"},
		{"serve --drain 0s", "--drain 0s: must be more than 0"},
		{"serve --listen \"\"", "--listen: give HOST:PORT"},
		{"evaluate a --derived=-1", "--derived -1: must be 0 to 100000"},
		{"evaluate a --derived 2 --derived-amount half", `--derived-amount: got "half", want one of whole, lead, first, title, mixed`},
		{"evaluate a --derived 2 --derived-kind sub,big", `--derived-kind: got "big", want one of sub, thin, ones, giant, mix, window`},
		{"evaluate a --derived-seed 2", "need --derived"},
		{"chart a", `expected "<after>"`},
		{"ingest a --chat-model m", "--chat-model needs --chat-base-url"},
		{"ingest a --chat-base-url http://127.0.0.1:1/v1", "--chat-base-url needs --chat-model"},
		{"ingest a --chat-api-key-file f", "--chat-api-key-file needs --chat-model"},
		{"ingest a --chat-model m --chat-base-url 127.0.0.1:1/v1", "--chat-base-url is not a URL that begins with http:// or https://"},
		{"embed --base-url http://127.0.0.1:1/v1", "--base-url is for --embedder openai"},
		{"embed --model other", "--model is for --embedder openai"},
		{"embed --max-batch 5", "--max-batch is for --embedder openai"},
		{"embed --api-key-file f", "--api-key-file is for --embedder openai"},
		{"embed --embedder openai --model m", "--embedder openai needs --base-url and --model"},
		{"embed --embedder openai --base-url http://127.0.0.1:1/v1", "--embedder openai needs --base-url and --model"},
		{"embed --embedder openai --model m --base-url 127.0.0.1:11434", "--base-url is not a URL that begins with http:// or https://"},
		{"embed --embedder openai --model m --base-url http://127.0.0.1:1/v1 --max-batch=-1", "--max-batch is negative"},
		{"embed --embedder openai --model m --base-url http://127.0.0.1:1/v1 --dimensions=-1", "--dimensions is negative"},
		{"embed --embedder openai --model m --base-url http://127.0.0.1:1/v1 --max-tokens=-1", "--max-tokens is negative"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var args []string
			for arg := range strings.FieldsSeq(c.args) {
				args = append(args, strings.ReplaceAll(strings.ReplaceAll(arg, "_", " "), `""`, ""))
			}
			x := execute(t.Context(), t.TempDir(), "", args...)
			if code := exitCode(x.err); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			message, hint, _ := strings.Cut(x.stderr, "\n")
			if !strings.HasPrefix(message, "throughline: ") || !strings.Contains(message, c.want) {
				t.Errorf("says %q, want %q", message, c.want)
			}
			if !strings.HasPrefix(hint, "Run throughline ") || !strings.Contains(hint, "--help") {
				t.Errorf("hints at %q", hint)
			}
			if x.stdout != "" {
				t.Errorf("prints %q", x.stdout)
			}
		})
	}
}

// TestFlagsHaveVariables makes sure that everything can be set by the environment, and no key by a
// flag.
func TestFlagsHaveVariables(t *testing.T) {
	parser, err := newParser(&cli{}, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	err = kong.Visit(parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && flag.Name != "help" {
			flags++
			if want := "THROUGHLINE_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_")); len(flag.Envs) != 1 || flag.Envs[0] != want {
				t.Errorf("--%s has the variables %v, want %s", flag.Name, flag.Envs, want)
			}
			if n := utf8.RuneCountInString(flag.Help); n == 0 || n > 80 {
				t.Errorf("--%s has a help of %d characters, want 1 to 80: %s", flag.Name, n, flag.Help)
			}
			if strings.Contains(flag.Name, "key") && !strings.HasSuffix(flag.Name, "-file") {
				t.Errorf("--%s would show a key in the list of processes", flag.Name)
			}
		}
		if arg, ok := node.(*kong.Positional); ok && (arg.Help == "" || utf8.RuneCountInString(arg.Help) > 80) {
			t.Errorf("<%s> has the help %q, want 1 to 80 characters", arg.Name, arg.Help)
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if flags < 40 {
		t.Errorf("only %d flags were looked at", flags)
	}
}

// blocking is a terminal where nobody types.
type blocking struct{ until chan struct{} }

func (b blocking) Read([]byte) (int, error) {
	<-b.until
	return 0, io.EOF
}

func TestInterruptedInput(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := blocking{make(chan struct{})}
	defer close(b.until)
	time.AfterFunc(10*time.Millisecond, cancel)
	var stdout, stderr bytes.Buffer
	err := run(ctx, []string{"--data", t.TempDir(), "embed"}, b, &stdout, &stderr)
	if exitCode(err) != exitFailed || stderr.String() != "throughline: interrupted\n" {
		t.Errorf("%v, and says %q", err, stderr.String())
	}
}

func TestInterruptibleReadsEverything(t *testing.T) {
	text := strings.Repeat("0123456789", 20_000) // more than its buffer
	for _, size := range []int{1, 7, 4096, 1 << 20} {
		r := &interruptible{ctx: t.Context(), from: strings.NewReader(text)}
		var got bytes.Buffer
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, r, make([]byte, size)); err != nil || got.String() != text {
			t.Errorf("by %d: %d bytes, %v", size, got.Len(), err)
		}
	}
	r := &interruptible{ctx: t.Context(), from: io.MultiReader(strings.NewReader("ab"), failing{})}
	if got, err := io.ReadAll(r); string(got) != "ab" || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%q, %v", got, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, os.ErrPermission }
