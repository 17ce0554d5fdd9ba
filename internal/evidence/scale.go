package evidence

import (
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/cluster/vector"
)

// Halves are the vectors of the two halves of one article's text: in the embedding space of a corpus, and in the one that the coefficients
// of the model are for.
type Halves struct {
	Published time.Time // zero: unknown
	Own       [2][]float32
	Reference [2][]float32
}

// Scale is what makes cosines of one embedding space mean what they do in that of the coefficients.
type Scale struct {
	Factor     float64 // of centred cosines
	Separation float64 // chance that two halves of one article are nearer to each other than two of different ones; half: no better than a coin
	Articles   int     // that it was measured on
}

const (
	// scaleFewest is how many articles are needed: the mean of their halves' cosines is then known to about a tenth.
	scaleFewest = 24
	// leastSeparation is what an embedding must tell at least. The built-in model has .86 to .99 on the labelled sets, the mean of static token
	// vectors .75 to .98.
	leastSeparation = 0.65
	// leastFactor and mostFactor bound the factor; beyond, noise would be taken for evidence.
	leastFactor, mostFactor = 0.4, 2.5
	// farApart is the time between articles that are surely not on one event, where dates are known.
	farApart = 30 * 24 * time.Hour
)

// InertError says that vectors of an embedding space do not tell which texts belong together, so that no cut of theirs would mean anything.
type InertError struct {
	Separation float64 // see Scale
}

func (e *InertError) Error() string {
	return fmt.Sprintf("the vectors of this embedding model do not tell texts apart: two halves of one article are nearer to each other than "+
		"halves of different ones in %.0f %% of cases, a coin would give 50", 100*e.Separation)
}

// MeasureScale compares two embedding spaces on the halves of some articles, without labels: halves of one article belong together, those of
// different ones do not, least of all those of articles published far apart. It returns the factor by which centred cosines of the
// own space are to be multiplied for what belongs together to stand out from what does not as far as in the reference. When the
// halves do not tell, that is an *InertError.
func MeasureScale(articles []Halves) (Scale, error) {
	if len(articles) < scaleFewest {
		return Scale{}, fmt.Errorf("%d articles are too few to calibrate on, at least %d are needed", len(articles), scaleFewest)
	}
	own, err := contrast(articles, func(h Halves) [2][]float32 { return h.Own })
	if err != nil {
		return Scale{}, err
	}
	reference, err := contrast(articles, func(h Halves) [2][]float32 { return h.Reference })
	if err != nil {
		return Scale{}, fmt.Errorf("in the reference space: %w", err)
	}
	factor := reference.gap / own.gap
	return Scale{Factor: min(max(factor, leastFactor), mostFactor), Separation: own.separation, Articles: len(articles)}, nil
}

// contrasted is how far halves of one article stand out in a space.
type contrasted struct{ gap, separation float64 }

// contrast measures a space.
func contrast(articles []Halves, of func(Halves) [2][]float32) (contrasted, error) {
	rows := make([][2][]float32, len(articles))
	dim := 0
	for i, a := range articles {
		rows[i] = of(a)
		for _, v := range rows[i] {
			if dim == 0 {
				dim = len(v)
			}
			if len(v) != dim || dim == 0 {
				return contrasted{}, fmt.Errorf("half of article %d has %d dimensions where others have %d", i, len(v), dim)
			}
		}
	}
	mean := make([]float64, dim)
	for _, pair := range rows {
		for _, v := range pair {
			for d, x := range v {
				mean[d] += float64(x) / float64(2*len(rows)+priorArticles)
			}
		}
	}
	for i, pair := range rows {
		for k, v := range pair {
			centred := make([]float32, dim)
			for d, x := range v {
				centred[d] = float32(float64(x) - mean[d])
			}
			vector.Normalize(centred) // nothing is left of a vector that all share: it is near to none
			rows[i][k] = centred
		}
	}
	var together, apart []float64
	for _, pair := range rows {
		together = append(together, float64(vector.Dot(pair[0], pair[1])))
	}
	for _, dated := range []bool{true, false} { // far apart in time; if there are too few such, any
		for i, a := range articles {
			for j, b := range articles {
				if i != j && (!dated || far(a.Published, b.Published)) {
					apart = append(apart, float64(vector.Dot(rows[i][0], rows[j][1])))
				}
			}
		}
		if len(apart) >= len(articles) {
			break
		}
		apart = apart[:0]
	}
	c := contrasted{gap: average(together) - average(apart), separation: separation(together, apart)}
	if c.separation < leastSeparation || c.gap <= 0 {
		return c, &InertError{Separation: c.separation}
	}
	return c, nil
}

func far(a, b time.Time) bool {
	return !a.IsZero() && !b.IsZero() && a.Sub(b).Abs() >= farApart
}

func average(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / math.Max(1, float64(len(xs)))
}

// separation is the chance that one of the first is larger than one of the second, ties counting half (the area under the ROC curve).
func separation(xs, ys []float64) float64 {
	ys = slices.Sorted(slices.Values(ys))
	wins := 0.0
	for _, x := range xs {
		below, found := slices.BinarySearch(ys, x)
		equal := 0
		for found && below+equal < len(ys) && ys[below+equal] == x {
			equal++
		}
		wins += float64(below) + float64(equal)/2
	}
	return wins / math.Max(1, float64(len(xs)*len(ys)))
}
