package lexical

import (
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

// Frequencies holds the document frequencies of the terms of a set of articles, by field. Any
// number of goroutines may read it; changes need exclusive access.
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

// Without returns a copy without the terms that fewer than least articles have.
func (f *Frequencies) Without(least int32) *Frequencies {
	out := NewFrequencies()
	out.documents = f.documents
	for i, counts := range f.counts {
		for term, n := range counts {
			if n >= least {
				out.counts[i][term] = n
			}
		}
	}
	return out
}
