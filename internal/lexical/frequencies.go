package lexical

import (
	"maps"
	"math"

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
func (v *Vectors) of(f Field) vector.Sparse { return [...]vector.Sparse{v.Full, v.Lead, v.Names}[f] }

const (
	// priorDocuments is the number of average English documents that are added to every corpus, so
	// that words have sensible weights in a corpus of ten articles. In a corpus of a thousand they
	// hardly matter.
	priorDocuments = 50
	// unknownShare is the assumed share of documents with a word that is not common in English.
	unknownShare = 1.0 / 1000
	// By Zipf's law the word of rank r has a share zipf/(r+1) of running text, so a share
	// 1-exp(-documentWords*zipf/(r+1)) of the prior documents, which are documentWords words long,
	// has it.
	zipf          = 0.06
	documentWords = 200
)

// priorShares maps each term to the share of English documents with it.
var priorShares = func() map[uint32]float32 {
	shares := make(map[uint32]float32, len(commonRanks))
	for h, rank := range commonRanks {
		share := 1 - math.Exp(-documentWords*zipf/float64(rank+1))
		shares[fold(h)] = max(shares[fold(h)], float32(max(share, unknownShare)))
	}
	return shares
}()

// Frequencies holds the document frequencies of the terms of a corpus, by field, with a prior of
// English. Any number of goroutines may read it; changes need exclusive access.
type Frequencies struct {
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

// Clone returns an independent copy.
func (f *Frequencies) Clone() *Frequencies {
	out := &Frequencies{documents: f.documents}
	for i := range f.counts {
		out.counts[i] = maps.Clone(f.counts[i])
	}
	return out
}

// Add counts an article.
func (f *Frequencies) Add(v *Vectors) { f.change(v, 1) }

// Remove removes an article that was added with the same vectors.
func (f *Frequencies) Remove(v *Vectors) { f.change(v, -1) }

func (f *Frequencies) change(v *Vectors, by int32) {
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
func (f *Frequencies) Documents() int { return f.documents }

// IDF returns the inverse document frequency of a term, log(1 + (n+p)/(d+1)) for n documents, p
// prior ones and d documents with the term, prior ones included. It is positive for every term.
func (f *Frequencies) IDF(field Field, term uint32) float32 {
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
	weights := make([]float32, len(v.Terms))
	sum := 0.0
	for i, term := range v.Terms {
		weights[i] = v.Weights[i] * f.IDF(field, term)
		sum += float64(weights[i]) * float64(weights[i])
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
