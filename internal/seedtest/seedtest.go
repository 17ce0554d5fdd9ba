// Package seedtest holds what a reader expects of the sample articles in seeds/.
//
// It says which of them tell one story, which stories share a topic, which articles are copies of
// another, and which stories look alike without being the same. It does not know how stories are
// found. The expectations are here rather than beside the articles, because everything in seeds/ is
// read as an article by "throughline serve seeds".
package seedtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Kind is the role of an article in its story.
type Kind string

const (
	Report     Kind = "report"     // an angle on the event while it is news
	Brief      Kind = "brief"      // the same in a headline or a few sentences
	FollowUp   Kind = "follow_up"  // a later development of the same story, days to years after
	Background Kind = "background" // explains the event; brings no news of its own
)

// Expected is the content of expected.json. Slugs and ids are unique within their list.
type Expected struct {
	Themes     []Theme     `json:"themes"`
	Topics     []Topic     `json:"topics"`
	Stories    []Story     `json:"stories"`
	LookAlikes []LookAlike `json:"look_alikes"`
	Sequels    []Sequel    `json:"sequels"`
	Articles   []Article   `json:"articles"` // ordered by file
}

// Theme is the broadest layer: every topic is in exactly one.
type Theme struct {
	Slug   string   `json:"slug"`
	Title  string   `json:"title"`
	Topics []string `json:"topics"`
}

// Topic is a set of stories on one subject.
type Topic struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
}

// Story is one event with all that is written about it, at least two articles.
type Story struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
	Topic string `json:"topic"`
}

// LookAlike names stories that share words, people or days and must stay apart.
type LookAlike struct {
	Stories []string `json:"stories"`
	Why     string   `json:"why"`
}

// Sequel names a story that grew out of another one: not the same story, but a follow-up of it.
type Sequel struct {
	Story   string `json:"story"`
	Follows string `json:"follows"`
}

// Article holds what is expected of one article.
type Article struct {
	ID   string `json:"id"`             // as news.Validate gives it
	Name string `json:"name,omitempty"` // a readable handle where the id is derived (run-in headers, HTML, feeds); see Handle
	File string `json:"file"`           // slash-separated, below seeds/
	// Story is a slug, or empty for a one-off, which belongs to no story.
	Story string `json:"story,omitempty"`
	// Topic is given for one-offs only, and is empty where no topic of the list fits. See
	// Expected.TopicOf.
	Topic     string `json:"topic,omitempty"`
	Kind      Kind   `json:"kind"`
	CopyOf    string `json:"copy_of,omitempty"`   // id of the wire article whose text this is, lightly edited
	Truncated bool   `json:"truncated,omitempty"` // a copy that stops early
	Language  string `json:"language,omitempty"`  // empty: English
}

// Handle returns the name to show: Name, or else ID.
func (a Article) Handle() string {
	if a.Name != "" {
		return a.Name
	}
	return a.ID
}

//go:embed expected.json
var expectedJSON []byte

// Load returns the expectations, checked for consistency: unknown fields, repeated ids and dangling
// references are errors.
func Load() (Expected, error) {
	e, err := parse(expectedJSON)
	if err != nil {
		return Expected{}, fmt.Errorf("seedtest: expected.json: %w", err)
	}
	return e, nil
}

func parse(data []byte) (Expected, error) {
	var e Expected
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Expected{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return Expected{}, errors.New("more than one JSON value")
	}
	if err := e.check(); err != nil {
		return Expected{}, err
	}
	return e, nil
}

// Dir returns the path of the seeds directory: it is found from the working directory upward to the
// module's root.
func Dir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("seedtest: find seeds: %w", err)
	}
	for start := dir; ; {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			seeds := filepath.Join(dir, "seeds")
			if info, err := os.Stat(seeds); err == nil && info.IsDir() {
				return seeds, nil
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("seedtest: no module with a seeds directory at or above %s", start)
		}
		dir = up
	}
}
