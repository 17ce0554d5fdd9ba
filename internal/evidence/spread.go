package evidence

import (
	"hash/fnv"
	"math"
	"slices"

	"throughline/cluster/vector"
)

const (
	// sampleSize is how many articles stand for the corpus when its spread is measured.
	sampleSize = 128
	// leastSpread and mostSpread bound the spread of centred cosines between unrelated articles, 1.48 times the median of
	// their magnitude, that the coefficients are for: all labelled sets and copies of them with the built-in model lie between .09 and .43. An
	// embedding space beyond is scaled to the bound, so that it is neither ignored nor taken for proof.
	leastSpread, mostSpread = 0.06, 0.45
)

// sampled is one article of the sample: those whose ids have the lowest hashes, whatever the order they came in.
type sampled struct {
	key   uint64
	id    string
	dense []float32
}

func (s sampled) compare(t sampled) int {
	switch {
	case s.key < t.key || s.key == t.key && s.id < t.id:
		return -1
	case s.key == t.key && s.id == t.id:
		return 0
	}
	return 1
}

// sampling adds an article to the sample or takes it out. A place that a removal leaves is filled by articles to come.
func (c *Corpus) sampling(p *Profile, by int) {
	h := fnv.New64a()
	h.Write([]byte(p.ID))
	s := sampled{key: h.Sum64(), id: p.ID, dense: p.Dense}
	at, found := slices.BinarySearchFunc(c.sample, s, sampled.compare)
	switch {
	case by < 0 && found:
		c.sample = slices.Delete(c.sample, at, at+1)
	case by > 0 && !found && at < sampleSize:
		c.sample = slices.Insert(c.sample, at, s)
		c.sample = c.sample[:min(len(c.sample), sampleSize)]
	}
}

// stretch returns the factor that brings centred cosines of this corpus to the spread the coefficients are for. The caller
// holds the lock.
func (c *Corpus) stretch() float64 {
	if c.factor > 0 {
		return c.factor
	}
	if len(c.sample) < sampleSize/2 {
		return 1 // too few to tell a spread from a story
	}
	centred := make([][]float32, 0, len(c.sample))
	for _, s := range c.sample {
		if v, _ := c.centre(s.dense); v != nil {
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
	spread := 1.48 * magnitudes[len(magnitudes)/2]
	return math.Min(math.Max(spread, leastSpread), mostSpread) / math.Max(spread, leastSpread/4)
}
