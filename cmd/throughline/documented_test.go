package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What documents look like to the tests.
//
// A block marked sh holds commands; it is run. One marked "sh norun" is not, e.g. because it needs
// a Qdrant, but the commands of this program in it must parse. The block that follows a run one,
// marked json or text, is the output of its last command.
//
// Output is compared by its form. Numbers may differ, and so may ids of stories, topics and themes,
// which are other ones in every store. In a JSON string or a line of text, … stands for any text.
// Alone in a JSON object or array, or on a line of text, it stands for any further fields, items or
// lines. Runs of spaces are equal.

// block is a block of commands with the output that a document shows.
type block struct {
	line     int // of the first command
	run      bool
	commands []string
	output   string
}

// parseBlocks finds the blocks of a Markdown document. Errors begin with the line.
func parseBlocks(text string) ([]block, error) {
	var blocks []block
	var body []string
	kind, start := "", 0
	fresh := false // the last block is of commands, so that what follows may be their output
	for i, line := range strings.Split(text, "\n") {
		mark, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && kind != "":
			body = append(body, line)
		case !isFence:
		case kind == "":
			kind, start, body = mark, i+2, nil
			if kind == "" {
				return nil, fmt.Errorf("%d: a block without a kind: sh, sh norun, json, text or another language", i+1)
			}
		default:
			switch kind {
			case "sh", "sh norun":
				commands, err := splitCommands(body)
				if err != nil {
					return nil, fmt.Errorf("%d: %w", start, err)
				}
				blocks, fresh = append(blocks, block{line: start, run: kind == "sh", commands: commands}), true
			case "json", "text":
				if fresh {
					blocks[len(blocks)-1].output = strings.Join(body, "\n")
				}
				fresh = false
			}
			kind = ""
		}
	}
	if kind != "" {
		return nil, fmt.Errorf("%d: a block that does not end", start)
	}
	return blocks, nil
}

// splitCommands makes commands of lines: a backslash at the end and an open quote continue them, #
// begins a comment.
func splitCommands(lines []string) ([]string, error) {
	var commands []string
	current := ""
	for _, line := range lines {
		if current == "" && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#")) {
			continue
		}
		current += line
		if joined, more := strings.CutSuffix(current, "\\"); more {
			current = joined
			continue
		}
		if _, err := shellWords(current); errors.Is(err, errOpenQuote) {
			current += "\n"
			continue
		}
		commands, current = append(commands, current), ""
	}
	if current != "" {
		return nil, fmt.Errorf("the command does not end: %s", current)
	}
	return commands, nil
}

var errOpenQuote = errors.New("a quote does not end")

