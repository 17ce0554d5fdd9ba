package evaluate

import (
	"context"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"

	"throughline/cluster"
	"throughline/internal/coverage"
)

const (
	ndcgDepth      = 10
	precisionDepth = 5
)

// scoreFiling compares where articles were filed with where they belong.
func scoreFiling(g *gold, filed map[string]Place) (Stories, Topics) {
	storyNumbers, topicNumbers := newNumbers(), newNumbers()
	foundStories, foundTopics := make([]int32, len(g.ids)), make([]int32, len(g.ids))
	for i, id := range g.ids {
		place := filed[id]
		foundStories[i], foundTopics[i] = storyNumbers.of(place.Story), topicNumbers.of(place.Topic)
	}
	s := Stories{Precision: unknown, Recall: unknown, F1: unknown, Found: several(known(foundStories, g.stories)), Gold: several(g.stories)}
	if len(g.storiesBySize) > 0 {
		p, r, f1 := cluster.BCubed(g.stories, foundStories)
		s.Precision, s.Recall, s.F1 = Score(p), Score(r), Score(f1)
	}
	t := Topics{AMI: unknown, ARI: unknown, Found: distinct(known(foundTopics, g.topics)), Gold: distinct(g.topics)}
	if t.Gold > 0 {
		t.AMI, t.ARI = Score(cluster.AMI(g.topics, foundTopics)), Score(cluster.ARI(g.topics, foundTopics))
	}
	return s, t
}

// known returns the labels of those items whose gold label is known.
func known(labels, gold []int32) []int32 {
	var out []int32
	for i, l := range labels {
		if gold[i] >= 0 {
			out = append(out, l)
		}
	}
	return out
}

// several counts the labels that occur more than once.
func several(labels []int32) int {
	n := 0
	for _, size := range sizes(labels) {
		if size > 1 {
			n++
		}
	}
	return n
}

// distinct counts the labels that occur.
func distinct(labels []int32) int {
	n := 0
	for _, size := range sizes(labels) {
		if size > 0 {
			n++
		}
	}
	return n
}

// relate asks for the related coverage of every article that has company. Sums are taken in the order of the articles, so
// that the number of workers changes nothing.
func relate(ctx context.Context, sys System, g *gold, opts Options) (Related, error) {
	storyOf := make(map[string]int32, len(g.ids))
	var queries []int
	for i, id := range g.ids {
		storyOf[id] = g.stories[i]
		if l := g.stories[i]; l >= 0 && g.storiesBySize[l] > 1 {
			queries = append(queries, i)
		}
	}
	scores := make([]ranking, len(queries))
	var telling sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Workers)
	for q, i := range queries {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			list, err := sys.Related(ctx, g.ids[i])
			if err != nil {
				return fmt.Errorf("coverage related to %q: %w", g.ids[i], err)
			}
			story := g.stories[i]
			relevant := func(id string) bool { return id != g.ids[i] && storyOf[id] == story }
			if scores[q], err = scoreList(ctx, list, relevant, g.storiesBySize[story]-1); err != nil {
				return fmt.Errorf("coverage related to %q: %w", g.ids[i], err)
			}
			telling.Lock()
			defer telling.Unlock()
			opts.Progress("relating")
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Related{}, err
	}
	if len(queries) == 0 {
		return Related{NDCG10: unknown, P5: unknown, MRR: unknown}, nil
	}
	var sum ranking
	for _, s := range scores {
		sum.ndcg, sum.precision, sum.reciprocal = sum.ndcg+s.ndcg, sum.precision+s.precision, sum.reciprocal+s.reciprocal
	}
	n := float64(len(queries))
	return Related{NDCG10: Score(sum.ndcg / n), P5: Score(sum.precision / n), MRR: Score(sum.reciprocal / n)}, nil
}

// ranking is the scores of one list.
type ranking struct{ ndcg, precision, reciprocal float64 }

// scoreList scores one list of which so many articles could be relevant. What lies below the tenth place is looked at only
// where the first relevant article is not above it.
func scoreList(ctx context.Context, list List, relevant func(id string) bool, possible int) (ranking, error) {
	top, err := list.IDs(ctx, 0, ndcgDepth)
	if err != nil {
		return ranking{}, err
	}
	hits, gains := make([]bool, len(top)), make([]float64, len(top))
	for i, id := range top {
		if relevant(id) {
			hits[i], gains[i] = true, 1
		}
	}
	ideal := make([]float64, min(possible, ndcgDepth))
	for i := range ideal {
		ideal[i] = 1
	}
	r := ranking{
		ndcg: cluster.NDCG(gains, ideal, ndcgDepth), precision: cluster.PrecisionAt(hits, precisionDepth), reciprocal: cluster.ReciprocalRank(hits),
	}
	if r.reciprocal > 0 || len(top) < ndcgDepth {
		return r, nil
	}
	rest, err := list.IDs(ctx, ndcgDepth, coverage.Depth)
	if err != nil {
		return ranking{}, err
	}
	for _, id := range rest {
		hits = append(hits, relevant(id))
	}
	r.reciprocal = cluster.ReciprocalRank(hits)
	return r, nil
}

// unknown is the score of what could not be measured, because no label says what would be right.
var unknown = Score(math.NaN())
