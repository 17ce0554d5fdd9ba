package cluster

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"throughline/cluster/vector"
)

// Items are the input of linkage. The similarity of items i and j is
//
//	Offset + <dense i, dense j> + <sparse i, sparse j>
//
// where the products of the last Negative dense columns count with a minus sign. So any similarity
// that is bilinear in known vectors fits, e.g. the log-odds of several signals. Because it is
// bilinear, the mean similarity between the members of two clusters is the similarity of their mean
// vectors.
//
// Dense or Sparse may be left out. Vectors need not have unit length.
type Items struct {
	Dense    Matrix
	Negative int
	Sparse   []vector.Sparse
	Offset   float32
}

// Len returns the number of items.
func (it *Items) Len() int { return max(it.Dense.Rows, len(it.Sparse)) }

// largest is the greatest magnitude of a value. Its square, summed over a million dimensions, is
// far inside the range of float32.
const largest = 1e15

func (it *Items) check() error {
	if err := it.Dense.checkShape(); err != nil {
		return err
	}
	if it.Negative < 0 || it.Negative > it.Dense.Dim {
		return inputError("number of negative columns (got %d, want 0 to %d)", it.Negative, it.Dense.Dim)
	}
	if it.Dense.Rows > 0 && it.Sparse != nil && len(it.Sparse) != it.Dense.Rows {
		return inputError("number of sparse vectors (got %d, want %d)", len(it.Sparse), it.Dense.Rows)
	}
	if !(math.Abs(float64(it.Offset)) <= largest) {
		return inputError("offset out of range (got %v)", it.Offset)
	}
	for k, x := range it.Dense.Data {
		if !(x <= largest && x >= -largest) {
			return &InputError{k / it.Dense.Dim, k % it.Dense.Dim, fmt.Sprintf("value out of range (got %v)", x)}
		}
	}
	for i, s := range it.Sparse {
		if !s.Valid() {
			return invalidSparse(i)
		}
		for _, w := range s.Weights {
			if !(w <= largest && w >= -largest) {
				return &InputError{i, -1, fmt.Sprintf("weight of a sparse vector out of range (got %v)", w)}
			}
		}
	}
	return nil
}

// sums has the sum of the vectors of every cluster, by slot.
type sums struct {
	dense    Matrix
	positive int // number of columns that count with a plus sign
	// sparse has numbered terms, without those that one cluster alone has: no product with another
	// cluster contains these. So the sums of large clusters stay small.
	sparse []vector.Sparse
	having []atomic.Int32 // by term: the number of clusters that have it
	offset float32
	size   []int32
}

// sumsOf returns the sums of single items, which it overwrites.
func sumsOf(it Items) *sums {
	s := &sums{dense: it.Dense, positive: it.Dense.Dim - it.Negative, offset: it.Offset, size: slices.Repeat([]int32{1}, it.Len()), sparse: it.Sparse}
	s.number()
	return s
}

// number numbers the terms of the sparse vectors, in their order, and leaves out those of one
// vector.
func (s *sums) number() {
	table, counts := numberTerms(s.sparse, 2)
	s.having = make([]atomic.Int32, len(counts))
	for t, n := range counts {
		s.having[t].Store(n)
	}
	for i, row := range s.sparse {
		kept := vector.Sparse{Terms: row.Terms[:0], Weights: row.Weights[:0]}
		for k, t := range row.Terms {
			if number, ok := table.number(t); ok {
				kept.Terms, kept.Weights = append(kept.Terms, number), append(kept.Weights, row.Weights[k])
			}
		}
		s.sparse[i] = kept
	}
}

// cloned returns a deep copy.
func cloned(rows []vector.Sparse) []vector.Sparse {
	out := slices.Clone(rows)
	for i, row := range out {
		out[i] = vector.Sparse{Terms: slices.Clone(row.Terms), Weights: slices.Clone(row.Weights)}
	}
	return out
}

// spread has the sparse sum of a cluster with an element for every term, zero but between spread
// and clear. Products with it are faster.
type spread []float32

func (s *sums) spread(at *spread, a int32) {
	if s.sparse == nil {
		return
	}
	if *at == nil {
		*at = make(spread, len(s.having))
	}
	for k, t := range s.sparse[a].Terms {
		(*at)[t] = s.sparse[a].Weights[k]
	}
}

func (s *sums) clear(at spread, a int32) {
	if s.sparse != nil {
		for _, t := range s.sparse[a].Terms {
			at[t] = 0
		}
	}
}

// similarity returns the mean similarity between the members of two clusters, with the same bits in
// both directions. The first one is spread.
func (s *sums) similarity(a, b int32, at spread) float32 {
	var dot float64
	if s.dense.Rows > 0 {
		x, y := s.dense.Row(int(a)), s.dense.Row(int(b))
		if s.positive == len(x) {
			dot = float64(vector.Dot(x, y))
		} else {
			dot = float64(vector.Dot(x[:s.positive], y[:s.positive])) - float64(vector.Dot(x[s.positive:], y[s.positive:]))
		}
	}
	if s.sparse != nil {
		if x, y := s.sparse[a], s.sparse[b]; len(y.Terms) > 16*len(x.Terms) {
			dot += float64(x.Dot(y))
		} else {
			dot += float64(y.DotSpread(at))
		}
	}
	return float32(dot/(float64(s.size[a])*float64(s.size[b])) + float64(s.offset))
}

// join adds cluster b to cluster a. room is scratch space.
func (s *sums) join(a, b int32, room *vector.Sparse) {
	if s.dense.Rows > 0 {
		x, y := s.dense.Row(int(a)), s.dense.Row(int(b))
		for d, v := range y[:len(x)] {
			x[d] += v
		}
	}
	if s.sparse != nil {
		s.add(room, s.sparse[a], s.sparse[b])
		x := s.sparse[a]
		if n := len(room.Terms); n > cap(x.Terms) || n > cap(x.Weights) { // with room for the next ones
			x = vector.Sparse{Terms: make([]uint32, 0, n+n/4), Weights: make([]float32, 0, n+n/4)}
		}
		s.sparse[a] = vector.Sparse{Terms: append(x.Terms[:0], room.Terms...), Weights: append(x.Weights[:0], room.Weights...)}
		s.sparse[b] = vector.Sparse{}
	}
	s.size[a] += s.size[b]
}

// add sets sum to the sum of the sparse vectors of two clusters that are joined.
func (s *sums) add(sum *vector.Sparse, a, b vector.Sparse) {
	room := len(a.Terms) + len(b.Terms)
	terms, weights := slices.Grow(sum.Terms[:0], room)[:room], slices.Grow(sum.Weights[:0], room)[:room]
	i, j, n := 0, 0, 0
	for i < len(a.Terms) && j < len(b.Terms) {
		switch t, u := a.Terms[i], b.Terms[j]; {
		case t < u:
			terms[n], weights[n] = t, a.Weights[i]
			i, n = i+1, n+1
		case u < t:
			terms[n], weights[n] = u, b.Weights[j]
			j, n = j+1, n+1
		default:
			if s.having[t].Add(-1) > 1 {
				terms[n], weights[n] = t, a.Weights[i]+b.Weights[j]
				n++
			}
			i, j = i+1, j+1
		}
	}
	copy(weights[n:], a.Weights[i:])
	n += copy(terms[n:], a.Terms[i:])
	copy(weights[n:], b.Weights[j:])
	n += copy(terms[n:], b.Terms[j:])
	sum.Terms, sum.Weights = terms[:n], weights[:n]
}
