package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"throughline/cluster"
	"throughline/internal/evaluate"
	"throughline/internal/hierarchy"
	"throughline/internal/score"
)

// linked is a corpus linked with a model.
type linked struct {
	corpus   *corpus
	tree     *hierarchy.Linkage
	together []pairCounts // by join of the dendrogram
	f1       []float64    // B-cubed, by the logits of tree.Sight
}

// pairCounts counts the pairs of articles that a join puts together, and those of them that are of
// one story.
type pairCounts struct{ same, all float64 }

func link(ctx context.Context, m *score.Model, c *corpus) (*linked, error) {
	tree, err := hierarchy.Link(ctx, m, c.near, hierarchy.Options{Workers: 1})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	l := &linked{corpus: c, tree: tree, together: countJoins(tree, c.story)}
	l.f1 = make([]float64, len(tree.Sight.Features))
	last := -1
	for i := len(l.f1) - 1; i >= 0; i-- {
		if n := l.made(hierarchy.LogitAt(i)); n != last {
			last = n
			_, _, l.f1[i] = l.quality(hierarchy.LogitAt(i))
		} else {
			l.f1[i] = l.f1[i+1]
		}
	}
	return l, nil
}

// countJoins counts the pairs of every join. It adds the smaller side of each join to the larger
// one, so it takes n log n.
func countJoins(tree *hierarchy.Linkage, story []int32) []pairCounts {
	type members struct {
		of   map[int32]float64
		size float64
	}
	nodes := make([]members, len(story), len(story)+len(tree.Joins.Merges))
	for i, s := range story {
		nodes[i] = members{map[int32]float64{s: 1}, 1}
	}
	out := make([]pairCounts, len(tree.Joins.Merges))
	for k, m := range tree.Joins.Merges {
		a, b := nodes[m.A], nodes[m.B]
		if len(a.of) < len(b.of) {
			a, b = b, a
		}
		out[k].all = a.size * b.size
		for s, n := range b.of {
			out[k].same += n * a.of[s]
		}
		for s, n := range b.of {
			a.of[s] += n
		}
		nodes[m.A], nodes[m.B] = members{}, members{}
		nodes = append(nodes, members{a.of, a.size + b.size})
	}
	return out
}

// made returns the number of joins at or above a threshold.
func (l *linked) made(threshold float64) int {
	heights := l.tree.Joins.Heights()
	return sort.Search(len(heights), func(i int) bool { return heights[i] < float32(threshold) })
}

// quality returns B-cubed precision, recall and F1 of the stories at a threshold.
func (l *linked) quality(threshold float64) (precision, recall, f1 float64) {
	return cluster.BCubed(l.corpus.story, l.tree.Joins.Cut(float32(threshold)))
}

// best returns the greatest F1 over the logits of the rule.
func (l *linked) best() float64 { return slices.Max(l.f1) }

// pairPrecision returns the share of pairs of one story among the pairs within stories at a
// threshold; NaN without pairs.
func (l *linked) pairPrecision(threshold float64) float64 {
	var sum pairCounts
	for _, j := range l.together[:l.made(threshold)] {
		sum.same += j.same
		sum.all += j.all
	}
	return sum.same / sum.all
}

const ranked = 10

// ranking returns the mean nDCG@10 of the candidates by logit, over the articles whose story has
// others.
func (l *linked) ranking() float64 {
	type candidate struct {
		other int32
		logit float64
	}
	n := len(l.corpus.story)
	lists := make([][]candidate, n)
	for k, p := range l.corpus.pairs {
		lists[p.A] = append(lists[p.A], candidate{p.B, l.tree.Logits[k]})
		lists[p.B] = append(lists[p.B], candidate{p.A, l.tree.Logits[k]})
	}
	sizes := map[int32]int{}
	for _, s := range l.corpus.story {
		sizes[s]++
	}
	sum, queries := 0.0, 0.0
	for i, list := range lists {
		story := l.corpus.story[i]
		relevant := sizes[story] - 1
		if relevant == 0 {
			continue
		}
		slices.SortFunc(list, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.other, b.other))
		})
		ideal, gains := slices.Repeat([]float64{1}, min(relevant, ranked)), make([]float64, min(len(list), ranked))
		for k := range gains {
			if l.corpus.story[list[k].other] == story {
				gains[k] = 1
			}
		}
		sum += cluster.NDCG(gains, ideal, ranked)
		queries++
	}
	return sum / queries
}

// filed returns how pairs are filed at a threshold. A one-off is in no story.
func (l *linked) filed(threshold float64) func(hierarchy.Pair) score.Filed {
	story := l.tree.Joins.Cut(float32(threshold))
	sizes := make([]int, len(story))
	for _, s := range story {
		sizes[s]++
	}
	return func(p hierarchy.Pair) score.Filed {
		switch a, b := story[p.A], story[p.B]; {
		case a == b:
			return score.SameStory
		case sizes[a] == 1 || sizes[b] == 1:
			return score.Unfiled
		}
		return score.DifferentStory
	}
}

// calibrationError returns the expected calibration error of the probabilities of candidate pairs.
func (l *linked) calibrationError(m *score.Model, t *score.Threshold) float64 {
	var bins evaluate.Bins
	filed := l.filed(t.Logit)
	for k, pair := range l.corpus.pairs {
		bins.Note(m.ProbabilityAt(l.tree.Logits[k], t, filed(pair), l.corpus.copies[k]), l.corpus.same(pair), 1)
	}
	return bins.ECE()
}
