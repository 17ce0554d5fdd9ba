package lexical

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// shingleWords is how many words in a row are one shingle. Reports that were written apart share words, names and
	// figures, but hardly five words in a row outside of quotations.
	shingleWords = 5
	// maxShingles bounds what is kept of a text: all shingles of 130 words, a sample of a longer text's.
	maxShingles = 128
	// shingledWords bounds what is read of a text, so that a book costs what a long article does.
	shingledWords = 4000
)

// Shingles are hashes of the runs of five words in a text, ascending and without repetition: all of a short text, the 128
// smallest of a long one. Since every text keeps its smallest, what two texts keep is a fair sample of what they share
// (Broder 1997), and it does not matter where in either it stands.
type Shingles []uint32

// shingles reads the shingles of a text, quotations left out: reports that were written apart quote the same statement, some
// of them for most of their length. Words are folded as for term vectors, and function words count: it is their order that
// tells one writer from another. A text of fewer than five words has none, and one that is little more than quotations those
// of all it says.
func (a *analyzer) shingles(text string) Shingles {
	a.tokens, a.runs = a.tokens[:0], a.runs[:0]
	a.read(unquoted(text), shingledWords)
	if len(a.tokens) < ownWords {
		a.tokens = a.tokens[:0]
		a.read(text, shingledWords)
	}
	for i := range len(a.tokens) - shingleWords + 1 {
		h := uint64(14695981039346656037)
		for _, t := range a.tokens[i : i+shingleWords] {
			h = (h ^ uint64(t.id)) * 0x9e3779b97f4a7c15
			h ^= h >> 29
		}
		a.runs = append(a.runs, fold(h*0xbf58476d1ce4e5b9))
	}
	slices.Sort(a.runs)
	distinct := slices.Compact(a.runs)
	return append(Shingles(nil), distinct[:min(len(distinct), maxShingles)]...)
}

// ownWords is how many words outside of quotations are enough to tell a text by.
const ownWords = 24

// quotedBytes bounds a quotation: a mark that is not closed for longer is a slip.
const quotedBytes = 1000

// closing is the mark that ends a quotation, by the one that begins it.
var closing = map[rune]string{'“': "”", '„': "“”", '«': "»", '"': "\""}

// unquoted is a text without what stands between double quotation marks within one paragraph.
func unquoted(text string) string {
	if !strings.ContainsAny(text, "\"“„«") {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	space, skip := true, 0 // before r; bytes that a quotation still has
	for i, r := range text {
		if skip > i {
			continue
		}
		if marks, ok := closing[r]; ok && (space || r != '"') {
			from := i + utf8.RuneLen(r)
			rest := text[from:min(len(text), from+quotedBytes)]
			if paragraph := strings.Index(rest, "\n\n"); paragraph >= 0 {
				rest = rest[:paragraph]
			}
			if end := strings.IndexAny(rest, marks); end >= 0 {
				_, size := utf8.DecodeRuneInString(rest[end:])
				skip, space = from+end+size, false
				out.WriteByte(' ')
				continue
			}
		}
		space = unicode.IsSpace(r) || r == '('
		out.WriteRune(r)
	}
	return out.String()
}

// Contained estimates which share of the shingles of the shorter text the longer one has too, and says of how many
// shingles that is a share. It is exact when neither text was sampled.
func (s Shingles) Contained(t Shingles) (share float64, of int) {
	s, t = s.upTo(t.limit()), t.upTo(s.limit())
	if of = min(len(s), len(t)); of == 0 {
		return 0, 0
	}
	shared, j := 0, 0
	for _, h := range s {
		for j < len(t) && t[j] < h {
			j++
		}
		if j < len(t) && t[j] == h {
			shared++
		}
	}
	return float64(shared) / float64(of), of
}

// limit is the largest hash up to which all shingles of the text are here.
func (s Shingles) limit() uint32 {
	if len(s) < maxShingles {
		return 1<<32 - 1
	}
	return s[len(s)-1]
}

func (s Shingles) upTo(limit uint32) Shingles {
	n, found := slices.BinarySearch(s, limit)
	if found {
		n++
	}
	return s[:n]
}
