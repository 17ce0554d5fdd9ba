package article

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// drop says which runes no text keeps: controls other than line feed and tab, and those that mark where a word may be broken
// (soft hyphen, zero-width space, word joiner, a byte order mark left inside), which would make two words of one.
func drop(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case '\u00AD', '\u200B', '\u2060', '\uFEFF':
		return true
	}
	return unicode.IsControl(r)
}

// cleanText gives running text its stored form: "\n" line ends, no control characters, no space at the ends of lines, at most
// one blank line in a row, nothing before or after. It is idempotent and keeps every character that is visible.
func cleanText(s string) string {
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

// isCleanText recognises the common case without copying: false only means that cleanText has to look.
func isCleanText(s string) bool {
	if s != strings.TrimSpace(s) || strings.Contains(s, "\n\n\n") {
		return false
	}
	var prev rune
	for _, r := range s {
		if drop(r) || r == '\u2028' || r == '\u2029' || (r == '\n' && prev != '\n' && unicode.IsSpace(prev)) {
			return false
		}
		prev = r
	}
	return true
}

// cleanLine is cleanText for what has to be one line: every run of white space becomes one space.
func cleanLine(s string) string {
	return strings.Join(strings.Fields(dropControls(s)), " ")
}

// dropControls removes what drop names. Control characters that separate (carriage return, form feed ...) become a space.
func dropControls(s string) string {
	if strings.IndexFunc(s, drop) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !drop(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return -1
		}
	}, s)
}

// clip cuts s to at most n bytes without cutting a rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// clipWords cuts s to at most n bytes at the end of a word, or of a rune where the first word is longer than that.
func clipWords(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := clip(s, n)
	if next, _ := utf8.DecodeRuneInString(s[len(cut):]); !unicode.IsSpace(next) {
		if i := strings.LastIndexFunc(cut, unicode.IsSpace); i > 0 {
			cut = cut[:i]
		}
	}
	return strings.TrimRightFunc(cut, unicode.IsSpace)
}
