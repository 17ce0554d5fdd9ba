package news

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on the fields of an article, in bytes unless noted. They are far above what real articles
// have (the longest of the 12,000 labelled evaluation articles has 99 kB of text). They keep one
// broken item from filling memory or the store.
const (
	MaxText    = 1 << 20 // all sections, with headings
	MaxTitle   = 4 << 10
	MaxURL     = 8 << 10
	maxID      = 512
	MaxSource  = 512
	maxAuthor  = 512
	MaxAuthors = 200    // authors
	maxParts   = 20_000 // sections
)

// Article is one published piece, as it was read or as it is stored. A string with a name in JSON
// is cleaned, hashed, read, written and shown by the API under this name; see [Article.Texts].
type Article struct {
	ID           string    `json:"id,omitempty"`
	Title        string    `json:"title,omitempty"`
	TitleDerived bool      `json:"title_derived,omitempty"` // the title is the file name or the first clause
	URL          string    `json:"url,omitempty"`
	Source       string    `json:"source,omitempty"`   // outlet
	Language     string    `json:"language,omitempty"` // lower-case ISO 639 code; empty: unknown
	Authors      []string  `json:"authors,omitempty"`
	Published    time.Time `json:"-"` // UTC, stored to the millisecond; zero: unknown
	DateOnly     bool      `json:"-"` // the time of day is unknown, Published is midnight
	// Sections as written: by heading, of any length. Section 0 is the lede and has no heading,
	// unless the text begins with one. Empty for a headline without text, and when only the other
	// fields were read from the store.
	Sections []Section `json:"-"`

	// Origin says where the article was read. It is not stored.
	Origin Origin `json:"-"`
	// Extra holds further fields that the reader was asked to keep. It is not stored.
	Extra map[string]string `json:"-"`

	Record     `json:"-"`
	Membership `json:"-"`
}

// textFields are the fields of Article that Texts yields, by name and index. They are looked up
// once, because Texts is called for every article that is read, stored or shown.
var textFields = func() (fields []textField) {
	for f := range reflect.TypeFor[Article]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() == reflect.String && name != "-" {
			fields = append(fields, textField{name, f.Index[0]})
		}
	}
	return fields
}()

type textField struct {
	name  string
	index int
}

// Texts yields the fields that are a line of text, in the order of Article: the name and the value.
func (a *Article) Texts() iter.Seq2[string, *string] {
	return func(yield func(string, *string) bool) {
		v := reflect.ValueOf(a).Elem()
		for _, f := range textFields {
			if !yield(f.name, v.Field(f.index).Addr().Interface().(*string)) {
				return
			}
		}
	}
}

