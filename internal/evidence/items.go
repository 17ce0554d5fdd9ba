package evidence

import (
	"fmt"
	"math"
	"slices"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// The four kinds of terms in the sparse vector of an item. The upper two bits of a term tell them apart and the rest is
// the upper 30 bits of the term's own hash, which keeps the order; a corpus of 93,000 distinct words has four pairs of
// them that fall together this way, where the full hash has one.
const (
	fullTerms = uint32(iota) << 30
	leadTerms
	nameTerms
	dayTerms
)

// items returns the logit between weighed articles in the bilinear form that linkage wants: for any two rows
// Items.Offset plus their signed dot products is Logit of their signals, up to rounding.
//
// Dense columns are the centred vector, scaled, then the signed columns of the terms that depend on lengths and on whether
// the dates are known. Sparse terms are those of the three lexical fields, scaled, and the days of each hat function.
func (m *Model) items(ws []*Weighed) (cluster.Items, error) {
	dim := 0
	for i, w := range ws {
		switch {
		case len(w.centred) == 0:
		case dim == 0:
			dim = len(w.centred)
		case dim != len(w.centred):
			return cluster.Items{}, fmt.Errorf("article %d has a vector of %d dimensions where others have %d", i, len(w.centred), dim)
		}
	}
	plus, minus := signed(m.pairForm())
	columns := dim + len(plus) + len(minus)
	it := cluster.Items{
		Dense:    cluster.Matrix{Rows: len(ws), Dim: columns, Data: make([]float32, len(ws)*columns)},
		Negative: len(minus),
		Sparse:   make([]vector.Sparse, len(ws)),
		Offset:   float32(m.Intercept),
	}
	for i, w := range ws {
		row := it.Dense.Row(i)
		scale := float32(math.Sqrt(m.Dense.Weight*w.stretch) * m.Dense.factor(w.length))
		for k, x := range w.centred {
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

// pairVector is what the parts of the logit that are no cosine depend on: 1, the length, and whether the date is known.
func (w *Weighed) pairVector() [3]float64 {
	x := [3]float64{1, w.length, 0}
	if w.dated {
		x[2] = 1
	}
	return x
}

// pairForm is the symmetric matrix whose form over two pairVectors is the length terms and Undated, the latter unless
// both dates are known.
func (m *Model) pairForm() [][]float64 {
	return [][]float64{
		{m.Undated, m.Length.Sum, 0},
		{m.Length.Sum, m.Length.Product, 0},
		{0, 0, -m.Undated},
	}
}

// sparse joins the lexical vectors, scaled, and the days.
func (m *Model) sparse(w *Weighed) vector.Sparse {
	scale := func(t Term) float64 { return math.Sqrt(t.Weight) * t.factor(w.length) }
	out := joined(w, scale(m.Lexical), scale(m.Lead), scale(m.Names))
	if !w.dated {
		return out
	}
	for i, h := range m.Days {
		scale := float32(math.Sqrt(h.Weight) * hatWeight(h.Width))
		for d := range h.Width {
			out.Terms, out.Weights = append(out.Terms, dayTerm(i, w.day+d)), append(out.Weights, scale)
		}
	}
	return out
}

// joined joins the lexical vectors, each scaled, into one.
func joined(w *Weighed, full, lead, names float64) vector.Sparse {
	room := len(w.full.Terms) + len(w.lead.Terms) + len(w.names.Terms)
	out := vector.Sparse{Terms: make([]uint32, 0, room), Weights: make([]float32, 0, room)}
	for _, field := range []struct {
		kind  uint32
		scale float64
		terms vector.Sparse
	}{{fullTerms, full, w.full}, {leadTerms, lead, w.lead}, {nameTerms, names, w.names}} {
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

// dayTerm numbers the days of the i-th hat function, in order: 3 bits for the function, 27 for the day.
func dayTerm(i, day int) uint32 { return dayTerms | uint32(i)<<27 | uint32(day+2*farDay) }
