package embed

import "unicode/utf8"

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
