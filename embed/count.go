package embed

import (
	"strings"
	"unicode/utf8"
)

// TokenCounter is implemented by an Embedder that knows its model's tokenizer.
type TokenCounter interface {
	// CountTokens returns the number of tokens of a text, without special tokens and prefixes.
	CountTokens(text string) int
}

// Counter returns the embedder's CountTokens, or [EstimateTokens] when it has none.
func Counter(e Embedder) func(string) int {
	if counter, ok := e.(TokenCounter); ok {
		return counter.CountTokens
	}
	return EstimateTokens
}

// EstimateTokens estimates the number of tokens of a text for an unknown tokenizer. It errs on the
// high side, because a text that the server finds too long may be cut silently. It counts one token
// for three letters or two digits of ASCII (English averages four to five letters), one for every
// other visible ASCII character, none for spaces, and for every other rune the number of its UTF-8
// bytes minus one, which is about what byte-level vocabularies need for rare scripts.
func EstimateTokens(text string) int {
	tokens, letters, digits := 0, 0, 0
	end := func() {
		tokens += (letters+2)/3 + (digits+1)/2
		letters, digits = 0, 0
	}
	for _, r := range text {
		switch {
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
			letters++
		case '0' <= r && r <= '9':
			digits++
		case r <= ' ':
			end()
		case r < utf8.RuneSelf:
			end()
			tokens++
		default:
			end()
			tokens += utf8.RuneLen(r) - 1
		}
	}
	end()
	return tokens
}

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
