package article

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	trafilatura "github.com/markusmobius/go-trafilatura"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Limits on a page. Parsing and extraction cannot be interrupted, so what they are given is bounded: 50,000 elements take a
// second or two, and the thorough extraction, which compares three algorithms, is kept for pages of ordinary size because its time
// grows faster than the page (40,000 paragraphs in a deep page: 27 s against 1.4 s). Nesting is bounded by the parser, at 512.
const (
	maxElements      = 50_000
	thoroughElements = 3_000
	maxAttribute     = 4 << 10
	maxScript        = 256 << 10
)

// html reads a page, which is one article.
func (r *reading) html(data []byte) error {
	data, err := decodeMarkup(data)
	if err != nil {
		return err
	}
	doc, elements, err := parsePage(data)
	if err != nil {
		return err
	}
	a := &Article{}
	page := readMeta(doc)
	if a.Published, a.DateOnly, err = page.published(); err != nil {
		return err
	}
	var content *html.Node
	// An extraction that fails or finds nothing is no error: the page is then read as it stands.
	_ = contain("HTML", func() error {
		result, err := trafilatura.ExtractDocument(doc, trafilatura.Options{
			EnableFallback:  elements <= thoroughElements,
			ExcludeComments: true,
			HtmlDateMode:    trafilatura.Disabled,
		})
		if err != nil {
			return err
		}
		content = result.ContentNode
		a.Title, a.Source, a.URL = result.Metadata.Title, result.Metadata.Sitename, result.Metadata.URL
		for author := range strings.SplitSeq(result.Metadata.Author, ";") {
			a.Authors = append(a.Authors, author)
		}
		return nil
	})
	a.Sections = pageSections(doc, content)
	a.Title = withoutSite(firstOf(cleanLine(a.Title), page.title), a.Source)
	a.Sections = withoutTitle(a.Sections, a.Title)
	if page.url != "" {
		a.URL = page.url
	}
	if a.Language, err = languageCode(page.language); err != nil {
		a.Language = "" // what a template left in the lang attribute is not what somebody said about the article
	}
	titleFromFile(a, r.path)
	a.Title, a.Source, a.URL = clipWords(a.Title, maxTitle), clipWords(a.Source, maxSource), webURL(a.URL)
	a.Authors = a.Authors[:min(len(a.Authors), maxAuthors)]
	r.emit(a)
	return nil
}

// thinText is the length in bytes under which an extraction is doubtful: about where the library gives up on structure and takes
// what text it finds, some of it twice and all in one paragraph.
const thinText = 300

// pageSections is the text of a page: what was extracted, or, where that is thin or a single paragraph, the element that the page
// itself marks as its article or main part, or all of a small page.
func pageSections(doc, extracted *html.Node) []Section {
	var found []Section
	if extracted != nil {
		found = nodeSections(extracted)
	}
	size, paragraphs := measure(found)
	if size >= thinText && paragraphs > 1 {
		return found
	}
	marked := mainElement(doc)
	if marked == nil {
		marked = doc
	}
	own := nodeSections(marked)
	ownSize, _ := measure(own)
	switch {
	case ownSize == 0,
		marked == doc && size > 0 && ownSize > 4*max(size, thinText), // navigation and the like
		size >= thinText && ownSize*5 < size*4:                       // the text is elsewhere, as in linked data
		return found
	}
	return own
}

// measure counts the bytes and the paragraphs of sections.
func measure(sections []Section) (size, paragraphs int) {
	for _, s := range sections {
		size += len(s.Heading) + len(s.Text)
		paragraphs += 1 + strings.Count(s.Text, "\n\n")
		if s.Heading != "" {
			paragraphs++
		}
	}
	return size, paragraphs
}

// mainElement is the longest <article>, else <main>, else nil.
func mainElement(doc *html.Node) *html.Node {
	var best, main *html.Node
	longest := 0
	for n := range doc.Descendants() {
		switch n.DataAtom {
		case atom.Article:
			if n.Parent != nil && insideArticle(n) {
				continue // a teaser or comment within an article; its text is counted already
			}
			if size, _ := measure(nodeSections(n)); size > longest {
				best, longest = n, size
			}
		case atom.Main:
			if main == nil {
				main = n
			}
		}
	}
	if best == nil {
		best = main
	}
	return best
}

func insideArticle(n *html.Node) bool {
	for p := range n.Ancestors() {
		if p.DataAtom == atom.Article {
			return true
		}
	}
	return false
}

// webURL drops what a page says its address is when it cannot be one.
func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || !web(u) || u.Hostname() == "" || len(s) > maxURL {
		return ""
	}
	return s
}

