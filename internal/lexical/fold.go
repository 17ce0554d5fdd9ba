package lexical

import (
	"unicode"
	"unicode/utf8"
)

// foldedLatin holds the spelling without accents of the lower-case letters of Latin-1 and Latin
// Extended-A, U+00DF to U+017F, so that "Erdoğan" and "Erdogan" are one word. Some letters become
// two ("ß" -> "ss").
var foldedLatin = func() (table [0x180 - 0xDF]string) {
	for plain, accented := range map[string]string{
		"a": "àáâãäåāăą", "ae": "æ", "c": "çćĉċč", "d": "ďđð", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥħ",
		"i": "ìíîïĩīĭįı", "ij": "ĳ", "j": "ĵ", "k": "ķĸ", "l": "ĺļľŀł", "n": "ñńņňŉŋ", "o": "òóôõöøōŏő", "oe": "œ",
		"r": "ŕŗř", "s": "śŝşšſ", "ss": "ß", "t": "ţťŧ", "th": "þ", "u": "ùúûüũūŭůűų", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
	} {
		for _, r := range accented {
			table[r-0xDF] = plain
		}
	}
	return table
}()

// appendFolded appends the lower-case spelling of a letter or digit without accents. Combining
// marks are dropped, so that composed and decomposed spellings agree.
func appendFolded(word []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(word, byte(r))
	case unicode.Is(unicode.Mn, r):
		return word
	}
	r = unicode.ToLower(r)
	if 0xDF <= r && r < 0x180 {
		if plain := foldedLatin[r-0xDF]; plain != "" {
			return append(word, plain...)
		}
	}
	return utf8.AppendRune(word, r)
}

// unspaced reports whether a script has no spaces between words. Such text becomes pairs of
// characters.
func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao,
		unicode.Khmer, unicode.Myanmar)
}
