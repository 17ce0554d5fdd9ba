package article

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readPlain reads articles in the plain-text format, one at a time.
func (r *reading) readPlain(src io.Reader) error {
	lines := &lineReader{r: buffered(src), limit: r.opts.MaxItem}
	var (
		held  *Article // the first article waits: only if it stays the only one may the file name be its title
		buf   []byte
		start = 1
		large bool
		count int
	)
	flush := func() bool {
		defer func() { buf, large = buf[:0], false }()
		if large {
			return r.fail(at(Origin{Line: start}, tooLarge("article", r.opts.MaxItem)))
		}
		a, err := parsePlain(buf, start)
		switch {
		case err != nil:
			count++
			return r.fail(err)
		case a == nil:
			return true
		}
		if count++; count == 1 {
			held = a
			return true
		}
		if held != nil {
			first := held
			held = nil
			if !r.emit(first) {
				return false
			}
		}
		return r.emit(a)
	}
	for {
		line, tooLong, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return at(Origin{Line: lines.number + 1}, err)
		}
		if isSeparator(line) {
			if !flush() {
				return nil
			}
			start = lines.number + 1
			continue
		}
		if tooLong || len(buf)+len(line) > r.opts.MaxItem {
			large, buf = true, buf[:0]
		}
		if !large {
			buf = append(append(buf, line...), '\n')
		}
	}
	if !flush() {
		return nil
	}
	if held != nil {
		if count == 1 {
			titleFromFile(held, r.path)
		}
		r.emit(held)
	}
	return nil
}

// isSeparator recognises the line between two articles.
func isSeparator(line []byte) bool {
	line = bytes.TrimRight(line, " \t\r")
	return len(line) >= 3 && len(bytes.Trim(line, "-")) == 0
}

// parsePlain reads one article that starts at the given line of its file; nil for nothing but white space.
func parsePlain(b []byte, start int) (*Article, error) {
	if err := checkUTF8(b, start); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	first := 0
	for first < len(lines) && cleanLine(lines[first]) == "" {
		first++
	}
	if first == len(lines) {
		return nil, nil
	}
	a := &Article{Origin: Origin{Line: start + first}}
	rest, err := plainHeader(a, lines[first:], start+first)
	if err != nil {
		return nil, err
	}
	paragraphs := splitParagraphs(rest)
	if a.Title == "" && len(paragraphs) > 0 && isTitle(paragraphs[0], len(paragraphs) == 1) {
		a.Title, paragraphs = cleanLine(paragraphs[0]), paragraphs[1:]
	}
	for i, p := range paragraphs {
		if !isHeadingLine(p) {
			paragraphs[i] = unwrap(p)
		}
	}
	a.Sections = bySections(paragraphs, func(i int) bool { return i+1 < len(paragraphs) && isHeadingLine(paragraphs[i]) })
	return a, nil
}

var (
	headerLine = regexp.MustCompile(`^\s*([A-Za-z_-]{2,24})\s*:\s+(\S.*)$`)
	// The header that runs into the text: a name, a word, and for a date perhaps a clock.
	runInDate   = regexp.MustCompile(`^\s*date\s+([+-]?\d{3,9}-\d{1,2}-\d{1,2}(?:T\S+|\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})\b)?)?)[,;]?(?:\s+|$)`)
	runInURL    = regexp.MustCompile(`^\s*url\s+(https?://\S+)(?:\s+|$)`)
	runInSource = regexp.MustCompile(`^\s*source\s+([\p{L}\d-]+(?:\.[\p{L}\d-]+)+)(?:\s+|$)`)
	runInLang   = regexp.MustCompile(`^\s*lang\s+([a-z]{2,3}(?:-[A-Za-z]{2,4})?)(?:\s+|$)`)
)

// plainHeader takes the header off the lines into a and gives the lines that are left.
func plainHeader(a *Article, lines []string, start int) ([]string, error) {
	for i, line := range lines {
		if m := headerLine.FindStringSubmatch(line); m != nil {
			if field := headerField(m[1]); field != "" {
				if err := setField(a, field, m[2]); err != nil {
					return nil, at(Origin{Line: start + i}, err)
				}
				continue
			}
		}
		rest, found, err := runInHeader(a, line)
		if err != nil {
			return nil, at(Origin{Line: start + i}, err)
		}
		if found && strings.TrimSpace(rest) == "" {
			continue
		}
		return append([]string{rest}, lines[i+1:]...), nil
	}
	return nil, nil
}

