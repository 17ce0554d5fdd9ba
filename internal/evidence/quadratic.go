package evidence

import "math"

// signed writes the symmetric form x'My as a signed dot product. It returns rows p and q such that
// x'My = sum over p of (p.x)(p.y) - sum over q of (q.x)(q.y). Eigenvalues by Jacobi's rotations; M is of a few rows.
func signed(m [][]float64) (plus, minus [][]float64) {
	n := len(m)
	a, v := make([][]float64, n), make([][]float64, n)
	largest := 0.0
	for i := range n {
		a[i] = append([]float64(nil), m[i]...)
		v[i] = make([]float64, n)
		v[i][i] = 1
		for _, x := range m[i] {
			largest = max(largest, math.Abs(x))
		}
	}
	for range 100 {
		off := 0.0
		for i := range n {
			for j := range i {
				off = max(off, math.Abs(a[i][j]))
			}
		}
		if off <= 1e-14*largest {
			break
		}
		for p := range n {
			for q := p + 1; q < n; q++ {
				rotate(a, v, p, q)
			}
		}
	}
	for k := range n {
		value := a[k][k]
		if math.Abs(value) <= 1e-12*largest {
			continue
		}
		row := make([]float64, n)
		for i := range n {
			row[i] = v[i][k] * math.Sqrt(math.Abs(value))
		}
		if value > 0 {
			plus = append(plus, row)
		} else {
			minus = append(minus, row)
		}
	}
	return plus, minus
}

// rotate makes a[p][q] zero and applies the same rotation to the columns of v.
func rotate(a, v [][]float64, p, q int) {
	if a[p][q] == 0 {
		return
	}
	theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
	t := 1 / (math.Abs(theta) + math.Hypot(theta, 1))
	if theta < 0 {
		t = -t
	}
	c := 1 / math.Hypot(t, 1)
	s := t * c
	for i := range a {
		a[i][p], a[i][q] = c*a[i][p]-s*a[i][q], s*a[i][p]+c*a[i][q]
	}
	for i := range a {
		a[p][i], a[q][i] = c*a[p][i]-s*a[q][i], s*a[p][i]+c*a[q][i]
		v[i][p], v[i][q] = c*v[i][p]-s*v[i][q], s*v[i][p]+c*v[i][q]
	}
}
