package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// Embeddings of one corpus share a direction and vary more along some directions than along others, which says what the corpus and
// the model are like, and not which items belong together. flatten takes both out:
//
//   - the mean is subtracted, as if there were priorCount more rows at the origin, so that a handful of rows is hardly moved;
//   - directions are scaled by the power -1/8 of their variance, a quarter of the way to equal variances;
//   - rows are scaled to unit length again.
//
// A power of -1/2, full whitening, makes noise as loud as meaning; measured on eight sets of labelled news with MiniLM vectors, mean
// best B-cubed F1 of average linkage: as they come .890, mean removed .892, power -1/8 .895, -1/4 .890, -1/2 .57 to .82. On synthetic vectors
// of 50,000 rows pair F1 of stories goes from .83 to .93.
//
// Variances are left alone where finding their directions, which takes 60 products of square matrices, would cost more than all the rest: in more
// than 512 dimensions unless there are rows in plenty, and in more than 2,048.
const (
	priorCount   = 5
	varianceRows = 20000 // are enough to estimate a covariance from
	shrinkage    = 0.1   // of the mean variance is added to that of every direction

	smallDim     = 512
	largeDim     = 2048
	plentyPerDim = 20
)

// flatten writes the flattened rows of m, whose inverse lengths are norms, to out, which may be m's own data. Zero rows stay zero.
func flatten(ctx context.Context, m Matrix, norms, out []float32, workers int) error {
	weights, err := firstOfCopies(ctx, m, norms, workers)
	if err != nil {
		return err
	}
	mean := meanOf(m, weights)
	power, err := variancePower(ctx, m, weights, mean, workers)
	if err != nil {
		return err
	}
	dim := m.Dim
	const block = 16
	type scratch struct{ centred, turned []float32 }
	buffers := make([]scratch, workers)
	return parallel(ctx, workers, m.Rows, 8*block, func(worker, from, to int) {
		s := &buffers[worker]
		if s.centred == nil {
			s.centred, s.turned = make([]float32, block*dim), make([]float32, block*dim)
		}
		for ; from < to; from += block {
			n := min(block, to-from)
			for i := range n {
				centre(m.Row(from+i), norms[from+i], mean, s.centred[i*dim:(i+1)*dim])
			}
			turned := s.centred
			if power != nil {
				vector.DotsMany(s.centred[:n*dim], power, dim, s.turned[:n*dim])
				turned = s.turned
			}
			for i := range n {
				row := out[(from+i)*dim : (from+i+1)*dim]
				copy(row, turned[i*dim:(i+1)*dim])
				if norms[from+i] == 0 || !vector.Normalize(row) {
					clear(row)
				}
			}
		}
	})
}

// firstOfCopies returns norms with 0 for rows that are equal to an earlier one. A text that was published a thousand times says no more about the
// corpus than one that was published once.
func firstOfCopies(ctx context.Context, m Matrix, norms []float32, workers int) ([]float32, error) {
	hashes := make([]uint64, m.Rows)
	err := parallel(ctx, workers, m.Rows, 512, func(_, from, to int) {
		for i := from; i < to; i++ {
			h := uint64(14695981039346656037)
			for _, x := range m.Row(i) {
				h = (h ^ uint64(math.Float32bits(x))) * 1099511628211
			}
			hashes[i] = h
		}
	})
	if err != nil {
		return nil, err
	}
	firsts := slices.Clone(norms)
	order := make([]int32, m.Rows)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if c := cmp.Compare(hashes[a], hashes[b]); c != 0 {
			return c
		}
		return int(a) - int(b)
	})
	for k := 1; k < len(order); k++ {
		if i, before := order[k], order[k-1]; hashes[i] == hashes[before] {
			firsts[i] = 0
		}
	}
	return firsts, nil
}

// meanOf returns the sum of the unit rows over their number plus priorCount, without those whose norm is given as 0.
func meanOf(m Matrix, norms []float32) []float32 {
	sum := make([]float64, m.Dim)
	count := 0
	for i := range m.Rows {
		if norms[i] == 0 {
			continue
		}
		count++
		for d, x := range m.Row(i) {
			sum[d] += float64(x * norms[i])
		}
	}
	mean := make([]float32, m.Dim)
	for d, s := range sum {
		mean[d] = float32(s / float64(count+priorCount))
	}
	return mean
}

func centre(row []float32, norm float32, mean, out []float32) {
	for d, x := range row {
		out[d] = float32(x*norm) - mean[d]
	}
}

