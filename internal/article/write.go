package article

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// line is an article as a JSONL object, in the names that reading prefers.
type line struct {
	ID           string    `json:"id,omitempty"`
	Title        string    `json:"title,omitempty"`
	TitleDerived bool      `json:"title_derived,omitempty"`
	URL          string    `json:"url,omitempty"`
	Source       string    `json:"source,omitempty"`
	Language     string    `json:"language,omitempty"`
	Authors      []string  `json:"authors,omitempty"`
	Date         string    `json:"date,omitempty"`
	Sections     []jsonSec `json:"sections"` // even if empty: it tells reading that nothing is left to decode
}

type jsonSec struct {
	Heading string `json:"heading,omitempty"`
	Text    string `json:"text,omitempty"`
}

// MarshalJSONLine is the article as one line of JSONL, with the "\n". Read back it gives the same article: the same Hash. Origin and
// Extra are not written.
func MarshalJSONLine(a Article) ([]byte, error) {
	l := line{
		ID: a.ID, Title: a.Title, TitleDerived: a.TitleDerived, URL: a.URL, Source: a.Source, Language: a.Language, Authors: a.Authors,
		Sections: []jsonSec{},
	}
	switch {
	case a.Published.IsZero():
	case a.DateOnly:
		l.Date = a.Published.UTC().Format(time.DateOnly)
	default:
		l.Date = a.Published.UTC().Format(time.RFC3339Nano)
	}
	for _, s := range a.Sections {
		l.Sections = append(l.Sections, jsonSec(s))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("article %s: %w", a.ID, err)
	}
	return b.Bytes(), nil
}
