package formats

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"throughline/internal/news"
)

// readJSONL reads one object a line. It skips empty lines; an unreadable line is one rejected item.
func (r *reading) readJSONL(src io.Reader) error {
	lines := &lineReader{r: buffered(src), limit: r.opts.MaxItem}
	for {
		line, tooLong, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return news.At(news.Origin{Line: lines.number + 1}, err)
		}
		origin := news.Origin{Line: lines.number}
		if tooLong {
			if !r.fail(news.At(origin, tooLarge("a line", r.opts.MaxItem))) {
				return nil
			}
			continue
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !r.object(line, nil, origin) {
			return nil
		}
	}
}

// object emits the article of one JSON object, which inherits from the object around it, if any. It
// reports whether to go on.
func (r *reading) object(raw []byte, around map[string]json.RawMessage, origin news.Origin) bool {
	fields, err := decodeObject(raw, origin.Line)
	if err != nil {
		return r.fail(news.At(origin, err))
	}
	inherit(fields, around)
	return r.record(fields, origin)
}

func (r *reading) record(fields map[string]json.RawMessage, origin news.Origin) bool {
	a, err := newRecord(fields).article(r.opts.Keep)
	if err != nil {
		return r.fail(news.At(origin, err))
	}
	a.Origin = origin
	return r.emit(a)
}

// readJSON reads a JSON document: an object, an array of objects, an object with such an array, or
// several of these one after another. It reads elements one at a time. It follows only brackets and
// strings, so a broken element is one rejected item as long as its brackets match.
func (r *reading) readJSON(src io.Reader) error {
	d := &jsonDocument{reading: r, r: buffered(src), line: 1}
	for {
		c, err := d.space()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return news.At(news.Origin{Line: d.line}, err)
		case c == '[':
			err = d.array(nil)
		case c == '{':
			err = d.root()
		default:
			err = d.unexpected(c, "an object or an array")
		}
		if err != nil || r.stopped {
			return err
		}
	}
}

type jsonDocument struct {
	*reading
	r          *bufio.Reader
	line, item int
}

// array reads the elements of an array of articles. around is the object that holds the array, or
// nil; articles without a source or language inherit those of around.
func (d *jsonDocument) array(around map[string]json.RawMessage) error {
	for first := true; ; first = false {
		if more, err := d.element(first, ']'); !more {
			return err
		}
		d.item++
		origin := news.Origin{Line: d.line, Item: d.item}
		raw, err := d.value()
		more := false
		switch {
		case errors.Is(err, news.ErrTooLarge):
			more = d.fail(news.At(origin, err))
		case err != nil:
			return news.At(origin, err)
		default:
			more = d.object(raw, around, origin)
		}
		if !more {
			return nil
		}
	}
}

// inherit gives an element the source and language of the surrounding document. The source of a
// JSON Feed is its title.
func inherit(fields, around map[string]json.RawMessage) {
	if len(around) == 0 {
		return
	}
	have, outer := newRecord(fields), newRecord(around)
	if len(have.fields["source"]) == 0 {
		if source := outer.fields["source"]; len(source) > 0 {
			fields["source"] = source[0]
		} else if bytes.Contains(around["version"], []byte("jsonfeed.org")) && around["title"] != nil {
			fields["source"] = around["title"]
		}
	}
	if language := outer.fields["language"]; len(have.fields["language"]) == 0 && len(language) > 0 {
		fields["language"] = language[0]
	}
}

