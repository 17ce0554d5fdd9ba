package lexical

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"throughline/cluster/vector"
)

const (
	bodyWords = 300 // words of the body that are read: news reports begin with the event
	leadWords = 40  // words of the body that belong to the lead
	titleTF   = 2   // count of a word of the title in Full
)

// Vectors are the term vectors of an article with weights 1+ln(frequency). [Frequencies.Weigh]
// multiplies them by the inverse document frequencies of a corpus.
type Vectors struct {
	Full  vector.Sparse // the title, twice, and the first 300 words of the body
	Lead  vector.Sparse // the title and the first 40 words of the body
	Names vector.Sparse // the names and numbers of both: capitalised words and digits
	// Words counts the words of title and body: the tokens that were read (at most 300 of the body,
	// stop words included) or the parts that white space separates, whichever are more. Scripts
	// without spaces have more tokens; text with signs and abbreviations may have fewer.
	Words int

	Shingles Shingles // of the body
	Phrases  []Phrase // of the first 300 words of the body
}

// Analyze returns the vectors of an article. It accepts any bytes; text without words gives empty
// vectors.
func Analyze(title, body string) Vectors {
	a := analyzers.Get().(*analyzer)
	defer analyzers.Put(a)
	a.tokens = a.tokens[:0]
	a.read(title, math.MaxInt)
	titleEnd := len(a.tokens)
	a.read(body, bodyWords)
	a.markNames(titleEnd)
	lead := min(titleEnd+leadWords, len(a.tokens))
	v := Vectors{
		Full:  a.count(a.tokens, titleEnd, a.keepAll),
		Lead:  a.count(a.tokens[:lead], 0, a.keepAll),
		Names: a.count(a.tokens, 0, func(i int) bool { return a.names[i] }),
		Words: max(len(a.tokens), countFields(title)+countFields(body)),
	}
	v.Phrases = a.phrases(titleEnd)
	v.Shingles = a.shingles(body)
	return v
}

// countFields counts the parts of a text that white space separates.
func countFields(text string) int {
	n := 0
	for range strings.FieldsSeq(text) {
		n++
	}
	return n
}

// QueryTerms returns the terms of a short text, such as a search or a section of an article, with
// weights as in Vectors.Full.
func QueryTerms(text string) vector.Sparse {
	a := analyzers.Get().(*analyzer)
	defer analyzers.Put(a)
	a.tokens = a.tokens[:0]
	a.read(text, math.MaxInt)
	return a.count(a.tokens, 0, a.keepAll)
}

// analyzer holds the buffers of one call.
type analyzer struct {
	scan   scanner
	tokens []token
	counts []termCount
	lower  []uint32 // sorted ids of the words that occur in lower case
	inside []uint32 // sorted ids of the words that occur capitalised inside a sentence
	runs   []uint32 // hashes of runs of words
	names  []bool   // by token: it is a name or a number

	phraseWords, phraseRuns []Phrase
}

type termCount struct {
	id    uint32
	count int32
}

var analyzers = sync.Pool{New: func() any { return new(analyzer) }}

func (a *analyzer) read(text string, limit int) {
	a.scan.reset(text)
	for t, ok := a.scan.next(); ok && limit > 0; t, ok = a.scan.next() {
		a.tokens = append(a.tokens, t)
		limit--
	}
	a.scan.text = "" // so that the pool does not hold the article
}

// markNames decides which tokens are names. Inside a sentence a capital is enough. At the beginning
// of a sentence, and in a title in which most words have capitals, the word must not occur in lower
// case elsewhere and must either occur capitalised inside a sentence or not be a common word.
func (a *analyzer) markNames(titleEnd int) {
	capitals, words := 0, 0
	for _, t := range a.tokens[:titleEnd] {
		if !t.number && !t.stop {
			words++
			if t.upper {
				capitals++
			}
		}
	}
	headline := capitals*10 >= words*7
	uncertain := func(i int) bool { return a.tokens[i].begins || i < titleEnd && headline }
	a.lower, a.inside, a.names = a.lower[:0], a.inside[:0], a.names[:0]
	for i, t := range a.tokens {
		switch {
		case t.number || t.stop:
		case !t.upper:
			a.lower = append(a.lower, t.id)
		case !uncertain(i):
			a.inside = append(a.inside, t.id)
		}
	}
	slices.Sort(a.lower)
	slices.Sort(a.inside)
	has := func(ids []uint32, id uint32) bool { _, ok := slices.BinarySearch(ids, id); return ok }
	for i, t := range a.tokens {
		name := t.number
		if t.upper && !t.stop {
			name = !uncertain(i) || !has(a.lower, t.id) && (!t.common || has(a.inside, t.id))
		}
		a.names = append(a.names, name)
	}
}

func (a *analyzer) keepAll(i int) bool { return !a.tokens[i].stop }

// count returns the weights of those first tokens that keep accepts by their index. The ones before
// titleEnd count titleTF times.
func (a *analyzer) count(tokens []token, titleEnd int, keep func(i int) bool) vector.Sparse {
	a.counts = a.counts[:0]
	for i, t := range tokens {
		if keep(i) {
			n := int32(1)
			if i < titleEnd {
				n = titleTF
			}
			a.counts = append(a.counts, termCount{t.id, n})
		}
	}
	if len(a.counts) == 0 {
		return vector.Sparse{}
	}
	slices.SortFunc(a.counts, func(x, y termCount) int { return cmp.Compare(x.id, y.id) })
	distinct := a.counts[:1]
	for _, c := range a.counts[1:] {
		if last := &distinct[len(distinct)-1]; last.id == c.id {
			last.count += c.count
		} else {
			distinct = append(distinct, c)
		}
	}
	out := vector.Sparse{Terms: make([]uint32, len(distinct)), Weights: make([]float32, len(distinct))}
	for i, c := range distinct {
		out.Terms[i], out.Weights[i] = c.id, float32(1+math.Log(float64(c.count)))
	}
	return out
}
