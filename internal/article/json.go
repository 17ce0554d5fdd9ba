package article

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
)

// aliases are the field names of the usual crawlers and APIs, normalised, in order of preference.
var aliases = map[string][]string{
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

// headerField is the field that a plain-text header may set under this name, or "".
func headerField(name string) string {
	switch field := fieldOf[normalName(name)]; field {
	case "id", "title", "url", "source", "date", "language", "authors":
		return field
	}
	return ""
}

func wrapsItems(name string) bool { return fieldOf[normalName(name)] == "items" }

// hasBody: the object is an article itself, whatever arrays it has.
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
	for _, name := range slices.Sorted(keys(raw)) {
		if _, twice := byName[normalName(name)]; !twice {
			byName[normalName(name)] = raw[name]
		}
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

func keys(m map[string]json.RawMessage) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// article builds an Article; keep names the fields for Extra.
func (r *record) article(keep []string) (*Article, error) {
	a := &Article{}
	for _, f := range []struct {
		name string
		s    *string
	}{{"id", &a.ID}, {"title", &a.Title}, {"url", &a.URL}, {"source", &a.Source}, {"language", &a.Language}} {
		value, err := r.text(f.name)
		if err != nil {
			return nil, err
		}
		*f.s = value
	}
	if len(r.fields["sections"]) == 0 {
		a.Title = unescape(a.Title) // where there are sections nobody crawled this
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
		authors, err := people(value)
		if err != nil {
			return nil, err
		}
		if a.Authors = authors; len(authors) > 0 {
			break
		}
	}
	sections, err := r.sections()
	if err != nil {
		return nil, err
	}
	a.Sections = sections
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

// text is the first non-empty value of a field as one string.
func (r *record) text(field string) (string, error) {
	for _, value := range r.fields[field] {
		s, err := plainValue(field, value)
		if err != nil || s != "" {
			return s, err
		}
	}
	return "", nil
}

// sections reads the body: sections as given, else a text, else HTML, else the abstract.
func (r *record) sections() ([]Section, error) {
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

// givenSections reads [{"heading", "text"}]. Strings in the array are not sections: some crawlers list the site's departments so.
func givenSections(value json.RawMessage) ([]Section, error) {
	if k := kind(value); k == "null" || k == "string" {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(value, &raw); err != nil {
		return nil, fieldError("sections", ErrField, "want an array, found "+kind(value))
	}
	var sections []Section
	for i, one := range raw {
		switch kind(one) {
		case "null", "string":
			continue
		case "object":
		default:
			return nil, fieldError("sections", ErrField, fmt.Sprintf("element %d: want an object, found %s", i+1, kind(one)))
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(one, &fields); err != nil {
			return nil, fieldError("sections", ErrField, fmt.Sprintf("element %d: %v", i+1, err))
		}
		var s Section
		for _, name := range slices.Sorted(keys(fields)) {
			switch normalName(name) {
			case "heading", "title":
				h, err := plainValue("sections", fields[name])
				if err != nil {
					return nil, err
				}
				if s.Heading == "" {
					s.Heading = h
				}
			case "text", "body", "content":
				t, err := bodyValue(fields[name])
				if err != nil {
					return nil, err
				}
				if s.Text == "" {
					s.Text = t
				}
			}
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
	return fieldError(field, ErrField, fmt.Sprintf("want text, found %s %s", kind(value), quote(string(value))))
}

// scalar is a string or the digits of a number; null is empty.
func scalar(field string, value json.RawMessage) (string, error) {
	switch kind(value) {
	case "null":
		return "", nil
	case "string":
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return "", fieldError(field, ErrField, err.Error())
		}
		return s, nil
	case "number":
		var n json.Number
		if err := json.Unmarshal(value, &n); err != nil {
			return "", fieldError(field, ErrField, err.Error())
		}
		if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), "eE") {
			return fmt.Sprintf("%.0f", f), nil
		}
		return n.String(), nil
	}
	return "", wrongKind(field, value)
}

// plainValue is a scalar, or what an object says about it: {"name": ...} of a source, {"rendered": ...} of WordPress,
// {"main": ...} of a headline, {"@id": ...} of JSON-LD. Numbers are good for an id only.
func plainValue(field string, value json.RawMessage) (string, error) {
	switch kind(value) {
	case "object":
		var object map[string]json.RawMessage
		if err := json.Unmarshal(value, &object); err != nil {
			return "", fieldError(field, ErrField, err.Error())
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

// bodyValue is a text as a string, an object around one, or an array of paragraphs.
func bodyValue(value json.RawMessage) (string, error) {
	if kind(value) != "array" {
		return plainValue("text", value)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(value, &parts); err != nil {
		return "", fieldError("text", ErrField, err.Error())
	}
	var paragraphs []string
	for _, part := range parts {
		s, err := plainValue("text", part)
		if err != nil {
			return "", err
		}
		paragraphs = append(paragraphs, s)
	}
	return strings.Join(paragraphs, "\n\n"), nil
}

// people reads authors: a string (several separated by semicolons), an object with a name, or an array of these.
func people(value json.RawMessage) ([]string, error) {
	parts, list := []json.RawMessage{value}, kind(value) == "array"
	if list {
		parts = nil
		if err := json.Unmarshal(value, &parts); err != nil {
			return nil, fieldError("authors", ErrField, err.Error())
		}
	}
	var names []string
	for _, part := range parts {
		s, err := plainValue("authors", part)
		if err != nil {
			return nil, err
		}
		if list {
			names = append(names, s)
			continue
		}
		for name := range strings.SplitSeq(s, ";") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

var entity = regexp.MustCompile(`&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});`)

// unescape decodes character references, which crawlers often leave in titles. Only with their semicolon: "AT&T" and "R&copy"
// stay.
func unescape(s string) string { return entity.ReplaceAllStringFunc(s, html.UnescapeString) }

// decodeObject parses one JSON value that starts at the given line and must be an object.
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
		return nil, &ItemError{
			Origin: Origin{Line: line + bytes.Count(before, []byte{'\n'})},
			Err:    &problem{ErrSyntax, "JSON: " + syntax.Error()},
		}
	case err != nil, object == nil:
		return nil, &ItemError{Origin: Origin{Line: line}, Err: &problem{ErrField, "want a JSON object, found " + kind(raw)}}
	}
	return object, nil
}