// root reads an object that is an article, or that holds an array of them.
func (d *jsonDocument) root() error {
	origin := news.Origin{Line: d.line}
	fields := make(map[string]json.RawMessage)
	size, large, wrapper := 0, false, false
	for first := true; ; first = false {
		if more, err := d.element(first, '}'); err != nil {
			return err
		} else if !more {
			break
		}
		name, err := d.name()
		if err != nil {
			return err
		}
		c, err := d.next()
		if err != nil {
			return err
		}
		if c == '[' && wrapsItems(name) && !hasBody(fields) {
			wrapper = true
			if err := d.array(fields); err != nil || d.stopped {
				return err
			}
			continue
		}
		line := d.line
		raw, err := d.value()
		if errors.Is(err, news.ErrTooLarge) {
			large = true
			continue
		}
		if err == nil {
			err = checkUTF8(raw, line)
		}
		if err != nil {
			return err
		}
		if !json.Valid(raw) {
			_, err := decodeObject(append([]byte(`{"":`), append(raw, '}')...), line)
			return news.At(news.Origin{Line: line}, err)
		}
		if size += len(name) + len(raw); size > d.opts.MaxItem {
			large = true
			clear(fields)
		}
		if !large {
			fields[name] = raw
		}
	}
	if wrapper {
		return nil
	}
	d.item++
	if large {
		d.fail(news.At(origin, tooLarge("an object", d.opts.MaxItem)))
	} else {
		d.record(fields, origin)
	}
	return nil
}

// space skips white space and returns the next byte without taking it.
func (d *jsonDocument) space() (byte, error) {
	for {
		c, err := d.r.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			d.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, d.r.UnreadByte()
		}
	}
}

// next is space where the document must not end.
func (d *jsonDocument) next() (byte, error) {
	c, err := d.space()
	if err != nil {
		err = d.ended(err)
	}
	return c, err
}

// take consumes the byte c after white space.
func (d *jsonDocument) take(c byte, what string) error {
	got, err := d.next()
	if err == nil && got != c {
		err = d.unexpected(got, what)
	}
	if err == nil {
		_, err = d.r.Discard(1)
	}
	return err
}

// element goes to the next element of an array or object: past the opening bracket before the
// first, past a comma before the others. At the closing bracket it goes past that and returns no
// more.
func (d *jsonDocument) element(first bool, closing byte) (more bool, err error) {
	if first {
		if _, err := d.r.Discard(1); err != nil {
			return false, err
		}
	}
	c, err := d.next()
	switch {
	case err != nil:
		return false, err
	case c == closing:
		return false, d.take(closing, "the end")
	case first:
		return true, nil
	}
	if err := d.take(',', "a comma"); err != nil {
		return false, err
	}
	_, err = d.next()
	return err == nil, err
}

// name reads the name of a field and the colon after it.
func (d *jsonDocument) name() (name string, err error) {
	if c, err := d.next(); err != nil {
		return "", err
	} else if c != '"' {
		return "", d.unexpected(c, "a name in quotes")
	}
	line := d.line
	raw, err := d.value()
	if err != nil {
		return "", news.At(news.Origin{Line: line}, err)
	}
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", badJSON(line, err.Error())
	}
	return name, d.take(':', "a colon")
}

// value reads one value, whose first byte is next. It reads a value over the limit to its end and
// returns ErrTooLarge.
func (d *jsonDocument) value() ([]byte, error) {
	var (
		raw               []byte
		depth             int
		inString, escaped bool
		scalar            bool // within a number, true, false, null, or something that is not JSON
		large             bool
	)
	for open := true; open; open = depth > 0 || inString || scalar {
		c, err := d.r.ReadByte()
		if scalar && errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, d.ended(err)
		}
		if scalar && strings.IndexByte(" \t\r\n,]}:[{\"", c) >= 0 {
			if err := d.r.UnreadByte(); err != nil {
				return nil, err
			}
			break
		}
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case depth == 0:
			scalar = true
		}
		if c == '\n' {
			d.line++
		}
		if large = large || len(raw) == d.opts.MaxItem; large {
			raw = nil
		} else {
			raw = append(raw, c)
		}
	}
	if large {
		return nil, tooLarge("a value", d.opts.MaxItem)
	}
	return raw, nil
}

func (d *jsonDocument) unexpected(got byte, want string) error {
	return badJSON(d.line, fmt.Sprintf("got %q, want %s", got, want))
}

// ended returns the error of a stream that ends within a document.
func (d *jsonDocument) ended(err error) error {
	if errors.Is(err, io.EOF) {
		return badJSON(d.line, "unexpected end of file")
	}
	return news.At(news.Origin{Line: d.line}, err)
}

func badJSON(line int, reason string) error {
	return news.At(news.Origin{Line: line}, news.Problem(news.ErrSyntax, "JSON: "+reason))
}
