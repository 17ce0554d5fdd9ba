package evidence

import (
	"math"
	"sync"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

// priorArticles is how many articles without anything in common are added to every corpus, so that the few articles of a
// small one, perhaps all on one event, are not stripped of what they share.
const priorArticles = 20

// fixedOne is 1 in the fixed-point sum of dense vectors. Unit vectors add up to 2^31 articles before it overflows.
const fixedOne = 1 << 32

// Corpus holds what is usual in a set of articles: document frequencies and the mean vector. Articles are added and
// removed one by one, in any order with the same result. It may be used from several goroutines.
type Corpus struct {
	frequencies *lexical.Frequencies

	mu    sync.RWMutex
	sum   []int64 // of dense vectors in units of 1/fixedOne, so that the order of additions leaves no trace
	count int

	sample    []sampled // ascending
	stretched float64   // what stretch returned, 0 when it must be asked again
	factor    float64   // what SetScale was told, 0 for nothing

	cut    float64 // where stories end, see SetCut
	hasCut bool
}

// NewCorpus returns an empty corpus.
func NewCorpus() *Corpus { return &Corpus{frequencies: lexical.NewFrequencies()} }

// SetCut says at which logit stories of this corpus end: Cut.Even of its last arrangement.
func (c *Corpus) SetCut(logit float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut, c.hasCut = logit, true
}

// Cut returns what SetCut was told last, or reports that it was told nothing yet.
func (c *Corpus) Cut() (logit float64, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.cut, c.hasCut
}

// SetScale says how centred cosines of this corpus's embedding space compare with those that the coefficients are for. Without it that follows
// from their spread.
func (c *Corpus) SetScale(s Scale) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.factor, c.stretched = s.Factor, 0
}

// Add counts an article. Articles of one corpus have dense vectors of one length; a vector of another length, or none,
// adds to the document frequencies only.
func (c *Corpus) Add(p *Profile) { c.change(p, 1) }

// Remove takes back an article that was added with the same vectors.
func (c *Corpus) Remove(p *Profile) { c.change(p, -1) }

func (c *Corpus) change(p *Profile, by int) {
	if by > 0 {
		c.frequencies.Add(&p.Lex)
	} else {
		c.frequencies.Remove(&p.Lex)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sum == nil && by > 0 && len(p.Dense) > 0 {
		c.sum = make([]int64, len(p.Dense))
	}
	if len(p.Dense) == 0 || len(p.Dense) != len(c.sum) {
		return
	}
	c.sampling(p, by)
	c.stretched = 0
	for i, x := range p.Dense {
		c.sum[i] += int64(by) * int64(math.Round(float64(x)*fixedOne))
	}
	if c.count += by; c.count <= 0 {
		c.sum, c.count, c.sample = nil, 0, nil
	}
}

// Len returns the number of articles.
func (c *Corpus) Len() int { return c.frequencies.Documents() }

// Frequencies returns the document frequencies, which change with the corpus.
func (c *Corpus) Frequencies() *lexical.Frequencies { return c.frequencies }

// Weigh returns a profile as the corpus sees it now. The article need not belong to the corpus.
func (c *Corpus) Weigh(p *Profile) *Weighed {
	w := &Weighed{
		dense:  p.Dense,
		full:   c.frequencies.Weigh(lexical.Full, p.Lex.Full),
		lead:   c.frequencies.Weigh(lexical.Lead, p.Lex.Lead),
		names:  c.frequencies.Weigh(lexical.Names, p.Lex.Names),
		length: lengthOf(p.Lex.Words),
		dated:  !p.Published.IsZero(),

		shingles: p.Lex.Shingles,
	}
	if w.dated {
		w.day = dayOf(p.Published)
	}
	if len(p.Dense) == 0 {
		return w
	}
	c.mu.RLock()
	w.centred, w.background = c.centre(p.Dense)
	w.stretch = c.stretched
	c.mu.RUnlock()
	if w.stretch == 0 {
		c.mu.Lock()
		if c.stretched == 0 {
			c.stretched = c.stretch()
		}
		w.stretch = c.stretched
		c.mu.Unlock()
	}
	return w
}

// centre removes the mean of the corpus, the direction that its articles share, and returns the unit vector of the rest
// and the cosine with the mean. The caller holds the lock.
func (c *Corpus) centre(v []float32) (centred []float32, background float64) {
	centred = make([]float32, len(v))
	if len(c.sum) == len(v) {
		scale := 1 / (fixedOne * float64(c.count+priorArticles))
		for i, x := range v {
			mean := float64(c.sum[i]) * scale
			background += mean * float64(x)
			centred[i] = float32(float64(x) - mean)
		}
	} else {
		copy(centred, v)
	}
	if !vector.Normalize(centred) {
		return nil, background
	}
	return centred, background
}

// Compare returns the signals between two articles. To compare one with many, weigh each once and use [Compare].
func (c *Corpus) Compare(a, b *Profile) Signals { return Compare(c.Weigh(a), c.Weigh(b)) }

// Compare returns the signals between two articles weighed by one corpus.
func Compare(a, b *Weighed) Signals {
	s := Signals{
		Lexical: float64(a.full.Dot(b.full)),
		Lead:    float64(a.lead.Dot(b.lead)),
		Names:   float64(a.names.Dot(b.names)),
		Lengths: [2]float64{a.length, b.length},
		Length:  min(a.length, b.length),
		Dated:   a.dated && b.dated,

		Background: (a.background + b.background) / 2,
	}
	if len(a.dense) > 0 && len(a.dense) == len(b.dense) {
		s.Dense = float64(vector.Dot(a.dense, b.dense))
	}
	if len(a.centred) > 0 && len(a.centred) == len(b.centred) {
		s.Centred = math.Sqrt(a.stretch*b.stretch) * float64(vector.Dot(a.centred, b.centred))
	}
	s.Verbatim, s.Copy = sameText(a, b)
	s.Copy = s.Copy && (s.Centred >= copyCentred || len(a.centred) == 0 || len(b.centred) == 0)
	if s.Dated {
		s.Days = math.Abs(float64(a.day - b.day))
	}
	return s
}
