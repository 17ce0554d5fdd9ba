package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// KNNOptions adjusts KNN and KNNSparse. The zero value is recommended.
type KNNOptions struct {
	// K is the number of neighbours to find for every row; 0 means 15. The graph is symmetric, so a
	// row can have more.
	K int
	// MinSimilarity is the least similarity of neighbours; 0 means any positive similarity.
	MinSimilarity float32
	// ExactBelow is the number of rows up to which KNN compares all pairs; 0 means 16,384, where an
	// exact graph of 256 dimensions takes half a CPU-second. With more rows KNN searches the cells
	// of a coarse quantizer.
	ExactBelow int
	// Workers is the number of goroutines; 0 means GOMAXPROCS. It does not change the result.
	Workers int
	// Progress, when not nil, is called with the progress, never concurrently.
	Progress func(Progress)
}

func (o KNNOptions) withDefaults() (KNNOptions, error) {
	if o.K < 0 || o.ExactBelow < 0 || o.MinSimilarity != o.MinSimilarity {
		return o, inputError("K or ExactBelow is negative, or MinSimilarity is NaN")
	}
	o.K = cmp.Or(o.K, 15)
	o.ExactBelow = cmp.Or(o.ExactBelow, 16384)
	o.Workers = workersOr(o.Workers)
	return o, nil
}

// KNN returns the graph in which two rows are neighbours when one is among the K rows of greatest
// cosine of the other; weights are cosines. Rows need not have unit length; a zero row has no
// neighbours. Equal cosines are ordered by row.
//
// More than twice as many candidates as needed are chosen by products of bytes and ranked by
// products of float32. When more than 64 rows are equal in bytes, one of them is searched for and
// the copies are connected in a ring, so that thousands of copies cost no more than thousands of
// different rows.
//
// A row with a value that is not finite is an *InputError. When ctx ends, KNN returns its error.
func KNN(ctx context.Context, m Matrix, opts KNNOptions) (*Graph, error) {
	s, err := newSearch(ctx, m, opts)
	if err != nil {
		return nil, err
	}
	return s.graph(ctx)
}

// newSearch prepares a search: it checks the rows and rounds them to bytes.
func newSearch(ctx context.Context, m Matrix, opts KNNOptions) (*search, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := m.checkShape(); err != nil {
		return nil, err
	}
	norms, err := m.inverseNorms(ctx, opts.Workers)
	if err != nil {
		return nil, err
	}
	s := &search{Matrix: m, opts: opts, norms: norms, k: min(opts.K, max(m.Rows-1, 0))}
	s.prepare()
	return s, nil
}

// graph finds the neighbours. It may change the order of bytes and rows.
func (s *search) graph(ctx context.Context) (*Graph, error) {
	s.ids = slices.Repeat([]int32{-1}, s.Rows*s.k)
	s.weights = make([]float32, s.Rows*s.k)
	search := s.inCells
	if len(s.rows) <= s.opts.ExactBelow {
		search = s.exact
	}
	if err := search(ctx); err != nil {
		return nil, err
	}
	s.joinCopies()
	g := symmetric(s.Rows, s.k, s.ids, s.weights)
	s.ids, s.weights = nil, nil
	return g, nil
}

// search is the state of one call of KNN.
type search struct {
	Matrix
	opts  KNNOptions
	k     int
	norms []float32 // one over the length of every row
	limit float32   // the value in a unit row that becomes the byte 127

	rows   []int32   // the rows that are searched: not zero, and the first of each group of copies
	bytes  []int8    // these rows, scaled and rounded
	copies [][]int32 // groups of equal rows

	ids     []int32 // k neighbours of every row of the matrix, best first, -1 for none
	weights []float32
}

// candidates is the number of rows that byte scores choose for ranking by float32.
func (s *search) candidates() int { return 2*s.k + 4 }

// prepare rounds the rows to bytes, all with the same scale, and finds zero rows and copies.
//
// The scale maps the 99.99th percentile of absolute values to 127 and clips larger ones, because a
// few outliers would reduce the precision of all other values.
func (s *search) prepare() {
	step := max(1, s.Rows/4096)
	var sample []float32
	for i := 0; i < s.Rows; i += step {
		for _, x := range s.Row(i) {
			sample = append(sample, max(x, -x)*s.norms[i])
		}
	}
	if len(sample) > 0 {
		s.limit = greatest(sample, len(sample)-(len(sample)-1)*9999/10000)
		if s.limit == 0 {
			s.limit = max(slices.Max(sample), 1e-3)
		}
	}
	s.rows = make([]int32, 0, s.Rows)
	for i, norm := range s.norms {
		if norm != 0 {
			s.rows = append(s.rows, int32(i))
		}
	}
	s.bytes = make([]int8, len(s.rows)*s.Dim)
	hashes := make([]uint64, len(s.rows))
	// One pass over data in memory: it need not be cancelled and cannot fail.
	_ = parallel(context.Background(), s.opts.Workers, len(s.rows), 256, func(_, from, to int) {
		for r := from; r < to; r++ {
			out := s.bytes[r*s.Dim : (r+1)*s.Dim]
			i := s.rows[r]
			toBytes(s.Row(int(i)), s.norms[i], s.limit, out)
			hashes[r] = hashBytes(out)
		}
	})
	s.findCopies(hashes)
}

