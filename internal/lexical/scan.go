package lexical

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// maxWord is the most folded bytes of a word that count. It bounds the work on text without spaces,
// such as encoded binary data.
const maxWord = 64

// token is one term in reading order.
type token struct {
	id     uint32
	number bool
	upper  bool // begins with a capital letter
	begins bool // begins a sentence, a line or the text, where a capital does not mark a name
	stop   bool // a function word
	common bool // among the common words of English
}

// scanner splits the text that was set with reset into tokens.
type scanner struct {
	text     string
	at       int
	begins   bool // the next word begins a sentence
	previous rune // the character before at, if it is of an unspaced script
	word     []byte
}

func (s *scanner) reset(text string) {
	s.text, s.at, s.begins, s.previous = text, 0, true, 0
}

// next returns the next token, or false at the end of the text. Bytes that are not UTF-8 separate
// words.
func (s *scanner) next() (token, bool) {
	for s.at < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.at:])
		switch {
		case unspaced(r):
			if t, ok := s.pair(r, size); ok {
				return t, true
			}
			continue
		case isLetter(r):
			return s.letters(), true
		case isDigit(r):
			return s.number(), true
		}
		s.previous = 0
		s.at += size
		switch r {
		case '.', '!', '?', '\n', '\r', '。', '！', '？', ':', ';', '|':
			s.begins = true
		}
	}
	return token{}, false
}

// pair consumes a character of an unspaced script. It returns the term of this character with the
// one before; a run of one character is a term too.
func (s *scanner) pair(r rune, size int) (token, bool) {
	before := s.previous
	s.at += size
	s.previous, s.begins = r, false
	s.word = s.word[:0]
	if before != 0 {
		s.word = utf8.AppendRune(s.word, before)
	} else if unspaced(s.runeAt(s.at)) {
		return token{}, false
	}
	s.word = utf8.AppendRune(s.word, r)
	return token{id: fold(hash(s.word))}, true
}

// letters consumes a word that begins with a letter. Inner apostrophes belong to it; a possessive
// is dropped. "U.S." and "US" are the same term, which differs from "us".
func (s *scanner) letters() token {
	start, begins := s.at, s.begins
	s.previous, s.begins = 0, false
	s.word = s.word[:0]
	runes, capitals := 0, 0
	for s.at < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.at:])
		if !isLetter(r) && !isDigit(r) && !unicode.Is(unicode.Mn, r) || unspaced(r) {
			if isApostrophe(r) && isLetter(s.runeAt(s.at+size)) {
				s.word = append(s.word, '\'')
				s.at += size
				continue
			}
			if r == '.' && runes > 0 && s.dotted(start) {
				s.at += size
				continue
			}
			break
		}
		if runes++; unicode.IsUpper(r) {
			capitals++
		}
		if len(s.word) < maxWord {
			s.word = appendFolded(s.word, r)
		}
		s.at += size
	}
	t := token{upper: unicode.IsUpper(s.runeAt(start)), begins: begins}
	if (runes == 1 || s.text[s.at-1] == '.' || abbreviations[string(s.word)]) && s.runeAt(s.at) == '.' {
		s.at++ // the full stop after "Mr", an initial or an acronym does not end a sentence
	}
	if capitals == 2 && string(s.word) == "us" {
		s.word = append(s.word, 'a')
	}
	s.word = stem(s.word)
	if n, ok := spelledNumbers[string(s.word)]; ok {
		return token{id: n, number: true}
	}
	full := hash(s.word)
	t.id = fold(full)
	rank, known := commonRanks[full]
	t.common = known && rank < nameRanks
	t.stop = stopWords[full] || runes == 1 && len(s.word) == 1
	return t
}

// dotted reports whether the word from start to s.at is the beginning of an acronym such as "U" or
// "U.S", single letters with full stops between them, so that the next full stop belongs to it.
func (s *scanner) dotted(start int) bool {
	expectLetter := true
	for _, r := range s.text[start:s.at] {
		if expectLetter != isLetter(r) || !expectLetter && r != '.' {
			return false
		}
		expectLetter = !expectLetter
	}
	if expectLetter {
		return false
	}
	// "U." can be the end of a sentence or an initial: an acronym needs a single letter after it.
	next, size := utf8.DecodeRuneInString(s.text[s.at+1:])
	if !isLetter(next) {
		return s.at-start > 1
	}
	return !isLetter(s.runeAt(s.at + 1 + size))
}

// runeAt returns the character at a position, at most the end of the text.
func (s *scanner) runeAt(at int) rune {
	r, _ := utf8.DecodeRuneInString(s.text[at:])
	return r
}

// number consumes a word that begins with a digit. It drops separators of thousands, leading zeros,
// zeros at the end of a fraction, and ordinal endings, so that "1,000", "1000" and "1000.0" are one
// term.
func (s *scanner) number() token {
	s.previous, s.begins = 0, false
	s.word = s.word[:0]
	point, letters := false, 0
scan:
	for s.at < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.at:])
		switch {
		case isDigit(r):
		case isLetter(r) && !unspaced(r):
			letters++
		case (r == ',' || r == '.') && letters == 0 && !point && isDigit(s.runeAt(s.at+size)):
			if point = r == '.'; !point {
				s.at += size
				continue
			}
		default:
			break scan
		}
		if len(s.word) < maxWord {
			s.word = appendFolded(s.word, r)
		}
		s.at += size
	}
	w := s.word
	if letters == 2 && len(w) > 2 {
		switch string(w[len(w)-2:]) {
		case "st", "nd", "rd", "th":
			w, letters = w[:len(w)-2], 0
		}
	}
	if letters == 0 && point {
		w = bytes.TrimSuffix(w[:1+len(bytes.TrimRight(w[1:], "0"))], []byte{'.'})
	}
	for len(w) > 1 && w[0] == '0' && w[1] != '.' {
		w = w[1:]
	}
	return token{id: fold(hash(w)), number: true}
}

func isLetter(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return r != utf8.RuneError && unicode.IsLetter(r)
}

func isDigit(r rune) bool {
	if r < utf8.RuneSelf {
		return '0' <= r && r <= '9'
	}
	return unicode.IsDigit(r)
}

func isApostrophe(r rune) bool { return r == '\'' || r == '’' || r == 'ʼ' }

// stem drops the possessive and the plural "s" of an English word, in place: "officers'" and
// "officer's" become "officer". Verbs keep their endings, because a strong stemmer merges names.
func stem(w []byte) []byte {
	n := len(w)
	if n > 2 && w[n-1] == 's' && w[n-2] == '\'' {
		return w[:n-2]
	}
	if n < 4 || w[n-1] != 's' {
		return w
	}
	switch w[n-2] {
	case 's', 'u', 'i':
		return w
	case 'e':
		if w[n-3] == 'i' && n > 4 {
			w[n-3] = 'y'
			return w[:n-2]
		}
		if n > 4 && (w[n-3] == 'x' || w[n-3] == 's' && w[n-4] == 's' || w[n-3] == 'h' && (w[n-4] == 's' || w[n-4] == 'c')) {
			return w[:n-2]
		}
	}
	return w[:n-1]
}

// hashStart is the hash of nothing.
const hashStart = 14695981039346656037

// hash is 64-bit FNV-1a.
func hash(word []byte) uint64 {
	h := uint64(hashStart)
	for _, b := range word {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// fold returns the term id of a hash.
func fold(h uint64) uint32 { return uint32(h>>32) ^ uint32(h) }
