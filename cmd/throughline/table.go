package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	throughlinev1 "throughline/proto/throughline/v1"
)

// printJSON prints a message as the API's JSON, indented for reading.
func (p *program) printJSON(m proto.Message) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	// The library puts spaces in at random, which would make equal answers differ.
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = indented.WriteTo(p.stdout)
	return err
}

// table prints rows in columns. The last column takes what is left of a line.
func table(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// titleWidth is how much of a title a table shows, in runes.
const titleWidth = 72

func clip(text string, width int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
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