// Section is a heading with its text; a blank line separates paragraphs.
type Section struct {
	Heading string `json:"heading,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Record holds what the store keeps of an article besides its content.
type Record struct {
	SectionCount int
	// Revision identifies the stored content. Every write of the article raises it, by any amount.
	Revision int64
	// FiledRevision is the revision whose membership was decided. Filing is pending while it is
	// lower than Revision.
	FiledRevision int64
	ContentHash   string // Article.Hash, taken after chunking
	Words         int
	Ingested      time.Time // UTC, to the millisecond
}

// Membership names the groups that an article belongs to.
type Membership struct {
	StoryID     string  // empty: in no story
	TopicID     string  // empty: in no topic
	ThemeID     string  // empty: in no theme
	CopyOf      string  // id of the article that this one copies; empty: none
	Probability float64 // that the article is about the event of StoryID
}

// TopicIDs returns the ids of the topic and the theme, without the empty ones.
func (m *Membership) TopicIDs() []string {
	var ids []string
	for _, id := range []string{m.TopicID, m.ThemeID} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// CopyGroup returns the id of the copy group: that of the article which the others copy.
func (a *Article) CopyGroup() string {
	if a.CopyOf != "" {
		return a.CopyOf
	}
	return a.ID
}

// Text returns all section texts with their headings, separated by blank lines.
func (a Article) Text() string {
	var parts []string
	for _, s := range a.Sections {
		parts = append(parts, s.Heading, s.Text)
	}
	return JoinTexts("\n\n", parts...)
}

// JoinTexts joins the parts that are not empty. It moves these to the front of parts.
func JoinTexts(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}

// firstTexts are the texts whose places in the hash are fixed.
var firstTexts = []string{"id", "title", "url", "source", "language"}

// Hash returns the SHA-256 of the content in hexadecimal. An article with the hash that is stored
// needs no write. Origin, Extra, Record and Membership do not count.
func (a Article) Hash() string {
	h := sha256.New()
	write := func(fields ...string) {
		for _, s := range fields {
			fmt.Fprintf(h, "%d:%s,", len(s), s)
		}
	}
	var published string
	if !a.Published.IsZero() {
		published = a.Published.UTC().Format(time.RFC3339Nano)
	}
	write("article/1", a.ID, a.Title, a.URL, a.Source, a.Language, published)
	for name, s := range a.Texts() {
		// Texts that came later count with their names, and only if they are there: so the hashes
		// of articles without them stay.
		if !slices.Contains(firstTexts, name) && *s != "" {
			write(name, *s)
		}
	}
	fmt.Fprintf(h, "%t,%t,%d,%d,", a.TitleDerived, a.DateOnly, len(a.Authors), len(a.Sections))
	write(a.Authors...)
	for _, s := range a.Sections {
		write(s.Heading, s.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Valid is an article whose fields were cleaned, checked and completed. Only Validate makes one.
type Valid struct{ article Article }

// Article returns the article. Its slices are shared and must not be changed.
func (v Valid) Article() Article { return v.article }

// Validate cleans the text of every field, checks every field, and completes the fields that follow
// from others: the title (marked as derived), the source (the host of the URL), the id. The error
// is an *ItemError with the field at fault and the article's Origin.
func Validate(a Article) (Valid, error) {
	if err := complete(&a); err != nil {
		return Valid{}, At(a.Origin, err)
	}
	return Valid{a}, nil
}

func complete(a *Article) error {
	if err := cleanFields(a); err != nil {
		return err
	}
	var err error
	if a.URL, err = cleanURL(a.URL); err != nil {
		return err
	}
	if a.Language, err = LanguageCode(a.Language); err != nil {
		return err
	}
	if err := CheckTime(a.Published); err != nil {
		return err
	}
	a.Published, a.DateOnly = ToUTC(a.Published, a.DateOnly)
	if a.Title == "" {
		a.TitleDerived = true
		a.Title = firstClause(a.Text())
	}
	if a.Title == "" {
		return &ItemError{Field: "text", Err: Problem(ErrEmpty, "neither a title nor a text")}
	}
	if a.Source == "" {
		a.Source = sourceOf(a.URL)
	}
	if a.ID == "" {
		a.ID = deriveID(a)
	}
	return nil
}

// cleanFields gives every text the form that is stored and checks its length and encoding.
func cleanFields(a *Article) error {
	for name, s := range a.Texts() {
		most, ok := map[string]int{"id": maxID, "title": MaxTitle, "url": MaxURL}[name]
		if !ok {
			most = MaxSource
		}
		if err := cleanField(name, s, most); err != nil {
			return err
		}
	}
	if len(a.Authors) > MaxAuthors {
		return FieldError("authors", ErrTooLarge, fmt.Sprintf("got %d authors, want at most %d", len(a.Authors), MaxAuthors))
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
		return FieldError("sections", ErrTooLarge, fmt.Sprintf("got %d sections, want at most %d", len(a.Sections), maxParts))
	}
	var sections []Section
	size := 0
	for _, s := range a.Sections {
		if size += len(s.Heading) + len(s.Text); size > MaxText {
			return FieldError("text", ErrTooLarge, fmt.Sprintf("more than %d bytes", MaxText))
		}
		if err := cmp.Or(validText("heading", s.Heading), validText("text", s.Text)); err != nil {
			return err
		}
		s = Section{Heading: CleanLine(s.Heading), Text: CleanText(s.Text)}
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
	*s = CleanLine(*s)
	if len(*s) > most {
		return FieldError(name, ErrTooLarge, fmt.Sprintf("got %d bytes, want at most %d", len(*s), most))
	}
	return nil
}

func validText(field, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	return FieldError(field, ErrEncoding, fmt.Sprintf("not UTF-8 at byte %d", FirstInvalid([]byte(s))))
}