// toBytes writes v*norm in bytes so that limit becomes 127; larger values are clipped.
func toBytes(v []float32, norm, limit float32, out []int8) { vector.Bytes(v, norm*(127/limit), out) }

// fnv adds a value to a hash that begins with fnvOffset (FNV-1a, with values of any width).
func fnv(h, x uint64) uint64 { return (h ^ x) * 1099511628211 }

const fnvOffset uint64 = 14695981039346656037

func hashBytes(v []int8) uint64 {
	h := fnvOffset
	for _, b := range v {
		h = fnv(h, uint64(uint8(b)))
	}
	return h
}

// fewCopies is the number of equal rows up to which they are searched one by one.
const fewCopies = 64

// findCopies removes rows from the search that are equal in bytes to an earlier one, where more
// than fewCopies rows are equal.
func (s *search) findCopies(hashes []uint64) {
	counts := make(map[uint64]int32, len(hashes))
	for _, h := range hashes {
		counts[h]++
	}
	groups := map[uint64]int{} // to an index of s.copies
	kept := 0
	for r, i := range s.rows {
		row := s.bytes[r*s.Dim : (r+1)*s.Dim]
		if h := hashes[r]; counts[h] > fewCopies {
			g, seen := groups[h]
			if !seen {
				groups[h] = len(s.copies)
				s.copies = append(s.copies, []int32{i, int32(kept)})
			} else if first := int(s.copies[g][1]); slices.Equal(row, s.bytes[first*s.Dim:(first+1)*s.Dim]) {
				s.copies[g] = append(s.copies[g], i)
				continue
			}
		}
		copy(s.bytes[kept*s.Dim:], row)
		s.rows[kept] = i
		kept++
	}
	for g, members := range s.copies {
		s.copies[g] = append(members[:1], members[2:]...)
	}
	s.rows = s.rows[:kept]
	s.bytes = s.bytes[:kept*s.Dim]
}

// joinCopies sets the neighbours of copies.
func (s *search) joinCopies() {
	for _, members := range s.copies {
		joinRing(members, s.k, s.ids, s.weights, s.cosine)
	}
}

// joinRing connects copies in a ring: the neighbours of each copy are the k copies that follow it.
// The first copy keeps the neighbours that the search found, except that the second copy replaces
// the last of them.
func joinRing(members []int32, k int, ids []int32, weights []float32, cosine func(i, j int32) float32) {
	if k == 0 || len(members) < 2 {
		return
	}
	for at, i := range members {
		for e := range min(k, len(members)-1) {
			slot := int(i)*k + e
			if at == 0 {
				slot = int(i)*k + k - 1
			}
			j := members[(at+1+e)%len(members)]
			ids[slot], weights[slot] = j, cosine(i, j)
			if at == 0 {
				break
			}
		}
	}
}

func (s *search) cosine(i, j int32) float32 {
	return min(1, max(-1, vector.Dot(s.Row(int(i)), s.Row(int(j)))*(s.norms[i]*s.norms[j])))
}

const (
	queryBlock = 32  // queries of 256 bytes: a quarter of a first-level cache of 32 KB
	rowBlock   = 256 // rows of 256 bytes: a quarter of a small second-level cache
)

// exact compares all pairs of rows.
func (s *search) exact(ctx context.Context) error {
	n := len(s.rows)
	progress := newMeter(s.opts.Progress, "neighbours", n)
	scratch := make([]*ranking, s.opts.Workers)
	return parallel(ctx, s.opts.Workers, n, queryBlock, func(worker, from, to int) {
		if scratch[worker] == nil {
			scratch[worker] = newRanking(queryBlock, s.candidates()+1)
		}
		lists := scratch[worker]
		lists.reset(to - from)
		queries := s.bytes[from*s.Dim : to*s.Dim]
		for row := 0; row < n; row += rowBlock {
			end := min(row+rowBlock, n)
			lists.scan(queries, s.bytes[row*s.Dim:end*s.Dim], s.Dim, int32(row), nil)
		}
		for q := range to - from {
			s.rescore(int32(from+q), lists.best(q))
		}
		progress.add(to - from)
	})
}

// rescore ranks candidates (indices into rows) by cosine and keeps the best k as the neighbours of
// the row at index r.
func (s *search) rescore(r int32, candidates []uint64) {
	i := s.rows[r]
	ids := s.ids[int(i)*s.k : (int(i)+1)*s.k]
	weights := s.weights[int(i)*s.k : (int(i)+1)*s.k]
	count := 0
	for _, key := range candidates {
		c := idOf(key)
		if c == r {
			continue
		}
		j := s.rows[c]
		w := s.cosine(i, j)
		if s.opts.keeps(w) {
			count = insert(ids, weights, count, j, w)
		}
	}
}