func runInHeader(a *Article, line string) (rest string, found bool, err error) {
	rest = line
	for {
		next := rest
		for _, f := range []struct {
			pattern *regexp.Regexp
			field   string
			opens   bool
		}{{runInDate, "date", true}, {runInURL, "url", true}, {runInSource, "source", false}, {runInLang, "language", false}} {
			if !found && !f.opens {
				continue
			}
			if m := f.pattern.FindStringSubmatch(next); m != nil {
				if err := setField(a, f.field, m[1]); err != nil {
					return "", false, err
				}
				next, found = next[len(m[0]):], true
			}
		}
		if next == rest {
			return rest, found, nil
		}
		rest = next
	}
}

// setField sets one field from its text in a header. The first value of a field counts.
func setField(a *Article, field, value string) error {
	value = cleanLine(value)
	set := func(s *string) {
		if *s == "" {
			*s = value
		}
	}
	switch field {
	case "id":
		set(&a.ID)
	case "title":
		set(&a.Title)
	case "url":
		set(&a.URL)
	case "source":
		set(&a.Source)
	case "language":
		set(&a.Language)
	case "authors":
		for author := range strings.SplitSeq(value, ";") {
			a.Authors = append(a.Authors, author)
		}
	case "date":
		t, dateOnly, err := parseDate(value)
		if err != nil {
			return err
		}
		if a.Published.IsZero() {
			a.Published, a.DateOnly = t, dateOnly
		}
	}
	return nil
}

// splitParagraphs gives the runs of lines between blank lines.
func splitParagraphs(lines []string) []string {
	var out []string
	from := -1
	for i, line := range lines {
		blank := cleanLine(line) == ""
		if !blank && from < 0 {
			from = i
		}
		if blank && from >= 0 {
			out = append(out, strings.Join(lines[from:i], "\n"))
			from = -1
		}
	}
	if from >= 0 {
		out = append(out, strings.Join(lines[from:], "\n"))
	}
	return out
}

var listItem = regexp.MustCompile(`^\s*(?:[-*•–—]|\d{1,3}[.)])\s`)

