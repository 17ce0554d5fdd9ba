package news

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isDropped reports whether no text keeps a rune: controls other than line feed and tab, and the
// marks of places where a word may be broken (soft hyphen, zero-width space, word joiner, a byte
// order mark inside the text), which would make two words of one.
func isDropped(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case '\u00AD', '\u200B', '\u2060', '\uFEFF':
		return true
	}
	return unicode.IsControl(r)
}

// CleanText gives running text its stored form: "\n" line ends, no control characters, no space at
// the ends of lines, at most one blank line in a row, nothing before or after. It is idempotent and
// keeps every visible character.
func CleanText(s string) string {
	if isCleanText(s) {
		return s
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n\n").Replace(s)
	var b strings.Builder
	b.Grow(len(s))
	blank := 0
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimRightFunc(dropControls(line), unicode.IsSpace)
		if strings.TrimSpace(line) == "" {
			blank++
			continue
		}
		switch {
		case b.Len() == 0:
			line = strings.TrimLeftFunc(line, unicode.IsSpace)
		case blank > 0:
			b.WriteString("\n\n")
		default:
			b.WriteByte('\n')
		}
		blank = 0
		b.WriteString(line)
	}
	return b.String()
}

// isCleanText recognises the common case without copying. False means only that CleanText has to
// look.
func isCleanText(s string) bool {
	if s != strings.TrimSpace(s) || strings.Contains(s, "\n\n\n") {
		return false
	}
	var prev rune
	for _, r := range s {
		if isDropped(r) || r == '\u2028' || r == '\u2029' || (r == '\n' && prev != '\n' && unicode.IsSpace(prev)) {
			return false
		}
		prev = r
	}
	return true
}

// CleanLine is CleanText for a single line: every run of white space becomes one space.
func CleanLine(s string) string {
	return strings.Join(strings.Fields(dropControls(s)), " ")
}

// dropControls removes the runes of isDropped. Controls that separate words (carriage return, form
// feed) become a space.
func dropControls(s string) string {
	if strings.IndexFunc(s, isDropped) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !isDropped(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return -1
		}
	}, s)
}

// Clip cuts s to at most n bytes without cutting a rune.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// ClipWords cuts s to at most n bytes at the end of a word, or of a rune if the first word is
// longer.
func ClipWords(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := Clip(s, n)
	if next, _ := utf8.DecodeRuneInString(s[len(cut):]); !unicode.IsSpace(next) {
		if i := strings.LastIndexFunc(cut, unicode.IsSpace); i > 0 {
			cut = cut[:i]
		}
	}
	return strings.TrimRightFunc(cut, unicode.IsSpace)
}

// FirstInvalid returns the offset of the first byte that is not UTF-8, or -1.
func FirstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}
