package calibrate

import (
	"errors"
	"math"
	"slices"
)

// objective is a function to minimise. It returns its value at p. It adds its gradient and its
// curvature (a positive semidefinite approximation of the second derivatives) to arguments that are
// zero.
type objective func(p, gradient []float64, curvature [][]float64) float64

// errNoMinimum is the error of a function without a finite value, or that falls without end.
var errNoMinimum = errors.New("no minimum: the fit does not converge")

const (
	mostSteps = 500
	// leastChange is the relative decrease that a step must promise, or the minimum is found.
	leastChange = 1e-13
)

// minimize returns the minimum of f between bounds, from a start: Newton steps with a damping that
// grows until a step is downhill (Levenberg 1944, Marquardt 1963). A parameter that a step would
// take beyond a bound stops there, and the others are solved for again. With Fisher's information
// as the curvature this is Fisher scoring, which takes ten to thirty steps for likelihoods.
func minimize(f objective, start, lower, upper []float64) ([]float64, error) {
	n := len(start)
	p := slices.Clone(start)
	for i := range p {
		p[i] = math.Min(math.Max(p[i], lower[i]), upper[i])
	}
	gradient, curvature := make([]float64, n), square(n)
	value := f(p, gradient, curvature)
	damping := 1e-6
steps:
	for range mostSteps {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, errNoMinimum
		}
		if remaining(p, gradient, curvature, lower, upper) <= leastChange*math.Abs(value) {
			return p, nil
		}
		for ; damping < 1e12; damping *= 8 {
			next, ok := step(p, gradient, curvature, lower, upper, damping)
			if !ok {
				continue
			}
			promised := 0.0
			for i := range p {
				promised += gradient[i] * (p[i] - next[i])
			}
			if !(promised > 0) {
				continue
			}
			g, c := make([]float64, n), square(n)
			if v := f(next, g, c); v < value && value-v >= 1e-4*promised {
				p, value, gradient, curvature = next, v, g, c
				damping = math.Max(damping/32, 1e-9)
				continue steps
			}
		}
		return p, nil // rounding is all that is left
	}
	return nil, errNoMinimum
}

// remaining returns the decrease that steps along the slope of each parameter alone would promise.
func remaining(p, gradient []float64, curvature [][]float64, lower, upper []float64) float64 {
	sum := 0.0
	for i, g := range gradient {
		next := math.Min(math.Max(p[i]-g/(curvature[i][i]+1e-12), lower[i]), upper[i])
		sum += g * (p[i] - next)
	}
	return sum
}

// step returns the end of a damped Newton step between the bounds; false if it cannot be solved
// for.
func step(p, gradient []float64, curvature [][]float64, lower, upper []float64, damping float64) ([]float64, bool) {
	next := slices.Clone(p)
	var free []int
	for i := range p {
		if p[i] <= lower[i] && gradient[i] >= 0 || p[i] >= upper[i] && gradient[i] <= 0 {
			continue // held at a bound by the slope
		}
		free = append(free, i)
	}
	for len(free) > 0 {
		slope := make([]float64, len(free))
		for k, i := range free {
			slope[k] = gradient[i]
			for j := range p {
				slope[k] += curvature[i][j] * (next[j] - p[j]) // zero unless j stopped at a bound
			}
		}
		back, ok := solve(curvature, slope, free, damping)
		if !ok {
			return nil, false
		}
		var left []int
		for k, i := range free {
			switch to := p[i] - back[k]; {
			case to < lower[i]:
				next[i] = lower[i]
			case to > upper[i]:
				next[i] = upper[i]
			default:
				left = append(left, i)
			}
		}
		if len(left) == len(free) {
			for k, i := range free {
				next[i] = p[i] - back[k]
			}
			return next, true
		}
		free = left
	}
	return next, true
}

// solve returns (curvature + damping times its diagonal)^-1 slope for the free parameters, by
// Cholesky decomposition.
func solve(curvature [][]float64, slope []float64, free []int, damping float64) ([]float64, bool) {
	n := len(free)
	l := square(n)
	x := make([]float64, n)
	for r := range n {
		for c := range r + 1 {
			sum := curvature[free[r]][free[c]]
			if r == c {
				sum += damping*sum + 1e-12
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
		sum := slope[r]
		for k := range r {
			sum -= l[r][k] * x[k]
		}
		x[r] = sum / l[r][r]
	}
	for r := n - 1; r >= 0; r-- {
		for k := r + 1; k < n; k++ {
			x[r] -= l[k][r] * x[k]
		}
		x[r] /= l[r][r]
	}
	return x, true
}

func square(n int) [][]float64 {
	all := make([]float64, n*n)
	m := make([][]float64, n)
	for i := range m {
		m[i] = all[i*n : (i+1)*n : (i+1)*n]
	}
	return m
}