// variancePower returns the symmetric matrix C^(-1/8), where C is the covariance of the rows, shrunk and scaled to a trace of its
// dimension; nil where there is no variance or where it is not worth it.
func variancePower(ctx context.Context, m Matrix, norms, mean []float32, workers int) ([]float32, error) {
	dim := m.Dim
	if dim > largeDim || dim > smallDim && m.Rows < plentyPerDim*dim {
		return nil, nil
	}
	covariance := make([]float64, dim*dim)
	step := max(1, m.Rows/varianceRows)
	const block = 256
	columns := make([]float32, dim*block)
	products := make([]float32, dim*dim)
	centred := make([]float32, dim)
	fill := 0
	flush := func() error {
		clear(products)
		if err := multiply(ctx, columns, columns, block, products, workers); err != nil {
			return err
		}
		for k, p := range products {
			covariance[k] += float64(p)
		}
		clear(columns)
		fill = 0
		return nil
	}
	for i := 0; i < m.Rows; i += step {
		if norms[i] == 0 {
			continue
		}
		centre(m.Row(i), norms[i], mean, centred)
		for d, x := range centred {
			columns[d*block+fill] = x
		}
		if fill++; fill == block {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	var trace float64
	for d := range dim {
		trace += covariance[d*dim+d]
	}
	if !(trace > 0) {
		return nil, nil
	}
	c := make([]float32, dim*dim)
	for k, v := range covariance {
		c[k] = float32(v * float64(dim) / trace / (1 + shrinkage))
	}
	for d := range dim {
		c[d*dim+d] += shrinkage / (1 + shrinkage)
	}
	return inverseEighthRoot(ctx, c, dim, workers)
}

// inverseEighthRoot returns the symmetric C^(-1/8) of a symmetric positive definite C by Newton's iteration (Guo and Higham 2006), which
// needs products of matrices only:
//
//	X <- X T, M <- T^8 M, T = (9 I - M) / 8, from X = s I, M = s^8 C, until M = I.
//
// All iterates are polynomials of C, so they are symmetric, and the product of two has the dot products of their rows.
func inverseEighthRoot(ctx context.Context, c []float32, dim, workers int) ([]float32, error) {
	const p = 8
	// Eigenvalues of M must lie between 0 and 9 for convergence; the greatest sum of a row bounds them.
	var bound float64
	for i := range dim {
		var sum float64
		for _, x := range c[i*dim : (i+1)*dim] {
			sum += math.Abs(float64(x))
		}
		bound = max(bound, sum)
	}
	scale := math.Pow(bound, -1./p)
	x, m, t, next := make([]float32, dim*dim), make([]float32, dim*dim), make([]float32, dim*dim), make([]float32, dim*dim)
	for k, v := range c {
		m[k] = float32(float64(v) / bound)
	}
	for d := range dim {
		x[d*dim+d] = float32(scale)
	}
	// The least eigenvalue is at least shrinkage/(1+shrinkage) and grows by (9/8)^8 a step at first: bounds of 10,000 take 15 steps.
	for range 40 {
		var off float64
		for i := range dim {
			for j, v := range m[i*dim : (i+1)*dim] {
				want := float32(0)
				if i == j {
					want = 1
				}
				t[i*dim+j] = ((p+1)*want - v) / p
				off = max(off, math.Abs(float64(v-want)))
			}
		}
		if off < 1e-4 {
			break
		}
		if err := multiply(ctx, x, t, dim, next, workers); err != nil {
			return nil, err
		}
		x, next = next, x
		for range 3 { // T^2, T^4, T^8
			if err := multiply(ctx, t, t, dim, next, workers); err != nil {
				return nil, err
			}
			t, next = next, t
		}
		if err := multiply(ctx, m, t, dim, next, workers); err != nil {
			return nil, err
		}
		m, next = next, m
	}
	return x, nil
}

// multiply sets out to the products of the rows of a with the rows of b, each dim long. It takes the rows of b in blocks that fit a
// second-level cache.
func multiply(ctx context.Context, a, b []float32, dim int, out []float32, workers int) error {
	const queries, cache = 32, 1 << 16 // values
	rows, columns := len(a)/dim, len(b)/dim
	block := min(columns, max(16, cache/dim))
	tiles := make([][]float32, workers)
	return parallel(ctx, workers, rows, queries, func(worker, from, to int) {
		if tiles[worker] == nil {
			tiles[worker] = make([]float32, queries*block)
		}
		for c := 0; c < columns; c += block {
			n := min(block, columns-c)
			tile := tiles[worker][:(to-from)*n]
			vector.DotsMany(a[from*dim:to*dim], b[c*dim:(c+n)*dim], dim, tile)
			for i := from; i < to; i++ {
				copy(out[i*columns+c:i*columns+c+n], tile[(i-from)*n:(i-from+1)*n])
			}
		}
	})
}
