package qdrantlite

import (
	"math"

	"throughline/cluster/vector"
)

// sparseRows holds one sparse vector field as postings: for each term the rows that have it, with
// their weights. The postings of a dropped row stay in a list until a quarter of the list belongs
// to dropped rows; then all of these go. A row's number may be used again when no list names it.
type sparseRows struct {
	params  sparseParams
	lists   map[uint32]*postings
	present bitset
	count   int
}

type postings struct {
	entries []posting // in no particular order
	dead    int       // entries of dropped rows
}

type posting struct {
	row    uint32
	weight float32
}

func (s *sparseRows) put(row uint32, v *vector.Sparse) {
	for i, term := range v.Terms {
		list := s.list(term)
		list.entries = append(list.entries, posting{row, v.Weights[i]})
	}
	s.present.set(row)
	s.count++
}

func (s *sparseRows) list(term uint32) *postings {
	list := s.lists[term]
	if list == nil {
		list = &postings{}
		s.lists[term] = list
	}
	return list
}

// drop removes a row that had the vector v. It calls released with the row of every posting that it
// removes: of dropped rows only, and in the end once per term of each.
func (s *sparseRows) drop(row uint32, v *vector.Sparse, released func(row uint32)) {
	s.present.unset(row)
	s.count--
	for _, term := range v.Terms {
		list := s.lists[term]
		list.dead++
		if list.dead*4 < len(list.entries) {
			continue
		}
		kept := list.entries[:0]
		for _, p := range list.entries {
			if s.present.has(p.row) {
				kept = append(kept, p)
			} else {
				released(p.row)
			}
		}
		list.entries, list.dead = kept, 0
		if len(kept) == 0 {
			delete(s.lists, term)
		}
	}
}

// idf is the factor that Qdrant's IDF modifier gives a term of a query,
//
//	ln((N - n + 0.5) / (n + 0.5) + 1)
//
// where N counts the points with this sparse vector and n those whose vector has the term, as in
// https://en.wikipedia.org/wiki/Okapi_BM25. Like Qdrant it computes in float32.
func (s *sparseRows) idf(term uint32) float32 {
	df := 0
	if list := s.lists[term]; list != nil {
		df = len(list.entries) - list.dead
	}
	n, f := float32(s.count), float32(df)
	return float32(math.Log(float64((n-f+0.5)/(f+0.5) + 1)))
}

// sparseLoader puts many rows into a field when a store is opened. It sorts postings by term first:
// to append row by row, each time to many lists, would mostly wait for memory.
type sparseLoader struct {
	to     *sparseRows
	buffer []termPosting
	spare  []termPosting
}

type termPosting struct {
	term uint32
	posting
}

// loaderBuffer is how many postings are sorted at once: 24 MiB with the spare.
const loaderBuffer = 1 << 20

func (l *sparseLoader) put(row uint32, v *vector.Sparse) {
	for i, term := range v.Terms {
		l.buffer = append(l.buffer, termPosting{term, posting{row, v.Weights[i]}})
	}
	l.to.present.set(row)
	l.to.count++
	if len(l.buffer) >= loaderBuffer {
		l.flush()
	}
}

func (l *sparseLoader) flush() {
	l.sort()
	for from := 0; from < len(l.buffer); {
		term := l.buffer[from].term
		list := l.to.list(term)
		for ; from < len(l.buffer) && l.buffer[from].term == term; from++ {
			list.entries = append(list.entries, l.buffer[from].posting)
		}
	}
	l.buffer = l.buffer[:0]
}

// sort orders the buffer by term: a radix sort, eleven bits at a time from the lowest.
func (l *sparseLoader) sort() {
	if cap(l.spare) < len(l.buffer) {
		l.spare = make([]termPosting, len(l.buffer))
	}
	const bits = 11
	for shift := 0; shift < 32; shift += bits {
		var start [1 << bits]int
		for _, p := range l.buffer {
			start[p.term>>shift&(1<<bits-1)]++
		}
		sum := 0
		for i, n := range start {
			start[i], sum = sum, sum+n
		}
		sorted := l.spare[:len(l.buffer)]
		for _, p := range l.buffer {
			bucket := p.term >> shift & (1<<bits - 1)
			sorted[start[bucket]] = p
			start[bucket]++
		}
		l.buffer, l.spare = sorted, l.buffer
	}
}
