package chunk

import (
	"hash/maphash"
	"slices"
	"strings"
	"unicode"

	"throughline/internal/news"
)

// Furniture holds the sentences that an outlet puts around its articles whatever they are about:
// calls to subscribe, links, notices. They say nothing of an event, and by them all articles of the
// outlet are alike. A sentence is known by its letters and digits.
type Furniture map[uint64]bool

const (
	// FurnitureSample is the number of articles of an outlet that are enough to find its furniture.
	FurnitureSample = 8
	// leastFurnished is the least number of articles with a sentence that is furniture. It must
	// also be half of those looked at: what an outlet repeats about a long story is in fewer.
	leastFurnished = 3
	// leastLeft is the least number of words of an article that furniture leaves.
	leastLeft = 8
)

// FurnitureOf returns the furniture of an outlet, given some of its articles. Articles with one
// title, or with one first sentence if they have no title of their own, count once: they are
// revisions and copies of each other, or made by one template.
func FurnitureOf(articles []news.Article) Furniture {
	having := make(map[uint64]map[uint64]bool) // articles, by title, by sentence
	all := make(map[uint64]bool)
	for i := range articles {
		a := &articles[i]
		title, _ := sentenceKey(a.Title)
		all[title] = true
		for _, s := range a.Sections {
			for sentence := range sentencesOf(s.Text) {
				key, ok := sentenceKey(sentence)
				if !ok {
					continue
				}
				if having[key] == nil {
					having[key] = make(map[uint64]bool)
				}
				having[key][title] = true
			}
		}
	}
	f := make(Furniture)
	for key, in := range having {
		if len(in) >= leastFurnished && 2*len(in) >= len(all) {
			f[key] = true
		}
	}
	return f
}

// Without returns the sections of an article without the furniture, each in its place, and whether
// there was some. If hardly any words would be left it returns all: then the rest is as much the
// article as the furniture is.
func (f Furniture) Without(sections []news.Section) ([]news.Section, bool) {
	if len(f) == 0 {
		return sections, false
	}
	out, found, left := slices.Clone(sections), false, 0
	for i := range out {
		var kept strings.Builder
		for sentence := range sentencesOf(out[i].Text) {
			if key, ok := sentenceKey(sentence); ok && f[key] {
				found = true
				continue
			}
			kept.WriteString(sentence)
			n, _ := countWords(sentence, leastLeft)
			left += n
		}
		out[i].Text = strings.TrimSpace(kept.String())
	}
	if !found || left < leastLeft {
		return sections, false
	}
	return out, true
}

// sentencesOf yields the sentences of a text, each with the space after it. A line ends a sentence.
func sentencesOf(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			for len(line) > 0 {
				n := news.NextSentence(line)
				if !yield(line[:n]) {
					return
				}
				line = line[n:]
			}
		}
	}
}

var sentenceSeed = maphash.MakeSeed()

// sentenceKey hashes the letters and digits of a sentence; ok says whether there are any.
func sentenceKey(sentence string) (key uint64, ok bool) {
	var h maphash.Hash
	h.SetSeed(sentenceSeed)
	for _, r := range sentence {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			h.WriteString(string(unicode.ToLower(r)))
			ok = true
		}
	}
	return h.Sum64(), ok
}
