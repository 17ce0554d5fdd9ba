package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	throughlinev1 "throughline/proto/throughline/v1"
)

// ask calls the API at an address, see dial, and prints the answer: as JSON, or with print.
func ask[M proto.Message](ctx context.Context, p *program, addr string, scoring bool, call func(*api) (M, error), print func(M) error) error {
	a, err := p.dial(ctx, addr, purpose{readOnly: true, scoring: scoring})
	if err != nil {
		return err
	}
	answer, err := call(a)
	if err := errors.Join(err, a.close()); err != nil {
		return err
	}
	if p.cli.JSON {
		return p.printJSON(answer)
	}
	return print(answer)
}

// printJSON prints a message as the API's JSON, indented.
func (p *program) printJSON(m proto.Message) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	// The library adds spaces at random, so equal answers would differ.
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = indented.WriteTo(p.stdout)
	return err
}

// table prints rows in columns with a header, and that there are more. The last column takes the
// rest of a line.
func (p *program) table(more bool, header string, rows [][]string) error {
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{strings.Fields(header)}, rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	err := t.Flush()
	if more {
		fmt.Fprintln(p.stdout, "and more: see --limit")
	}
	return err
}

// titleWidth is the length of the titles in tables, in runes.
const titleWidth = 72

func clip(text string, width int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// plural is a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// day is a date for people; an unknown one is a dash.
func day(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().Format("2006-01-02")
}

func span(first, last *timestamppb.Timestamp) string {
	a, b := day(first), day(last)
	if a == b {
		return a
	}
	return a + " to " + b
}

// relationName is a relation for people.
func relationName(r throughlinev1.Relation) string {
	if r == throughlinev1.Relation_RELATION_UNSPECIFIED {
		return "-"
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(r.String(), "RELATION_")), "_", " ")
}

// wrap breaks a text into lines of at most width runes, each after the indent.
func wrap(text, indent string, width int) string {
	var b strings.Builder
	for _, paragraph := range strings.Split(text, "\n") {
		line := 0
		for _, word := range strings.Fields(paragraph) {
			n := utf8.RuneCountInString(word)
			switch {
			case line == 0:
				b.WriteString(indent)
			case line+1+n > width:
				b.WriteString("\n" + indent)
				line = 0
			default:
				b.WriteByte(' ')
				line++
			}
			b.WriteString(word)
			line += n
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}
