package lexical

import (
	"math"
	"sync"

	"throughline/cluster/vector"
)

// Field names one of the term vectors of an article.
type Field int

const (
	Full Field = iota
	Lead
	Names
	fields
)

// of returns the vector of a field.
func (v *Vectors) of(f Field) vector.Sparse {
	switch f {
	case Lead:
		return v.Lead
	case Names:
		return v.Names
	default:
		return v.Full
	}
}

const (
	// priorDocuments is the number of average English documents that are added to every corpus, so
	// that the words of ten articles have sensible weights. In a corpus of a thousand they hardly
	// matter.
	priorDocuments = 50
	// unknownShare is the share of documents with a word that is not a common one.
	unknownShare = 1.0 / 1000
	// zipf is the share of the most frequent word in running text, and documentWords the length of
	// the prior documents: a share 1-exp(-documentWords*zipf/(r+1)) of them has the word of rank r.
	zipf          = 0.06
	documentWords = 200
)

// priorShares has by term id the share of English documents with the term.
var priorShares = func() map[uint32]float32 {
	shares := make(map[uint32]float32, len(commonRanks))
	for h, rank := range commonRanks {
		share := 1 - math.Exp(-documentWords*zipf/float64(rank+1))
		shares[fold(h)] = max(shares[fold(h)], float32(max(share, unknownShare)))
	}
	return shares
}()

// Frequencies has the document frequencies of the terms of a corpus, by field, and a prior of
// English. It is safe for concurrent use.
type Frequencies struct {
	mu        sync.RWMutex
	documents int
	counts    [fields]map[uint32]int32
}

// NewFrequencies returns the frequencies of an empty corpus.
func NewFrequencies() *Frequencies {
	f := new(Frequencies)
	for i := range f.counts {
		f.counts[i] = make(map[uint32]int32)
	}
	return f
}

// Add counts an article.
func (f *Frequencies) Add(v *Vectors) { f.change(v, 1) }

// Remove removes an article that was added with the same vectors.
func (f *Frequencies) Remove(v *Vectors) { f.change(v, -1) }

func (f *Frequencies) change(v *Vectors, by int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.documents = max(0, f.documents+int(by))
	for i, counts := range f.counts {
		for _, term := range v.of(Field(i)).Terms {
			if n := counts[term] + by; n > 0 {
				counts[term] = n
			} else {
				delete(counts, term)
			}
		}
	}
}

// Documents returns the number of articles counted.
func (f *Frequencies) Documents() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.documents
}

// IDF returns the inverse document frequency of a term: the logarithm of how many times rarer it is
// than a word of every article. It is positive for every term.
func (f *Frequencies) IDF(field Field, term uint32) float32 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.idf(field, term)
}

func (f *Frequencies) idf(field Field, term uint32) float32 {
	share, ok := priorShares[term]
	if !ok {
		share = unknownShare
	}
	in := float64(f.counts[field][term]) + priorDocuments*float64(share)
	return float32(math.Log1p((float64(f.documents) + priorDocuments) / (in + 1)))
}

// Weigh returns v with its weights multiplied by IDF, at unit length, so that dot products are
// cosines. An empty vector stays empty. The result shares the terms of v.
func (f *Frequencies) Weigh(field Field, v vector.Sparse) vector.Sparse {
	if len(v.Terms) == 0 {
		return vector.Sparse{}
	}
	weights := make([]float32, len(v.Terms))
	f.mu.RLock()
	for i, term := range v.Terms {
		weights[i] = v.Weights[i] * f.idf(field, term)
	}
	f.mu.RUnlock()
	sum := 0.0
	for _, w := range weights {
		sum += float64(w) * float64(w)
	}
	if sum == 0 {
		return vector.Sparse{}
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range weights {
		weights[i] *= scale
	}
	return vector.Sparse{Terms: v.Terms, Weights: weights}
}
