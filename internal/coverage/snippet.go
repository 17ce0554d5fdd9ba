package coverage

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/points"
)

// pairs finds the section pairs that explain a result: for each of its sections the seed section nearest to it, the best
// MaxEvidence of those. A seed without sections (liked articles) has none.
func pairs(s *seed, sections []points.Section) []Evidence {
	type pair struct {
		of, section *points.Section
		similarity  float64
	}
	var found []pair
	for i := range sections {
		best := pair{similarity: -2}
		for j := range s.sections {
			if len(s.sections[j].Dense) != len(sections[i].Dense) {
				continue
			}
			if sim := float64(vector.Dot(s.sections[j].Dense, sections[i].Dense)); sim > best.similarity {
				best = pair{&s.sections[j], &sections[i], sim}
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
			Snippet: snippet(p.section.Text, p.of), Similarity: min(p.similarity, 1),
		}
	}
	return out
}

// snippet is the stretch of whole sentences, at most SnippetRunes long, that shares most words with the seed's section. A
// first sentence that is longer than that is cut at a word.
func snippet(text string, of *points.Section) string {
	terms := of.Lexical
	if len(terms.Terms) == 0 {
		terms = lexical.QueryTerms(of.Text)
	}
	var parts []string
	var sizes []int
	var overlap []float32
	for it := sentences.FromString(text); it.Next(); {
		part := strings.Join(strings.Fields(it.Value()), " ")
		if part == "" {
			continue
		}
		parts = append(parts, part)
		sizes = append(sizes, utf8.RuneCountInString(part))
		overlap = append(overlap, lexical.QueryTerms(part).Dot(terms))
	}
	best, bestFrom, bestTo := float32(-1), 0, 0
	for from := range parts {
		size, sum := 0, float32(0)
		for to := from; to < len(parts); to++ {
			if size += sizes[to] + 1; size-1 > SnippetRunes && to > from {
				break
			}
			if sum += overlap[to]; sum > best {
				best, bestFrom, bestTo = sum, from, to+1
			}
		}
	}
	return cut(strings.Join(parts[bestFrom:bestTo], " "), SnippetRunes)
}

// cut shortens a text to at most n runes, at a word if there is one, and says so with an ellipsis.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)[:n-1]
	short := string(runes)
	if i := strings.LastIndexByte(short, ' '); i > len(short)/2 {
		short = short[:i]
	}
	return short + "…"
}
