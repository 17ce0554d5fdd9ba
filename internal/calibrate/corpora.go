package calibrate

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/derive"
	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/score"
)

// corpus is a whole set or a corpus drawn from some, ready for linkage with any model. Articles are
// in the order of their ids.
type corpus struct {
	name     string
	drawn    *derive.Corpus // nil: a whole set
	sources  seen           // the sets that it is drawn from
	story    []int32
	near     *hierarchy.CandidateGraph
	pairs    []hierarchy.Pair
	copies   []bool    // by pair: the two are copies
	examples []example // to fit on; none if all pairs are of one event or none is
}

func (c *corpus) same(p hierarchy.Pair) bool { return c.story[p.A] == c.story[p.B] }

const (
	// mostExamples is the most candidate pairs of a corpus that are fitted on.
	mostExamples = 800
	// mostLinked is the most corpora that the rule and the reliability of a model for the report
	// are fitted on.
	mostLinked = 300
	// embedBatch is the number of texts embedded in one call. A run that was interrupted finds the
	// vectors of completed calls in the cache.
	embedBatch = 256
)

// plan lists the corpora to make: of each amount of text a number, some of them odd.
type plan struct {
	seed   string
	counts [derive.Mixed + 1]int
	odd    bool
}

// scaled returns a plan of about a number of corpora, in the same proportions; 0: p itself.
func (p plan) scaled(corpora int) plan {
	total := 0
	for _, n := range p.counts {
		total += n
	}
	if corpora > 0 {
		for i := range p.counts {
			p.counts[i] = (p.counts[i]*corpora + total - 1) / total
		}
	}
	return p
}

// draw draws the corpora of a plan.
func (p plan) draw(sources []derive.Source) []derive.Corpus {
	var out []derive.Corpus
	for amount, count := range p.counts {
		for number := range count {
			out = append(out, derive.Draw(sources, number, derive.Options{Seed: p.seed, Amount: derive.Amount(amount), Odd: p.odd}))
		}
	}
	return out
}

var (
	// fitted are the corpora that a model is fitted on.
	fitted = plan{seed: "fit", counts: [...]int{derive.Whole: 300, derive.Lead: 48, derive.First: 48, derive.Title: 120, derive.Mixed: 120}, odd: true}
	// measured are the corpora that the report is about.
	measured = plan{seed: "report", counts: [...]int{derive.Whole: 240, derive.Title: 240, derive.Mixed: 0}}
)

// texts embeds the articles of corpora, each text once: whole ones with Full, shortened ones with
// Short.
type texts struct {
	sets []*Set
	opts *Options

	vectors map[textKey][]float32
}

type textKey struct {
	set   int
	whole bool
	text  string
}

// key returns the key of the text that is embedded for an article.
func (t *texts) key(set int, whole bool, a *news.Article) textKey {
	return textKey{set, whole || t.opts.Full == nil, chunk.LeadText(*a)}
}

// embed embeds texts that have no vector yet.
func (t *texts) embed(ctx context.Context, keys []textKey) error {
	missing := map[[2]int][]textKey{} // by set, and 1 for whole texts
	for _, k := range keys {
		if _, ok := t.vectors[k]; ok {
			continue
		}
		t.vectors[k] = nil
		at := [2]int{k.set, 0}
		if k.whole {
			at[1] = 1
		}
		missing[at] = append(missing[at], k)
	}
	for set := range t.sets {
		for whole := range 2 {
			keys := missing[[2]int{set, whole}]
			embedder := t.opts.Short
			if whole == 1 && t.opts.Full != nil {
				embedder = t.opts.Full(t.sets[set].Name)
			}
			for batch := range slices.Chunk(keys, embedBatch) {
				list := make([]string, len(batch))
				for i, k := range batch {
					list[i] = k.text
				}
				vectors, err := embedder.Embed(ctx, embed.Document, list)
				if err != nil {
					return fmt.Errorf("%s: vectors: %w", t.sets[set].Name, err)
				}
				for i, k := range batch {
					t.vectors[k] = vectors[i]
				}
			}
		}
	}
	return nil
}

// item is an article of a corpus with the key of its text.
type item struct {
	article news.Article
	key     textKey
	story   int32
}

// items returns the articles of a drawn corpus, in the order of their ids.
func (t *texts) items(c *derive.Corpus) ([]item, error) {
	article := func(source, index int) news.Article {
		a := t.sets[source].articles[index]
		a.ID = t.sets[source].Name + "/" + a.ID // sets may use the same ids
		return a
	}
	out := make([]item, len(c.Items))
	for i, it := range c.Items {
		valid, err := it.Article(article)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		a := valid.Article()
		out[i] = item{a, t.key(it.Source, !it.Changed(), &a), c.Story[i]}
	}
	slices.SortFunc(out, func(a, b item) int { return strings.Compare(a.article.ID, b.article.ID) })
	return out, nil
}

// wholeItems returns all articles of a set.
func (t *texts) wholeItems(set int) []item {
	s := t.sets[set]
	out := make([]item, len(s.articles))
	for i := range s.articles {
		out[i] = item{s.articles[i], t.key(set, true, &s.articles[i]), s.story[i]}
	}
	return out
}

// features returns the features of items whose texts are embedded.
func (t *texts) features(items []item) []score.Features {
	fs := make([]score.Features, len(items))
	for i := range items {
		fs[i] = score.FeaturesOf(&items[i].article, t.vectors[items[i].key])
	}
	return fs
}

// prepare finds the candidate pairs of a corpus of these articles, and draws examples from them.
func (c *corpus) prepare(ctx context.Context, fs []score.Features, bg *score.Background) error {
	st := score.NewState(new(score.Model), score.StatsOf(fs, bg)) // no pair depends on the model
	var err error
	if c.near, err = hierarchy.NewCandidateGraph(ctx, st, fs, hierarchy.Options{Workers: 1}); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.pairs = c.near.Pairs()
	c.copies = make([]bool, len(c.pairs))
	for k, p := range c.pairs {
		c.copies[k] = c.near.Compare(p).Copy
	}
	c.examples = c.draw()
	return nil
}

// draw returns examples drawn from the candidate pairs. Those of one event and those of two have
// the same total weight, the square root of the number of articles.
func (c *corpus) draw() []example {
	h := fnv.New64a()
	h.Write([]byte(c.name))
	order := rand.New(rand.NewPCG(h.Sum64(), 1)).Perm(len(c.pairs))
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
	total := math.Sqrt(float64(len(c.story)))
	for k := range out {
		out[k].weight = total / apart
		if out[k].same == 1 {
			out[k].weight = total / same
		}
	}
	return out
}

// parallel calls fn for 0 to n-1 on some goroutines, and returns the first error by number.
func parallel(n, workers int, fn func(i int) error) error {
	errs, next := make([]error, n), make(chan int)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := range next {
				errs[i] = fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
