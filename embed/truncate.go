package embed

import (
	"strings"
	"unicode/utf8"
)

// truncate returns the longest beginning of text that has at most limit tokens, and the number of
// its tokens. It cuts between words where possible, because that does not change the tokens of the
// words.
func truncate(text string, limit int, count func(string) int) (string, int) {
	if len(text) <= limit {
		// A token has at least one byte, so the text need not be cut.
		return text, count(text)
	}
	// Find a beginning that is too long without counting all of a text that may be a whole book.
	// Most texts have fewer than eight bytes for each token.
	long := 8 * limit
	for long < len(text) && count(text[:boundary(text, long)]) <= limit {
		long *= 2
	}
	if long >= len(text) {
		if n := count(text); n <= limit {
			return text, n
		}
		long = len(text)
	}
	// text[:short] has at most limit tokens, text[:long] has more.
	short := 0
	for long-short > 1 {
		middle := short + (long-short)/2
		if count(text[:boundary(text, middle)]) <= limit {
			short = middle
		} else {
			long = middle
		}
	}
	end := boundary(text, short)
	if space := strings.LastIndexAny(text[:end], " \t\r\n"); space > end/2 && !startsWithSpace(text[end:]) {
		end = space
	}
	return text[:end], count(text[:end])
}

func startsWithSpace(s string) bool { return s != "" && strings.IndexByte(" \t\r\n", s[0]) >= 0 }

// boundary returns the last start of a rune at or before i.
func boundary(text string, i int) int {
	if i >= len(text) {
		return len(text)
	}
	for i > 0 && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}
