package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// KNNSparse is KNN for sparse vectors: the graph in which two rows are joined when one is among the K rows of greatest cosine of the
// other. It is exact at any size; ExactBelow, Probes and Seed do not matter. Rows that share no term are never neighbours, whatever
// MinSimilarity says. Equal rows, when there are more than a few dozen of them, are joined among themselves in a ring.
//
// It walks an inverted index, rare terms first, and stops when the terms left could not lift a row it has not met into the best K: rows are then
// finished one by one (Turtle and Flood 1995). Terms that most rows share so cost little.
func KNNSparse(ctx context.Context, rows []vector.Sparse, opts KNNOptions) (*Graph, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(rows) > math.MaxInt32/2 {
		return nil, &InputError{-1, -1, fmt.Sprintf("%d rows are more than the %d supported", len(rows), math.MaxInt32/2)}
	}
	x := &index{rows: rows, norms: make([]float32, len(rows)), opts: opts, k: min(opts.K, max(len(rows)-1, 0))}
	for i, s := range rows {
		if !s.Valid() {
			return nil, &InputError{i, -1, "is a sparse vector whose terms are not ascending, whose lengths differ or whose weights are not finite"}
		}
		switch norm := s.Norm(); {
		case norm == 0:
		case norm < 1e-15 || norm > 1e15:
			return nil, &InputError{i, -1, fmt.Sprintf("is a sparse vector of length %v, outside of 1e-15 to 1e15", norm)}
		default:
			x.norms[i] = 1 / norm
		}
	}
	x.findCopies()
	x.build()
	n := len(rows)
	x.ids = slices.Repeat([]int32{-1}, n*x.k)
	x.weights = make([]float32, n*x.k)
	progress := newMeter(opts.Progress, "sparse neighbours", n)
	readers := make([]*reader, opts.Workers)
	err = parallel(ctx, opts.Workers, n, 64, func(worker, from, to int) {
		if readers[worker] == nil {
			readers[worker] = &reader{index: x, scores: make([]float32, n)}
		}
		for i := from; i < to; i++ {
			if x.norms[i] != 0 && !x.copied[i] {
				readers[worker].find(int32(i))
			}
		}
		progress.add(to - from)
	})
	if err != nil {
		return nil, err
	}
	x.joinCopies()
	return symmetric(n, x.k, x.ids, x.weights), nil
}

// index has the rows of every term.
type index struct {
	rows  []vector.Sparse
	norms []float32
	opts  KNNOptions
	k     int

	copies [][]int32
	copied []bool // rows that a crowd's first row stands for
	signed bool   // some weight is negative, so that a term can lower a score

	number map[uint32]int32 // of a term
	offset []int32          // by number of a term, where its postings begin
	most   []float32        // by number of a term, the greatest magnitude of its weight in a row of unit length
	row    []int32
	weight []float32 // in the row scaled to unit length

	ids     []int32
	weights []float32
}

// findCopies marks all rows of a crowd of equal ones but the first.
func (x *index) findCopies() {
	x.copied = make([]bool, len(x.rows))
	byHash := map[uint64][]int32{}
	for i, s := range x.rows {
		if x.norms[i] == 0 {
			continue
		}
		h := uint64(14695981039346656037)
		for e, t := range s.Terms {
			h = (h ^ uint64(t)) * 1099511628211
			h = (h ^ uint64(math.Float32bits(s.Weights[e]))) * 1099511628211
		}
		byHash[h] = append(byHash[h], int32(i))
	}
	for _, members := range byHash {
		if len(members) <= crowd {
			continue
		}
		first := x.rows[members[0]]
		same := members[:1]
		for _, i := range members[1:] {
			if slices.Equal(first.Terms, x.rows[i].Terms) && slices.Equal(first.Weights, x.rows[i].Weights) {
				same = append(same, i)
				x.copied[i] = true
			}
		}
		x.copies = append(x.copies, same)
	}
}

func (x *index) joinCopies() {
	for _, members := range x.copies {
		joinRing(members, x.k, x.ids, x.weights, x.cosine)
	}
}

func (x *index) cosine(i, j int32) float32 {
	return min(1, max(-1, x.rows[i].Dot(x.rows[j])*x.norms[i]*x.norms[j]))
}

