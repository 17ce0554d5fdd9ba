package cluster

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// KNNSparse is KNN for sparse vectors. It is exact at any size; ExactBelow does not matter. Rows
// that share no term are never neighbours, whatever MinSimilarity is. When more than 64 rows are
// equal, the copies are connected in a ring.
//
// It reads an inverted index, rare terms first, and stops when the remaining terms cannot lift a
// row that it has not met into the best K (Turtle and Flood 1995). The rows that it has met are
// then scored one by one. So terms that most rows share cost little.
func KNNSparse(ctx context.Context, rows []vector.Sparse, opts KNNOptions) (*Graph, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(rows) > maxRows {
		return nil, tooMany(len(rows))
	}
	x := &index{rows: rows, norms: make([]float32, len(rows)), opts: opts, k: min(opts.K, max(len(rows)-1, 0))}
	for i, s := range rows {
		if !s.Valid() {
			return nil, invalidSparse(i)
		}
		switch norm := s.Norm(); {
		case norm == 0:
		case norm < 1e-15 || norm > 1e15:
			return nil, &InputError{i, -1, fmt.Sprintf("length of a sparse vector (got %v, want 1e-15 to 1e15)", norm)}
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
			readers[worker] = &reader{index: x, scores: make([]float32, n), spread: make([]float32, len(x.most))}
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

func invalidSparse(row int) *InputError {
	return &InputError{row, -1, "sparse vector with terms that are not ascending, weights that are not finite, or lengths that differ"}
}

// index has the postings (rows and weights) of every term.
type index struct {
	rows  []vector.Sparse
	norms []float32 // one over the length of every row, 0 for a zero row
	opts  KNNOptions
	k     int

	copies [][]int32 // groups of equal rows
	copied []bool    // by row: it is equal to the first of a group and not searched
	signed bool      // some weight is negative, so that a term can lower a score

	numbered []vector.Sparse // the rows, with the numbers of terms
	offset   []int32         // by term: where its postings begin
	most     []float32       // by term: the greatest magnitude of its weight in a unit row
	row      []int32         // by posting
	weight   []float32       // by posting: in the unit row

	ids     []int32 // k neighbours of every row, best first, -1 for none
	weights []float32
}

// findCopies marks all but the first of equal rows, where more than fewCopies rows are equal.
func (x *index) findCopies() {
	x.copied = make([]bool, len(x.rows))
	byHash := map[uint64][]int32{}
	for i, s := range x.rows {
		if x.norms[i] == 0 {
			continue
		}
		h := fnvOffset
		for e, t := range s.Terms {
			h = fnv(fnv(h, uint64(t)), uint64(math.Float32bits(s.Weights[e])))
		}
		byHash[h] = append(byHash[h], int32(i))
	}
	for _, members := range byHash {
		if len(members) <= fewCopies {
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

// build numbers the terms, in their order, and makes the postings of all rows that are searched,
// ordered by row.
func (x *index) build() {
	table, counts := numberTerms(x.rows, 1)
	size := 0
	for _, n := range counts {
		size += int(n)
	}
	x.numbered = make([]vector.Sparse, len(x.rows))
	x.offset = make([]int32, len(counts)+1)
	terms := make([]uint32, 0, size)
	for i, s := range x.rows {
		from := len(terms)
		for _, t := range s.Terms {
			number, _ := table.number(t)
			terms = append(terms, number)
			if !x.copied[i] {
				x.offset[number+1]++
			}
		}
		x.numbered[i] = vector.Sparse{Terms: terms[from:], Weights: s.Weights}
	}
	for t := 1; t < len(x.offset); t++ {
		x.offset[t] += x.offset[t-1]
	}
	x.most = make([]float32, len(counts))
	x.row = make([]int32, x.offset[len(counts)])
	x.weight = make([]float32, len(x.row))
	next := slices.Clone(x.offset)
	for i, s := range x.numbered {
		if x.copied[i] {
			continue
		}
		for e, t := range s.Terms {
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
	scores  []float32 // by row: the sum of the terms read so far; zero between calls
	spread  []float32 // by term: its weight in the row; zero between calls
	met     []int32   // rows with a score
	sorted  []float32 // scratch space
	queries []query
}

// query is a term of the row whose neighbours are searched.
type query struct {
	term   uint32
	weight float32
}

// costly is the number of postings from which checking whether a term must be read is worth it.
const costly = 256

// rescoreCost is the time to score one row anew, in postings that could be read instead. Each term
// that is read leaves fewer rows to score anew.
const rescoreCost = 16

func (r *reader) find(i int32) {
	s := r.numbered[i]
	r.queries = r.queries[:0]
	var left float32 // an upper bound of what the unread terms can add
	for e, term := range s.Terms {
		r.spread[term] = s.Weights[e]
		q := query{term, s.Weights[e] * r.norms[i]}
		r.queries = append(r.queries, q)
		left += r.bound(q)
	}
	slices.SortFunc(r.queries, func(a, b query) int {
		return cmp.Or(cmp.Compare(r.length(a.term), r.length(b.term)), cmp.Compare(a.term, b.term))
	})
	r.met = r.met[:0]
	for _, q := range r.queries {
		if n := r.length(q.term); n > costly {
			if floor := r.floor(left); left < floor && n > rescoreCost*r.above(floor-left-slack) {
				break
			}
		}
		from, to := r.offset[q.term], r.offset[q.term+1]
		for p := from; p < to; p++ {
			j := r.row[p]
			if r.scores[j] == 0 {
				r.met = append(r.met, j)
			}
			r.scores[j] += q.weight * r.weight[p]
			if r.scores[j] == 0 {
				// The terms cancel out; zero would mean that the row was not met.
				r.scores[j] = math.SmallestNonzeroFloat32
			}
		}
		left -= r.bound(q)
	}
	r.choose(i, max(left, 0))
	for _, term := range s.Terms {
		r.spread[term] = 0
	}
}

// above returns how many rows have a score of at least bar.
func (r *reader) above(bar float32) (n int32) {
	for _, j := range r.met {
		if r.scores[j] >= bar {
			n++
		}
	}
	return n
}

func (r *reader) length(term uint32) int32 { return r.offset[term+1] - r.offset[term] }

func (r *reader) bound(q query) float32 { return max(q.weight, -q.weight) * r.most[q.term] }

// slack covers the rounding errors of sums in different orders.
const slack = 1e-5

// floor returns a score that K other rows are sure to reach when the unread terms add at most left
// in magnitude; 0 when there are not enough rows.
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
	// The row itself is among those met and may be ahead of the K.
	return greatest(r.sorted, r.k+1) - left - slack
}

// choose keeps the best K of the rows that were met. Their scores lack at most left.
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
			// The same bits as cosine.
			a, b := min(i, j), max(i, j)
			w := min(1, max(-1, r.numbered[j].DotSpread(r.spread)*r.norms[a]*r.norms[b]))
			if r.opts.keeps(w) {
				count = insert(ids, weights, count, j, w)
			}
		}
		r.scores[j] = 0
	}
}
