package lexical

import (
	"maps"
	"math"

	"throughline/cluster/vector"
)

const (
	// backgroundDocuments is the number of articles that the background counts for. On corpora of
	// 40 to 1,200 articles, 1,000 to 16,000 lead to the same stories; with 300 the log-odds of a
	// pair depend on the corpus it is in.
	backgroundDocuments = 4000
	// mostOwn bounds the number of articles that the corpus itself counts for, so that log-odds
	// stay what they are while it grows.
	mostOwn = 2000
	// foreignDocuments is what the background counts for in a corpus of words that it does not
	// have, such as one in another language. It is enough for a corpus of ten articles.
	foreignDocuments = 50
	// foreignShare and knownShare are shares of the words of a corpus that the background has. From
	// the one down it counts for foreignDocuments, from the other up in full. Of English news it
	// has .87 to .97, of Spanish .08, of German .19.
	foreignShare, knownShare = 0.3, 0.7
)

// Weighting holds how much each term of an article says: its inverse document frequency in general
// news (the background) and in a corpus. It never changes.
type Weighting struct {
	own, background *Frequencies
	// ownWeight and backgroundWeight are the numbers of articles that the two count for.
	ownWeight, backgroundWeight float64
}

// Weighting returns the weighting of a corpus of these articles, against a background. It copies
// the frequencies, so its cost grows with the number of distinct terms.
//
// The corpus counts for the number of independent texts in it: a story counts once, however many
// articles it has. Else what an event is about would be usual in a corpus about that event, and
// would say nothing.
func (f *Frequencies) Weighting(background *Frequencies) *Weighting {
	w := &Weighting{own: &Frequencies{documents: f.documents}, background: background, backgroundWeight: backgroundDocuments}
	for i := range f.counts {
		w.own.counts[i] = maps.Clone(f.counts[i])
	}
	if f.documents == 0 {
		return w
	}
	known, all := 0.0, 0.0
	for term, n := range f.counts[Full] {
		if all += float64(n); background.counts[Full][term] > 0 {
			known += float64(n)
		}
	}
	if all > 0 {
		familiar := min(max((known/all-foreignShare)/(knownShare-foreignShare), 0), 1)
		w.backgroundWeight = foreignDocuments + familiar*(backgroundDocuments-foreignDocuments)
	}
	w.ownWeight = min(w.independent(), mostOwn)
	return w
}

// independent estimates the number of independent texts in the corpus: 1 over the mean cosine of
// the names of two of its articles, each one with itself included (Kish's effective sample size for
// texts that are clustered). Names, because articles about different events of one kind share other
// words. Only names that the background does not have often count.
func (w *Weighting) independent() float64 {
	sum, squares := 0.0, 0.0
	for term, n := range w.own.counts[Names] {
		idf := math.Log1p(w.backgroundWeight / (1 + w.usual(Names, term)))
		sum += float64(n) * idf * idf
		squares += float64(n) * float64(n) * idf * idf
	}
	if squares == 0 {
		return float64(w.own.documents)
	}
	return float64(w.own.documents) * sum / squares
}

// usual returns how many articles of the background have a term.
func (w *Weighting) usual(field Field, term uint32) float64 {
	return w.backgroundWeight * float64(w.background.counts[field][term]) / float64(max(w.background.documents, 1))
}

// OwnShare returns the share of the corpus itself, 0 to 1, in what is usual; the rest is that of
// the background.
func (w *Weighting) OwnShare() float64 { return w.ownWeight / (w.ownWeight + w.backgroundWeight) }

// Documents returns the number of articles of the corpus.
func (w *Weighting) Documents() int { return w.own.documents }

// IDF returns the inverse document frequency of a term, log(1 + n/(d+1)) for n articles of which d
// have the term. It is positive for every term.
func (w *Weighting) IDF(field Field, term uint32) float32 {
	in := w.usual(field, term)
	if w.own.documents > 0 {
		in += w.ownWeight * float64(w.own.counts[field][term]) / float64(w.own.documents)
	}
	return float32(math.Log1p((w.ownWeight + w.backgroundWeight) / (in + 1)))
}

// ownIDF returns the inverse document frequency of a term in the corpus alone.
func (w *Weighting) ownIDF(field Field, term uint32) float32 {
	n := float64(w.own.documents + foreignDocuments)
	return float32(math.Log1p(n / (float64(w.own.counts[field][term]) + 1)))
}

// Weigh returns v with its weights multiplied by IDF, at unit length, so that dot products are
// cosines. An empty vector stays empty. The result shares the terms of v.
func (w *Weighting) Weigh(field Field, v vector.Sparse) vector.Sparse {
	return weigh(v, func(term uint32) float32 { return w.IDF(field, term) })
}

// WeighOwn is Weigh, but what is common in the corpus counts little, even if the corpus is about
// one event. It is for comparing wordings, such as what all pages of an outlet have, not events.
func (w *Weighting) WeighOwn(field Field, v vector.Sparse) vector.Sparse {
	return weigh(v, func(term uint32) float32 { return w.ownIDF(field, term) })
}

func weigh(v vector.Sparse, weight func(term uint32) float32) vector.Sparse {
	weights := make([]float32, len(v.Terms))
	sum := 0.0
	for i, term := range v.Terms {
		weights[i] = v.Weights[i] * weight(term)
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