// shellWords splits a command as a shell does, as far as documents need it: quotes and comments,
// and nothing that would be expanded.
func shellWords(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote := false, rune(0)
	end := func() {
		if open {
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			open, quote = true, r
		case r == ' ' || r == '\n':
			end()
		case r == '#' && !open:
			return words, nil
		case strings.ContainsRune("|&;<>()$`\\*?[]~", r):
			return nil, fmt.Errorf("%q outside quotes", r)
		default:
			open = true
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	end()
	return words, nil
}

// compare says how an output differs from what a document shows.
func compare(want, got string) []string {
	wanted, err := looseJSON(want)
	if err != nil {
		return compareText(want, got)
	}
	found, err := looseJSON(got)
	if err != nil {
		return []string{fmt.Sprintf("the document shows JSON, the output is not: %v", err)}
	}
	return compareList("", wanted, found)
}

// any text.
const anything = "…"

// looseJSON reads a sequence of JSON values in which … may stand for further ones.
func looseJSON(text string) ([]any, error) {
	var strict strings.Builder
	var stack []rune
	inString, escaped := false, false
	for _, r := range text {
		switch {
		case inString:
			inString = escaped || r != '"'
			escaped = r == '\\' && !escaped
		case r == '"':
			inString = true
		case r == '{' || r == '[':
			stack = append(stack, r)
		case r == '}' || r == ']':
			if len(stack) == 0 {
				return nil, fmt.Errorf("%q closes nothing", r)
			}
			stack = stack[:len(stack)-1]
		case string(r) == anything:
			strict.WriteString(`"` + anything + `"`)
			if len(stack) > 0 && stack[len(stack)-1] == '{' {
				strict.WriteString(`:0`)
			}
			continue
		}
		strict.WriteRune(r)
	}
	decoder := json.NewDecoder(strings.NewReader(strict.String()))
	decoder.UseNumber()
	var values []any
	for {
		var v any
		err := decoder.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, errors.New("no value")
	}
	if first, ok := values[0].(map[string]any); !ok && values[0] != anything {
		return nil, fmt.Errorf("begins with %v", first)
	}
	return values, nil
}

// compareList compares items in order; … at the end of want stands for any more.
func compareList(path string, want, got []any) []string {
	open := len(want) > 0 && want[len(want)-1] == anything
	if open {
		want = want[:len(want)-1]
	}
	if len(got) < len(want) || len(got) > len(want) && !open {
		return []string{fmt.Sprintf("%s: %d items, the document shows %d", path, len(got), len(want))}
	}
	var problems []string
	for i := range want {
		problems = append(problems, compareValue(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])...)
	}
	return problems
}

var digits = regexp.MustCompile(`^-?\d+$`)

func compareValue(path string, want, got any) []string {
	differ := []string{fmt.Sprintf("%s: is %v, the document shows %v", path, got, want)}
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return differ
		}
		var problems []string
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if key == anything {
				continue
			}
			if value, ok := object[key]; ok {
				problems = append(problems, compareValue(path+"."+key, want[key], value)...)
			} else {
				problems = append(problems, fmt.Sprintf("%s.%s: is missing", path, key))
			}
		}
		if _, open := want[anything]; !open {
			for _, key := range slices.Sorted(maps.Keys(object)) {
				if _, ok := want[key]; !ok {
					problems = append(problems, fmt.Sprintf("%s.%s: is not in the document", path, key))
				}
			}
		}
		return problems
	case []any:
		list, ok := got.([]any)
		if !ok {
			return differ
		}
		return compareList(path, want, list)
	case json.Number:
		if _, ok := got.(json.Number); !ok {
			return differ
		}
	case string:
		text, ok := got.(string)
		if !ok || !(digits.MatchString(want) && digits.MatchString(text)) && !textPattern(stamps.ReplaceAllString(want, anything)).MatchString(text) {
			return differ
		}
	default:
		if want != got {
			return differ
		}
	}
	return nil
}

// textPattern matches what a document shows with … for any text.
func textPattern(want string) *regexp.Regexp {
	parts := strings.Split(want, anything)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`^(?s:` + strings.Join(parts, `.*`) + `)$`)
}

var (
	numbers = regexp.MustCompile(`\d+(\.\d+)?`)
	spaces  = regexp.MustCompile(`\s+`)
	// stamps are ids that are other ones in every store.
	stamps = regexp.MustCompile(`\b(story|topic|theme)-[0-9a-z]{16}\b`)
)

// compareText compares line by line; a line of … stands for any number of lines.
func compareText(want, got string) []string {
	wanted, found := textLines(want), textLines(got)
	var problems []string
	at := 0
	for i, line := range wanted {
		if line == anything {
			continue
		}
		pattern := linePattern(line)
		if i > 0 && wanted[i-1] == anything {
			for at < len(found) && !pattern.MatchString(found[at]) {
				at++
			}
		}
		switch {
		case at >= len(found):
			return append(problems, fmt.Sprintf("line %d is missing: %s", i+1, line))
		case !pattern.MatchString(found[at]):
			problems = append(problems, fmt.Sprintf("line %d is %q, the document shows %q", i+1, found[at], line))
		}
		at++
	}
	if at < len(found) && (len(wanted) == 0 || wanted[len(wanted)-1] != anything) {
		problems = append(problems, fmt.Sprintf("there is more than the document shows: %q", found[at]))
	}
	return problems
}

func textLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n "), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(spaces.ReplaceAllString(lines[i], " "))
	}
	return lines
}

