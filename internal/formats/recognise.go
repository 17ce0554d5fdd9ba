package formats

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mmcdole/gofeed"
)

type format int

const (
	formatPlain format = iota
	formatMarkdown
	formatHTML
	formatJSON
	formatJSONL
	formatFeed
	formatXML
)

// fileExtension returns the lower-case extension of a path without .gz.
func fileExtension(path string) string {
	path = strings.ToLower(path)
	return filepath.Ext(strings.TrimSuffix(path, ".gz"))
}

// recognise decides the format from the path and the first bytes of a file.
func recognise(path string, head []byte) format {
	ext := fileExtension(path)
	body := bytes.TrimLeft(head, " \t\r\n")
	switch ext {
	case ".jsonl", ".ndjson":
		return formatJSONL
	case ".json":
		return jsonFormat(body)
	}
	if len(body) == 0 {
		return formatPlain
	}
	switch body[0] {
	case '<':
		if f, ok := markupFormat(body); ok {
			return f
		}
	case '{':
		if next := firstByte(body[1:]); next == '"' || next == '}' {
			return jsonFormat(body)
		}
	case '[':
		if next := firstByte(body[1:]); next == '{' || next == ']' {
			return formatJSON
		}
	}
	switch ext {
	case ".html", ".htm", ".xhtml":
		return formatHTML
	case ".md", ".markdown":
		return formatMarkdown
	case ".xml", ".rss", ".atom":
		return formatXML
	}
	if isMarkdown(body) {
		return formatMarkdown
	}
	return formatPlain
}

func firstByte(b []byte) byte {
	if b = bytes.TrimLeft(b, " \t\r\n"); len(b) > 0 {
		return b[0]
	}
	return 0
}

// jsonFormat distinguishes a JSON document from JSONL: in JSONL the first line is a whole object,
// or the second line starts one too. A first line with an object that holds an array of articles is
// a document.
func jsonFormat(body []byte) format {
	if len(body) == 0 || body[0] != '{' {
		return formatJSON
	}
	first, rest, more := bytes.Cut(body, []byte{'\n'})
	if more && json.Valid(first) {
		var object map[string]json.RawMessage
		if json.Unmarshal(first, &object) == nil {
			for name, value := range object {
				if wrapsItems(name) && firstByte(value) == '[' && !hasBody(object) {
					return formatJSON
				}
			}
		}
		return formatJSONL
	}
	if next := bytes.TrimLeft(rest, " \t\r\n"); len(bytes.TrimSpace(first)) > 1 && bytes.HasPrefix(next, []byte{'{'}) && rest[0] == '{' {
		return formatJSONL
	}
	return formatJSON
}

// htmlStart matches the tags that begin an HTML document or fragment.
var htmlStart = regexp.MustCompile(`(?i)^<(?:!doctype html|html|head|body|meta|title|link|script|style|main|article|section|header|div|p|h[1-6]|table|ul|ol|span|a|b|i|em|strong|br|img|blockquote|figure|font|center|nav)[\s/>]`)

var xmlProlog = regexp.MustCompile(`(?s)^(?:\s+|<\?.*?\?>|<!--.*?-->)+`)

// markupFormat distinguishes feeds, HTML and other XML; ok is false for text that happens to begin
// with "<".
func markupFormat(body []byte) (f format, ok bool) {
	switch gofeed.DetectFeedType(bytes.NewReader(body)) {
	case gofeed.FeedTypeRSS, gofeed.FeedTypeAtom:
		return formatFeed, true
	}
	start := body[len(xmlProlog.Find(body)):]
	switch {
	case htmlStart.Match(start):
		return formatHTML, true
	case bytes.HasPrefix(body, []byte("<?xml")):
		return formatXML, true
	}
	return formatHTML, bytes.HasPrefix(body, []byte("<!--")) && (bytes.Contains(bytes.ToLower(body), []byte("<html")) || len(start) == 0)
}

var atxHeading = regexp.MustCompile(`^#{1,6}[ \t]+\S`)

// isMarkdown recognises Markdown by its front matter or by a heading in its first line.
func isMarkdown(body []byte) bool {
	return atxHeading.Match(body) || frontMatter.Match(body)
}
