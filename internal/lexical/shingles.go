package lexical

import "slices"

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

// shingles reads the shingles of a text. Words are folded as for term vectors, and function words count: it is their order
// that tells one writer from another. A text of fewer than five words has none.
func (a *analyzer) shingles(text string) Shingles {
	a.tokens, a.runs = a.tokens[:0], a.runs[:0]
	a.read(text, shingledWords)
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
