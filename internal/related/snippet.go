package related

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

// pairs returns the evidence of a result: for each of its sections the nearest section of the seed,
// and of these pairs the MaxEvidence with the largest cosine, equal ones in the order of the text.
func pairs(seed, sections []store.Section) []Evidence {
	type pair struct {
		of, section *store.Section
		similarity  float64
	}
	var found []pair
	for i := range sections {
		best := pair{similarity: -2}
		for j := range seed {
			if len(seed[j].Dense) != len(sections[i].Dense) {
				continue
			}
			if sim := float64(vector.Dot(seed[j].Dense, sections[i].Dense)); sim > best.similarity {
				best = pair{&seed[j], &sections[i], sim}
			}
		}
		if best.of != nil {
			found = append(found, best)
		}
	}
	slices.SortStableFunc(found, func(a, b pair) int { return cmp.Compare(b.similarity, a.similarity) })
	found = found[:min(len(found), MaxEvidence)]
	out := make([]Evidence, len(found))
	for i, p := range found {
		out[i] = Evidence{
			SeedSection: p.of.Index, Section: p.section.Index, Heading: p.section.Heading,
			Snippet: snippet(p.section.Text, p.of.Lexical), Similarity: min(p.similarity, 1),
		}
	}
	return out
}

// snippet returns the whole sentences, at most SnippetRunes long together, that share most words
// with terms; of equal ones the shortest, then the first. A longer single sentence is truncated.
func snippet(text string, terms vector.Sparse) string {
	var parts []string // sentences, with the space after each
	var sizes []int    // in runes, without that space
	var overlap []float32
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		// A line break inside a paragraph ends no sentence.
		paragraph = strings.Join(strings.Fields(paragraph), " ")
		if paragraph == "" {
			continue
		}
		for it := sentences.FromString(paragraph + " "); it.Next(); {
			part := it.Value()
			parts = append(parts, part)
			sizes = append(sizes, utf8.RuneCountInString(strings.TrimRight(part, " ")))
			overlap = append(overlap, lexical.QueryTerms(part).Dot(terms))
		}
	}
	best, bestSize, bestFrom, bestTo := float32(-1), 0, 0, 0
	for from := range parts {
		before, sum := 0, float32(0)
		for to := from; to < len(parts); to++ {
			size := before + sizes[to]
			if size > SnippetRunes && to > from {
				break
			}
			before += utf8.RuneCountInString(parts[to])
			if sum += overlap[to]; sum > best || sum == best && size < bestSize && sum > 0 {
				best, bestSize, bestFrom, bestTo = sum, size, from, to+1
			}
		}
	}
	return truncate(strings.TrimRight(strings.Join(parts[bestFrom:bestTo], ""), " "), SnippetRunes)
}

// truncate shortens a text to at most n runes, after a word if possible, and appends an ellipsis.
func truncate(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	short := string(runes[:n-1])
	if i := strings.LastIndexByte(short, ' '); i > len(short)/2 && runes[n-1] != ' ' {
		short = short[:i]
	}
	return strings.TrimSpace(short) + "…"
}
