package minilm

import "unicode"

// The reference tokenizer classifies characters by Unicode categories, but for combining marks and
// punctuation it uses an older version of Unicode than Go. The exceptions are listed here.
// TestEveryRune compares all 1.1 million characters with the reference, so it fails when Go's
// tables change.

const (
	classDropped = iota
	classSpace
	classPunctuation
	classLetter
	classUpper
)

// asciiClass has the class of each ASCII character.
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

// isDropped reports whether a character is removed: control, format and private use characters and
// U+FFFD, but not unassigned ones.
func isDropped(r rune) bool {
	return r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !unicode.Is(newer, r)
}

// isIdeograph reports whether a character is a word of its own, because Chinese has no spaces
// between words. The ranges are those of the reference, including the gap before U+2B920.
func isIdeograph(r rune) bool {
	return r >= 0x3400 && (r <= 0x4DBF || r >= 0x4E00 && r <= 0x9FFF || r >= 0xF900 && r <= 0xFAFF ||
		r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF || r >= 0x2F800 && r <= 0x2FA1F)
}

// isMark reports whether a character is a combining mark, which is removed from its letter.
func isMark(r rune) bool {
	return unicode.Is(unicode.Mn, r) && !unicode.Is(newer, r) && r != 0x111C9 || r == 0x1734
}

func isSpace(r rune) bool { return unicode.Is(unicode.Z, r) }

func isPunctuation(r rune) bool {
	return unicode.Is(unicode.P, r) && !unicode.Is(newer, r) || r == 0x166D || r == 0x111C9
}
