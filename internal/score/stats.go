package score

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

const (
	// priorArticles is the number of imaginary articles with nothing in common that are added to a
	// corpus of an embedding space whose background is not known. They keep centring from removing
	// what the articles of a small corpus share, which may all be about one event.
	priorArticles = 20
	// fixedOne is 1 in the fixed-point sum of dense vectors. The sum of 2^31 unit vectors does not
	// overflow.
	fixedOne = 1 << 32
	// sampleSize is the number of articles on which Stats estimates the cosine scale.
	sampleSize = 128
	// leastSpread and mostSpread bound the standard deviation of centred cosines between unrelated
	// articles (1.48 times the median of their magnitude) for which the model is valid: on all
	// labelled sets and copies of them the built-in model has .09 to .43. The cosines of an
	// embedding space outside are scaled to the bound, so that they are neither ignored nor counted
	// as proof.
	leastSpread, mostSpread = 0.06, 0.45
)

// Stats holds what is usual, in general news and in a set of articles: the weighting of terms, the
// mean vector, and a sample of vectors from which the cosine scale is estimated. It never changes,
// so any number of goroutines may use it.
type Stats struct {
	weighting   *lexical.Weighting
	mean        []float64 // nil: no article has a vector
	sample      [][]float32
	cosineScale func() float64 // estimated from the sample; computed once
}

// Articles returns the number of articles counted.
func (s *Stats) Articles() int { return s.weighting.Documents() }

// Weighting returns the weighting of terms.
func (s *Stats) Weighting() *lexical.Weighting { return s.weighting }

// centre subtracts the mean vector of the corpus. It returns the difference at unit length, nil if
// it is zero, and the dot product of v with the mean.
func (s *Stats) centre(v []float32) (centred []float32, background float64) {
	centred = slices.Clone(v)
	if len(s.mean) == len(v) {
		for i, x := range v {
			background += s.mean[i] * float64(x)
			centred[i] = float32(float64(x) - s.mean[i])
		}
	}
	if !vector.Normalize(centred) {
		return nil, background
	}
	return centred, background
}

// estimateScale returns the cosine scale that brings the deviation of centred cosines within the
// bounds for which the model is valid. Most pairs of a sample are unrelated, so the median
// magnitude estimates the deviation of a normal distribution.
func (s *Stats) estimateScale() float64 {
	if len(s.sample) < sampleSize/2 {
		return 1 // too few: the sample may be one story
	}
	centred := make([][]float32, 0, len(s.sample))
	for _, dense := range s.sample {
		if v, _ := s.centre(dense); v != nil {
			centred = append(centred, v)
		}
	}
	var magnitudes []float64
	for i, v := range centred {
		for _, w := range centred[:i] {
			if len(v) == len(w) {
				magnitudes = append(magnitudes, math.Abs(float64(vector.Dot(v, w))))
			}
		}
	}
	if len(magnitudes) == 0 {
		return 1
	}
	slices.Sort(magnitudes)
	deviation := 1.48 * magnitudes[len(magnitudes)/2]
	return math.Min(math.Max(deviation, leastSpread), mostSpread) / math.Max(deviation, leastSpread/4)
}

// StatsBuilder counts articles. They may be added and removed in any order, which does not change
// the result. It is not safe for concurrent use.
type StatsBuilder struct {
	frequencies *lexical.Frequencies
	sum         []int64 // of dense vectors in units of 1/fixedOne: exact in any order
	count       int
	sample      []sampled // ascending
}

// NewStatsBuilder returns a builder without articles.
func NewStatsBuilder() *StatsBuilder {
	return &StatsBuilder{frequencies: lexical.NewFrequencies()}
}

// StatsOf returns the statistics of a set of articles against a background.
func StatsOf(fs []Features, bg *Background) *Stats {
	b := NewStatsBuilder()
	for i := range fs {
		b.Add(&fs[i])
	}
	return b.Stats(bg)
}

// Add counts an article. The first dense vector decides the length of all; a vector of another
// length, or none, adds to the document frequencies only.
func (b *StatsBuilder) Add(f *Features) { b.change(f, 1) }

// Remove removes an article that was added with the same features.
func (b *StatsBuilder) Remove(f *Features) { b.change(f, -1) }

// Articles returns the number of articles counted.
func (b *StatsBuilder) Articles() int { return b.frequencies.Documents() }

func (b *StatsBuilder) change(f *Features, by int) {
	if by > 0 {
		b.frequencies.Add(&f.Lex)
	} else {
		b.frequencies.Remove(&f.Lex)
	}
	if b.sum == nil && by > 0 && len(f.Dense) > 0 {
		b.sum = make([]int64, len(f.Dense))
	}
	if len(f.Dense) == 0 || len(f.Dense) != len(b.sum) {
		return
	}
	b.resample(f, by)
	for i, x := range f.Dense {
		b.sum[i] += int64(by) * int64(math.Round(float64(x)*fixedOne))
	}
	if b.count += by; b.count <= 0 {
		b.sum, b.count, b.sample = nil, 0, nil
	}
}

// Stats returns the current statistics, against a background. It copies the document frequencies,
// so its cost grows with the number of distinct terms.
func (b *StatsBuilder) Stats(bg *Background) *Stats {
	s := &Stats{weighting: b.frequencies.Weighting(bg.frequencies), sample: make([][]float32, len(b.sample))}
	for i := range b.sample {
		s.sample[i] = b.sample[i].dense
	}
	s.mean = b.mean(bg.mean, s.weighting.OwnShare())
	s.cosineScale = sync.OnceValue(s.estimateScale)
	return s
}

// mean returns the mean vector that is taken away: that of the background with a share of the
// articles' own. nil: no article has a vector.
func (b *StatsBuilder) mean(background []float64, own float64) []float64 {
	if b.sum == nil {
		return nil
	}
	mean := make([]float64, len(b.sum))
	if len(background) != len(mean) {
		scale := 1 / (fixedOne * float64(b.count+priorArticles))
		for i, x := range b.sum {
			mean[i] = float64(x) * scale
		}
		return mean
	}
	scale := own / (fixedOne * float64(b.count))
	for i, x := range b.sum {
		mean[i] = float64(x)*scale + (1-own)*background[i]
	}
	return mean
}

// sampled is one article of the sample, which consists of the articles whose ids have the lowest
// hashes.
type sampled struct {
	key   uint64
	id    string
	dense []float32
}

func newSampled(id string, dense []float32) sampled {
	h := fnv.New64a()
	h.Write([]byte(id))
	return sampled{h.Sum64(), id, dense}
}

func (s sampled) compare(t sampled) int {
	return cmp.Or(cmp.Compare(s.key, t.key), strings.Compare(s.id, t.id))
}

// resample adds an article to the sample or removes it. Later articles take the place of a removed
// one.
func (b *StatsBuilder) resample(f *Features, by int) {
	s := newSampled(f.ID, f.Dense)
	at, found := slices.BinarySearchFunc(b.sample, s, sampled.compare)
	switch {
	case by < 0 && found:
		b.sample = slices.Delete(b.sample, at, at+1)
	case by > 0 && !found && at < sampleSize:
		b.sample = slices.Insert(b.sample, at, s)
		b.sample = b.sample[:min(len(b.sample), sampleSize)]
	}
}
