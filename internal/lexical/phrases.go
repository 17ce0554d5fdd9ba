package lexical

import (
	"cmp"
	"slices"
)

const (
	// phraseWords is the number of words of a phrase, where names and numbers in a row count as one
	// word. Reports that are written anew share few phrases of five words.
	phraseWords = 5
	// maxPhrases bounds the phrases of a text.
	maxPhrases = 12
)

// Phrase is a run of five words with names or numbers among them, such as "net # against #, sales".
type Phrase struct {
	Form  uint32 // hash of the phrase with its names and numbers left out
	Whole uint32 // hash of all of it
}

// phrases returns the phrases of the marked tokens from a position, one of each form, ascending. Of
// more than 12 it returns those with the smallest hashes, so that texts of one form keep the same
// ones.
func (a *analyzer) phrases(from int) []Phrase {
	const left = 0 // stands for names and numbers
	words := a.phraseWords[:0]
	for i, t := range a.tokens[from:] {
		switch n := len(words); {
		case !a.names[from+i]:
			words = append(words, Phrase{t.id, t.id})
		case n > 0 && words[n-1].Form == left:
			words[n-1].Whole = hashEnd(hashAdd(uint64(words[n-1].Whole), t.id))
		default:
			words = append(words, Phrase{left, t.id})
		}
	}
	a.phraseWords = words
	out := a.phraseRuns[:0]
	for i := range len(words) - phraseWords + 1 {
		form, whole, named := uint64(hashStart), uint64(hashStart), false
		for _, w := range words[i : i+phraseWords] {
			form, whole = hashAdd(form, w.Form), hashAdd(whole, w.Whole)
			named = named || w.Form == left
		}
		if named {
			out = append(out, Phrase{hashEnd(form), hashEnd(whole)})
		}
	}
	a.phraseRuns = out
	slices.SortFunc(out, func(a, b Phrase) int { return cmp.Or(cmp.Compare(a.Form, b.Form), cmp.Compare(a.Whole, b.Whole)) })
	out = slices.CompactFunc(out, func(a, b Phrase) bool { return a.Form == b.Form })
	return append([]Phrase(nil), out[:min(len(out), maxPhrases)]...)
}
