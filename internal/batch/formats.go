package batch

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"throughline/internal/parquet"
	"throughline/internal/report"
)

// Format writes a Labeling. The title says what was clustered. Equal labels give equal bytes.
type Format func(w io.Writer, l *Labeling, title string) error

var byExtension = map[string]Format{
	".jsonl": writeLines, ".ndjson": writeLines, ".parquet": writeTable, ".html": writePage, ".htm": writePage,
}

// FormatOf returns the format of an output, by the extension of its name: a line of JSON for each
// item, a table, or a page. "-" is lines.
func FormatOf(name string) (Format, error) {
	if name == "-" {
		return writeLines, nil
	}
	ext := extension(name)
	format := byExtension[ext]
	switch {
	case ext == "":
		return nil, fmt.Errorf("%q has no extension (want .jsonl, .parquet or .html)", name)
	case format == nil:
		return nil, fmt.Errorf("extension %s is not supported (want .jsonl, .parquet or .html)", ext)
	}
	return format, nil
}

// IsPage reports whether an output is a page, which shows Labeling.Documents.
func IsPage(name string) bool { return extension(name) == ".html" || extension(name) == ".htm" }

func extension(name string) string { return strings.ToLower(filepath.Ext(name)) }

func writeLines(w io.Writer, l *Labeling, _ string) error {
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
	for i := range l.Story {
		line.ID, line.Story, line.Topic, line.Theme = i, l.Story[i], l.Topic[i], l.Theme[i]
		if l.IDs != nil {
			line.ID = l.IDs[i]
		}
		if l.Strength != nil {
			line.Strength = &l.Strength[i]
		}
		if l.TopicStrength != nil {
			line.TopicStrength = &l.TopicStrength[i]
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func writeTable(w io.Writer, l *Labeling, _ string) error {
	return parquet.WriteLabels(w, parquet.Labels{
		IDs: l.IDs, Story: l.Story, Topic: l.Topic, Theme: l.Theme, Strength: l.Strength, TopicStrength: l.TopicStrength,
	})
}

func writePage(w io.Writer, l *Labeling, title string) error {
	in := report.Input{
		Title: title, One: l.One, Many: l.Many, Story: l.Story, Topic: l.Topic, Theme: l.Theme, Strength: l.Strength,
		Means: l.TopicMeans, Names: l.Names, Notes: l.Notes,
	}
	if l.Documents != nil {
		in.Documents = func(i int) report.Document { return l.Documents[i] }
	}
	return report.Write(w, in)
}