// withoutSite removes " | The Harbour Times" from the end of a title.
func withoutSite(title, site string) string {
	for _, separator := range []string{" | ", " - ", " – ", " — ", " :: "} {
		if headline, last, found := cutLast(title, separator); found && site != "" && strings.EqualFold(strings.TrimSpace(last), site) {
			return strings.TrimSpace(headline)
		}
	}
	return title
}

// withoutTitle removes the page's own heading, which extraction keeps at the top of the text.
func withoutTitle(sections []Section, title string) []Section {
	for i, s := range sections {
		if s.Heading == "" || !strings.EqualFold(s.Heading, title) {
			if s.Text != "" {
				break
			}
			continue
		}
		sections[i].Heading = ""
		if s.Text == "" {
			sections = append(sections[:i:i], sections[i+1:]...)
		}
		break
	}
	return sections
}

// parsePage parses a page and prunes what costs time and says nothing.
func parsePage(data []byte) (doc *html.Node, elements int, err error) {
	if doc, err = html.Parse(bytes.NewReader(data)); err != nil {
		return nil, 0, markupError(err)
	}
	elements = prune(doc)
	if elements > maxElements {
		return nil, 0, &problem{ErrTooLarge, fmt.Sprintf("a page of more than %d elements", maxElements)}
	}
	return doc, elements, nil
}

func markupError(err error) error {
	if strings.Contains(err.Error(), "exceeds") {
		return &problem{ErrTooDeep, strings.TrimPrefix(err.Error(), "html: ")}
	}
	return &problem{ErrSyntax, err.Error()}
}

// prune removes scripts (but for metadata of ordinary size), styles, comments and oversized attributes, and counts what stays.
func prune(n *html.Node) int {
	count := 1
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		drop := c.Type == html.CommentNode
		if c.Type == html.ElementNode {
			switch c.DataAtom {
			case atom.Script:
				drop = !isLinkedData(c) || c.FirstChild == nil || len(c.FirstChild.Data) > maxScript
			case atom.Style, atom.Svg, atom.Template, atom.Iframe, atom.Object:
				drop = true
			}
			kept := c.Attr[:0]
			for _, a := range c.Attr {
				if len(a.Val) <= maxAttribute {
					kept = append(kept, a)
				}
			}
			c.Attr = kept
		}
		if drop {
			n.RemoveChild(c)
		} else {
			count += prune(c)
		}
		c = next
	}
	return count
}

func isLinkedData(n *html.Node) bool {
	return n.DataAtom == atom.Script && strings.EqualFold(strings.TrimSpace(attribute(n, "type")), "application/ld+json")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// meta is what a page says about itself, as far as extraction does not tell or tells less exactly.
type meta struct {
	title, url, language string
	dates                [3][]string // by how much they are worth: declared, linked data, shown
}

// dateNames are the <meta> names, properties and itemprops of a publication time.
var dateNames = map[string]bool{
	"article:published_time": true, "og:published_time": true, "og:article:published_time": true, "article:published": true,
	"datepublished": true, "date": true, "pubdate": true, "publishdate": true, "publish-date": true, "publish_date": true,
	"dc.date": true, "dc.date.issued": true, "dc.date.created": true, "dcterms.date": true, "dcterms.issued": true, "dcterms.created": true,
	"sailthru.date": true, "parsely-pub-date": true, "article.published": true, "cxenseparse:recs:publishtime": true, "citation_publication_date": true,
}

func readMeta(doc *html.Node) meta {
	var m meta
	var ogTitle, heading, ogURL string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Html:
			m.language = firstOf(attribute(n, "lang"), attribute(n, "xml:lang"))
		case atom.Title:
			m.title = firstOf(m.title, cleanLine(nodeText(n)))
		case atom.H1:
			heading = firstOf(heading, cleanLine(nodeText(n)))
		case atom.Link:
			if strings.EqualFold(attribute(n, "rel"), "canonical") {
				m.url = firstOf(m.url, webURL(strings.TrimSpace(attribute(n, "href"))))
			}
		case atom.Time:
			m.dates[2] = append(m.dates[2], attribute(n, "datetime"))
		case atom.Script:
			if isLinkedData(n) {
				m.dates[1] = append(m.dates[1], linkedDate(n.FirstChild.Data))
			}
		}
		for _, key := range []string{"property", "name", "itemprop"} {
			value := firstOf(attribute(n, "content"), attribute(n, "datetime"))
			switch name := strings.ToLower(strings.TrimSpace(attribute(n, key))); {
			case value == "":
			case dateNames[name]:
				m.dates[0] = append(m.dates[0], value)
			case name == "og:title":
				ogTitle = firstOf(ogTitle, cleanLine(value))
			case name == "og:url":
				ogURL = firstOf(ogURL, webURL(strings.TrimSpace(value)))
			}
		}
	}
	m.title = firstOf(ogTitle, heading, m.title)
	m.url = firstOf(m.url, ogURL)
	return m
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// linkedDate finds the datePublished of a JSON-LD block.
func linkedDate(block string) string {
	var v any
	if err := json.Unmarshal([]byte(block), &v); err != nil {
		return ""
	}
	var find func(v any, depth int) string
	find = func(v any, depth int) string {
		if depth > 8 {
			return ""
		}
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["datePublished"].(string); ok && s != "" {
				return s
			}
			for _, name := range []string{"@graph", "mainEntity", "mainEntityOfPage", "hasPart"} {
				if s := find(v[name], depth+1); s != "" {
					return s
				}
			}
		case []any:
			for _, inner := range v {
				if s := find(inner, depth+1); s != "" {
					return s
				}
			}
		}
		return ""
	}
	return find(v, 0)
}

