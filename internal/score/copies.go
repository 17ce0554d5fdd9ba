package score

import "throughline/cluster/vector"

// Thresholds above which two articles are copies. Independent reports sometimes share a paragraph
// of an agency: of the pairs of one event in BASIL and NewsWCL50, which hold independent reports,
// none shares more than a third of its shingles, and of those in AllSides one in 700 does. Copies
// share more. "go test ./internal/score -run TestCopyQuality -v" prints the share of pairs that are
// found to be copies, for edits of the articles of six sets and for their unedited pairs.
const (
	// copyVerbatim is the least share of the shingles of the shorter text that a copy shares.
	// Replacing every tenth word leaves half of them.
	copyVerbatim = 0.4
	// copyShingles is the least number of shingles: sharing fewer proves nothing.
	copyShingles = 16
	// copyNames is the least share of the weight of names and figures that copies share. Pages of
	// one outlet may share most of their shingles because the frame is longer than the text, and so
	// may reports made from one form; but they name different people and places.
	copyNames = 0.4
	// copyCentred is the least centred cosine of copies. Below it two articles are different pages
	// of one outlet with much text in their margins. Of 1,000 pairs of copies in GroundNews, ECB+
	// and GunViolence none is below .3.
	copyCentred = 0.25
	// copyShare is the least share of rare-word weight, and copyTerms the least number of distinct
	// words, of copies that were stored without shingles.
	copyShare = 0.85
	copyTerms = 20
)

// SameText reports whether two articles are copies: one text, lightly edited, shortened, or framed
// with the phrases of another outlet. verbatim is the share of the shingles of the shorter text
// that the other one has.
func SameText(a, b *Weighted) (verbatim float64, copied bool) {
	verbatim, of := a.shingles.Contained(b.shingles)
	if len(a.shingles) > 0 && len(b.shingles) > 0 {
		if verbatim < copyVerbatim || of < copyShingles {
			return verbatim, false
		}
		names, known := contained(a.own, b.own)
		return verbatim, known == 0 || names >= copyNames
	}
	share, terms := contained(a.Full, b.Full)
	return verbatim, share >= copyShare && terms >= copyTerms
}

// sameWords is the least share of the shingles of two versions of one text, and the least cosine of
// their names. Of the sample articles, without title and headings the least share is .77 and the
// least cosine .78 (TestPairsOfSeeds in internal/related asks for them so). Another figure in a
// form changes the names more.
const sameWords = 0.75

// SameWords returns the share of the shingles of two texts that both have, and whether they are
// versions of one text that differ in a title, headings or a few words. Texts of fewer than five
// words have no shingles: they are one if they have the same words.
func SameWords(a, b *Weighted) (share float64, same bool) {
	if len(a.shingles) == 0 && len(b.shingles) == 0 {
		share = float64(a.Full.Dot(b.Full))
		return share, share > 0.999
	}
	share = a.shingles.Resemblance(b.shingles)
	names := len(a.names.Terms) == 0 && len(b.names.Terms) == 0 || a.names.Dot(b.names) >= sameWords
	return share, share >= sameWords && names
}

// contained returns the share of the weight of the vector with fewer terms that lies on terms of
// the other, and its number of terms. Unlike a cosine, the share does not fall when the longer text
// has more words, so shortened copies and copies with an added paragraph count.
func contained(a, b vector.Sparse) (share float64, terms int) {
	if len(a.Terms) > len(b.Terms) {
		a, b = b, a
	}
	var sharedA, sharedB, totalA, totalB float64
	j := 0
	for i, term := range a.Terms {
		w := float64(a.Weights[i]) * float64(a.Weights[i])
		totalA += w
		for ; j < len(b.Terms) && b.Terms[j] <= term; j++ {
			v := float64(b.Weights[j]) * float64(b.Weights[j])
			totalB += v
			if b.Terms[j] == term {
				sharedA += w
				sharedB += v
			}
		}
	}
	if totalA == 0 {
		return 0, 0
	}
	share = sharedA / totalA
	if len(a.Terms) == len(b.Terms) { // symmetric: the order of a and b must not matter
		for ; j < len(b.Terms); j++ {
			totalB += float64(b.Weights[j]) * float64(b.Weights[j])
		}
		share = max(share, sharedB/totalB)
	}
	return share, len(a.Terms)
}
