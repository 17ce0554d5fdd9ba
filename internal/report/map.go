package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// The map, in units of the drawing. The template knows its size too.
const (
	mapWidth     = 960
	mapHeight    = 600
	mapMargin    = 60
	mapFilled    = 0.22 // share of the map that circles cover
	mapRounds    = 150
	leastRadius  = 3
	mostRadius   = 110
	labelledFrom = 15  // radius from which a circle has a label
	labelShare   = 1.4 // width of a label of several words in diameters, at most
	letterWidth  = 6.5
)

type topicMap struct {
	Bubbles []bubble
	Left    int // topics that are too small to be shown
}

// bubble is the circle of a topic.
type bubble struct {
	X, Y, R, LabelY string
	Hue             int
	Topic           int32
	Text            string // in the circle; empty in small ones
	Says            string // for screen readers and the pointer
}

// drawMap places the largest topics by the similarity of their means, or in rows when those are
// unknown.
func (in *Input) drawMap(topics []*group) *topicMap {
	shown := head(topics, mapTopics)
	if len(shown) == 0 {
		return nil
	}
	at := make([]point, len(shown))
	if in.Means.Rows > 0 {
		means := cluster.Matrix{Rows: len(shown), Dim: in.Means.Dim}
		for _, t := range shown {
			means.Data = append(means.Data, in.Means.Row(int(t.Label))...)
		}
		at = layout(means, mapRounds)
	} else {
		columns := int(math.Ceil(math.Sqrt(float64(len(shown)) * mapWidth / mapHeight)))
		for i := range at {
			at[i] = point{float64(i % columns), float64(i / columns)}
		}
	}
	var all float64
	for _, t := range shown {
		all += float64(len(t.members))
	}
	radius := make([]float64, len(shown))
	for i, t := range shown {
		area := mapFilled * mapWidth * mapHeight * float64(len(t.members)) / all
		radius[i] = min(mostRadius, max(leastRadius, math.Sqrt(area/math.Pi)))
	}
	m := &topicMap{Left: len(topics) - len(shown)}
	for i, p := range fit(at, radius, mapWidth, mapHeight, mapMargin) {
		t := shown[i]
		b := bubble{X: number(p.x), Y: number(p.y), R: number(radius[i]), LabelY: number(p.y + 4), Hue: t.Hue(), Topic: t.Label}
		b.Says = fmt.Sprintf("%s: %s, %s", t.Title, quantity(len(t.members), in.One, in.Many), quantity(len(t.stories), "story", "stories"))
		for k, s := range head(t.stories, 5) {
			if k == 0 {
				b.Says += ". Largest:"
			}
			b.Says += fmt.Sprintf("\n• %s (%d)", s.Title, len(s.members))
		}
		if radius[i] >= labelledFrom {
			b.Text = label(t, radius[i])
		}
		m.Bubbles = append(m.Bubbles, b)
	}
	return m
}

// label returns as many phrases of the title of a topic as fit its circle, at least one.
func label(t *group, radius float64) string {
	text := t.Title
	for float64(len([]rune(text)))*letterWidth >= labelShare*2*radius {
		at := strings.LastIndex(text, ", ")
		if at < 0 {
			break
		}
		text = text[:at]
	}
	return text
}

// hue returns the colour of a theme in degrees. Turning by the golden angle keeps themes of
// neighbouring numbers apart, however many there are.
func hue(theme int32) int { return int(math.Mod(210+137.508*float64(max(theme, 0)), 360)) }

// point is a place on the map.
type point struct{ x, y float64 }

// layout places items in the plane so that their distances are about those of their vectors.
// Classical scaling finds a start, and stress majorisation improves it (de Leeuw 1977; the weights,
// distance to the power -2, are those of Gansner, Koren and North 2004). It uses no random numbers.
func layout(means cluster.Matrix, rounds int) []point {
	n := means.Rows
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

// nearest is the least distance, so that weights stay finite.
const nearest = 0.05

// distances returns the distances of unit vectors, n x n.
func distances(m cluster.Matrix) []float64 {
	n := m.Rows
	m.Data = slices.Clone(m.Data)
	for i := range n {
		vector.Normalize(m.Row(i))
	}
	far := make([]float64, n*n)
	for i := range n {
		for j := range i {
			d := max(nearest, math.Sqrt(max(0, 2-2*float64(vector.Dot(m.Row(i), m.Row(j))))))
			far[i*n+j], far[j*n+i] = d, d
		}
	}
	return far
}

// scaled is classical scaling: the two greatest eigenvectors of the squared distances, centred
// twice, found by power iteration.
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
			v[i] = math.Sin(float64((axis+1)*(i+1))) + 1e-3*float64(i) // an arbitrary start
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

// remove makes v orthogonal to the unit vector u; nil changes nothing.
func remove(v, u []float64) {
	var dot float64
	for i, x := range u {
		dot += x * v[i]
	}
	for i, x := range u {
		v[i] -= dot * x
	}
}

// fit moves and scales places into a frame of the given size and separates circles that overlap.
func fit(at []point, radius []float64, width, height, margin float64) []point {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range at {
		low = point{min(low.x, p.x), min(low.y, p.y)}
		high = point{max(high.x, p.x), max(high.y, p.y)}
	}
	scale := min((width-2*margin)/max(high.x-low.x, 1e-9), (height-2*margin)/max(high.y-low.y, 1e-9))
	scale = min(scale, width) // a few items in one place
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
				if length < 1e-6 { // in one place: use a fixed direction
					angle := float64(i*len(out) + j)
					dx, dy, length = math.Cos(angle), math.Sin(angle), 1
				}
				share := radius[j] / (radius[i] + radius[j]) // the smaller circle moves more
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
