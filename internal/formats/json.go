package formats

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"

	"throughline/internal/news"
)

// aliases maps each field to the normalised names that common crawlers and APIs give it, in order
// of preference. A text of an article that is not here has its own name.
var aliases = withTexts(map[string][]string{
	"id":       {"id", "uid", "uuid", "guid", "articleid"},
	"title":    {"title", "headline", "name"},
	"text":     {"text", "body", "content", "articlebody", "maintext", "fulltext", "contenttext", "plaintext"},
	"html":     {"contenthtml", "bodyhtml", "html"},
	"abstract": {"description", "summary", "abstract", "excerpt", "snippet", "lede"},
	"sections": {"sections"},
	"url":      {"url", "link", "canonicalurl", "permalink", "weburl", "mainentityofpage"},
	"source":   {"source", "publisher", "outlet", "sourcename", "sitename", "publication", "newspaper", "domain", "sourcedomain"},
	"date": {"date", "publishedat", "published", "pubdate", "datepublished", "datepublish", "publishdate", "publicationdate", "publisheddate",
		"webpublicationdate", "timestamp", "createdat", "datecreated"},
	"language": {"language", "lang", "languagecode", "inlanguage", "locale"},
	"authors":  {"authors", "author", "byline", "creator"},
	"items":    {"articles", "items", "results", "documents", "docs", "entries", "stories", "posts", "data"},
	"derived":  {"titlederived"},
})

func withTexts(names map[string][]string) map[string][]string {
	for field := range new(news.Article).Texts() {
		if names[field] == nil {
			names[field] = []string{normalName(field)}
		}
	}
	return names
}

// fieldOf maps an alias to its field.
var fieldOf = func() map[string]string {
	m := make(map[string]string)
	for field, names := range aliases {
		for _, name := range names {
			m[name] = field
		}
	}
	return m
}()

func normalName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// headerField returns the field that a plain-text header may set under this name, or "".
func headerField(name string) string {
	field := fieldOf[normalName(name)]
	if field == "date" || field == "authors" || textOf(&news.Article{}, field) != nil {
		return field
	}
	return ""
}

func wrapsItems(name string) bool { return fieldOf[normalName(name)] == "items" }

// hasBody reports whether the object is an article itself, whatever arrays it has.
func hasBody(object map[string]json.RawMessage) bool {
	for name := range object {
		switch fieldOf[normalName(name)] {
		case "text", "html", "sections":
			return true
		}
	}
	return false
}

// record is a JSON object (or front matter) seen as an article.
type record struct {
	raw    map[string]json.RawMessage
	fields map[string][]json.RawMessage // by field, in order of preference
}

func newRecord(raw map[string]json.RawMessage) *record {
	byName := make(map[string]json.RawMessage, len(raw))
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(raw))) {
		byName[normalName(name)] = raw[name] // the first in order of names stays
	}
	r := &record{raw: raw, fields: make(map[string][]json.RawMessage)}
	for field, names := range aliases {
		for _, name := range names {
			if value, ok := byName[name]; ok {
				r.fields[field] = append(r.fields[field], value)
			}
		}
	}
	return r
}

// textOf returns one of the texts of an article; nil where it has none of that name.
func textOf(a *news.Article, field string) *string {
	for name, s := range a.Texts() {
		if name == field {
			return s
		}
	}
	return nil
}

// article returns the article of the record. keep names the fields to copy into Extra.
func (r *record) article(keep []string) (*news.Article, error) {
	a := &news.Article{}
	var err error
	for field, s := range a.Texts() {
		if *s, err = r.text(field); err != nil {
			return nil, err
		}
	}
	if len(r.fields["sections"]) == 0 {
		a.Title = unescape(a.Title) // unlike crawlers, MarshalJSONLine writes sections
	}
	for _, value := range r.fields["derived"] {
		a.TitleDerived = a.Title != "" && string(value) == "true"
	}
	for _, value := range r.fields["date"] {
		s, err := scalar("date", value)
		if err != nil {
			return nil, err
		}
		if a.Published, a.DateOnly, err = parseDate(s); err != nil {
			return nil, err
		}
		if !a.Published.IsZero() {
			break
		}
	}
	for _, value := range r.fields["authors"] {
		if a.Authors, err = people(value); err != nil {
			return nil, err
		}
		if len(a.Authors) > 0 {
			break
		}
	}
	if a.Sections, err = r.sections(); err != nil {
		return nil, err
	}
	for _, name := range keep {
		if value, ok := r.raw[name]; ok && kind(value) != "null" {
			if a.Extra == nil {
				a.Extra = make(map[string]string)
			}
			a.Extra[name] = string(value)
			var s string
			if json.Unmarshal(value, &s) == nil {
				a.Extra[name] = s
			}
		}
	}
	return a, nil
}

// text returns the first non-empty value of a field as one string.
func (r *record) text(field string) (string, error) {
	for _, value := range r.fields[field] {
		s, err := plainValue(field, value)
		if err != nil || s != "" {
			return s, err
		}
	}
	return "", nil
}

// sections reads the body: the sections, else a text, else HTML, else the abstract.
func (r *record) sections() ([]news.Section, error) {
	for _, value := range r.fields["sections"] {
		sections, err := givenSections(value)
		if err != nil || len(sections) > 0 {
			return sections, err
		}
	}
	for _, field := range []string{"text", "html", "abstract"} {
		for _, value := range r.fields[field] {
			s, err := bodyValue(value)
			if err != nil {
				return nil, err
			}
			if strings.TrimSpace(s) == "" {
				continue
			}
			if field == "html" || looksLikeHTML(s) {
				sections, err := fragmentSections(s)
				if err != nil || len(sections) > 0 {
					return sections, err
				}
				continue
			}
			return ParseText(s), nil
		}
	}
	return nil, nil
}