// keeps reports whether a similarity is large enough for a neighbour.
func (o *KNNOptions) keeps(w float32) bool {
	return w >= o.MinSimilarity && (o.MinSimilarity != 0 || w > 0)
}

// insert puts j with weight w in its place among the count best so far and returns the new count.
func insert(ids []int32, weights []float32, count int, j int32, w float32) int {
	at := count
	for at > 0 && (weights[at-1] < w || weights[at-1] == w && ids[at-1] > j) {
		at--
	}
	if at == len(ids) {
		return count
	}
	if count < len(ids) {
		count++
	}
	copy(ids[at+1:count], ids[at:count])
	copy(weights[at+1:count], weights[at:count])
	ids[at], weights[at] = j, w
	return count
}

// ranking collects the best candidates of a block of queries by byte score. Equal scores are
// ordered by id, lower first, so the order of arrival does not matter.
//
// Each query has room for three times as many candidates as are kept. When it is full the worst are
// dropped, which costs less than keeping candidates sorted.
type ranking struct {
	size   int // candidates that are kept for a query
	room   int
	counts []int    // by query
	bars   []int32  // by query: the score that a candidate must exceed
	keys   []uint64 // room for each query: score and id, the better candidate has the greater key
	tile   []int32
	passed []int32
}

func newRanking(queries, size int) *ranking {
	room := 3 * size
	return &ranking{
		size:   size,
		room:   room,
		counts: make([]int, queries),
		bars:   make([]int32, queries),
		keys:   make([]uint64, queries*room),
		tile:   make([]int32, queryBlock*rowBlock),
		passed: make([]int32, rowBlock),
	}
}

func keyOf(score, id int32) uint64 { return uint64(uint32(score)^1<<31)<<32 | uint64(^uint32(id)) }

func scoreOf(key uint64) int32 { return int32(uint32(key>>32) ^ 1<<31) }

func idOf(key uint64) int32 { return int32(^uint32(key)) }

// reset empties the lists of the first n queries and grows to n lists if needed.
func (r *ranking) reset(n int) {
	if n > len(r.counts) {
		*r = *newRanking(n, r.size)
	}
	for q := range n {
		r.counts[q], r.bars[q] = 0, math.MinInt32
	}
}

// best returns the keys of the best candidates of query q, unordered.
func (r *ranking) best(q int) []uint64 {
	if r.counts[q] > r.size {
		r.thin(q)
	}
	return r.keys[q*r.room : q*r.room+r.counts[q]]
}

// thin drops all but the best candidates of query q, which has more than size.
func (r *ranking) thin(q int) {
	keys := r.keys[q*r.room : q*r.room+r.counts[q]]
	last := greatest(keys, r.size)
	r.counts[q] = r.size
	r.bars[q] = max(scoreOf(last), math.MinInt32+1) - 1
}

// scan scores at most rowBlock rows for at most queryBlock queries and keeps the good ones. Query q
// has the list lists[q], or q when lists is nil. The first row has the id base.
func (r *ranking) scan(queries, rows []int8, dim int, base int32, lists []int32) {
	nq, nr := len(queries)/dim, len(rows)/dim
	vector.DotsManyInt8(queries, rows, dim, r.tile[:nq*nr])
	for q := range nq {
		list := q
		if lists != nil {
			list = int(lists[q])
		}
		scores := r.tile[q*nr : (q+1)*nr]
		for _, at := range r.passed[:vector.Above(scores, r.bars[list], r.passed)] {
			if scores[at] <= r.bars[list] {
				continue // thin has raised the bar
			}
			r.keys[list*r.room+r.counts[list]] = keyOf(scores[at], base+at)
			if r.counts[list]++; r.counts[list] == r.room {
				r.thin(list)
			}
		}
	}
}

// greatest moves the count greatest keys to the front, unordered, and returns the least of them. It
// is quickselect with the middle key as the pivot. There must be at least count keys.
func greatest[T cmp.Ordered](keys []T, count int) T {
	low, high := 0, len(keys)
	for {
		pivot := keys[low+(high-low)/2]
		i, j := low, high-1
		for i <= j {
			for keys[i] > pivot {
				i++
			}
			for keys[j] < pivot {
				j--
			}
			if i <= j {
				keys[i], keys[j] = keys[j], keys[i]
				i++
				j--
			}
		}
		// keys[low:j+1] >= pivot >= keys[i:high], and a key between the two parts is the pivot.
		switch {
		case count <= j+1:
			high = j + 1
		case count > i:
			low = i
		default:
			return pivot
		}
		if high-low == 1 {
			return keys[low]
		}
	}
}
