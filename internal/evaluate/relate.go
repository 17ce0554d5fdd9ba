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

// answer holds the scores of the list of one article.
type answer struct {
	hasRelevant          bool // the article's story has others, so the list has scores
	ndcg, p5, reciprocal float64
	pairs                []pair
}

// pair is a labelled article in the list of another one.
type pair struct {
	other       int // index of the article
	probability float64
}

// relate asks for the related coverage of every labelled article and adds the scores to the unit of
// its story. It sums in the order of the articles, so the number of workers does not change the
// result.
func relate(ctx context.Context, sys System, g *gold, opts Options, units []sums) error {
	index := make(map[string]int, len(g.ids))
	for i, id := range g.ids {
		index[id] = i
	}
	answers := make([]answer, len(g.ids))
	var progress sync.Mutex
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
				answers[i], err = g.scoreList(ctx, i, list, index)
			}
			if err != nil {
				return fmt.Errorf("coverage related to %q: %w", id, err)
			}
			progress.Lock()
			defer progress.Unlock()
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
		if a.hasRelevant {
			own.add(&sums{asked: 1, ndcg: a.ndcg, p5: a.p5, mrr: a.reciprocal})
		}
		for _, p := range a.pairs {
			// Each pair counts once: both lists give the same probability.
			key := [2]int{min(i, p.other), max(i, p.other)}
			if seen[key] {
				continue
			}
			seen[key] = true
			same := g.stories[i] == g.stories[p.other]
			own.bins.Note(p.probability, same, 0.5)
			units[g.stories[p.other]].bins.Note(p.probability, same, 0.5)
		}
	}
	return nil
}

// sample returns the articles that are asked about: the labelled ones, or, if wanted is positive,
// at most that many, with the smallest hashes of their ids.
func (g *gold) sample(wanted int) []int {
	var all []int
	for i, story := range g.stories {
		if story >= 0 {
			all = append(all, i)
		}
	}
	if wanted == 0 || wanted >= len(all) {
		return all
	}
	hash := func(i int) uint64 {
		h := fnv.New64a()
		h.Write([]byte(g.ids[i])) // never fails, as documented
		return h.Sum64()
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Or(cmp.Compare(hash(a), hash(b)), cmp.Compare(g.ids[a], g.ids[b])) })
	return all[:max(wanted, 0)]
}

// scoreList scores the list of the i-th article. It reads beyond the first candidateDepth results
// only if none of them is relevant.
func (g *gold) scoreList(ctx context.Context, i int, list List, index map[string]int) (answer, error) {
	var a answer
	top, err := list(ctx, 0, candidateDepth)
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
	if a.hasRelevant = possible > 0; !a.hasRelevant {
		return a, nil
	}
	ideal := slices.Repeat([]float64{1}, min(possible, ndcgDepth))
	a.ndcg, a.p5, a.reciprocal = cluster.NDCG(gains, ideal, ndcgDepth), cluster.PrecisionAt(hits, precisionDepth), cluster.ReciprocalRank(hits)
	if a.reciprocal > 0 || len(top) < candidateDepth {
		return a, nil
	}
	rest, err := list(ctx, candidateDepth, related.Depth)
	if err != nil {
		return a, err
	}
	for _, h := range rest {
		hits = append(hits, relevant(h))
	}
	a.reciprocal = cluster.ReciprocalRank(hits)
	return a, nil
}
