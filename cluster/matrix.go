package cluster

import (
	"context"
	"fmt"
	"math"
	"sync"

	"throughline/cluster/vector"
)

// Matrix holds Rows vectors of Dim values, one after the other. Functions of this package read it
// and do not keep it.
type Matrix struct {
	Rows, Dim int
	Data      []float32
}

// Row returns row i, which shares memory with Data.
func (m Matrix) Row(i int) []float32 { return m.Data[i*m.Dim : (i+1)*m.Dim : (i+1)*m.Dim] }

// InputError reports an unusable value of the input. Row or Column is -1 when the problem is not in
// one row or column.
type InputError struct {
	Row, Column int
	Problem     string
}

func (e *InputError) Error() string {
	switch {
	case e.Row < 0:
		return "cluster: " + e.Problem
	case e.Column < 0:
		return fmt.Sprintf("cluster: row %d: %s", e.Row, e.Problem)
	}
	return fmt.Sprintf("cluster: row %d, column %d: %s", e.Row, e.Column, e.Problem)
}

// inputError returns an InputError that is not about one row.
func inputError(format string, args ...any) *InputError {
	return &InputError{-1, -1, fmt.Sprintf(format, args...)}
}

const (
	maxDimensions = 1 << 16 // keeps integer dot products of bytes exact; see vector.DotInt8
	maxRows       = math.MaxInt32 / 2
)

// checkShape checks the sizes of a Matrix.
func (m Matrix) checkShape() error {
	switch {
	case m.Rows < 0 || m.Dim < 0:
		return inputError("negative size of a matrix (got %d x %d)", m.Rows, m.Dim)
	case m.Rows > maxRows:
		return tooMany(m.Rows)
	case m.Dim > maxDimensions:
		return inputError("too many dimensions (got %d, want at most %d)", m.Dim, maxDimensions)
	case m.Rows > 0 && m.Dim == 0:
		return inputError("vectors without dimensions")
	case len(m.Data) != m.Rows*m.Dim:
		return inputError("number of values in a matrix of %d x %d (got %d, want %d)", m.Rows, m.Dim, len(m.Data), m.Rows*m.Dim)
	}
	return nil
}

func tooMany(rows int) *InputError {
	return inputError("too many rows (got %d, want at most %d)", rows, maxRows)
}

// inverseNorms returns one over the length of every row, 0 for a zero row. The first row that has a
// NaN or an infinity, or a length outside of 1e-15 to 1e15, is an *InputError.
func (m Matrix) inverseNorms(ctx context.Context, workers int) ([]float32, error) {
	norms := make([]float32, m.Rows)
	var mutex sync.Mutex
	bad := m.Rows
	err := parallel(ctx, workers, m.Rows, 512, func(_, from, to int) {
		for i := from; i < to; i++ {
			inverse := inverseNorm(m.Row(i))
			if inverse != inverse {
				mutex.Lock()
				bad = min(bad, i)
				mutex.Unlock()
				return
			}
			norms[i] = inverse
		}
	})
	if err != nil {
		return nil, err
	}
	if bad == m.Rows {
		return norms, nil
	}
	for j, x := range m.Row(bad) {
		if x != x || math.IsInf(float64(x), 0) {
			return nil, &InputError{bad, j, fmt.Sprintf("the value %v is not finite", x)}
		}
	}
	return nil, &InputError{bad, -1, "its length is outside of 1e-15 to 1e15, where float32 products are not accurate"}
}

// inverseNorm returns one over the length of v, 0 for a zero vector and NaN for an unusable length.
func inverseNorm(v []float32) float32 {
	square := float64(vector.Dot(v, v))
	if !(square >= 1e-30 && square <= 1e30) {
		for _, x := range v {
			if x != 0 {
				return float32(math.NaN())
			}
		}
		return 0
	}
	return float32(1 / math.Sqrt(square))
}
