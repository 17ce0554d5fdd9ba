package formats

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"throughline/internal/news"
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
	a := &news.Article{}
	page := readMeta(doc)
	if a.Published, a.DateOnly, err = page.published(); err != nil {
		return err
	}
	found := extract(doc, elements)
	a.Source, a.Authors = cmp.Or(found.site, page.site), page.authors
	if len(a.Authors) == 0 {
		a.Authors = []string{withoutBy(found.author)}
	}
	a.Sections = pageSections(doc, found.content)
	a.Title = withoutSite(cmp.Or(news.CleanLine(found.title), page.title), a.Source)
	a.Sections = withoutTitle(a.Sections, a.Title)
	a.URL = page.url
	if a.Language, err = news.LanguageCode(page.language); err != nil {
		a.Language = "" // a wrong lang attribute comes from a template and rejects no article
	}
	titleFromFile(a, r.path)
	a.Title, a.Source, a.URL = news.ClipWords(a.Title, news.MaxTitle), news.ClipWords(a.Source, news.MaxSource), webURL(a.URL)
	a.Authors = a.Authors[:min(len(a.Authors), news.MaxAuthors)]
	r.emit(a)
	return nil
}

// thinText is the length in bytes below which an extraction is doubtful: it is a short piece of
// news, or a teaser taken for the article.
const thinText = 300

// pageSections returns the text of a page: the extracted text, or, if that is thin or a single
// paragraph, the element that the page marks as its article or main part, or all of a small page.
func pageSections(doc, extracted *html.Node) []news.Section {
	var found []news.Section
	if extracted != nil {
		found = nodeSections(extracted)
	}
	size, paragraphs := measure(found)
	if size >= thinText && paragraphs > 1 {
		return found
	}
	marked := cmp.Or(mainElement(doc), doc)
	own := nodeSections(marked)
	ownSize, _ := measure(own)
	switch {
	case ownSize == 0,
		marked == doc && size > 0 && ownSize > 4*max(size, thinText), // navigation and the like
		size >= thinText && ownSize*5 < size*4:                       // the text is elsewhere
		return found
	}
	return own
}

// measure counts the bytes and the paragraphs of sections.
func measure(sections []news.Section) (size, paragraphs int) {
	for _, s := range sections {
		size += len(s.Heading) + len(s.Text)
		paragraphs += 1 + strings.Count(s.Text, "\n\n")
		if s.Heading != "" {
			paragraphs++
		}
	}
	return size, paragraphs
}

// mainElement returns the longest <article>, else <main>, else nil.
func mainElement(doc *html.Node) *html.Node {
	var best, main *html.Node
	longest := 0
	for n := range doc.Descendants() {
		switch n.DataAtom {
		case atom.Article:
			if insideArticle(n) {
				continue // a teaser or comment; the outer article includes its text
			}
			if size, _ := measure(nodeSections(n)); size > longest {
				best, longest = n, size
			}
		case atom.Main:
			main = cmp.Or(main, n)
		}
	}
	return cmp.Or(best, main)
}

func insideArticle(n *html.Node) bool {
	for p := range n.Ancestors() {
		if p.DataAtom == atom.Article {
			return true
		}
	}
	return false
}

// webURL returns s if it can be the address of a page, else "".
func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || !news.IsWeb(u) || u.Hostname() == "" || len(s) > news.MaxURL {
		return ""
	}
	return s
}

// withoutSite removes " | The Harbour Times" from the end of a title.
func withoutSite(title, site string) string {
	for _, separator := range []string{" | ", " - ", " – ", " — ", " :: "} {
		at := strings.LastIndex(title, separator)
		if at >= 0 && site != "" && strings.EqualFold(strings.TrimSpace(title[at+len(separator):]), site) {
			return strings.TrimSpace(title[:at])
		}
	}
	return title
}

