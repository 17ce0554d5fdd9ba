package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"go.yaml.in/yaml/v3"

	"throughline/internal/news"
)

// frontMatter matches a block of YAML between lines of three hyphens at the start of a file.
var frontMatter = regexp.MustCompile(`^---[ \t]*\r?\n((?:[^\r\n]*[A-Za-z_][\w -]*:.*\r?\n(?:.*\r?\n)*?)??)(?:---|\.\.\.)[ \t]*(?:\r?\n|$)`)

// markdown reads a Markdown file, which is one article. A first heading of level one is its title.
func (r *reading) markdown(data []byte) error {
	if err := checkUTF8(data, 1); err != nil {
		return err
	}
	a := &news.Article{}
	body := data
	if m := frontMatter.FindSubmatch(data); m != nil {
		head, err := r.frontMatter(m[1])
		if err != nil {
			return err
		}
		a, body = head, data[len(m[0]):]
	}
	if cost := markdownCost(body); cost > maxMarkdownCost {
		return news.Problem(news.ErrTooDeep, "Markdown with too much nesting or too many open marks")
	}
	sections, title, err := markdownSections(body)
	if err != nil {
		return err
	}
	if len(sections) > 0 {
		a.Sections = sections // otherwise those of the front matter stay
	}
	if a.Title == "" {
		a.Title = title
	} else if title != "" && title != a.Title {
		a.Sections = append([]news.Section{{Heading: title}}, a.Sections...)
		if len(a.Sections) > 1 && a.Sections[1].Heading == "" {
			a.Sections[1].Heading = title
			a.Sections = a.Sections[1:]
		}
	}
	titleFromFile(a, r.path)
	a.Origin = news.Origin{Line: 1}
	r.emit(a)
	return nil
}

// frontMatter reads the YAML block as if it were a JSON object, so that both accept the same names.
func (r *reading) frontMatter(block []byte) (*news.Article, error) {
	const most = 64 << 10
	if len(block) > most {
		return nil, tooLarge("front matter", most)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(block, &doc); err != nil {
		return nil, &news.ItemError{Origin: news.Origin{Line: yamlLine(err)}, Err: news.Problem(news.ErrSyntax, "front matter: "+yamlAt.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), ""))}
	}
	raw := make(map[string]json.RawMessage)
	lines := make(map[string]int)
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		pairs := doc.Content[0].Content
		for i := 0; i+1 < len(pairs); i += 2 {
			value, err := yamlValue(pairs[i+1])
			if err != nil {
				return nil, &news.ItemError{Origin: news.Origin{Line: pairs[i].Line + 1}, Field: pairs[i].Value, Err: news.Problem(news.ErrField, err.Error())}
			}
			raw[pairs[i].Value] = value
			lines[fieldOf[normalName(pairs[i].Value)]] = pairs[i].Line + 1
		}
	}
	a, err := newRecord(raw).article(r.opts.Keep)
	var item *news.ItemError
	if errors.As(err, &item) {
		return nil, news.At(news.Origin{Line: lines[item.Field]}, err)
	}
	return a, err
}

// yamlValue returns the JSON of a YAML value. Dates and numbers stay as they are written.
func yamlValue(n *yaml.Node) (json.RawMessage, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && n.ShortTag() != "!!bool" {
		return json.Marshal(n.Value)
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(plainYAML(v))
}

// plainYAML replaces the types that only YAML has by those of JSON.
func plainYAML(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, inner := range v {
			m[fmt.Sprint(k)] = plainYAML(inner)
		}
		return m
	case map[string]any:
		for k, inner := range v {
			v[k] = plainYAML(inner)
		}
		return v
	case []any:
		for i, inner := range v {
			v[i] = plainYAML(inner)
		}
		return v
	case time.Time:
		return v.Format(time.RFC3339)
	case nil, bool, string, int, int64, uint64:
		return v
	default:
		return fmt.Sprint(v)
	}
}

var yamlAt = regexp.MustCompile(`line (\d+):? ?`)

func yamlLine(err error) int {
	if m := yamlAt.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return line + 1 // the block starts in line 2
		}
	}
	return 0
}

