package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"

	"throughline/cluster/vector"
)

// Embeddings of a corpus have a common mean and vary more along some directions than along others.
// Both are properties of the corpus and the model and do not show which items belong together, so
// whiten removes the mean and a part of the differences in variance:
//
//   - the mean is subtracted, computed as if priorCount more rows were at the origin, so that a
//     handful of rows hardly moves;
//   - directions are scaled by the power -1/8 of their variance, a quarter of the way to equal
//     variances;
//   - rows are scaled to unit length again.
//
// The power -1/2, full whitening, makes noise as loud as meaning. Mean best B-cubed F1 of average
// linkage on eight sets of labelled news with MiniLM vectors: unchanged .890, mean removed .892,
// power -1/8 .895, -1/4 .890, -1/2 .57 to .82. On 50,000 synthetic vectors pair F1 of stories goes
// from .83 to .93.
//
// Finding the directions takes 60 products of square matrices. Variances are left alone where that
// would cost more than everything else: in more than 2,048 dimensions, and in more than 512 unless
// there are many rows.
const (
	priorCount   = 5
	varianceRows = 20000 // enough to estimate a covariance
	shrinkage    = 0.1   // share of the mean variance that is added to that of every direction

	smallDim     = 512
	largeDim     = 2048
	plentyPerDim = 20
)

// whiten writes the partly whitened rows of m to out, which may be m's data. norms are the inverse
// lengths of the rows. Zero rows stay zero.
func whiten(ctx context.Context, m Matrix, norms, out []float32, workers int) error {
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

// firstOfCopies returns norms with 0 for rows that are equal to an earlier one, so that a text that
// was published a thousand times counts once in the mean and the variances.
func firstOfCopies(ctx context.Context, m Matrix, norms []float32, workers int) ([]float32, error) {
	hashes := make([]uint64, m.Rows)
	err := parallel(ctx, workers, m.Rows, 512, func(_, from, to int) {
		for i := from; i < to; i++ {
			h := fnvOffset
			for _, x := range m.Row(i) {
				h = fnv(h, uint64(math.Float32bits(x)))
			}
			hashes[i] = h
		}
	})
	if err != nil {
		return nil, err
	}
	firsts := slices.Clone(norms)
	order := identity(m.Rows)
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(hashes[a], hashes[b]), cmp.Compare(a, b))
	})
	for k := 1; k < len(order); k++ {
		if i, before := order[k], order[k-1]; hashes[i] == hashes[before] {
			firsts[i] = 0
		}
	}
	return firsts, nil
}

// meanOf returns the sum of the unit rows over their number plus priorCount. Rows whose norm is
// given as 0 do not count.
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

// variancePower returns the symmetric matrix C^(-1/8), where C is the covariance of the rows with
// shrinkage, scaled to a trace of dim. It returns nil when there is no variance or when finding it
// would cost too much.
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

// inverseEighthRoot returns the symmetric C^(-1/8) of a symmetric positive definite C by Newton's
// iteration (Guo and Higham 2006), which needs only products of matrices:
//
//	X <- X T, M <- T^8 M, T = (9 I - M) / 8, from X = s I, M = s^8 C, until M = I.
//
// All iterates are polynomials of C, so they are symmetric and their products are products of rows.
func inverseEighthRoot(ctx context.Context, c []float32, dim, workers int) ([]float32, error) {
	const p = 8
	// It converges when the eigenvalues of M are between 0 and 9. The greatest row sum bounds them.
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
	// The least eigenvalue is at least shrinkage/(1+shrinkage) and grows by (9/8)^8 a step at
	// first, so a bound of 10,000 takes 15 steps.
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

// multiply sets out to the products of the rows of a with the rows of b, each dim long. It takes
// the rows of b in blocks that fit a second-level cache.
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