// withoutTitle removes the page's own heading, which extraction keeps at the start of the text.
func withoutTitle(sections []news.Section, title string) []news.Section {
	for i, s := range sections {
		switch own := s.Heading != "" && strings.EqualFold(s.Heading, title); {
		case own && s.Text == "":
			return slices.Delete(sections, i, i+1)
		case own:
			sections[i].Heading = ""
			return sections
		case s.Text != "":
			return sections
		}
	}
	return sections
}

// meta holds the metadata of a page that extraction lacks or has less exactly.
type meta struct {
	title, url, language, site string
	authors                    []string
	dates                      [3][]string // most reliable first: declared, linked data, shown
}

// dateNames holds the <meta> names, properties and itemprops of a publication time.
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
			m.language = cmp.Or(attribute(n, "lang"), attribute(n, "xml:lang"))
		case atom.Title:
			m.title = cmp.Or(m.title, news.CleanLine(nodeText(n)))
		case atom.H1:
			heading = cmp.Or(heading, news.CleanLine(nodeText(n)))
		case atom.Link:
			if strings.EqualFold(attribute(n, "rel"), "canonical") {
				m.url = cmp.Or(m.url, webURL(strings.TrimSpace(attribute(n, "href"))))
			}
		case atom.Time:
			m.dates[2] = append(m.dates[2], attribute(n, "datetime"))
		case atom.Script:
			if isLinkedData(n) {
				m.linkedData(n.FirstChild.Data)
			}
		}
		for _, key := range []string{"property", "name", "itemprop"} {
			value := cmp.Or(attribute(n, "content"), attribute(n, "datetime"))
			switch name := strings.ToLower(strings.TrimSpace(attribute(n, key))); {
			case value == "":
			case dateNames[name]:
				m.dates[0] = append(m.dates[0], value)
			case name == "og:title":
				ogTitle = cmp.Or(ogTitle, news.CleanLine(value))
			case name == "og:url":
				ogURL = cmp.Or(ogURL, webURL(strings.TrimSpace(value)))
			}
		}
	}
	m.title = cmp.Or(ogTitle, heading, m.title)
	m.url = cmp.Or(m.url, ogURL)
	return m
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
				date = cmp.Or(date, s)
			}
			m.site = cmp.Or(m.site, strings.Join(linkedNames(v["publisher"]), " "))
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

// linkedNames returns the names of a person, an organisation or a list of these, except for URLs.
func linkedNames(v any) (names []string) {
	switch v := v.(type) {
	case string:
		if name := news.CleanLine(unescape(v)); name != "" && !strings.Contains(name, "://") {
			names = append(names, name)
		}
	case map[string]any:
		if name, ok := v["name"].(string); ok {
			return linkedNames(name)
		}
	case []any:
		for _, inner := range v {
			if _, ok := inner.([]any); !ok && len(names) < news.MaxAuthors {
				names = append(names, linkedNames(inner)...)
			}
		}
	}
	return names
}

// withoutBy removes the word before an author's name.
func withoutBy(line string) string {
	line = news.CleanLine(line)
	if len(line) > 3 && strings.EqualFold(line[:3], "by ") {
		return strings.TrimSpace(line[3:])
	}
	return line
}

var urlDate = regexp.MustCompile(`/((?:19|20)\d{2})[/-](\d{1,2})[/-](\d{1,2})(?:/|-|$)`)

// published returns the first readable date, the most reliable first and that in the URL last.
// Unreadable dates are skipped, because templates also fill these places with opening hours and
// durations. An impossible year is an error unless another date is readable.
func (m meta) published() (t time.Time, dateOnly bool, err error) {
	for _, dates := range m.dates {
		for _, s := range dates {
			t, dateOnly, dateErr := parseDate(s)
			if dateErr == nil && !t.IsZero() {
				return t, dateOnly, nil
			}
			if errors.Is(dateErr, news.ErrYear) && err == nil {
				err = dateErr
			}
		}
	}
	if err != nil {
		return t, false, err
	}
	if match := urlDate.FindStringSubmatch(m.url); match != nil {
		if t, _, err := parseDate(match[1] + "-" + match[2] + "-" + match[3]); err == nil {
			return t, true, nil
		}
	}
	return t, false, nil
}
