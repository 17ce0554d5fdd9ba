package minilm

import "unicode"

// What the reference tokenizer does with a character follows Unicode's categories, but those of an older version than
// Go's for combining marks and punctuation. The exceptions are listed here. TestEveryRune compares all 1.1 million
// characters with the reference, so a new version of Go that changes its tables shows.

const (
	classDropped = iota
	classSpace
	classPunctuation
	classLetter
	classUpper
)

// asciiClass is what happens to each ASCII character.
var asciiClass = func() (class [128]uint8) {
	for c := range class {
		switch {
		case c == '\t' || c == '\n' || c == '\r' || c == ' ':
			class[c] = classSpace
		case c < ' ' || c == 127:
			class[c] = classDropped
		case 'A' <= c && c <= 'Z':
			class[c] = classUpper
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			class[c] = classLetter
		default:
			class[c] = classPunctuation
		}
	}
	return class
}()

// isDropped tells the characters that do not count at all: control, format and private use characters and U+FFFD.
// Unassigned characters stay.
func isDropped(r rune) bool {
	return r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(newer, r)
}

// isIdeograph tells the characters that are words of their own because Chinese puts no spaces between words. The ranges
// are the reference's, the gap before U+2B920 included.
func isIdeograph(r rune) bool {
	return r >= 0x3400 && (r <= 0x4DBF || r >= 0x4E00 && r <= 0x9FFF || r >= 0xF900 && r <= 0xFAFF ||
		r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF || r >= 0x2F800 && r <= 0x2FA1F)
}

// isMark tells combining marks, which are taken off their letters.
func isMark(r rune) bool {
	return unicode.Is(unicode.Mn, r) && !unicode.Is(newer, r) && r != 0x111C9 || r == 0x1734
}

func isSpace(r rune) bool { return unicode.Is(unicode.Z, r) }

func isPunctuation(r rune) bool {
	return unicode.Is(unicode.P, r) && !unicode.Is(newer, r) || r == 0x166D || r == 0x111C9
}
