package article

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// longTitle is where a derived title is cut, in runes: about the length of the longest headlines.
const longTitle = 120

// dateline is the "MOSCOW (Reuters) — " before a wire story.
var dateline = regexp.MustCompile(`^[\p{Lu}][\p{Lu} .,'’-]{2,40}(?:, [\p{L}. ]{2,20})?(?: \([^)]{1,30}\))? ?[—–-]+ `)

// firstClause derives a title from a text: its first sentence, or as many whole clauses of it as make a headline.
func firstClause(text string) string {
	text, _, _ = strings.Cut(text, "\n\n")
	text = cleanLine(clip(text, 4096))
	if rest := dateline.ReplaceAllString(text, ""); rest != "" {
		text = rest
	}
	end := 0
	for end < len(text) {
		end += nextSentence(text[end:])
		if utf8.RuneCountInString(text[:end]) >= 20 {
			break
		}
	}
	sentence := strings.TrimRightFunc(text[:end], unicode.IsSpace)
	if utf8.RuneCountInString(sentence) <= longTitle {
		if bare := cleanLine(strings.TrimRight(sentence, ".。")); bare != "" && !strings.HasSuffix(sentence, "...") {
			return bare
		}
		return sentence
	}
	return cutClause(sentence)
}

// cutClause cuts a long sentence at its last clause boundary before longTitle runes, or else at a word.
func cutClause(sentence string) string {
	at, words, runes, brackets := 0, 0, 0, 0
	for i, r := range sentence {
		if runes++; runes > longTitle {
			break
		}
		next, _ := utf8.DecodeRuneInString(sentence[i+utf8.RuneLen(r):])
		switch {
		case r == '(' || r == '[':
			brackets++
		case r == ')' || r == ']':
			brackets--
		case brackets > 0:
		case unicode.IsSpace(r):
			words++
		case strings.ContainsRune("、，；：。", r) && runes >= 12,
			strings.ContainsRune(",;:", r) && unicode.IsSpace(next) && words >= 4,
			(r == '—' || r == '–') && words >= 4:
			at = i
		}
	}
	if at > 0 {
		return strings.TrimRightFunc(sentence[:at], unicode.IsSpace)
	}
	var cut strings.Builder
	for n, r := range []rune(clip(sentence, 4*longTitle)) {
		if n == longTitle-1 {
			break
		}
		cut.WriteRune(r)
	}
	short := cut.String()
	if i := strings.LastIndexFunc(short, unicode.IsSpace); i > 0 {
		short = short[:i]
	}
	return strings.TrimRightFunc(short, unicode.IsSpace) + "…"
}

// abbreviation ends something that is not the end of a sentence, though a capital follows.
var abbreviation = regexp.MustCompile(`(?:^|[\s("“])(?:Mr|Mrs|Ms|Dr|St|Sen|Gov|Gen|Rep|Prof|Lt|Col|Sgt|Capt|Maj|Rev|Hon|Jr|Sr|Mt|Ft|No|vs|\p{Lu}|(?:\p{Lu}\.)+\p{Lu})\.\s*$`)

// nextSentence is the length of the first sentence of text with the space behind it, by UAX 29, not ending at an abbreviation.
// It is positive for a text that is not empty.
func nextSentence(text string) int {
	it := sentences.FromString(text)
	for it.Next() {
		if tail := it.Value(); strings.ContainsRune(tail, '\n') || !abbreviation.MatchString(tail[max(0, len(tail)-24):]) {
			return it.End()
		}
	}
	return len(text)
}

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

// titleFromFile gives an article without a title that of its file. A file name alone makes no article.
func titleFromFile(a *Article, path string) {
	if a.Title == "" && len(a.Sections) > 0 {
		a.Title = fileTitle(path)
		a.TitleDerived = a.Title != ""
	}
}

// fileTitle derives a title from a file name that reads like one: at least two words that say something. "" for the rest: numbers,
// hashes, article-17.
func fileTitle(path string) string {
	name := filepath.Base(filepath.ToSlash(path))
	for fileExt.MatchString(name) {
		name = fileExt.ReplaceAllString(name, "")
	}
	name = fileDate.ReplaceAllString(name, "")
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == ' ' || r == '+' || r == '.' })
	telling := 0
	for _, w := range words {
		switch {
		case fileNumber.MatchString(w):
		case !fileWord.MatchString(w):
			return ""
		case utf8.RuneCountInString(w) >= 3 && !genericName[strings.ToLower(w)]:
			telling++
		}
	}
	if telling < 2 || !utf8.ValidString(name) {
		return ""
	}
	title := strings.Join(words, " ")
	first, n := utf8.DecodeRuneInString(title)
	return string(unicode.ToUpper(first)) + title[n:]
}
