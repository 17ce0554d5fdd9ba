package embed

import (
	"strings"
	"unicode/utf8"
)

// cut returns as much of text from its beginning as has at most limit tokens, and their number. It cuts between words where
// it can, which leaves the tokens of the others as they were.
func cut(text string, limit int, count func(string) int) (string, int) {
	if len(text) <= limit {
		// A token is at least a byte for every tokenizer there is, so counting can be spared when it only decides the cut.
		return text, count(text)
	}
	// Find a beginning that is too long without counting all of a text that may be a whole book. Eight bytes for a token
	// is more than most texts have.
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
	// Everything up to short has at most limit tokens; up to long it has more.
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

// boundary returns the last beginning of a rune at or before i.
func boundary(text string, i int) int {
	if i >= len(text) {
		return len(text)
	}
	for i > 0 && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}
