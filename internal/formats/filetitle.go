package formats

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/internal/news"
)

var (
	fileDate    = regexp.MustCompile(`^\d{4}[-_.]?\d{2}[-_.]?\d{2}[-_. ]*|[-_. ]+\d{4}[-_.]?\d{2}[-_.]?\d{2}$`)
	fileExt     = regexp.MustCompile(`(?i)\.(txt|text|md|markdown|html?|xhtml|json|jsonl|xml|gz)$`)
	fileWord    = regexp.MustCompile(`^[\p{L}'’]+$`)
	fileNumber  = regexp.MustCompile(`^\d{1,4}$`)
	genericName = map[string]bool{
		"article": true, "articles": true, "doc": true, "document": true, "file": true, "page": true, "index": true, "untitled": true, "news": true,
		"text": true, "story": true, "output": true, "input": true, "data": true, "sample": true, "test": true, "copy": true, "new": true, "tmp": true,
		"temp": true, "draft": true, "final": true, "raw": true, "clean": true, "en": true, "the": true, "of": true, "item": true, "export": true,
	}
)

// titleFromFile titles an article without a title after its file, if the article has text.
func titleFromFile(a *news.Article, path string) {
	if a.Title == "" && len(a.Sections) > 0 {
		a.Title = fileTitle(path)
		a.TitleDerived = a.Title != ""
	}
}

// fileTitle derives a title from a file name with at least two words that carry meaning. It returns
// "" for other names: numbers, hashes, article-17.
func fileTitle(path string) string {
	name := filepath.Base(filepath.ToSlash(path))
	for fileExt.MatchString(name) {
		name = fileExt.ReplaceAllString(name, "")
	}
	name = fileDate.ReplaceAllString(name, "")
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == ' ' || r == '+' || r == '.' })
	meaningful := 0
	for _, w := range words {
		switch {
		case fileNumber.MatchString(w):
		case !fileWord.MatchString(w):
			return ""
		case utf8.RuneCountInString(w) >= 3 && !genericName[strings.ToLower(w)]:
			meaningful++
		}
	}
	if meaningful < 2 || !utf8.ValidString(name) {
		return ""
	}
	title := strings.Join(words, " ")
	first, n := utf8.DecodeRuneInString(title)
	return string(unicode.ToUpper(first)) + title[n:]
}
