package news

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// longTitle is the most runes of a derived title: about the length of the longest headlines.
const longTitle = 120

// dateline matches the "MOSCOW (Reuters) — " before a wire story.
var dateline = regexp.MustCompile(`^[\p{Lu}][\p{Lu} .,'’-]{2,40}(?:, [\p{L}. ]{2,20})?(?: \([^)]{1,30}\))? ?[—–-]+ `)

// firstClause derives a title from a text: its first sentence, or as many whole clauses of it as
// make a headline.
func firstClause(text string) string {
	text, _, _ = strings.Cut(text, "\n\n")
	text = CleanLine(Clip(text, 4096))
	if rest := dateline.ReplaceAllString(text, ""); rest != "" {
		text = rest
	}
	end := 0
	for end < len(text) {
		end += NextSentence(text[end:])
		if utf8.RuneCountInString(text[:end]) >= 20 {
			break
		}
	}
	sentence := strings.TrimRightFunc(text[:end], unicode.IsSpace)
	if utf8.RuneCountInString(sentence) <= longTitle {
		if bare := CleanLine(strings.TrimRight(sentence, ".。")); bare != "" && !strings.HasSuffix(sentence, "...") {
			return bare
		}
		return sentence
	}
	return cutClause(sentence)
}

// cutClause cuts a long sentence at its last clause boundary before longTitle runes, or else at a
// word.
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
	// Longer than longTitle runes, so the first of them are there.
	short := string([]rune(Clip(sentence, 4*longTitle))[:longTitle-1])
	if i := strings.LastIndexFunc(short, unicode.IsSpace); i > 0 {
		short = short[:i]
	}
	return strings.TrimRightFunc(short, unicode.IsSpace) + "…"
}

// abbreviation matches text that ends with a full stop but is not the end of a sentence, even if a
// capital follows.
var abbreviation = regexp.MustCompile(`(?:^|[\s("“])(?:Mr|Mrs|Ms|Dr|St|Sen|Gov|Gen|Rep|Prof|Lt|Col|Sgt|Capt|Maj|Rev|Hon|Jr|Sr|Mt|Ft|No|vs|\p{Lu}|(?:\p{Lu}\.)+\p{Lu})\.\s*$`)

// NextSentence returns the length in bytes of the first sentence of text with the space after it,
// by UAX 29; a sentence does not end at an abbreviation. It is positive for a text that is not
// empty.
func NextSentence(text string) int {
	it := sentences.FromString(text)
	for it.Next() {
		if tail := it.Value(); strings.ContainsRune(tail, '\n') || !abbreviation.MatchString(tail[max(0, len(tail)-24):]) {
			return it.End()
		}
	}
	return len(text)
}
