package formats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"throughline/internal/news"
)

// line is an article as a JSONL object, with the names that reading prefers.
type line struct {
	news.Article
	Date     string         `json:"date,omitempty"`
	Sections []news.Section `json:"sections"` // even if empty: reading keeps the title as it is
}

// MarshalJSONLine returns an article as one line of JSONL with "\n". Reading it gives an article
// with the same Hash. Origin and Extra are not written.
func MarshalJSONLine(a news.Article) ([]byte, error) {
	l := line{Article: a, Sections: append([]news.Section{}, a.Sections...)}
	switch {
	case a.Published.IsZero():
	case a.DateOnly:
		l.Date = a.Published.UTC().Format(time.DateOnly)
	default:
		l.Date = a.Published.UTC().Format(time.RFC3339Nano)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("article %s: %w", a.ID, err)
	}
	return b.Bytes(), nil
}
