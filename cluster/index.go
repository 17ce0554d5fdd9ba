package cluster

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// Index finds the rows of greatest dot product with a query, exactly, by looking at all of them: in bytes first, which is a
// quarter of the memory to go through, and in float32 where bytes leave it open. It may be used by many goroutines at once.
//
// How far a product of bytes is from the true one is bounded by the lengths of what rounding took off both (Cauchy and Schwarz), so no row
// that belongs to the answer is ever passed over, and few others are looked at twice.
type Index struct {
	rows    Matrix
	bytes   []int8
	scale   float32 // of the bytes
	lost    float64 // greatest length of what rounding took off a row
	longest float64 // greatest length of a row in bytes
}

// Hit is a row that was found.
type Hit struct {
	Row   int32
	Score float32 // dot product with the query
}

// NewIndex makes an index of rows, which must not be changed while it is used. It takes a byte for every value beside them. A value that is not finite
// is an *InputError.
func NewIndex(ctx context.Context, rows Matrix, workers int) (*Index, error) {
	if err := rows.checkShape(); err != nil {
		return nil, err
	}
	if _, err := rows.inverseNorms(ctx, workersOr(workers)); err != nil {
		return nil, err
	}
	x := &Index{rows: rows, bytes: make([]int8, len(rows.Data))}
	limit := float32(0)
	step := max(1, rows.Rows/4096)
	var sample []float32
	for i := 0; i < rows.Rows; i += step {
		for _, v := range rows.Row(i) {
			sample = append(sample, max(v, -v))
		}
	}
	slices.Sort(sample)
	if len(sample) > 0 {
		// What is clipped counts as lost, and loses everybody precision, so the limit is the greatest value of the sample.
		limit = sample[len(sample)-1]
	}
	if limit == 0 {
		limit = 1
	}
	x.scale = limit / 127
	workers = workersOr(workers)
	lost, longest := make([]float64, workers), make([]float64, workers)
	err := parallel(ctx, workers, rows.Rows, 256, func(worker, from, to int) {
		for i := from; i < to; i++ {
			out := x.bytes[i*rows.Dim : (i+1)*rows.Dim]
			off, length := roundedTo(rows.Row(i), x.scale, out)
			lost[worker], longest[worker] = max(lost[worker], off), max(longest[worker], length)
		}
	})
	if err != nil {
		return nil, err
	}
	x.lost, x.longest = slices.Max(lost), slices.Max(longest)
	return x, nil
}

// roundedTo rounds v to bytes of a scale, and returns the length of what that took off, and the length of what is left.
func roundedTo(v []float32, scale float32, out []int8) (lost, left float64) {
	vector.Bytes(v, 1/scale, out)
	for d, x := range v {
		kept := float64(out[d]) * float64(scale)
		off := float64(x) - kept
		lost += float64(off * off)
		left += float64(kept * kept)
	}
	return math.Sqrt(lost), math.Sqrt(left)
}

// Rows returns the number of rows.
func (x *Index) Rows() int { return x.rows.Rows }