// givenSections reads [{"heading", "text"}]. It ignores strings in the array, in which some
// crawlers list the departments of the site.
func givenSections(value json.RawMessage) ([]news.Section, error) {
	if k := kind(value); k == "null" || k == "string" {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(value, &raw); err != nil {
		return nil, news.FieldError("sections", news.ErrField, fmt.Sprintf("got %s, want an array", kind(value)))
	}
	var sections []news.Section
	for i, one := range raw {
		switch kind(one) {
		case "null", "string":
			continue
		case "object":
		default:
			return nil, news.FieldError("sections", news.ErrField, fmt.Sprintf("element %d: got %s, want an object", i+1, kind(one)))
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(one, &fields); err != nil {
			return nil, news.FieldError("sections", news.ErrField, fmt.Sprintf("element %d: %v", i+1, err))
		}
		var s news.Section
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			var value string
			var err error
			to := &s.Text
			switch normalName(name) {
			case "heading", "title":
				to = &s.Heading
				value, err = plainValue("sections", fields[name])
			case "text", "body", "content":
				value, err = bodyValue(fields[name])
			}
			if err != nil {
				return nil, err
			}
			*to = cmp.Or(*to, value)
		}
		if s.Heading != "" || s.Text != "" {
			sections = append(sections, s)
		}
	}
	return sections, nil
}

// kind names the type of a JSON value.
func kind(value json.RawMessage) string {
	switch firstByte(value) {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n', 0:
		return "null"
	default:
		return "number"
	}
}

func wrongKind(field string, value json.RawMessage) error {
	return news.FieldError(field, news.ErrField, fmt.Sprintf("got %s %s, want text", kind(value), news.Quote(string(value))))
}

// decodeAs decodes a value whose kind is known.
func decodeAs[T any](field string, value json.RawMessage) (v T, err error) {
	if err := json.Unmarshal(value, &v); err != nil {
		return v, news.FieldError(field, news.ErrField, err.Error())
	}
	return v, nil
}

// scalar returns a string or the digits of a number; null is empty.
func scalar(field string, value json.RawMessage) (string, error) {
	switch kind(value) {
	case "null":
		return "", nil
	case "string":
		return decodeAs[string](field, value)
	case "number":
		n := json.Number(value)
		if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), "eE") {
			return fmt.Sprintf("%.0f", f), nil
		}
		return n.String(), nil
	}
	return "", wrongKind(field, value)
}

// plainValue returns a scalar or the string within an object: {"name": ...} of a source,
// {"rendered": ...} of WordPress, {"main": ...} of a headline, {"@id": ...} of JSON-LD. A number is
// valid for an id only.
func plainValue(field string, value json.RawMessage) (string, error) {
	switch kind(value) {
	case "object":
		object, err := decodeAs[map[string]json.RawMessage](field, value)
		if err != nil {
			return "", err
		}
		for _, name := range []string{"name", "title", "main", "rendered", "value", "text", "domain", "url", "@id", "$oid", "id"} {
			if inner, ok := object[name]; ok && kind(inner) == "string" {
				if s, err := scalar(field, inner); err != nil || strings.TrimSpace(s) != "" {
					return strings.TrimSpace(s), err
				}
			}
		}
		return "", nil
	case "number":
		if field != "id" {
			return "", wrongKind(field, value)
		}
	}
	s, err := scalar(field, value)
	return strings.TrimSpace(s), err
}

// plainValues returns the plain values of an array.
func plainValues(field string, array json.RawMessage) ([]string, error) {
	parts, err := decodeAs[[]json.RawMessage](field, array)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, part := range parts {
		s, err := plainValue(field, part)
		if err != nil {
			return nil, err
		}
		values = append(values, s)
	}
	return values, nil
}

// bodyValue returns the text of a string, of an object around one, or of an array of paragraphs.
func bodyValue(value json.RawMessage) (string, error) {
	if kind(value) != "array" {
		return plainValue("text", value)
	}
	paragraphs, err := plainValues("text", value)
	if err != nil {
		return "", err
	}
	return strings.Join(paragraphs, "\n\n"), nil
}

// people reads authors: a string (several separated by semicolons), an object with a name, or an
// array of these.
func people(value json.RawMessage) ([]string, error) {
	if kind(value) == "array" {
		return plainValues("authors", value)
	}
	s, err := plainValue("authors", value)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Split(s, ";"), func(name string) bool { return strings.TrimSpace(name) == "" }), nil
}

var entity = regexp.MustCompile(`&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});`)

// unescape decodes character references, which crawlers often leave in titles, if they end with a
// semicolon: "AT&T" and "R&copy" stay.
func unescape(s string) string { return entity.ReplaceAllStringFunc(s, html.UnescapeString) }

// decodeObject parses one JSON object that starts at the given line.
func decodeObject(raw []byte, line int) (map[string]json.RawMessage, error) {
	if err := checkUTF8(raw, line); err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(raw, &object)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		before := raw[:max(0, min(int(syntax.Offset), len(raw)))]
		return nil, badJSON(line+bytes.Count(before, []byte{'\n'}), syntax.Error())
	case err != nil, object == nil:
		return nil, news.At(news.Origin{Line: line}, news.Problem(news.ErrField, fmt.Sprintf("got %s, want a JSON object", kind(raw))))
	}
	return object, nil
}
