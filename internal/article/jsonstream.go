package article

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSONL reads an object a line. Empty lines are skipped; a line that cannot be read costs only itself.
func (r *reading) readJSONL(src io.Reader) error {
	lines := &lineReader{r: buffered(src), limit: r.opts.MaxItem}
	for {
		line, tooLong, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return at(Origin{Line: lines.number + 1}, err)
		}
		origin := Origin{Line: lines.number}
		if tooLong {
			if !r.fail(at(origin, tooLarge("a line", r.opts.MaxItem))) {
				return nil
			}
			continue
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !r.object(line, origin) {
			return nil
		}
	}
}

// object emits the article of one JSON object. It reports whether to go on.
func (r *reading) object(raw []byte, origin Origin) bool {
	fields, err := decodeObject(raw, origin.Line)
	if err != nil {
		return r.fail(at(origin, err))
	}
	return r.record(fields, origin)
}

func (r *reading) record(fields map[string]json.RawMessage, origin Origin) bool {
	a, err := newRecord(fields).article(r.opts.Keep)
	if err != nil {
		return r.fail(at(origin, err))
	}
	a.Origin = origin
	return r.emit(a)
}

// readJSON reads a JSON document: an object, an array of objects, an object with such an array, or several of these one after
// another. Elements are read one at a time. Only brackets and strings are followed here, so an element with an error inside costs
// only itself as long as its brackets match.
func (r *reading) readJSON(src io.Reader) error {
	s := &jsonScanner{r: buffered(src), limit: r.opts.MaxItem, line: 1}
	d := &jsonDocument{reading: r, scan: s}
	for {
		c, err := s.space()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return at(Origin{Line: s.line}, err)
		case c == '[':
			err = d.array(nil)
		case c == '{':
			err = d.object()
		default:
			err = s.unexpected("an object or an array")
		}
		if err != nil || r.stopped {
			return err
		}
	}
}

type jsonDocument struct {
	*reading
	scan *jsonScanner
	item int
}

// array reads the elements of an array of articles. around: the object that the array stands in, if any, whose source and language count
// for articles that name none.
func (d *jsonDocument) array(around map[string]json.RawMessage) error {
	s := d.scan
	s.take()
	for first := true; ; first = false {
		c, err := s.space()
		if err != nil {
			return s.ended(err)
		}
		if c == ']' {
			s.take()
			return nil
		}
		if !first {
			if c != ',' {
				return s.unexpected("a comma")
			}
			s.take()
			if _, err = s.space(); err != nil {
				return s.ended(err)
			}
		}
		d.item++
		origin := Origin{Line: s.line, Item: d.item}
		raw, err := s.value()
		if errors.Is(err, ErrTooLarge) {
			if !d.fail(at(origin, err)) {
				return nil
			}
			continue
		}
		if err != nil {
			return at(origin, err)
		}
		fields, err := decodeObject(raw, origin.Line)
		if err != nil {
			if !d.fail(at(origin, err)) {
				return nil
			}
			continue
		}
		inherit(fields, around)
		if !d.record(fields, origin) {
			return nil
		}
	}
}

// inherit gives an element the source and language of the document around it. A JSON Feed's title is its outlet.
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

// object reads an object that is an article, or that holds an array of them.
func (d *jsonDocument) object() error {
	s := d.scan
	origin := Origin{Line: s.line}
	fields := make(map[string]json.RawMessage)
	size, large, wrapper := 0, false, false
	s.take()
	for first := true; ; first = false {
		c, err := s.space()
		if err != nil {
			return s.ended(err)
		}
		if c == '}' {
			s.take()
			break
		}
		if !first {
			if c != ',' {
				return s.unexpected("a comma")
			}
			s.take()
			if c, err = s.space(); err != nil {
				return s.ended(err)
			}
		}
		if c != '"' {
			return s.unexpected("a name in quotes")
		}
		name, err := s.name()
		if err != nil {
			return err
		}
		if c, err = s.space(); err != nil {
			return s.ended(err)
		}
		if c == '[' && wrapsItems(name) && !hasBody(fields) {
			wrapper = true
			if err := d.array(fields); err != nil || d.stopped {
				return err
			}
			continue
		}
		line := s.line
		raw, err := s.value()
		switch {
		case errors.Is(err, ErrTooLarge):
			large = true
		case err != nil:
			return err
		default:
			if err := checkUTF8(raw, line); err != nil {
				return err
			}
			if !json.Valid(raw) {
				_, err := decodeObject(append([]byte(`{"":`), append(raw, '}')...), line)
				return at(Origin{Line: line}, err)
			}
			if size += len(name) + len(raw); size > s.limit {
				large = true
				clear(fields)
			}
			if !large {
				fields[name] = raw
			}
		}
	}
	if wrapper {
		return nil
	}
	d.item++
	if large {
		d.fail(at(origin, tooLarge("an object", s.limit)))
		return nil
	}
	d.record(fields, origin)
	return nil
}

