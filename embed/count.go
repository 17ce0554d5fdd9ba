package embed

import "unicode/utf8"

// TokenCounter is implemented by an Embedder that knows its model's tokenizer.
type TokenCounter interface {
	// CountTokens returns how many tokens the model makes of a text, its special tokens and prefixes not counted.
	CountTokens(text string) int
}

// Counter returns the embedder's own way to count tokens, or [EstimateTokens] when it has none.
func Counter(e Embedder) func(string) int {
	if counter, ok := e.(TokenCounter); ok {
		return counter.CountTokens
	}
	return EstimateTokens
}

// EstimateTokens guesses how many tokens a text has for a tokenizer that is not known. It errs on the high side, because
// a text that is thought too long is split or cut by us, visibly, and one that is thought too short is cut by the server,
// silently. Three letters or two digits of ASCII are taken for a token (English averages four to five letters), every
// other visible ASCII character for one, and every other rune for as many as UTF-8 needs bytes for it less one, which is
// about what byte-level vocabularies need for scripts they saw little of. Spaces are free.
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
