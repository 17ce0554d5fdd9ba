package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"throughline/cluster"
	"throughline/internal/related"
)

const (
	ndcgDepth      = 10
	precisionDepth = 5
)

// answer is what was learnt from the list of one article.
type answer struct {
	company              bool // the article's story has others, so the list has a score
	ndcg, p5, reciprocal float64
	pairs                []pair
}

// pair is a labelled article in the list of another one.
type pair struct {
	other       int // which article
	probability float64
}

// relate asks for the related coverage of every labelled article and adds the scores to its story. Sums are taken in the
// order of the articles, so that the number of workers changes nothing.
func relate(ctx context.Context, sys System, g *gold, opts Options, units []sums) error {
	index := make(map[string]int, len(g.ids))
	for i, id := range g.ids {
		index[id] = i
	}
	answers := make([]answer, len(g.ids))
	var telling sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Workers)
	for _, i := range g.sample(opts.Ask) {
		id := g.ids[i]
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			list, err := sys.Related(ctx, id)
			if err == nil {
				answers[i], err = g.judge(ctx, i, list, index)
			}
			if err != nil {
				return fmt.Errorf("coverage related to %q: %w", id, err)
			}
			telling.Lock()
			defer telling.Unlock()
			opts.Progress("relating")
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	seen := make(map[[2]int]bool)
	for i, a := range answers {
		if g.stories[i] < 0 {
			continue
		}
		own := &units[g.stories[i]]
		if a.company {
			own.add(&sums{asked: 1, ndcg: a.ndcg, p5: a.p5, mrr: a.reciprocal})
		}
		for _, p := range a.pairs {
			// What the second of two articles says of the first is what the first said, but for what sections add.
			key := [2]int{min(i, p.other), max(i, p.other)}
			if seen[key] {
				continue
			}
			seen[key] = true
			same := g.stories[i] == g.stories[p.other]
			own.bins.note(p.probability, same, 0.5)
			units[g.stories[p.other]].bins.note(p.probability, same, 0.5)
		}
	}
	return nil
}

// sample returns the articles that are asked about: labelled ones, as many as there are or as are wanted, with the smallest
// hashes of their ids.
func (g *gold) sample(wanted int) []int {
	var all []int
	hashes := make([]uint64, len(g.ids))
	for i, id := range g.ids {
		if g.stories[i] >= 0 {
			h := fnv.New64a()
			h.Write([]byte(id)) // never fails, as documented
			hashes[i] = h.Sum64()
			all = append(all, i)
		}
	}
	switch {
	case wanted < 0:
		return nil
	case wanted == 0 || wanted >= len(all):
		return all
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Or(cmp.Compare(hashes[a], hashes[b]), cmp.Compare(g.ids[a], g.ids[b])) })
	return all[:wanted]
}

// judge scores the list of the i-th article. What lies below the first results is looked at only where the first relevant
// article is not among them.
func (g *gold) judge(ctx context.Context, i int, list List, index map[string]int) (answer, error) {
	var a answer
	top, err := list.Hits(ctx, 0, candidateDepth)
	if err != nil {
		return a, err
	}
	story := g.stories[i]
	relevant := func(h Hit) bool {
		other, ok := index[h.ID]
		return ok && other != i && g.stories[other] == story
	}
	hits, gains := make([]bool, len(top)), make([]float64, len(top))
	for k, h := range top {
		if other, ok := index[h.ID]; ok && other != i && g.stories[other] >= 0 {
			a.pairs = append(a.pairs, pair{other, h.Probability})
		}
		if relevant(h) {
			hits[k], gains[k] = true, 1
		}
	}
	possible := g.storiesBySize[story] - 1
	if a.company = possible > 0; !a.company {
		return a, nil
	}
	ideal := make([]float64, min(possible, ndcgDepth))
	for k := range ideal {
		ideal[k] = 1
	}
	a.ndcg, a.p5, a.reciprocal = cluster.NDCG(gains, ideal, ndcgDepth), cluster.PrecisionAt(hits, precisionDepth), cluster.ReciprocalRank(hits)
	if a.reciprocal > 0 || len(top) < candidateDepth {
		return a, nil
	}
	rest, err := list.Hits(ctx, candidateDepth, related.Depth)
	if err != nil {
		return a, err
	}
	for _, h := range rest {
		hits = append(hits, relevant(h))
	}
	a.reciprocal = cluster.ReciprocalRank(hits)
	return a, nil
}