// jsonScanner finds where JSON values begin and end, and in which line.
type jsonScanner struct {
	r     *bufio.Reader
	limit int // bytes of the largest value that is kept
	line  int
}

// peek gives the next byte without taking it.
func (s *jsonScanner) peek() (byte, error) {
	b, err := s.r.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// take skips the byte that peek or space has shown.
func (s *jsonScanner) take() {
	if b, err := s.r.ReadByte(); err == nil && b == '\n' {
		s.line++
	}
}

// space skips white space and shows what follows.
func (s *jsonScanner) space() (byte, error) {
	for {
		c, err := s.peek()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
		s.take()
	}
}

// name reads the name of a field and the colon behind it.
func (s *jsonScanner) name() (string, error) {
	line := s.line
	raw, err := s.value()
	if err != nil {
		return "", at(Origin{Line: line}, err)
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", &ItemError{Origin: Origin{Line: line}, Err: &problem{ErrSyntax, "JSON: " + err.Error()}}
	}
	c, err := s.space()
	if err != nil {
		return "", s.ended(err)
	}
	if c != ':' {
		return "", s.unexpected("a colon")
	}
	s.take()
	return name, nil
}

// value reads one value, whose first byte is next. Of one over the limit it reads all and keeps nothing: ErrTooLarge.
func (s *jsonScanner) value() ([]byte, error) {
	var (
		raw       []byte
		state     jsonState
		oversized bool
	)
	for {
		if _, err := s.r.Peek(1); err != nil {
			if errors.Is(err, io.EOF) && state.scalar {
				break
			}
			return nil, s.ended(err)
		}
		// What is in the buffer is there to be seen without an error.
		chunk, _ := s.r.Peek(s.r.Buffered())
		n, complete := state.advance(chunk)
		if len(raw)+n > s.limit {
			oversized, raw = true, nil
		}
		if !oversized {
			raw = append(raw, chunk[:n]...)
		}
		s.line += bytes.Count(chunk[:n], []byte{'\n'})
		if _, err := s.r.Discard(n); err != nil {
			return nil, err
		}
		if complete {
			break
		}
	}
	if oversized {
		return nil, tooLarge("a value", s.limit)
	}
	return raw, nil
}

// jsonState is how far into a value a scan is.
type jsonState struct {
	depth    int
	inString bool
	escaped  bool
	scalar   bool // a number, true, false or null, or something that is no JSON
}

// advance goes through the next bytes of a value. It gives the number of bytes that belong to the value, and whether it is complete.
func (s *jsonState) advance(chunk []byte) (n int, complete bool) {
	for i := 0; i < len(chunk); i++ {
		c := chunk[i]
		switch {
		case s.escaped:
			s.escaped = false
		case s.inString && c == '\\':
			s.escaped = true
		case s.inString && c != '"':
			// Most bytes are the text of a string: go on to its next quote or escape.
			if skip := bytes.IndexAny(chunk[i:], `"\`); skip > 0 {
				i += skip - 1
			} else {
				i = len(chunk) - 1
			}
		case s.scalar && bytes.IndexByte([]byte(" \t\r\n,]}:[{\""), c) >= 0:
			return i, true
		case c == '"':
			s.inString = !s.inString
		case c == '{' || c == '[':
			s.depth++
		case c == '}' || c == ']':
			s.depth--
		case s.depth == 0:
			s.scalar = true
		}
		if s.depth <= 0 && !s.inString && !s.scalar {
			return i + 1, true
		}
	}
	return len(chunk), false
}

func (s *jsonScanner) unexpected(want string) error {
	c, err := s.peek()
	if err != nil {
		return s.ended(err)
	}
	return &ItemError{Origin: Origin{Line: s.line}, Err: &problem{ErrSyntax, fmt.Sprintf("JSON: want %s, found %q", want, c)}}
}

// ended is the error for a stream that ends within a document.
func (s *jsonScanner) ended(err error) error {
	if errors.Is(err, io.EOF) {
		err = &problem{ErrSyntax, "JSON: the file ends too early"}
	}
	return at(Origin{Line: s.line}, err)
}
