package calibrate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/hierarchy"
	"throughline/internal/score"
)

// corpus is one of the corpora made from a set, ready for linkage with any model. Articles are in
// the order of their ids.
type corpus struct {
	name     string
	story    []int32
	near     *hierarchy.CandidateGraph
	pairs    []hierarchy.Pair
	copies   []bool    // by pair: the two are copies; nil unless whole
	examples []example // to fit on; none if all pairs are of one event or none is
}

func (c *corpus) whole() bool { return c.name == whole }

func (c *corpus) same(p hierarchy.Pair) bool { return c.story[p.A] == c.story[p.B] }

const (
	// mostExamples is the most candidate pairs of a corpus that are fitted on.
	mostExamples = 4000
	// classWeight is the total weight of the pairs of one event of a corpus, and of those of two
	// events.
	classWeight = 500
	// wholeFactor is the weight of a whole set relative to a variant of it.
	wholeFactor = 2
	// embedBatch is the number of texts embedded in one call. A run that was interrupted finds the
	// vectors of completed calls in the cache.
	embedBatch = 256
)

// features returns the features of the articles of a variant. It embeds whole texts with full, and
// shortened ones with shortened, which is of the same space.
func features(ctx context.Context, s *Set, v variant, full, shortened embed.Embedder) ([]score.Features, error) {
	fs := make([]score.Features, len(v.members))
	texts := make([]string, len(v.members))
	embedder := full
	for k, i := range v.members {
		a := s.articles[i]
		if v.words >= 0 {
			var err error
			if a, err = short(a, v.words); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", s.Name, v.name, err)
			}
			embedder = shortened
		}
		if v.undated {
			a.Published = time.Time{}
		}
		texts[k] = chunk.LeadText(a)
		fs[k] = score.FeaturesOf(&a, nil)
	}
	for from := 0; from < len(texts); from += embedBatch {
		vectors, err := embedder.Embed(ctx, embed.Document, texts[from:min(from+embedBatch, len(texts))])
		if err != nil {
			return nil, fmt.Errorf("%s, %s: vectors: %w", s.Name, v.name, err)
		}
		for k, vector := range vectors {
			fs[from+k].Dense = vector
		}
	}
	return fs, nil
}

// prepare makes a corpus from a set; see features for the embedders.
func prepare(ctx context.Context, s *Set, v variant, full, shortened embed.Embedder, opts Options) (*corpus, error) {
	c := &corpus{name: v.name}
	for _, i := range v.members {
		c.story = append(c.story, s.story[i])
	}
	fs, err := features(ctx, s, v, full, shortened)
	if err != nil {
		return nil, err
	}
	st := score.NewState(score.Default(), score.StatsOf(fs)) // no pair depends on the model
	if c.near, err = hierarchy.NewCandidateGraph(ctx, st, fs, hierarchy.Options{Workers: opts.Workers}); err != nil {
		return nil, fmt.Errorf("%s, %s: %w", s.Name, v.name, err)
	}
	c.pairs = c.near.Pairs()
	if c.whole() {
		c.copies = make([]bool, len(c.pairs))
		for k, p := range c.pairs {
			c.copies[k] = c.near.Compare(p).Copy
		}
	}
	c.examples = c.draw(s.random(v.name + "/pairs"))
	return c, nil
}

// draw returns examples drawn from the candidate pairs. Those of one event and those of two have
// the same total weight.
func (c *corpus) draw(r *rand.Rand) []example {
	order := r.Perm(len(c.pairs))
	var out []example
	same := 0.0
	for _, k := range order[:min(len(order), mostExamples)] {
		e := newExample(c.near.Compare(c.pairs[k]), c.same(c.pairs[k]))
		same += e.same
		out = append(out, e)
	}
	apart := float64(len(out)) - same
	if same == 0 || apart == 0 {
		return nil
	}
	factor := 1.0
	if c.whole() {
		factor = wholeFactor
	}
	for k := range out {
		out[k].weight = factor * classWeight / apart
		if out[k].same == 1 {
			out[k].weight = factor * classWeight / same
		}
	}
	return out
}
