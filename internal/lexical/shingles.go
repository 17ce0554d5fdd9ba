package lexical

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// shingleWords is the number of words of a shingle. Independent reports share words, names and
	// figures, but hardly five words in a row outside quotations.
	shingleWords = 5
	// maxShingles bounds the shingles of a text: all of 130 words, a sample of a longer text.
	maxShingles = 128
	// shingledWords is the most words that are read, so that a book costs as much as a long
	// article.
	shingledWords = 4000
)

// Shingles are hashes of the runs of five words in a text, ascending and distinct: all of a short
// text, the 128 smallest of a long one. Because every text keeps its smallest hashes, the shingles
// of two texts are a fair sample of what they share, wherever it occurs (Broder 1997).
type Shingles []uint32

// shingles returns the shingles of a text without its quotations, because independent reports quote
// the same statement, sometimes for most of their length. Words are folded as for term vectors, but
// function words count, because writers order them differently. A text of fewer than five words has
// no shingles. A text with few words outside quotations has the shingles of all its words.
func (a *analyzer) shingles(text string) Shingles {
	a.tokens, a.runs = a.tokens[:0], a.runs[:0]
	a.read(unquoted(text), shingledWords)
	if len(a.tokens) < ownWords {
		a.tokens = a.tokens[:0]
		a.read(text, shingledWords)
	}
	for i := range len(a.tokens) - shingleWords + 1 {
		h := uint64(hashStart)
		for _, t := range a.tokens[i : i+shingleWords] {
			h = hashAdd(h, t.id)
		}
		a.runs = append(a.runs, hashEnd(h))
	}
	slices.Sort(a.runs)
	distinct := slices.Compact(a.runs)
	return append(Shingles(nil), distinct[:min(len(distinct), maxShingles)]...)
}

// hashAdd and hashEnd hash a run of words by their ids: begin with hashStart, add each, and end.
func hashAdd(h uint64, id uint32) uint64 {
	h = (h ^ uint64(id)) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

func hashEnd(h uint64) uint32 { return fold(h * 0xbf58476d1ce4e5b9) }

// ownWords is the number of words outside quotations that identify a text.
const ownWords = 24

// quotedBytes bounds a quotation. A mark that is not closed within that length does not begin one.
const quotedBytes = 1000

// closing maps the mark that begins a quotation to those that end it.
var closing = map[rune]string{'“': "”", '„': "“”", '«': "»", '"': "\""}

// unquoted returns a text without the quotations in double quotation marks. A quotation does not
// cross paragraphs.
func unquoted(text string) string {
	if !strings.ContainsAny(text, "\"“„«") {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	space, skip := true, 0 // there is space before r; the end of the last quotation
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

// Contained estimates the share of the shingles of the shorter text that the longer one has too. of
// is the number of shingles of the estimate. It is exact if neither text was sampled.
func (s Shingles) Contained(t Shingles) (share float64, of int) {
	s, t = s.upTo(t.limit()), t.upTo(s.limit())
	if of = min(len(s), len(t)); of == 0 {
		return 0, 0
	}
	return float64(s.shared(t)) / float64(of), of
}

// Resemblance estimates the share of the shingles of either text that both have (Jaccard); 0 if one
// has none.
func (s Shingles) Resemblance(t Shingles) float64 {
	s, t = s.upTo(t.limit()), t.upTo(s.limit())
	shared := s.shared(t)
	if shared == 0 {
		return 0
	}
	return float64(shared) / float64(len(s)+len(t)-shared)
}

// shared returns the number of hashes that both have.
func (s Shingles) shared(t Shingles) (n int) {
	j := 0
	for _, h := range s {
		for j < len(t) && t[j] < h {
			j++
		}
		if j < len(t) && t[j] == h {
			n++
		}
	}
	return n
}

// limit returns the hash up to which s holds all shingles of the text.
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