var urlDate = regexp.MustCompile(`/((?:19|20)\d{2})[/-](\d{1,2})[/-](\d{1,2})(?:/|-|$)`)

// published is the first date that can be read, the most trustworthy first; the date in the URL comes last. What cannot be read is
// passed over, because templates fill these places with opening hours and durations too; a year that cannot be is an error.
func (m meta) published() (t time.Time, dateOnly bool, err error) {
	for _, dates := range m.dates {
		for _, s := range dates {
			t, dateOnly, dateErr := parseDate(s)
			if dateErr == nil && !t.IsZero() {
				return t, dateOnly, nil
			}
			if errors.Is(dateErr, errYear) && err == nil {
				err = dateErr
			}
		}
	}
	if err != nil {
		return time.Time{}, false, err
	}
	if match := urlDate.FindStringSubmatch(m.url); match != nil {
		if t, _, err := parseDate(match[1] + "-" + match[2] + "-" + match[3]); err == nil {
			return t, true, nil
		}
	}
	return time.Time{}, false, nil
}

var markup = regexp.MustCompile(`(?i)</(?:p|div|li|h[1-6]|blockquote|span|a|strong|em|b|i|ul|table)>|<br\s*/?>`)

// looksLikeHTML: a body that came as text but is markup.
func looksLikeHTML(s string) bool { return markup.MatchString(s) }

// fragmentSections is the text of an HTML fragment, all of it: a feed's or an API's content needs no extraction.
func fragmentSections(s string) ([]Section, error) {
	doc, _, err := parsePage([]byte(s))
	if err != nil {
		return nil, err
	}
	return nodeSections(doc), nil
}

// fragmentLine is the text of a fragment that has to be one line, such as a feed's title.
func fragmentLine(s string) string {
	if looksLikeHTML(s) {
		if doc, _, err := parsePage([]byte(s)); err == nil {
			return cleanLine(nodeText(doc))
		}
	}
	return cleanLine(unescape(s))
}

// nodeText is all text below a node.
func nodeText(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// nodeSections turns a tree into sections: h1 to h6 begin one, block elements separate paragraphs, white space collapses.
func nodeSections(n *html.Node) []Section {
	w := &nodeWalk{}
	w.walk(n)
	w.flush()
	return w.out.done()
}

type nodeWalk struct {
	out       assembler
	paragraph strings.Builder
}

func (w *nodeWalk) flush() {
	w.out.paragraph(w.paragraph.String())
	w.paragraph.Reset()
}

// text adds words with single spaces between them.
func (w *nodeWalk) text(s string) {
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = true
			continue
		}
		if space {
			w.paragraph.WriteByte(' ')
			space = false
		}
		w.paragraph.WriteRune(r)
	}
	if space {
		w.paragraph.WriteByte(' ')
	}
}

func (w *nodeWalk) walk(n *html.Node) {
	if n.Type == html.TextNode {
		w.text(n.Data)
		return
	}
	block := false
	if n.Type == html.ElementNode {
		switch n.DataAtom {
		case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Head, atom.Nav, atom.Footer, atom.Form, atom.Button, atom.Select,
			atom.Iframe, atom.Svg, atom.Textarea:
			return
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			w.flush()
			w.out.heading(nodeText(n))
			return
		case atom.Br:
			w.paragraph.WriteByte('\n')
			return
		case atom.Td, atom.Th:
			w.paragraph.WriteByte(' ')
		case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Header, atom.Aside, atom.Blockquote, atom.Pre, atom.Ul, atom.Ol,
			atom.Li, atom.Dl, atom.Dt, atom.Dd, atom.Table, atom.Tr, atom.Figure, atom.Figcaption, atom.Address, atom.Hr, atom.Details,
			atom.Summary, atom.Caption, atom.Body:
			block = true
		}
	}
	if block {
		w.flush()
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.walk(c)
	}
	if block {
		w.flush()
	}
}
