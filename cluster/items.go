package cluster

import (
	"fmt"
	"math"
	"slices"

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
// Dense or Sparse may be left out. Vectors need not have unit length. Link does not change its
// items.
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
	sparse   []vector.Sparse
	offset   float32
	size     []int32
}

// sumsOf returns the sums of single items. It keeps dense and will change it.
func sumsOf(it Items, dense Matrix) *sums {
	s := &sums{dense: dense, positive: dense.Dim - it.Negative, sparse: slices.Clone(it.Sparse), offset: it.Offset}
	s.size = slices.Repeat([]int32{1}, it.Len())
	return s
}

// similarity returns the mean similarity between the members of two clusters, with the same bits in
// both directions.
func (s *sums) similarity(a, b int32) float32 {
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
		dot += float64(s.sparse[a].Dot(s.sparse[b]))
	}
	return float32(dot/(float64(s.size[a])*float64(s.size[b])) + float64(s.offset))
}

// join adds cluster b to cluster a.
func (s *sums) join(a, b int32) {
	if s.dense.Rows > 0 {
		x, y := s.dense.Row(int(a)), s.dense.Row(int(b))
		for d, v := range y[:len(x)] {
			x[d] += v
		}
	}
	if s.sparse != nil {
		s.sparse[a] = addSparse(s.sparse[a], s.sparse[b])
		s.sparse[b] = vector.Sparse{}
	}
	s.size[a] += s.size[b]
}

func addSparse(a, b vector.Sparse) vector.Sparse {
	if len(a.Terms) == 0 {
		return b
	}
	if len(b.Terms) == 0 {
		return a
	}
	room := len(a.Terms) + len(b.Terms)
	sum := vector.Sparse{Terms: make([]uint32, 0, room), Weights: make([]float32, 0, room)}
	i, j := 0, 0
	for i < len(a.Terms) || j < len(b.Terms) {
		switch {
		case j == len(b.Terms) || i < len(a.Terms) && a.Terms[i] < b.Terms[j]:
			sum.Terms, sum.Weights = append(sum.Terms, a.Terms[i]), append(sum.Weights, a.Weights[i])
			i++
		case i == len(a.Terms) || b.Terms[j] < a.Terms[i]:
			sum.Terms, sum.Weights = append(sum.Terms, b.Terms[j]), append(sum.Weights, b.Weights[j])
			j++
		default:
			sum.Terms, sum.Weights = append(sum.Terms, a.Terms[i]), append(sum.Weights, a.Weights[i]+b.Weights[j])
			i, j = i+1, j+1
		}
	}
	return sum
}