// build makes the postings of all rows that are searched, in order of row.
func (x *index) build() {
	x.number = map[uint32]int32{}
	var counts []int32
	for i, s := range x.rows {
		if x.copied[i] {
			continue
		}
		for _, t := range s.Terms {
			at, ok := x.number[t]
			if !ok {
				at = int32(len(counts))
				x.number[t] = at
				counts = append(counts, 0)
			}
			counts[at]++
		}
	}
	x.offset = make([]int32, len(counts)+1)
	for t, c := range counts {
		x.offset[t+1] = x.offset[t] + c
	}
	x.most = make([]float32, len(counts))
	x.row = make([]int32, x.offset[len(counts)])
	x.weight = make([]float32, len(x.row))
	next := slices.Clone(x.offset)
	for i, s := range x.rows {
		if x.copied[i] {
			continue
		}
		for e, term := range s.Terms {
			t := x.number[term]
			w := s.Weights[e] * x.norms[i]
			x.row[next[t]], x.weight[next[t]] = int32(i), w
			x.most[t] = max(x.most[t], w, -w)
			x.signed = x.signed || w < 0
			next[t]++
		}
	}
}

// reader finds the neighbours of one row after another.
type reader struct {
	*index
	scores  []float32 // by row, what the terms read so far add up to; zero between calls
	met     []int32
	sorted  []float32
	queries []query
}

// query is a term of the row whose neighbours are sought.
type query struct {
	term   int32
	weight float32
}

// costly is the number of postings from which it pays to look whether a term need be read at all.
const costly = 256

func (r *reader) find(i int32) {
	s := r.rows[i]
	r.queries = r.queries[:0]
	var left float32 // an upper bound of what the terms not yet read can add
	for e, term := range s.Terms {
		q := query{r.number[term], s.Weights[e] * r.norms[i]}
		r.queries = append(r.queries, q)
		left += r.bound(q)
	}
	slices.SortFunc(r.queries, func(a, b query) int {
		if c := int(r.length(a.term)) - int(r.length(b.term)); c != 0 {
			return c
		}
		return int(a.term) - int(b.term)
	})
	r.met = r.met[:0]
	for _, q := range r.queries {
		if r.length(q.term) > costly && left < r.floor(left) {
			break
		}
		from, to := r.offset[q.term], r.offset[q.term+1]
		for p := from; p < to; p++ {
			j := r.row[p]
			if r.scores[j] == 0 {
				r.met = append(r.met, j)
			}
			r.scores[j] += q.weight * r.weight[p]
			if r.scores[j] == 0 {
				// What cancels out exactly has been met all the same.
				r.scores[j] = math.SmallestNonzeroFloat32
			}
		}
		left -= r.bound(q)
	}
	r.choose(i, max(left, 0))
}

func (r *reader) length(term int32) int32 { return r.offset[term+1] - r.offset[term] }

func (r *reader) bound(q query) float32 { return max(q.weight, -q.weight) * r.most[q.term] }

// slack covers the rounding of sums taken in different orders.
const slack = 1e-5

// floor returns a score that K rows other than the one sought for are sure to reach, given what is left, or 0.
func (r *reader) floor(left float32) float32 {
	if len(r.met) <= r.k+1 {
		return 0
	}
	r.sorted = r.sorted[:0]
	for _, j := range r.met {
		r.sorted = append(r.sorted, r.scores[j])
	}
	if !r.signed {
		left = 0
	}
	// The row itself is among those met, and may be ahead of the K.
	return nth(r.sorted, r.k+1) - left - slack
}

// choose takes the best K of the rows met. Their scores lack at most left.
func (r *reader) choose(i int32, left float32) {
	bar := float32(math.Inf(-1))
	if len(r.met) > r.k+1 {
		bar = r.floor(left) - left - slack
	}
	ids := r.ids[int(i)*r.k : (int(i)+1)*r.k]
	weights := r.weights[int(i)*r.k : (int(i)+1)*r.k]
	count := 0
	for _, j := range r.met {
		if score := r.scores[j]; j != i && score >= bar {
			w := r.cosine(min(i, j), max(i, j))
			if r.opts.keeps(w) {
				count = insert(ids, weights, count, j, w)
			}
		}
		r.scores[j] = 0
	}
}

// nth returns the value in place count, counted from 1, of the greatest, and puts the list out of order.
func nth(list []float32, count int) float32 {
	for {
		pivot := list[len(list)/2]
		before, after := 0, len(list)
		for at := 0; at < after; {
			switch v := list[at]; {
			case v > pivot:
				list[at], list[before] = list[before], v
				before++
				at++
			case v < pivot:
				after--
				list[at], list[after] = list[after], v
			default:
				at++
			}
		}
		switch {
		case count <= before:
			list = list[:before]
		case count <= after:
			return pivot
		default:
			list, count = list[after:], count-after
		}
	}
}
