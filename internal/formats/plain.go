package formats

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/internal/news"
)

// readPlain reads articles in the plain-text format, one at a time.
func (r *reading) readPlain(src io.Reader) error {
	lines := &lineReader{r: buffered(src), limit: r.opts.MaxItem}
	var (
		held  *news.Article // the first article waits: the file name may title only a single one
		buf   []byte
		start = 1
		large bool
		count int
	)
	flush := func() bool {
		defer func() { buf, large = buf[:0], false }()
		if large {
			return r.fail(news.At(news.Origin{Line: start}, tooLarge("article", r.opts.MaxItem)))
		}
		a, err := parsePlain(buf, start)
		if a == nil && err == nil {
			return true
		}
		count++
		switch first := held; {
		case err != nil:
			return r.fail(err)
		case count == 1:
			held = a
			return true
		case first != nil:
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
			return news.At(news.Origin{Line: lines.number + 1}, err)
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

// parsePlain reads one article that starts at the given line of its file; nil if there is only
// white space.
func parsePlain(b []byte, start int) (*news.Article, error) {
	if err := checkUTF8(b, start); err != nil {
		return nil, err
	}
	lines := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	first := 0
	for first < len(lines) && news.CleanLine(lines[first]) == "" {
		first++
	}
	if first == len(lines) {
		return nil, nil
	}
	a := &news.Article{Origin: news.Origin{Line: start + first}}
	rest, err := plainHeader(a, lines[first:], start+first)
	if err != nil {
		return nil, err
	}
	paragraphs := splitParagraphs(rest)
	if a.Title == "" && len(paragraphs) > 0 && isTitle(paragraphs[0], len(paragraphs) == 1) {
		a.Title, paragraphs = news.CleanLine(paragraphs[0]), paragraphs[1:]
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
	// The header on the first line of text: a name and a word, for a date also a clock time.
	runInDate   = regexp.MustCompile(`^\s*date\s+([+-]?\d{3,9}-\d{1,2}-\d{1,2}(?:T\S+|\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})\b)?)?)[,;]?(?:\s+|$)`)
	runInURL    = regexp.MustCompile(`^\s*url\s+(https?://\S+)(?:\s+|$)`)
	runInSource = regexp.MustCompile(`^\s*source\s+([\p{L}\d-]+(?:\.[\p{L}\d-]+)+)(?:\s+|$)`)
	runInLang   = regexp.MustCompile(`^\s*lang\s+([a-z]{2,3}(?:-[A-Za-z]{2,4})?)(?:\s+|$)`)
)

// plainHeader reads the header of the lines into a and returns the remaining lines.
func plainHeader(a *news.Article, lines []string, start int) ([]string, error) {
	for i, line := range lines {
		if m := headerLine.FindStringSubmatch(line); m != nil {
			if field := headerField(m[1]); field != "" {
				if err := setField(a, field, m[2]); err != nil {
					return nil, news.At(news.Origin{Line: start + i}, err)
				}
				continue
			}
		}
		rest, found, err := runInHeader(a, line)
		if err != nil {
			return nil, news.At(news.Origin{Line: start + i}, err)
		}
		if found && strings.TrimSpace(rest) == "" {
			continue
		}
		return append([]string{rest}, lines[i+1:]...), nil
	}
	return nil, nil
}

func runInHeader(a *news.Article, line string) (rest string, found bool, err error) {
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
func setField(a *news.Article, field, value string) error {
	value = news.CleanLine(value)
	switch field {
	default:
		s := textOf(a, field)
		*s = cmp.Or(*s, value)
	case "authors":
		a.Authors = append(a.Authors, strings.Split(value, ";")...)
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

// splitParagraphs returns the runs of lines between blank lines.
func splitParagraphs(lines []string) []string {
	var out []string
	from := 0
	for i := range len(lines) + 1 {
		if i < len(lines) && news.CleanLine(lines[i]) != "" {
			continue
		}
		if from < i {
			out = append(out, strings.Join(lines[from:i], "\n"))
		}
		from = i + 1
	}
	return out
}

var listItem = regexp.MustCompile(`^\s*(?:[-*•–—]|\d{1,3}[.)])\s`)

// unwrap joins the lines of a paragraph, but keeps list items on lines of their own.
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

// bySections makes sections of paragraphs; heading reports which of them are headings.
func bySections(paragraphs []string, heading func(i int) bool) []news.Section {
	var s assembler
	for i, p := range paragraphs {
		if heading(i) {
			s.heading(p)
		} else {
			s.paragraph(p)
		}
	}
	return s.sections()
}

// assembler builds sections from headings and paragraphs in reading order.
type assembler struct {
	headings   []string
	paragraphs [][]string // under each heading
}

func (s *assembler) heading(h string) {
	if h = news.CleanLine(h); h != "" {
		s.headings, s.paragraphs = append(s.headings, h), append(s.paragraphs, nil)
	}
}

func (s *assembler) paragraph(p string) {
	if p = news.CleanText(p); p == "" {
		return
	}
	if len(s.headings) == 0 {
		s.headings, s.paragraphs = []string{""}, [][]string{nil}
	}
	last := &s.paragraphs[len(s.paragraphs)-1]
	*last = append(*last, p)
}

func (s *assembler) sections() []news.Section {
	var sections []news.Section
	for i, h := range s.headings {
		sections = append(sections, news.Section{Heading: h, Text: strings.Join(s.paragraphs[i], "\n\n")})
	}
	return sections
}

// isTitle reports whether the first paragraph is a title: one line that does not end like a
// sentence. The only paragraph of an article must also be short enough for a headline.
func isTitle(p string, alone bool) bool {
	line := news.CleanLine(p)
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

// lastRune returns the last rune before closing quotes and brackets.
func lastRune(s string) rune {
	s = strings.TrimRight(s, `"'”’»)]`)
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// notHeading matches short lines that look like headings: bylines, credits, links, dates.
var notHeading = regexp.MustCompile(`(?i)^(by|reporting by|written by|edited by|photos?|photograph|image|video|source|credit|updated|published|posted|read more|see also|related|share|advertisement)\b|^[(\[]|\d:\d\d|\b(?:19|20)\d\d$`)

// small holds the words of more than three letters that title case leaves in lower case.
var small = map[string]bool{
	"about": true, "after": true, "against": true, "along": true, "amid": true, "among": true, "before": true, "behind": true, "below": true,
	"between": true, "beyond": true, "during": true, "from": true, "into": true, "near": true, "over": true, "past": true, "since": true,
	"than": true, "that": true, "through": true, "toward": true, "towards": true, "under": true, "until": true, "upon": true, "versus": true,
	"with": true, "within": true, "without": true,
}

// isHeadingLine reports whether a paragraph of plain text is a heading: a single short line in
// title case without final punctuation. Scripts without capitals count as title case but must be
// shorter.
func isHeadingLine(p string) bool {
	const (
		mostRunes    = 90
		mostWords    = 12
		mostCaseless = 30
	)
	if strings.Contains(strings.TrimSpace(p), "\n") || len(p) > 4*mostRunes {
		return false
	}
	line := news.CleanLine(p)
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

// isProse reports whether a paragraph reads as running text, not as a caption, a list of links or a
// byline.
func isProse(p string) bool {
	return len(p) >= 60 && strings.ContainsRune(".?!…。？！:", lastRune(strings.TrimRightFunc(p, unicode.IsSpace)))
}

// ParseText divides a body without title or header into sections: paragraphs between blank lines,
// headings as in the plain-text format. A line is a heading only if prose follows it, because the
// bodies of crawlers are full of captions and links in title case.
func ParseText(text string) []news.Section {
	text = news.CleanText(text)
	if !strings.Contains(text, "\n\n") {
		if text == "" {
			return nil
		}
		return []news.Section{{Text: text}}
	}
	paragraphs := strings.Split(text, "\n\n")
	return bySections(paragraphs, func(i int) bool {
		return i+1 < len(paragraphs) && isProse(paragraphs[i+1]) && isHeadingLine(paragraphs[i])
	})
}

func tooLarge(what string, limit int) error {
	return news.Problem(news.ErrTooLarge, fmt.Sprintf("%s of more than %d bytes", what, limit))
}
