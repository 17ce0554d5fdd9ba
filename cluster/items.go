package cluster

import (
	"fmt"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// Items is what linkage joins. The similarity of items i and j is
//
//	Offset + <dense i, dense j> + <sparse i, sparse j>
//
// where the products of the last Negative dense columns count with a minus sign, so that any similarity that is bilinear in known
// vectors fits, a log-odds of several signals among them. Because it is bilinear, the mean similarity between the members of two
// clusters is the similarity of their mean vectors.
//
// Dense or Sparse may be left out. Vectors need not have unit length. Items are read, not changed.
type Items struct {
	Dense    Matrix
	Negative int
	Sparse   []vector.Sparse
	Offset   float32
}

// Len returns the number of items.
func (it *Items) Len() int { return max(it.Dense.Rows, len(it.Sparse)) }

// largest is the greatest magnitude of a value: the square of 1e15 times a million dimensions is far inside of float32.
const largest = 1e15

func (it *Items) check() error {
	if err := it.Dense.checkShape(); err != nil {
		return err
	}
	if it.Negative < 0 || it.Negative > it.Dense.Dim {
		return &InputError{-1, -1, fmt.Sprintf("%d negative columns of %d", it.Negative, it.Dense.Dim)}
	}
	if it.Dense.Rows > 0 && it.Sparse != nil && len(it.Sparse) != it.Dense.Rows {
		return &InputError{-1, -1, fmt.Sprintf("%d sparse vectors for %d dense ones", len(it.Sparse), it.Dense.Rows)}
	}
	if !(math.Abs(float64(it.Offset)) <= largest) {
		return &InputError{-1, -1, fmt.Sprintf("an offset of %v", it.Offset)}
	}
	for k, x := range it.Dense.Data {
		if !(x <= largest && x >= -largest) {
			return &InputError{k / it.Dense.Dim, k % it.Dense.Dim, fmt.Sprintf("the value %v is not finite, or too large", x)}
		}
	}
	for i, s := range it.Sparse {
		if !s.Valid() {
			return &InputError{i, -1, "has a sparse vector whose terms are not ascending, whose lengths differ or whose weights are not finite"}
		}
		for _, w := range s.Weights {
			if !(w <= largest && w >= -largest) {
				return &InputError{i, -1, fmt.Sprintf("has a sparse vector with the weight %v", w)}
			}
		}
	}
	return nil
}

// sums holds the added vectors of clusters. A cluster is known by the slot of its lowest member.
type sums struct {
	dense    Matrix
	positive int // columns that count with a plus sign
	sparse   []vector.Sparse
	offset   float32
	size     []int32
}

// sumsOf takes over dense, which it will change.
func sumsOf(it Items, dense Matrix) *sums {
	s := &sums{dense: dense, positive: dense.Dim - it.Negative, sparse: slices.Clone(it.Sparse), offset: it.Offset}
	s.size = slices.Repeat([]int32{1}, it.Len())
	return s
}

// similarity returns the mean similarity between the members of two clusters, the same bits in both directions.
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
