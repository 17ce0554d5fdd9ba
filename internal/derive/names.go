package derive

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/internal/news"
)

// Names counts the names in the title of an article.
func Names(a news.Article) int {
	names := namesOf(a)
	found := map[string]bool{}
	for w := range words(a.Title) {
		if slices.Contains(names, w.text) {
			found[w.text] = true
		}
	}
	return len(found)
}

// exchange returns an article in which each word of a name is replaced by one of the donor, and
// shift, 1 to 9, is added to each digit of a number.
func exchange(a, donor news.Article, shift rune) news.Article {
	old := namesOf(a)
	other := slices.DeleteFunc(namesOf(donor), func(name string) bool { return slices.Contains(old, name) })
	replaced := map[string]string{}
	for i, name := range old {
		if len(other) > 0 {
			replaced[name] = other[i%len(other)]
		}
	}
	swap := func(text string) string {
		var b strings.Builder
		end := 0
		for w := range words(text) {
			b.WriteString(text[end:w.start])
			end = w.start + len(w.text)
			switch name, ok := replaced[w.text]; {
			case ok:
				b.WriteString(name)
			case isYear(w.text):
				b.WriteString(w.text)
			default:
				b.WriteString(strings.Map(func(r rune) rune {
					if '0' <= r && r <= '9' {
						return '0' + (r-'0'+shift)%10
					}
					return r
				}, w.text))
			}
		}
		return b.String() + text[end:]
	}
	a.Title = swap(a.Title)
	sections := make([]news.Section, len(a.Sections))
	for i, s := range a.Sections {
		sections[i] = news.Section{Heading: swap(s.Heading), Text: swap(s.Text)}
	}
	a.Sections = sections
	return a
}

// isYear recognises a year of our time. Another number in its place would not be one.
func isYear(word string) bool {
	return len(word) == 4 && (strings.HasPrefix(word, "19") || strings.HasPrefix(word, "20")) && strings.Trim(word, "0123456789") == ""
}

// calendar holds words that are capitalised and name nothing.
var calendar = strings.Fields(`Monday Tuesday Wednesday Thursday Friday Saturday Sunday
	January February March April May June July August September October November December`)

// namesOf returns the words of names in an article, each once, in the order of appearance: words of
// three letters or more that are capitalised within a sentence, and nowhere written small. A title
// with all its words capitalised does not show which are names; the text does.
func namesOf(a news.Article) []string {
	text := a.Title + ".\n" + a.Text()
	within, small := map[string]bool{}, map[string]bool{}
	look := func(text string) {
		for w := range words(text) {
			first, _ := utf8.DecodeRuneInString(w.text)
			switch {
			case !unicode.IsUpper(first):
				small[strings.ToLower(w.text)] = true
			case !w.begins && utf8.RuneCountInString(w.text) >= 3 && !slices.Contains(calendar, w.text):
				within[w.text] = true
			}
		}
	}
	if !isHeadlineCase(a.Title) {
		look(a.Title)
	}
	for _, s := range a.Sections {
		look(s.Text)
	}
	var out []string
	for w := range words(text) {
		if within[w.text] && !small[strings.ToLower(w.text)] {
			out = append(out, w.text)
			delete(within, w.text)
		}
	}
	return out
}

// isHeadlineCase recognises a title whose longer words are all capitalised.
func isHeadlineCase(title string) bool {
	for w := range words(title) {
		if first, _ := utf8.DecodeRuneInString(w.text); utf8.RuneCountInString(w.text) >= 5 && unicode.IsLower(first) {
			return false
		}
	}
	return true
}

// word is a run of letters and digits.
type word struct {
	start  int // in bytes
	text   string
	begins bool // a sentence or a line
}

// words yields the words of a text.
func words(text string) func(yield func(word) bool) {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	return func(yield func(word) bool) {
		for at, begins := 0, true; at < len(text); {
			r, size := utf8.DecodeRuneInString(text[at:])
			if !inWord(r) {
				begins = begins && !strings.ContainsRune(",;", r) || strings.ContainsRune(".!?:\n\"“”‘(", r)
				at += size
				continue
			}
			length := strings.IndexFunc(text[at:], func(r rune) bool { return !inWord(r) })
			if length < 0 {
				length = len(text) - at
			}
			if !yield(word{at, text[at : at+length], begins}) {
				return
			}
			at, begins = at+length, false
		}
	}
}
