package formats

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"throughline/internal/news"
)

// Limits on a page. Parsing and extraction cannot be interrupted, so their input is bounded. 50,000
// elements take .1 s, and 6 s when they are 40,000 paragraphs 480 deep. DOM Distiller, whose time
// grows faster than the page (54 s for that one), sees only pages of at most thoroughElements. The
// parser bounds nesting, at 512.
const (
	maxElements      = 50_000
	thoroughElements = 3_000
	maxPageText      = 2 * news.MaxText
	maxAttribute     = 4 << 10   // bytes
	maxMeta          = 500       // <meta> elements
	maxLinkedData    = 256 << 10 // bytes of JSON-LD
)

// parsePage parses a page, prunes it, and counts the elements that stay.
func parsePage(data []byte) (doc *html.Node, elements int, err error) {
	if doc, err = html.Parse(bytes.NewReader(data)); err != nil {
		return nil, 0, markupError(err)
	}
	var p pruning
	dropNodes(doc, p.drops)
	if p.elements > maxElements {
		return nil, 0, news.Problem(news.ErrTooLarge, fmt.Sprintf("a page of more than %d elements", maxElements))
	}
	if p.text > maxPageText {
		return nil, 0, news.Problem(news.ErrTooLarge, fmt.Sprintf("a page of more than %d bytes of text", maxPageText))
	}
	return doc, p.elements, nil
}

func markupError(err error) error {
	if strings.Contains(err.Error(), "exceeds") {
		return news.Problem(news.ErrTooDeep, strings.TrimPrefix(err.Error(), "html: "))
	}
	return news.Problem(news.ErrSyntax, err.Error())
}

// pruning removes what holds no text: scripts (except metadata of ordinary size), styles, comments,
// oversized attributes and excess metadata.
type pruning struct {
	elements int // that stay
	text     int // bytes that stay
	meta     int // elements seen
	linked   int // bytes of linked data seen
}

func (p *pruning) drops(n *html.Node) bool {
	switch n.Type {
	case html.CommentNode:
		return true
	case html.TextNode:
		p.text += len(n.Data)
		return false
	case html.ElementNode:
		p.elements++
	default:
		return false
	}
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return len(a.Val) > maxAttribute })
	switch n.DataAtom {
	case atom.Script:
		if n.FirstChild == nil || !isLinkedData(n) {
			return true
		}
		p.linked += len(n.FirstChild.Data)
		return p.linked > maxLinkedData
	case atom.Meta:
		p.meta++
		return p.meta > maxMeta
	case atom.Style, atom.Svg, atom.Template, atom.Iframe, atom.Object:
		return true
	}
	return false
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

var markup = regexp.MustCompile(`(?i)</(?:p|div|li|h[1-6]|blockquote|span|a|strong|em|b|i|ul|table)>|<br\s*/?>`)

// looksLikeHTML reports whether a text is markup.
func looksLikeHTML(s string) bool { return markup.MatchString(s) }

// fragmentSections returns all text of an HTML fragment. The content of a feed or an API needs no
// extraction.
func fragmentSections(s string) ([]news.Section, error) {
	doc, _, err := parsePage([]byte(s))
	if err != nil {
		return nil, err
	}
	return nodeSections(doc), nil
}

// fragmentLine returns the text of a fragment as one line, such as the title of a feed.
func fragmentLine(s string) string {
	if looksLikeHTML(s) {
		if doc, _, err := parsePage([]byte(s)); err == nil {
			return news.CleanLine(nodeText(doc))
		}
	}
	return news.CleanLine(unescape(s))
}

// nodeText returns all text below a node.
func nodeText(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// nodeSections divides the text of a tree into sections: h1 to h6 begin one, block elements
// separate paragraphs, white space collapses.
func nodeSections(n *html.Node) []news.Section {
	w := &nodeWalk{}
	w.walk(n)
	w.flush()
	return w.out.sections()
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
		if !unicode.IsSpace(r) {
			w.paragraph.WriteRune(r)
		} else if !space {
			w.paragraph.WriteByte(' ')
		}
		space = unicode.IsSpace(r)
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