// unwrap joins the lines of a paragraph, but leaves list items lines of their own.
func unwrap(paragraph string) string {
	var b strings.Builder
	for i, line := range strings.Split(paragraph, "\n") {
		if i > 0 {
			if listItem.MatchString(line) {
				b.WriteByte('\n')
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

// bySections makes sections of paragraphs, given which of them are headings.
func bySections(paragraphs []string, heading func(i int) bool) []Section {
	var s assembler
	for i, p := range paragraphs {
		if heading(i) {
			s.heading(p)
		} else {
			s.paragraph(p)
		}
	}
	return s.done()
}

// assembler builds sections out of headings and paragraphs in reading order.
type assembler struct {
	sections []Section
	text     strings.Builder
	open     bool // a section has begun: sections' last entry waits for its text
}

func (s *assembler) heading(h string) {
	if h = cleanLine(h); h == "" {
		return
	}
	s.close()
	s.sections = append(s.sections, Section{Heading: h})
	s.open = true
}

func (s *assembler) paragraph(p string) {
	if p = cleanText(p); p == "" {
		return
	}
	if !s.open {
		s.sections = append(s.sections, Section{})
		s.open = true
	}
	if s.text.Len() > 0 {
		s.text.WriteString("\n\n")
	}
	s.text.WriteString(p)
}

func (s *assembler) close() {
	if s.open {
		s.sections[len(s.sections)-1].Text = s.text.String()
		s.text.Reset()
		s.open = false
	}
}

func (s *assembler) done() []Section {
	s.close()
	return s.sections
}

// isTitle: the first paragraph is a title when it is one line that does not end like a sentence. The only paragraph of an
// article is one when it is also short enough to be a headline.
func isTitle(p string, alone bool) bool {
	line := cleanLine(p)
	most := 250
	if alone {
		most = 150
	}
	if strings.Contains(strings.TrimSpace(p), "\n") || utf8.RuneCountInString(line) > most || listItem.MatchString(line) {
		return false
	}
	last := lastRune(line)
	return !strings.ContainsRune(".:;,…。：；，、", last) || strings.HasSuffix(line, "...") && utf8.RuneCountInString(line) < 100
}

// lastRune is the last rune before closing quotes and brackets.
func lastRune(s string) rune {
	s = strings.TrimRight(s, `"'”’»)]`)
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// notHeading recognises short lines that look like headings and are bylines, credits, links or dates.
var notHeading = regexp.MustCompile(`(?i)^(by|reporting by|written by|edited by|photos?|photograph|image|video|source|credit|updated|published|posted|read more|see also|related|share|advertisement)\b|^[(\[]|\d:\d\d|\b(?:19|20)\d\d$`)

// small are the words that title case leaves in lower case.
var small = map[string]bool{
	"about": true, "after": true, "against": true, "along": true, "amid": true, "among": true, "before": true, "behind": true, "below": true,
	"between": true, "beyond": true, "during": true, "from": true, "into": true, "near": true, "over": true, "past": true, "since": true,
	"than": true, "that": true, "through": true, "toward": true, "towards": true, "under": true, "until": true, "upon": true, "versus": true,
	"with": true, "within": true, "without": true,
}

// isHeadingLine recognises the heading of a plain text: a single short line in title case without final punctuation. Scripts
// without capitals count as title case and have to be shorter.
func isHeadingLine(p string) bool {
	const (
		mostRunes    = 90
		mostWords    = 12
		mostCaseless = 30
	)
	if strings.Contains(strings.TrimSpace(p), "\n") || len(p) > 4*mostRunes {
		return false
	}
	line := cleanLine(p)
	runes := utf8.RuneCountInString(line)
	words := strings.Fields(line)
	if runes == 0 || runes > mostRunes || len(words) > mostWords || notHeading.MatchString(line) || listItem.MatchString(line+" ") {
		return false
	}
	if strings.ContainsRune(".?!:;,…。？！：；，、-–—", lastRune(line)) {
		return false
	}
	capital, caseless := 0, false
	for i, w := range words {
		bare := strings.TrimLeftFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		r, _ := utf8.DecodeRuneInString(bare)
		switch {
		case bare == "" || unicode.IsDigit(r):
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			capital++
		case !unicode.IsLower(r):
			capital++
			caseless = true
		case i == 0:
			return false
		case utf8.RuneCountInString(bare) > 3 && !small[strings.Trim(bare, ",'’")]:
			return false
		}
	}
	if caseless && runes > mostCaseless {
		return false
	}
	if 3*capital < len(words) || capital == 0 || strings.ContainsAny(line, "@|") {
		return false
	}
	_, _, err := parseDate(line)
	return err != nil
}

// isProse: a paragraph that reads as running text, not as a caption, a list of links or a byline.
func isProse(p string) bool {
	return len(p) >= 60 && strings.ContainsRune(".?!…。？！:", lastRune(strings.TrimRightFunc(p, unicode.IsSpace)))
}

// ParseText makes sections of a body that came as one string, without title or header: paragraphs between blank lines, headings as in
// the plain-text format. But a line is a heading only when prose follows it, because the bodies that crawlers deliver are full of
// captions and links in title case.
func ParseText(text string) []Section {
	text = cleanText(text)
	if !strings.Contains(text, "\n\n") {
		if text == "" {
			return nil
		}
		return []Section{{Text: text}}
	}
	paragraphs := strings.Split(text, "\n\n")
	return bySections(paragraphs, func(i int) bool {
		return i+1 < len(paragraphs) && isProse(paragraphs[i+1]) && isHeadingLine(paragraphs[i])
	})
}

func tooLarge(what string, limit int) error {
	return &problem{ErrTooLarge, fmt.Sprintf("%s of more than %d bytes", what, limit)}
}