// Search returns, for every query, the k rows of greatest dot product, or all if there are fewer, best first; equal products are ordered by row. Queries
// are taken together, which costs a fraction of one at a time. A query of another length, or with a value that is not finite, is an
// *InputError.
func (x *Index) Search(ctx context.Context, queries Matrix, k int) ([][]Hit, error) {
	if err := queries.checkShape(); err != nil {
		return nil, err
	}
	if queries.Rows > 0 && queries.Dim != x.rows.Dim && x.rows.Rows > 0 {
		return nil, &InputError{-1, -1, fmt.Sprintf("queries of %d dimensions for rows of %d", queries.Dim, x.rows.Dim)}
	}
	if k < 0 {
		return nil, &InputError{-1, -1, fmt.Sprintf("%d rows are wanted", k)}
	}
	if _, err := queries.inverseNorms(ctx, 1); err != nil {
		return nil, err
	}
	hits := make([][]Hit, queries.Rows)
	k = min(k, x.rows.Rows)
	if k == 0 {
		return hits, ctx.Err()
	}
	s := &scan{Index: x, k: k, tile: make([]int32, queryBlock*rowBlock), passed: make([]int32, rowBlock)}
	for from := 0; from < queries.Rows; from += queryBlock {
		if err := s.block(ctx, queries, from, min(from+queryBlock, queries.Rows), hits); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

// scan is the scratch space of a search.
type scan struct {
	*Index
	k       int
	bytes   []int8 // of the queries of a block
	queries []*asked
	tile    []int32
	passed  []int32
}

// asked is what is known of one query during a scan.
type asked struct {
	margin int32    // twice the error that a product of bytes may have, in their units, rounded up
	bar    int32    // products up to this cannot belong to the answer
	found  []uint64 // candidates, see keyOf
	room   int      // how many there may be before the bar is raised
}

// checkRows is after how many rows of a scan the context is asked.
const checkRows = 1 << 16

// block scans all rows for at most queryBlock queries.
func (s *scan) block(ctx context.Context, queries Matrix, from, to int, hits [][]Hit) error {
	dim := s.rows.Dim
	s.bytes = slices.Grow(s.bytes[:0], (to-from)*dim)[:(to-from)*dim]
	for i := from; i < to; i++ {
		if i-from == len(s.queries) {
			s.queries = append(s.queries, &asked{})
		}
		s.queries[i-from].begin(s.Index, queries.Row(i), s.bytes[(i-from)*dim:(i-from+1)*dim])
	}
	for row := 0; row < s.rows.Rows; row += rowBlock {
		if row%checkRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		end := min(row+rowBlock, s.rows.Rows)
		n := end - row
		if to-from == 1 {
			vector.DotsInt8(s.bytes, s.Index.bytes[row*dim:end*dim], s.tile[:n])
		} else {
			vector.DotsManyInt8(s.bytes, s.Index.bytes[row*dim:end*dim], dim, s.tile[:(to-from)*n])
		}
		for i := range to - from {
			s.queries[i].offer(s.tile[i*n:(i+1)*n], int32(row), s.k, s.passed)
		}
	}
	for i := from; i < to; i++ {
		hits[i] = s.settle(s.queries[i-from], queries.Row(i))
	}
	return nil
}

// begin rounds a query to bytes, out, and bounds the error of its products: they are s_q s_r <q8, r8>, and with what rounding took off, e,
//
//	|<q, r> - <q', r'>| = |<q - q', r> + <q', r - r'>| <= |e_q| |r| + |q'| |e_r|,    |r| <= |r'| + |e_r|
func (q *asked) begin(x *Index, v []float32, out []int8) {
	limit := float32(0)
	for _, y := range v {
		limit = max(limit, y, -y)
	}
	if limit == 0 {
		limit = 1
	}
	scale := limit / 127
	lost, left := roundedTo(v, scale, out)
	bound := lost*(x.longest+x.lost) + left*x.lost
	// Exact scores are rounded themselves, by at most dim+1 roundings of half a unit in the last place of what is added up.
	bound += float64(len(v)+1) * 0x1p-24 * (left + lost) * (x.longest + x.lost)
	units := math.Ceil(2*bound/(float64(scale)*float64(x.scale))) + 1
	q.margin = int32(min(units, math.MaxInt32/2))
	q.bar, q.found, q.room = math.MinInt32, q.found[:0], 0
}

// offer takes the products with some rows, the first of which is base.
func (q *asked) offer(products []int32, base int32, k int, passed []int32) {
	for _, at := range passed[:vector.Above(products, q.bar, passed)] {
		q.found = append(q.found, keyOf(products[at], base+at))
	}
	if len(q.found) >= q.room {
		q.thin(k)
		q.room = max(4*k, 2*len(q.found)) // where many are near each other, thin less often
	}
}

// thin raises the bar to what the k-th best product says, and forgets what is not above it.
func (q *asked) thin(k int) {
	if len(q.found) <= k {
		return
	}
	best := scoreOf(greatest(q.found, k))
	q.bar = int32(max(int64(best)-int64(q.margin)-1, math.MinInt32))
	q.found = slices.DeleteFunc(q.found, func(key uint64) bool { return scoreOf(key) <= q.bar })
}

// settle ranks the candidates by their true products.
func (s *scan) settle(q *asked, v []float32) []Hit {
	q.thin(s.k)
	hits := make([]Hit, 0, len(q.found))
	for _, key := range q.found {
		i := idOf(key)
		hits = append(hits, Hit{i, vector.Dot(v, s.rows.Row(int(i)))})
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Row, b.Row))
	})
	return slices.Clip(hits[:min(s.k, len(hits))])
}