func linePattern(line string) *regexp.Regexp {
	line = stamps.ReplaceAllString(line, anything)
	var b strings.Builder
	for rest := line; rest != ""; {
		next := numbers.FindStringIndex(rest)
		if next == nil {
			next = []int{len(rest), len(rest)}
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(rest[:next[0]]), anything, `.*`))
		if next[0] < next[1] {
			b.WriteString(`\d+(\.\d+)?`)
		}
		rest = rest[next[1]:]
	}
	return regexp.MustCompile(`^` + b.String() + `$`)
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{`{"a": 1, "b": "x"}`, `{"b":"x","a":2.5}`, true},
		{`{"a": 1}`, `{"a":"1"}`, false},
		{`{"a": 1}`, `{"a":1,"b":2}`, false},
		{`{"a": 1, …}`, `{"a":1,"b":2}`, true},
		{`{"a": 1, "b": 2}`, `{"a":1}`, false},
		{`{"a": [{"x": "…"}, …]}`, `{"a":[{"x":"long"},{"y":1}]}`, true},
		{`{"a": [{"x": "…"}]}`, `{"a":[{"x":"long"},{"y":1}]}`, false},
		{`{"a": [{"x": "…"}, …]}`, `{"a":[]}`, false},
		{`{"a": "go … home"}`, `{"a":"go straight home"}`, true},
		{`{"a": "go … home"}`, `{"a":"go home"}`, false},
		{`{"a": "17"}`, `{"a":"4294967297"}`, true},
		{`{"a": "17"}`, `{"a":"b"}`, false},
		{`{"a": true}`, `{"a":false}`, false},
		{`{"a": "1 \"…\" {"}`, `{"a":"1 \"2\" {"}`, true},
		{"{\"a\": 1}\n{\"a\": 2}\n…", `{"a":1}{"a":3}{"b":1}`, true},
		{"{\"a\": 1}\n{\"a\": 2}", `{"a":1}`, false},
		{`{"a": 1}`, `not JSON`, false},
		{"one  two", "one two\n", true},
		{"one 0.53 two", "one 17 two", true},
		{"one 0.53 two", "one x two", false},
		{"story-0123456789abcdef is", "story-zz23456789abcdeq is", true},
		{"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…\nd", "a\nb\nc", false},
		{"a\n…", "a\nb\nc", true},
		{"a", "a\nb", false},
		{"a … c", "a b c", true},
		{"ERROR:\n  Code: NotFound", "ERROR:\n  Code: Internal", false},
	} {
		if problems := compare(c.want, c.got); (len(problems) == 0) != c.same {
			t.Errorf("%s\nagainst %s: %v", c.want, c.got, problems)
		}
	}
}

func TestShellWords(t *testing.T) {
	for command, want := range map[string][]string{
		`a  b`:                 {"a", "b"},
		`a 'b c' "d 'e"`:       {"a", "b c", "d 'e"},
		`a b'c'd ''`:           {"a", "bcd", ""},
		`a b#c # d`:            {"a", "b#c"},
		"a 'b\nc'":             {"a", "b\nc"},
		`a -d '{"x": "y\"z"}'`: {"a", "-d", `{"x": "y\"z"}`},
	} {
		if got, err := shellWords(command); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", command, got, err, want)
		}
	}
	for _, command := range []string{"a | b", "a $HOME", "a 'b", "a > b"} {
		if got, err := shellWords(command); err == nil {
			t.Errorf("%s: %q", command, got)
		}
	}
	commands, err := splitCommands([]string{"# about", "a \\", "  b", "", "c 'd", "e'"})
	if want := []string{"a   b", "c 'd\ne'"}; err != nil || !slices.Equal(commands, want) {
		t.Errorf("%q, %v; want %q", commands, err, want)
	}
}

func TestParseBlocks(t *testing.T) {
	blocks, err := parseBlocks("text\n```sh\na\nb\n```\nwhich prints\n```json\n{}\n```\n```text\nother\n```\n```sh norun\nc\n```\n```go\nx\n```\n")
	if err != nil || len(blocks) != 2 {
		t.Fatalf("%+v, %v", blocks, err)
	}
	if b := blocks[0]; b.line != 3 || !b.run || !slices.Equal(b.commands, []string{"a", "b"}) || b.output != "{}" {
		t.Errorf("%+v", b)
	}
	if b := blocks[1]; b.run || b.output != "" {
		t.Errorf("%+v", b)
	}
	for _, text := range []string{"```\na\n```\n", "```sh\na\n", "```sh\na 'b\n```\n"} {
		if blocks, err := parseBlocks(text); err == nil {
			t.Errorf("%q: %+v", text, blocks)
		}
	}
}
