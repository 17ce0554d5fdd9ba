package article

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on the fields of an article, in bytes. They are far above what real articles have (the longest of the 12,000 labelled
// evaluation articles has 99 kB of text) and keep one broken item from filling memory or the store.
const (
	MaxText    = 1 << 20 // all sections, with headings
	maxTitle   = 4 << 10
	maxURL     = 8 << 10
	maxID      = 512
	maxSource  = 512
	maxAuthor  = 512
	maxAuthors = 200
	maxParts   = 20_000 // sections
)

// Article is one published piece.
type Article struct {
	ID           string
	Title        string
	TitleDerived bool // the title is not the author's: it comes from the file name or from the first clause of the text
	URL          string
	Source       string // the outlet
	Language     string // lower-case ISO 639 code; empty: unknown
	Authors      []string
	Published    time.Time // UTC; zero: unknown
	DateOnly     bool      // the time of day is not known, Published is midnight
	// Sections as written: by heading, any length. Section 0 is the lede and has no heading when the text has one. Empty for a
	// headline without text.
	Sections []Section
	// Origin and Extra are not part of the content: Hash leaves them out.
	Origin Origin
	// Extra holds the fields named in Options.Keep.
	Extra map[string]string
}

// Section is a heading with its text; paragraphs are separated by a blank line.
type Section struct {
	Heading string
	Text    string
}

// Text is all section texts with their headings, separated by blank lines.
func (a Article) Text() string {
	var b strings.Builder
	for _, s := range a.Sections {
		for _, part := range [2]string{s.Heading, s.Text} {
			if part == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("\n\n")
			}
			b.WriteString(part)
		}
	}
	return b.String()
}

// Hash identifies the content: everything that is stored, so two articles of one hash need no write. Origin and Extra do not count.
func (a Article) Hash() string {
	h := sha256.New()
	field := func(s string) { fmt.Fprintf(h, "%d:%s,", len(s), s) }
	for _, s := range []string{"article/1", a.ID, a.Title, a.URL, a.Source, a.Language} {
		field(s)
	}
	var published string
	if !a.Published.IsZero() {
		published = a.Published.UTC().Format(time.RFC3339Nano)
	}
	field(published)
	fmt.Fprintf(h, "%t,%t,%d,%d,", a.TitleDerived, a.DateOnly, len(a.Authors), len(a.Sections))
	for _, s := range a.Authors {
		field(s)
	}
	for _, s := range a.Sections {
		field(s.Heading)
		field(s.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Finish makes a complete article of a read or received one: it cleans the text of every field, checks every field, and
// fills what can be derived: the title (marked as derived), the source (the URL's host), the id. It is idempotent. The error is an
// *ItemError with the field at fault and a's own Origin; a is then only partly changed.
func Finish(a *Article) error {
	if err := finish(a); err != nil {
		return at(a.Origin, err)
	}
	return nil
}

func finish(a *Article) error {
	if err := cleanFields(a); err != nil {
		return err
	}
	if a.URL != "" {
		u, err := cleanURL(a.URL)
		if err != nil {
			return err
		}
		a.URL = u
	}
	language, err := languageCode(a.Language)
	if err != nil {
		return err
	}
	a.Language = language
	if err := checkTime(a.Published); err != nil {
		return err
	}
	if a.Published.IsZero() {
		a.Published, a.DateOnly = time.Time{}, false
	} else {
		a.Published, a.DateOnly = settleTime(a.Published, a.DateOnly)
	}
	if a.Title == "" {
		a.TitleDerived = true
		a.Title = firstClause(a.Text())
	}
	if a.Title == "" {
		return &ItemError{Field: "text", Err: &problem{ErrEmpty, "neither a title nor a text"}}
	}
	if a.Source == "" {
		a.Source = sourceOf(a.URL)
	}
	if a.ID == "" {
		a.ID = deriveID(a)
	}
	return nil
}

// cleanFields brings every text into the form that is stored and checks its length and encoding.
func cleanFields(a *Article) error {
	for _, f := range []struct {
		name string
		s    *string
		most int
	}{
		{"id", &a.ID, maxID}, {"title", &a.Title, maxTitle}, {"url", &a.URL, maxURL},
		{"source", &a.Source, maxSource}, {"language", &a.Language, maxSource},
	} {
		if err := cleanField(f.name, f.s, f.most); err != nil {
			return err
		}
	}
	if len(a.Authors) > maxAuthors {
		return fieldError("authors", ErrTooLarge, fmt.Sprintf("%d authors, the limit is %d", len(a.Authors), maxAuthors))
	}
	var authors []string
	for _, author := range a.Authors {
		if err := cleanField("authors", &author, maxAuthor); err != nil {
			return err
		}
		if author != "" {
			authors = append(authors, author)
		}
	}
	a.Authors = authors
	if len(a.Sections) > maxParts {
		return fieldError("sections", ErrTooLarge, fmt.Sprintf("%d sections, the limit is %d", len(a.Sections), maxParts))
	}
	var sections []Section
	size := 0
	for _, s := range a.Sections {
		if size += len(s.Heading) + len(s.Text); size > MaxText {
			return fieldError("text", ErrTooLarge, fmt.Sprintf("more than %d bytes", MaxText))
		}
		if err := validText("heading", s.Heading); err != nil {
			return err
		}
		if err := validText("text", s.Text); err != nil {
			return err
		}
		s = Section{Heading: cleanLine(s.Heading), Text: cleanText(s.Text)}
		if s != (Section{}) {
			sections = append(sections, s)
		}
	}
	a.Sections = sections
	return nil
}

func cleanField(name string, s *string, most int) error {
	if err := validText(name, *s); err != nil {
		return err
	}
	*s = cleanLine(*s)
	if len(*s) > most {
		return fieldError(name, ErrTooLarge, fmt.Sprintf("%d bytes, the limit is %d", len(*s), most))
	}
	return nil
}

func validText(field, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	return fieldError(field, ErrEncoding, fmt.Sprintf("not UTF-8 at byte %d", firstInvalid([]byte(s))))
}