var markdownParser = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()

// markdownSections returns the text under each heading, without markup. title is a heading of level
// one before any text.
func markdownSections(src []byte) (sections []news.Section, title string, err error) {
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	var s assembler
	err = contain("Markdown", func() error {
		doc := markdownParser.Parse(text.NewReader(src))
		first := true
		return ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if !entering || n.Type() != ast.TypeBlock {
				return ast.WalkContinue, nil
			}
			switch n := n.(type) {
			case *ast.Heading:
				h := inlineText(n, src)
				if first && n.Level == 1 {
					title = news.CleanLine(h)
				} else {
					s.heading(h)
				}
			case *ast.Paragraph, *ast.TextBlock:
				s.paragraph(inlineText(n, src))
			case *ast.CodeBlock, *ast.FencedCodeBlock:
				s.paragraph(string(n.Lines().Value(src)))
			case *extast.TableHeader, *extast.TableRow:
				var cells []string
				for c := n.FirstChild(); c != nil; c = c.NextSibling() {
					cells = append(cells, inlineText(c, src))
				}
				s.paragraph(strings.Join(cells, "  "))
			case *ast.HTMLBlock:
				raw := string(n.Lines().Value(src))
				if n.HasClosure() {
					raw += string(n.ClosureLine.Value(src))
				}
				inner, err := fragmentSections(raw)
				if err != nil || len(inner) == 0 {
					return ast.WalkSkipChildren, err
				}
				for _, one := range inner {
					s.heading(one.Heading)
					s.paragraph(one.Text)
				}
			default:
				return ast.WalkContinue, nil
			}
			first = false
			return ast.WalkSkipChildren, nil
		})
	})
	return s.sections(), title, err
}

// inlineText returns the text of inline nodes without markup: the words of links and emphasis, the
// description of images.
func inlineText(n ast.Node, src []byte) string {
	var b strings.Builder
	var walk func(ast.Node)
	walk = func(n ast.Node) {
		switch n := n.(type) {
		case *ast.Text:
			b.Write(unescapeMarkdown(n.Segment.Value(src)))
			switch {
			case n.HardLineBreak():
				b.WriteByte('\n')
			case n.SoftLineBreak():
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(src))
		case *ast.CodeSpan:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if t, ok := c.(*ast.Text); ok {
					b.Write(t.Segment.Value(src))
				}
			}
			return
		}
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			walk(c)
		}
	}
	walk(n)
	return b.String()
}

var backslash = regexp.MustCompile("\\\\([!-/:-@\\[-`{-~])")

func unescapeMarkdown(b []byte) []byte {
	return []byte(unescape(backslash.ReplaceAllString(string(b), "$1")))
}

// maxMarkdownCost bounds the input of the parser, which cannot be interrupted. Its time grows with
// the square of the emphasis and link marks in a paragraph, of the link definitions, and of the
// nesting: 100,000 marks in one paragraph cost 1e10 and took 18 s. An article of 1 MB with a link
// in every line costs less than 1e6.
const maxMarkdownCost = 2e8

func markdownCost(src []byte) float64 {
	square := func(n int) float64 { return float64(n) * float64(n) }
	cost, marks, definitions := 0.0, 0, 0
	for line := range bytes.Lines(src) {
		if len(bytes.TrimSpace(line)) == 0 {
			cost += square(marks)
			marks = 0
		}
		nest := 0
		for nest < len(line) && bytes.IndexByte([]byte(" \t>-*+.)0123456789"), line[nest]) >= 0 {
			nest++
		}
		cost += square(nest / 2)
		definitions += bytes.Count(line, []byte("]:"))
		for _, c := range line {
			switch c {
			case '*', '_', '[', ']', '~', '`', '<':
				marks++
			}
		}
	}
	return cost + square(marks) + square(definitions)
}

// contain runs a third-party parser and turns a panic into an error of the page.
func contain(what string, parse func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = news.Problem(news.ErrSyntax, fmt.Sprintf("%s: %v", what, p))
		}
	}()
	return parse()
}
