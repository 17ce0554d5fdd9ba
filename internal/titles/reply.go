package titles

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ReplyError reports why an answer of the model is refused. Repeating the request would hardly
// help.
type ReplyError struct{ Reason string }

func (e *ReplyError) Error() string { return "the chat model's answer is not usable: " + e.Reason }

func refused(format string, args ...any) error {
	return &ReplyError{Reason: fmt.Sprintf(format, args...)}
}

const (
	shortest = 3   // letters of a title
	longest  = 120 // runes of a title: two lines of a list
)

// parse checks an answer about a subject. Every error is a *ReplyError.
func parse(text string, s Subject) (Title, error) {
	var reply struct {
		Title    *string `json:"title"`
		Articles []int   `json:"articles"`
	}
	decoder := json.NewDecoder(strings.NewReader(object(text)))
	if err := decoder.Decode(&reply); err != nil {
		return Title{}, refused("not the JSON object that was asked for")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Title{}, refused("something follows the JSON object")
	}
	if reply.Title == nil {
		return Title{}, refused("no title in it")
	}
	title, err := checkTitle(*reply.Title)
	if err != nil {
		return Title{}, err
	}
	var cited []string
	shown := s.Articles[:min(len(s.Articles), MaxArticles)]
	for _, n := range reply.Articles {
		if n < 1 || n > len(shown) {
			return Title{}, refused("it cites article %d of %d", n, len(shown))
		}
		if id := shown[n-1].ID; !slices.Contains(cited, id) {
			cited = append(cited, id)
		}
	}
	if len(cited) == 0 {
		return Title{}, refused("it cites no article")
	}
	return Title{Text: title, Articles: cited}, grounded(title, shown)
}

// object removes what models write around the object in spite of the prompt: thoughts and a code
// fence.
func object(text string) string {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "<think>"); ok {
		if _, after, ok := strings.Cut(rest, "</think>"); ok {
			text = strings.TrimSpace(after)
		}
	}
	if rest, ok := strings.CutPrefix(text, "```"); ok {
		rest = strings.TrimPrefix(rest, "json")
		text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "```"))
	}
	return text
}

// checkTitle accepts one line of plain text and removes quotation marks around it and a full stop.
func checkTitle(title string) (string, error) {
	if !utf8.ValidString(title) || strings.ContainsRune(title, utf8.RuneError) {
		return "", refused("the title is not text")
	}
	title = strings.TrimSpace(title)
	letters := 0
	for _, r := range title {
		switch {
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
			return "", refused("the title has a line break or a character that is not printed")
		case strings.ContainsRune("<>{}[]`|\\*_#^~", r):
			return "", refused("the title has markup, %q", r)
		case unicode.IsLetter(r):
			letters++
		}
	}
	for _, mark := range []string{"://", "www.", "&lt;", "&#", "javascript:", "data:"} {
		if strings.Contains(strings.ToLower(title), mark) {
			return "", refused("the title has a link or markup, %q", mark)
		}
	}
	n := utf8.RuneCountInString(title)
	switch {
	case letters < shortest:
		return "", refused("a title of %d letters", letters)
	case n > longest:
		return "", refused("a title of %d characters", n)
	}
	if quoted := strings.Trim(title, `"“”„«»`); quoted != title && !strings.ContainsAny(quoted, `"“”„«»`) {
		title = strings.TrimSpace(quoted)
	}
	return strings.Join(strings.Fields(strings.TrimSuffix(title, ".")), " "), nil
}

// grounded refuses a title that does not follow from the articles: at least half of its words must
// occur in them, and one word in two of them when there are several. So it refuses what the model
// invents and what a single article tells it to write.
func grounded(title string, shown []Article) error {
	in := make(map[string]int) // by stem: the number of articles
	for _, a := range shown {
		for _, w := range stems(a.Title + "\n" + a.Lede) {
			in[w]++
		}
	}
	words := stems(title)
	known, shared := 0, 0
	for _, w := range words {
		if in[w] > 0 {
			known++
		}
		if in[w] > 1 {
			shared++
		}
	}
	switch {
	case known == 0 || 2*known < len(words):
		return refused("of %d words of the title %d occur in the articles", len(words), known)
	case len(shown) > 1 && shared == 0:
		return refused("no two of the articles have a word of the title")
	}
	return nil
}

// stemRunes is the length of a stem: "elections" and "electoral" have the same, and "Moscow" and
// "Moscow's". Words of fewer than four runes are mostly function words and have none.
const stemRunes = 5

// stems returns the beginnings of the words of a text, and each character of scripts without
// spaces, each once.
func stems(text string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) >= stemRunes-1 {
			out = append(out, string(word[:min(len(word), stemRunes)]))
		}
		word = word[:0]
	}
	for _, r := range strings.ToLower(norm.NFKD.String(text)) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			end()
			out = append(out, string(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			word = append(word, r)
		case unicode.IsMark(r):
		default:
			end()
		}
	}
	end()
	slices.Sort(out)
	return slices.Compact(out)
}
