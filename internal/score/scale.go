package score

import (
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/cluster/vector"
)

// Halves holds the vectors of the two halves of one article's text, in the embedding space of a
// corpus (Own) and in the one that the model was fitted in (Reference).
type Halves struct {
	Published time.Time // zero: unknown
	Own       [2][]float32
	Reference [2][]float32
}

// Scale makes cosines of one embedding space comparable to those of the space that the model was
// fitted in.
type Scale struct {
	Factor float64 // multiplies centred cosines
	// AUC is the probability that two halves of one article are nearer to each other than two
	// halves of different articles. 0.5: the space cannot distinguish texts.
	AUC      float64
	Articles int // measured on
}

const (
	// leastArticles is the least number of articles: the mean cosine of their halves is then known
	// to about a tenth.
	leastArticles = 24
	// leastAUC is the least AUC of a useful embedding model. The built-in model has .86 to .99 on
	// the labelled sets, the mean of static token vectors .75 to .98.
	leastAUC = 0.65
	// leastFactor and mostFactor bound the cosine scale, so that noise does not count as evidence.
	leastFactor, mostFactor = 0.4, 2.5
	// farApart is the time between articles that are certainly not about one event.
	farApart = 30 * 24 * time.Hour
)

// UninformativeEmbeddingError is the error of an embedding space whose vectors do not show which
// texts belong together, so that no threshold would mean anything.
type UninformativeEmbeddingError struct {
	AUC float64 // as in Scale
}

func (e *UninformativeEmbeddingError) Error() string {
	return fmt.Sprintf("the embedding model cannot distinguish texts: split-half AUC too low (got %.2f, want at least %.2f, chance is 0.50)",
		e.AUC, leastAUC)
}

// MeasureScale measures the cosine scale of an embedding space on the halves of some articles,
// without labels: halves of one article belong together, halves of different articles do not, above
// all if they were published far apart. The scale is gap(reference)/gap(own), where gap is the mean
// centred cosine of halves of one article less that of halves of different articles. It needs 24
// articles. An AUC below leastAUC in either space is an *UninformativeEmbeddingError.
func MeasureScale(articles []Halves) (Scale, error) {
	if len(articles) < leastArticles {
		return Scale{}, fmt.Errorf("cosine scale: too few articles (got %d, want at least %d)", len(articles), leastArticles)
	}
	ownGap, ownAUC, err := separate(articles, func(h Halves) [2][]float32 { return h.Own })
	if err != nil {
		return Scale{}, err
	}
	referenceGap, _, err := separate(articles, func(h Halves) [2][]float32 { return h.Reference })
	if err != nil {
		return Scale{}, fmt.Errorf("reference space: %w", err)
	}
	return Scale{Factor: min(max(referenceGap/ownGap, leastFactor), mostFactor), AUC: ownAUC, Articles: len(articles)}, nil
}

// separate returns how much nearer halves of one article are to each other than halves of different
// ones, as a gap between mean cosines and as an area under the ROC curve.
func separate(articles []Halves, of func(Halves) [2][]float32) (gap, area float64, err error) {
	rows := make([][2][]float32, len(articles))
	dim := 0
	for i, a := range articles {
		rows[i] = of(a)
		for _, v := range rows[i] {
			if dim == 0 {
				dim = len(v)
			}
			if len(v) != dim || dim == 0 {
				return 0, 0, fmt.Errorf("half of article %d: vector of another length (got %d dimensions, want %d)", i, len(v), dim)
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
			vector.Normalize(centred) // zero if all vectors are equal: its cosines are 0
			rows[i][k] = centred
		}
	}
	var together, apart []float64
	for _, pair := range rows {
		together = append(together, float64(vector.Dot(pair[0], pair[1])))
	}
	for _, dated := range []bool{true, false} { // published far apart; if these are too few, any
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
	gap, area = average(together)-average(apart), auc(together, apart)
	if area < leastAUC || gap <= 0 {
		return gap, area, &UninformativeEmbeddingError{AUC: area}
	}
	return gap, area, nil
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

// auc returns the probability that one of xs is larger than one of ys, ties counting half: the area
// under the ROC curve.
func auc(xs, ys []float64) float64 {
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
