package report

import (
	"math"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// point is a place on the map.
type point struct{ x, y float64 }

// layout places items in the plane so that distances are about those of their vectors: classical scaling finds a start, stress
// majorisation (de Leeuw 1977, with weights of distance to the power -2 as Gansner, Koren and North 2004 have it) improves it. Nothing is left
// to chance: equal input, equal places.
func layout(means cluster.Matrix, rounds int) []point {
	n := means.Rows
	if n == 0 {
		return nil
	}
	far := distances(means)
	at := scaled(far, n)
	next := make([]point, n)
	for range rounds {
		for i := range n {
			var sum point
			var weights float64
			for j := range n {
				if i == j {
					continue
				}
				d := far[i*n+j]
				w := 1 / (d * d)
				dx, dy := at[i].x-at[j].x, at[i].y-at[j].y
				length := math.Hypot(dx, dy)
				pull := 0.
				if length > 1e-9 {
					pull = d / length
				}
				sum.x += w * (at[j].x + pull*dx)
				sum.y += w * (at[j].y + pull*dy)
				weights += w
			}
			next[i] = at[i]
			if weights > 0 {
				next[i] = point{sum.x / weights, sum.y / weights}
			}
		}
		at, next = next, at
	}
	return at
}

// nearest bounds distances from below, so that weights stay finite.
const nearest = 0.05

// distances returns the distances of unit vectors, n x n.
func distances(m cluster.Matrix) []float64 {
	n := m.Rows
	rows := make([]float32, len(m.Data))
	copy(rows, m.Data)
	row := func(i int) []float32 { return rows[i*m.Dim : (i+1)*m.Dim] }
	for i := range n {
		vector.Normalize(row(i))
	}
	far := make([]float64, n*n)
	for i := range n {
		for j := range i {
			d := max(nearest, math.Sqrt(max(0, 2-2*float64(vector.Dot(row(i), row(j))))))
			far[i*n+j], far[j*n+i] = d, d
		}
	}
	return far
}

// scaled is classical scaling: the two greatest eigenvectors of the squared distances, centred twice, found by power iteration.
func scaled(far []float64, n int) []point {
	b := make([]float64, n*n)
	means := make([]float64, n)
	var all float64
	for i := range n {
		for j := range n {
			means[i] += far[i*n+j] * far[i*n+j] / float64(n)
		}
		all += means[i] / float64(n)
	}
	for i := range n {
		for j := range n {
			b[i*n+j] = -(far[i*n+j]*far[i*n+j] - means[i] - means[j] + all) / 2
		}
	}
	at := make([]point, n)
	var first []float64
	for axis := range 2 {
		v := make([]float64, n)
		for i := range v {
			v[i] = math.Sin(float64((axis+1)*(i+1))) + 1e-3*float64(i) // no eigenvector of anything in particular
		}
		w := make([]float64, n)
		var value float64
		for range 100 {
			remove(v, first)
			for i := range n {
				w[i] = 0
				for j, x := range v {
					w[i] += b[i*n+j] * x
				}
			}
			remove(w, first)
			var square float64
			for _, x := range w {
				square += x * x
			}
			if value = math.Sqrt(square); value < 1e-12 {
				break
			}
			for i, x := range w {
				v[i] = x / value
			}
		}
		spread := math.Sqrt(max(value, 0))
		for i := range at {
			if axis == 0 {
				at[i].x = v[i] * spread
			} else {
				at[i].y = v[i] * spread
			}
		}
		first = v
	}
	return at
}

// remove makes v orthogonal to the unit vector u.
func remove(v, u []float64) {
	if u == nil {
		return
	}
	var dot float64
	for i, x := range u {
		dot += x * v[i]
	}
	for i, x := range u {
		v[i] -= dot * x
	}
}

// fit moves and scales places into a frame of the given size, and pushes apart circles that overlap.
func fit(at []point, radius []float64, width, height, margin float64) []point {
	if len(at) == 0 {
		return nil
	}
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range at {
		low = point{min(low.x, p.x), min(low.y, p.y)}
		high = point{max(high.x, p.x), max(high.y, p.y)}
	}
	scale := min((width-2*margin)/max(high.x-low.x, 1e-9), (height-2*margin)/max(high.y-low.y, 1e-9))
	scale = min(scale, width) // few places that are all one
	out := make([]point, len(at))
	for i, p := range at {
		out[i] = point{width/2 + (p.x-(low.x+high.x)/2)*scale, height/2 + (p.y-(low.y+high.y)/2)*scale}
	}
	const gap = 2
	for range 300 {
		moved := false
		for i := range out {
			for j := range i {
				dx, dy := out[i].x-out[j].x, out[i].y-out[j].y
				length := math.Hypot(dx, dy)
				short := radius[i] + radius[j] + gap - length
				if short <= 0 {
					continue
				}
				moved = true
				if length < 1e-6 { // on top of each other: any direction will do, as long as it is the same one every time
					angle := float64(i*len(out) + j)
					dx, dy, length = math.Cos(angle), math.Sin(angle), 1
				}
				share := radius[j] / (radius[i] + radius[j]) // the smaller one moves more
				out[i].x += dx / length * short * share
				out[i].y += dy / length * short * share
				out[j].x -= dx / length * short * (1 - share)
				out[j].y -= dy / length * short * (1 - share)
			}
		}
		for i := range out {
			out[i].x = min(max(out[i].x, radius[i]+gap), width-radius[i]-gap)
			out[i].y = min(max(out[i].y, radius[i]+gap), height-radius[i]-gap)
		}
		if !moved {
			break
		}
	}
	return out
}
