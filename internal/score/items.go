package score

import (
	"fmt"
	"math"
	"slices"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// The four kinds of terms in the sparse vector of an item. The upper two bits of a term are its
// kind, the rest is the upper 30 bits of the hash of the word, which keeps the order. Of 93,000
// distinct words four pairs share their 30 bits; one pair shares the full hash.
const (
	fullTerms = uint32(iota) << 30
	leadTerms
	nameTerms
	dayTerms
)

// Items returns weighted articles in the bilinear form that linkage uses: for any two rows
// Items.Offset plus their signed dot products is Logit of their signals, up to rounding.
//
// Dense columns are the scaled centred vector, then the signed columns of the terms for lengths and
// unknown dates. Sparse terms are those of the three lexical fields, scaled, and the days of each
// kernel. The error says that two articles have vectors of different lengths.
func (m *Model) Items(ws []*Weighted) (cluster.Items, error) {
	dim := 0
	for i, w := range ws {
		switch {
		case len(w.Centred) == 0:
		case dim == 0:
			dim = len(w.Centred)
		case dim != len(w.Centred):
			return cluster.Items{}, fmt.Errorf("article %d: vector of another length (got %d dimensions, want %d)", i, len(w.Centred), dim)
		}
	}
	plus, minus := m.pairRows()
	columns := dim + len(plus) + len(minus)
	it := cluster.Items{
		Dense:    cluster.Matrix{Rows: len(ws), Dim: columns, Data: make([]float32, len(ws)*columns)},
		Negative: len(minus),
		Sparse:   make([]vector.Sparse, len(ws)),
		Offset:   float32(m.Intercept),
	}
	for i, w := range ws {
		row := it.Dense.Row(i)
		scale := float32(math.Sqrt(m.Dense.Weight*w.cosineScale) * m.Dense.factor(w.length))
		for k, x := range w.Centred {
			row[k] = scale * x
		}
		x := w.pairVector()
		for k, p := range slices.Concat(plus, minus) {
			sum := 0.0
			for d := range x {
				sum += p[d] * x[d]
			}
			row[dim+k] = float32(sum)
		}
		it.Sparse[i] = m.sparse(w)
	}
	return it, nil
}

// pairVector returns the properties of an article that the terms without a cosine depend on: 1, its
// length, and 1 if its date is known, else 0.
func (w *Weighted) pairVector() [3]float64 {
	x := [3]float64{1, w.length, 0}
	if w.dated {
		x[2] = 1
	}
	return x
}

// pairRows factors a quadratic form over two pairVectors, the length terms plus Undated unless both
// dates are known, into signed dot products: x'My = sum over plus of (p.x)(p.y) - sum over minus of
// (q.x)(q.y). One Jacobi rotation finds the eigenvectors, because Sum alone is off the diagonal.
func (m *Model) pairRows() (plus, minus [][3]float64) {
	u, sum, product := m.Undated, m.Length.Sum, m.Length.Product
	largest := max(math.Abs(u), math.Abs(sum), math.Abs(product))
	c, s := 1.0, 0.0
	if math.Abs(sum) > 1e-14*largest {
		theta := (product - u) / (2 * sum)
		t := 1 / (math.Abs(theta) + math.Hypot(theta, 1))
		if theta < 0 {
			t = -t
		}
		c = 1 / math.Hypot(t, 1)
		s = t * c
	}
	for _, e := range []struct {
		value  float64
		vector [3]float64
	}{
		{c*(c*u-s*sum) - s*(c*sum-s*product), [3]float64{c, -s, 0}},
		{s*(s*u+c*sum) + c*(s*sum+c*product), [3]float64{s, c, 0}},
		{-u, [3]float64{0, 0, 1}},
	} {
		if math.Abs(e.value) <= 1e-12*largest {
			continue
		}
		for d := range e.vector {
			e.vector[d] *= math.Sqrt(math.Abs(e.value))
		}
		if e.value > 0 {
			plus = append(plus, e.vector)
		} else {
			minus = append(minus, e.vector)
		}
	}
	return plus, minus
}

// sparse returns the lexical vectors, scaled, with the days.
func (m *Model) sparse(w *Weighted) vector.Sparse {
	scale := func(t Term) float64 { return math.Sqrt(t.Weight) * t.factor(w.length) }
	out := joined(w, scale(m.Lexical), scale(m.Lead), scale(m.Names))
	if !w.dated {
		return out
	}
	for i, h := range m.Days {
		scale := float32(math.Sqrt(h.Weight) * (1 / math.Sqrt(float64(h.Width))))
		for d := range h.Width {
			out.Terms, out.Weights = append(out.Terms, dayTerm(i, w.day+d)), append(out.Weights, scale)
		}
	}
	return out
}

// Words returns the lexical vectors joined into one, all of the same weight.
func (w *Weighted) Words() vector.Sparse { return joined(w, 1, 1, 1) }

// joined joins the lexical vectors, each scaled, into one.
func joined(w *Weighted, full, lead, names float64) vector.Sparse {
	room := len(w.Full.Terms) + len(w.lead.Terms) + len(w.names.Terms)
	out := vector.Sparse{Terms: make([]uint32, 0, room), Weights: make([]float32, 0, room)}
	for _, field := range []struct {
		kind  uint32
		scale float64
		terms vector.Sparse
	}{{fullTerms, full, w.Full}, {leadTerms, lead, w.lead}, {nameTerms, names, w.names}} {
		scale := float32(field.scale)
		if scale == 0 {
			continue
		}
		for i, term := range field.terms.Terms {
			id := field.kind | term>>2
			if n := len(out.Terms); n > 0 && out.Terms[n-1] == id {
				out.Weights[n-1] += scale * field.terms.Weights[i]
				continue
			}
			out.Terms, out.Weights = append(out.Terms, id), append(out.Weights, scale*field.terms.Weights[i])
		}
	}
	return out
}

// dayTerm returns the term of a day of the i-th kernel, in order: 3 bits for i, 27 for the day.
func dayTerm(i, day int) uint32 { return dayTerms | uint32(i)<<27 | uint32(day+2*farDay) }
