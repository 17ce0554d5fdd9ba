package article

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
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
	found := extract(doc, elements)
	a.Source, a.Authors = firstOf(found.site, page.site), page.authors
	if len(a.Authors) == 0 {
		a.Authors = []string{withoutBy(found.author)}
	}
	a.Sections = pageSections(doc, found.content)
	a.Title = withoutSite(firstOf(cleanLine(found.title), page.title), a.Source)
	a.Sections = withoutTitle(a.Sections, a.Title)
	a.URL = page.url
	if a.Language, err = languageCode(page.language); err != nil {
		a.Language = "" // what a template left in the lang attribute is not what somebody said about the article
	}
	titleFromFile(a, r.path)
	a.Title, a.Source, a.URL = clipWords(a.Title, maxTitle), clipWords(a.Source, maxSource), webURL(a.URL)
	a.Authors = a.Authors[:min(len(a.Authors), maxAuthors)]
	r.emit(a)
	return nil
}

// thinText is the length in bytes under which an extraction is doubtful: a short piece of news, or a
// teaser taken for the article.
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

// meta is what a page says about itself, as far as extraction does not tell or tells less exactly.
type meta struct {
	title, url, language, site string
	authors                    []string
	dates                      [3][]string // by how much they are worth: declared, linked data, shown
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
				m.linkedData(n.FirstChild.Data)
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

// linkedData reads a JSON-LD block: the first date, publisher and authors in it.
func (m *meta) linkedData(block string) {
	var v any
	if err := json.Unmarshal([]byte(block), &v); err != nil {
		return
	}
	var date string
	var read func(v any, depth int)
	read = func(v any, depth int) {
		if depth > 8 {
			return
		}
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["datePublished"].(string); ok {
				date = firstOf(date, s)
			}
			m.site = firstOf(m.site, strings.Join(linkedNames(v["publisher"]), " "))
			if len(m.authors) == 0 {
				m.authors = linkedNames(v["author"])
			}
			for _, name := range []string{"@graph", "mainEntity", "mainEntityOfPage", "hasPart"} {
				read(v[name], depth+1)
			}
		case []any:
			for _, inner := range v {
				read(inner, depth+1)
			}
		}
	}
	read(v, 0)
	if date != "" {
		m.dates[1] = append(m.dates[1], date)
	}
}

// linkedNames are the names of a person, an organisation or a list of these. What has an address for a name is passed over.
func linkedNames(v any) (names []string) {
	switch v := v.(type) {
	case string:
		if name := cleanLine(unescape(v)); name != "" && !strings.Contains(name, "://") {
			names = append(names, name)
		}
	case map[string]any:
		if name, ok := v["name"].(string); ok {
			return linkedNames(name)
		}
	case []any:
		for _, inner := range v {
			if _, ok := inner.([]any); !ok && len(names) < maxAuthors {
				names = append(names, linkedNames(inner)...)
			}
		}
	}
	return names
}

// withoutBy removes the word before an author's name.
func withoutBy(line string) string {
	line = cleanLine(line)
	if len(line) > 3 && strings.EqualFold(line[:3], "by ") {
		return strings.TrimSpace(line[3:])
	}
	return line
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
