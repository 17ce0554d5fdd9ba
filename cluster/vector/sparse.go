package vector

import "math"

// Sparse is a vector with few nonzero elements. Terms are strictly ascending; Weights[i] belongs to
// Terms[i]. The zero Sparse is the zero vector.
type Sparse struct {
	Terms   []uint32
	Weights []float32
}

// Valid reports whether the terms are strictly ascending and as many as the weights, and the
// weights are finite.
func (s Sparse) Valid() bool {
	if len(s.Terms) != len(s.Weights) {
		return false
	}
	for i, w := range s.Weights {
		if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) || i > 0 && s.Terms[i-1] >= s.Terms[i] {
			return false
		}
	}
	return true
}

// Dot returns the dot product, summed in float64 in order of terms. When one vector is much longer
// than the other, the terms of the shorter one are looked up in it.
func (s Sparse) Dot(t Sparse) float32 {
	if len(s.Terms) > len(t.Terms) {
		s, t = t, s
	}
	if len(t.Terms) > 16*len(s.Terms) {
		return s.dotLong(t)
	}
	var sum float64
	i, j := 0, 0
	for i < len(s.Terms) && j < len(t.Terms) {
		a, b := s.Terms[i], t.Terms[j]
		if a == b {
			sum += float64(float64(s.Weights[i]) * float64(t.Weights[j]))
		}
		if a <= b {
			i++
		}
		if b <= a {
			j++
		}
	}
	return float32(sum)
}

// DotSpread is Dot with a vector that has an element for every term. It sums in the same order, so
// the result has the same bits.
func (s Sparse) DotSpread(all []float32) float32 {
	var sum float64
	weights := s.Weights[:len(s.Terms)]
	for i, term := range s.Terms {
		sum += float64(float64(weights[i]) * float64(all[term]))
	}
	return float32(sum)
}

// dotLong looks up each term of s in t with doubling steps and bisection, starting at the previous
// one.
func (s Sparse) dotLong(t Sparse) float32 {
	var sum float64
	from := 0
	for i, term := range s.Terms {
		step := 1
		for from+step < len(t.Terms) && t.Terms[from+step] < term {
			step *= 2
		}
		low, high := from, min(from+step+1, len(t.Terms))
		for low < high {
			middle := int(uint(low+high) / 2)
			if t.Terms[middle] < term {
				low = middle + 1
			} else {
				high = middle
			}
		}
		if low == len(t.Terms) {
			break
		}
		if t.Terms[low] == term {
			sum += float64(float64(s.Weights[i]) * float64(t.Weights[low]))
		}
		from = low
	}
	return float32(sum)
}

// Norm returns the Euclidean length.
func (s Sparse) Norm() float32 {
	var square float64
	for _, w := range s.Weights {
		square += float64(float64(w) * float64(w))
	}
	return float32(math.Sqrt(square))
}
