package score

import (
	"slices"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

// Templates holds the forms of phrases, ascending, that articles made by filling in a form have:
// results of companies, weather, match reports. Such articles are alike whatever they are about, so
// of each only the names and the numbers count.
type Templates []uint32

const (
	// leastFilled is the least number of articles with a form, and of distinct names and numbers in
	// it. Copies and versions of one article have the same.
	leastFilled = 3
	// distinctFillings is the least share of distinct names and numbers among the articles with a
	// form.
	distinctFillings = 0.3
	// leastPhrases is the least number of phrases of an article that decide whether it is made by a
	// form, and formShare the least share of them that have one. "go test ./internal/score -run
	// TestTemplatesOfSets -v" prints how many articles of the labelled sets have one.
	leastPhrases = 4
	formShare    = 0.55
)

// TemplatesOf returns the forms that some articles show.
func TemplatesOf(fs []Features) Templates {
	type count struct{ articles, distinct int }
	counts := make(map[uint32]*count)
	seen := make(map[lexical.Phrase]bool)
	for i := range fs {
		for _, p := range fs[i].Lex.Phrases {
			c := counts[p.Form]
			if c == nil {
				c = new(count)
				counts[p.Form] = c
			}
			c.articles++
			if !seen[p] {
				seen[p] = true
				c.distinct++
			}
		}
	}
	var out Templates
	for form, c := range counts {
		if c.distinct >= leastFilled && float64(c.distinct) >= distinctFillings*float64(c.articles) {
			out = append(out, form)
		}
	}
	slices.Sort(out)
	return out
}

// With returns the forms of both.
func (t Templates) With(other Templates) Templates {
	all := slices.Concat(t, other)
	slices.Sort(all)
	return slices.Compact(all)
}

// Made reports whether an article was made by filling in a form.
func (t Templates) Made(l *lexical.Vectors) bool {
	if len(t) == 0 || len(l.Phrases) < leastPhrases {
		return false
	}
	of := 0
	for _, p := range l.Phrases {
		if _, ok := slices.BinarySearch(t, p.Form); ok {
			of++
		}
	}
	return float64(of) >= formShare*float64(len(l.Phrases))
}

// only returns the terms of v that are in of too, with the weights of v.
func only(v, of vector.Sparse) (out vector.Sparse) {
	for i, term := range v.Terms {
		if _, ok := slices.BinarySearch(of.Terms, term); ok {
			out.Terms, out.Weights = append(out.Terms, term), append(out.Weights, v.Weights[i])
		}
	}
	return out
}
