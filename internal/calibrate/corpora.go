package calibrate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
)

// corpus is one of the corpora made of a set, ready to be linked by any model. Articles are in the order of their ids.
type corpus struct {
	name     string
	story    []int32
	near     *evidence.Neighborhood
	pairs    []evidence.Pair
	copies   []bool    // of the pairs, those of one text; of the whole set only
	examples []example // to fit on; none where all pairs are of one event or none is
}

func (c *corpus) whole() bool { return c.name == whole }

func (c *corpus) same(p evidence.Pair) bool { return c.story[p.A] == c.story[p.B] }

const (
	// mostExamples is how many candidate pairs of a corpus are fitted on.
	mostExamples = 4000
	// classWeight is the weight of the pairs of one event of a corpus, together, and of those of two.
	classWeight = 500
	// wholeFactor is how much more a whole set counts than a copy of it.
	wholeFactor = 2
	// atOnce is how many texts are embedded in one call, so that a run that was stopped finds most of its vectors in the cache.
	atOnce = 256
)

// prepare makes a corpus of a set. Texts in full have their vectors from one embedder, shortened ones from another of the same space.
func prepare(ctx context.Context, s *Set, v variant, full, shortened embed.Embedder, opts Options) (*corpus, error) {
	c := &corpus{name: v.name}
	ps := make([]evidence.Profile, len(v.members))
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
		texts[k] = article.LeadText(a)
		ps[k] = evidence.Profile{ID: a.ID, Lex: lexical.Analyze(a.Title, a.Text()), Published: a.Published, Source: a.Source}
		c.story = append(c.story, s.story[i])
	}
	for from := 0; from < len(texts); from += atOnce {
		vectors, err := embedder.Embed(ctx, embed.Document, texts[from:min(from+atOnce, len(texts))])
		if err != nil {
			return nil, fmt.Errorf("%s, %s: vectors: %w", s.Name, v.name, err)
		}
		for k, vector := range vectors {
			ps[from+k].Dense = vector
		}
	}
	known := evidence.NewCorpus()
	for k := range ps {
		known.Add(&ps[k])
	}
	var err error
	if c.near, err = evidence.NewNeighborhood(ctx, known, ps, evidence.LadderOptions{Workers: opts.Workers}); err != nil {
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

// draw returns examples of candidate pairs, those of one event weighing as much as those of two.
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
