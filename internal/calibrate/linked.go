package calibrate

import (
	"cmp"
	"context"
	"math"
	"slices"

	"throughline/cluster"
	"throughline/internal/evidence"
)

// linked is a corpus as a model links it.
type linked struct {
	corpus   *corpus
	tree     *evidence.Tree
	together []joined           // by each join of the tree
	scores   map[int][3]float64 // B-cubed precision, recall and F1 after so many joins
}

// joined counts the pairs of articles that a join puts together, and those of them that are of one story.
type joined struct{ same, all float64 }

func link(ctx context.Context, m *evidence.Model, c *corpus, opts Options) (*linked, error) {
	tree, err := m.Link(ctx, c.near, evidence.LadderOptions{Workers: opts.Workers})
	if err != nil {
		return nil, err
	}
	return &linked{corpus: c, tree: tree, together: countJoins(tree, c.story), scores: make(map[int][3]float64)}, nil
}

// countJoins walks up the tree. The smaller side of each join is added to the larger one, so the whole costs n log n.
func countJoins(tree *evidence.Tree, story []int32) []joined {
	type members struct {
		of   map[int32]float64
		size float64
	}
	nodes := make([]members, len(story), len(story)+len(tree.Joins.Merges))
	for i, s := range story {
		nodes[i] = members{map[int32]float64{s: 1}, 1}
	}
	out := make([]joined, len(tree.Joins.Merges))
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

// joins returns how many joins a cut makes.
func (l *linked) made(cut float64) int {
	merges := l.tree.Joins.Merges
	return len(merges) - countBelow(l.tree.Joins.Heights(), float32(cut))
}

func countBelow(heights []float32, cut float32) int {
	at, _ := slices.BinarySearchFunc(heights, cut, func(h, c float32) int {
		if h >= c {
			return -1
		}
		return 1
	})
	return len(heights) - at
}

// quality returns B-cubed precision, recall and F1 of the stories below a cut.
func (l *linked) quality(cut float64) (precision, recall, f1 float64) {
	n := l.made(cut)
	score, ok := l.scores[n]
	if !ok {
		score[0], score[1], score[2] = cluster.BCubed(l.corpus.story, l.tree.Joins.Cut(float32(cut)))
		l.scores[n] = score
	}
	return score[0], score[1], score[2]
}

// best returns the F1 of the best cut that there is, on a grid.
func (l *linked) best() float64 {
	best := 0.0
	for cut := -6.0; cut <= 8; cut += .125 {
		_, _, f1 := l.quality(cut)
		best = max(best, f1)
	}
	return best
}

// pairPrecision returns the share of pairs of one story among those that a cut puts together; NaN where it puts none together.
func (l *linked) pairPrecision(cut float64) float64 {
	var sum joined
	for _, j := range l.together[:l.made(cut)] {
		sum.same += j.same
		sum.all += j.all
	}
	return sum.same / sum.all
}

const ranked = 10

// ranking returns the mean nDCG of the ten candidates of greatest logit, over the articles whose story has others.
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
		ideal, gains := make([]float64, min(relevant, ranked)), make([]float64, min(len(list), ranked))
		for k := range ideal {
			ideal[k] = 1
		}
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

// filed returns how pairs are filed by a cut. A one-off is in no story.
func (l *linked) filed(cut float64) func(evidence.Pair) evidence.Membership {
	story := l.tree.Joins.Cut(float32(cut))
	sizes := make([]int, len(story))
	for _, s := range story {
		sizes[s]++
	}
	return func(p evidence.Pair) evidence.Membership {
		switch a, b := story[p.A], story[p.B]; {
		case a == b:
			return evidence.Together
		case sizes[a] == 1 || sizes[b] == 1:
			return evidence.Unfiled
		}
		return evidence.Apart
	}
}

// calibrationError is the expected calibration error of the probabilities of candidate pairs, in ten bins of equal width.
func (l *linked) calibrationError(m *evidence.Model, even float64) float64 {
	var bins [10]struct{ expected, observed float64 }
	filed := l.filed(even)
	for k, pair := range l.corpus.pairs {
		p := m.ProbabilityAt(l.tree.Logits[k], even, filed(pair), l.corpus.copies[k])
		b := &bins[min(int(p*float64(len(bins))), len(bins)-1)]
		b.expected += p
		if l.corpus.same(pair) {
			b.observed++
		}
	}
	gap := 0.0
	for _, b := range bins {
		gap += math.Abs(b.expected - b.observed)
	}
	return gap / float64(len(l.corpus.pairs))
}
