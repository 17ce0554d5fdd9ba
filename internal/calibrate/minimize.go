package calibrate

import (
	"errors"
	"math"
	"slices"
)

// objective is a function to make small. It returns the value at p, and adds the gradient and a curvature, a positive semidefinite
// matrix that is near the second derivatives, to what it is given, which is zero.
type objective func(p, gradient []float64, curvature [][]float64) float64

// errNoMinimum: the function has no finite value, or goes on falling.
var errNoMinimum = errors.New("the fit does not settle")

const (
	mostSteps   = 300
	leastChange = 1e-12 // of the value, relative: what a step must promise
)

// minimize returns where f is least between bounds, from a start between them: Newton's steps on the parameters that are free, with
// the curvature made stiffer until a step is downhill (Levenberg 1944, Marquardt 1963), and projected onto the bounds (Bertsekas
// 1982). With Fisher's information as the curvature this is scoring, which is quick for likelihoods: ten to thirty steps.
func minimize(f objective, start, lower, upper []float64) ([]float64, error) {
	n := len(start)
	p := slices.Clone(start)
	gradient, curvature := make([]float64, n), square(n)
	value := f(p, gradient, curvature)
	stiffness := 1e-6
	for range mostSteps {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, errNoMinimum
		}
		free := freeOf(p, gradient, lower, upper)
		moved := false
		for ; stiffness < 1e12; stiffness *= 8 {
			step, ok := solve(curvature, gradient, free, stiffness)
			if !ok {
				continue
			}
			next, promised := slices.Clone(p), 0.0
			for k, i := range free {
				next[i] = math.Min(math.Max(p[i]-step[k], lower[i]), upper[i])
				promised += gradient[i] * (p[i] - next[i])
			}
			if promised <= leastChange*math.Abs(value) {
				return p, nil
			}
			g, c := make([]float64, n), square(n)
			if v := f(next, g, c); v < value && value-v >= 1e-4*promised {
				p, value, gradient, curvature, moved = next, v, g, c, true
				stiffness = math.Max(stiffness/32, 1e-9)
				break
			}
		}
		if !moved {
			return p, nil // rounding is all that is left
		}
	}
	return nil, errNoMinimum
}

// freeOf lists the parameters that are not held at a bound by the gradient.
func freeOf(p, gradient, lower, upper []float64) []int {
	var free []int
	for i := range p {
		if p[i] <= lower[i] && gradient[i] >= 0 || p[i] >= upper[i] && gradient[i] <= 0 {
			continue
		}
		free = append(free, i)
	}
	return free
}

// solve returns the step for the free parameters: (curvature + stiffness times its diagonal)^-1 gradient, by Cholesky's decomposition.
func solve(curvature [][]float64, gradient []float64, free []int, stiffness float64) ([]float64, bool) {
	n := len(free)
	l := square(n)
	step := make([]float64, n)
	for r := range n {
		for c := range r + 1 {
			sum := curvature[free[r]][free[c]]
			if r == c {
				sum += stiffness*sum + 1e-12
			}
			for k := range c {
				sum -= l[r][k] * l[c][k]
			}
			if r != c {
				l[r][c] = sum / l[c][c]
				continue
			}
			if !(sum > 0) {
				return nil, false
			}
			l[r][r] = math.Sqrt(sum)
		}
		sum := gradient[free[r]]
		for k := range r {
			sum -= l[r][k] * step[k]
		}
		step[r] = sum / l[r][r]
	}
	for r := n - 1; r >= 0; r-- {
		for k := r + 1; k < n; k++ {
			step[r] -= l[k][r] * step[k]
		}
		step[r] /= l[r][r]
	}
	return step, true
}

func square(n int) [][]float64 {
	all := make([]float64, n*n)
	m := make([][]float64, n)
	for i := range m {
		m[i] = all[i*n : (i+1)*n : (i+1)*n]
	}
	return m
}
