package evidence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// LadderOptions adjusts Ladder. The zero value is what it recommends.
type LadderOptions struct {
	// Neighbors is the number of candidates sought for every article by dense and by lexical similarity each; 0 means 20.
	Neighbors int
	// Topics is the number of topics wanted; 0 leaves it to the articles.
	Topics int
	// Precision is the share of pairs of one event wanted among the pairs of articles of one story, above 0 and below 1. 0 means to put together what
	// belongs together as well as can be told, missing as much as is put in wrongly.
	Precision float64
	// Workers is the number of goroutines; 0 means as many as may run at once. It does not change the result.
	Workers int
}

// Ladder is the arrangement of a set of articles: label[i] belongs to the i-th of them, labels count from 0 in the order
// of first members. Each layer lies within the next: the articles of a copy group share a story, those of a story a topic.
type Ladder struct {
	Copy     []int32   // -1: like no other
	Story    []int32   // -1: a one-off
	Topic    []int32   // -1: about nothing that another article is about, or without a vector
	Theme    []int32   // -1: in no topic
	Strength []float32 // of articles in a story: probability that belongs to the mean logit to its other members; else 0
	Cut      Cut
}

// Ladder arranges articles that belong to the corpus. The order of ps matters only to the numbering of labels, as long as
// their ids differ.
func (m *Model) Ladder(ctx context.Context, c *Corpus, ps []Profile, opts LadderOptions) (*Ladder, error) {
	opts = opts.withDefaults()
	if !(opts.Precision >= 0 && opts.Precision < 1) {
		return nil, fmt.Errorf("a precision of %v is not between 0 and 1", opts.Precision)
	}
	near, err := NewNeighborhood(ctx, c, ps, opts)
	if err != nil {
		return nil, err
	}
	tree, items, err := m.link(ctx, near, opts)
	if err != nil {
		return nil, err
	}
	cut, story := m.cutStories(tree.Joins, tree.curves, tree.Prior, opts.Precision)
	topic, theme, err := topics(ctx, near.ws, story, opts.Topics, opts.Workers)
	if err != nil {
		return nil, err
	}
	place := near.place
	return &Ladder{
		Copy:     renumbered(permuted(copies(near.ws, near.graph, story), place)),
		Story:    renumbered(permuted(story, place)),
		Topic:    renumbered(permuted(topic, place)),
		Theme:    renumbered(permuted(theme, place)),
		Strength: permuted(m.strengths(items, story, cut.Even), place),
		Cut:      cut,
	}, nil
}

// canonical returns the order that articles are worked on in, by id, so that the order they come in changes nothing, not
// even how sums are rounded.
func canonical(ps []Profile) []int32 {
	order := make([]int32, len(ps))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return strings.Compare(ps[a].ID, ps[b].ID) })
	return order
}

// permuted returns the elements in an order.
func permuted[T any](xs []T, order []int32) []T {
	out := make([]T, len(xs))
	for to, from := range order {
		out[to] = xs[from]
	}
	return out
}

// inverse returns where an order puts each element.
func inverse(order []int32) []int32 {
	place := make([]int32, len(order))
	for to, from := range order {
		place[from] = int32(to)
	}
	return place
}

// weighAll weighs articles in parallel. The corpus must not change meanwhile for the result to be reproducible.
func weighAll(c *Corpus, ps []Profile, workers int) []*Weighed {
	ws := make([]*Weighed, len(ps))
	var wait sync.WaitGroup
	for from := range workers {
		wait.Go(func() {
			for i := from; i < len(ps); i += workers {
				ws[i] = c.Weigh(&ps[i])
			}
		})
	}
	wait.Wait()
	return ws
}

// candidates returns the graph of pairs that are compared: those near each other by dense vectors, by all words and by
// the lead. A story's members need not all be near each other, only connected.
func candidates(ctx context.Context, ws []*Weighed, opts LadderOptions) (*cluster.Graph, error) {
	dim := 0
	for _, w := range ws {
		dim = max(dim, len(w.centred))
	}
	full := make([]vector.Sparse, len(ws))
	for i, w := range ws {
		full[i] = heaviest(w.full, candidateTerms)
	}
	knn := cluster.KNNOptions{K: opts.Neighbors, Workers: opts.Workers}
	byWords, err := cluster.KNNSparse(ctx, full, knn)
	if err != nil {
		return nil, fmt.Errorf("neighbours by words: %w", err)
	}
	if dim == 0 {
		return byWords, nil
	}
	byVector, err := cluster.KNN(ctx, centredRows(ws, dim), knn)
	if err != nil {
		return nil, fmt.Errorf("neighbours by vectors: %w", err)
	}
	return cluster.Merge(byVector, byWords)
}

// centredRows returns the centred vectors as a matrix, a row of zeros for an article without one.
func centredRows(ws []*Weighed, dim int) cluster.Matrix {
	rows := cluster.Matrix{Rows: len(ws), Dim: dim, Data: make([]float32, len(ws)*dim)}
	for i, w := range ws {
		copy(rows.Row(i), w.centred)
	}
	return rows
}

// candidateTerms is how many of an article's rarest words look for candidates. All of them cost several times as much; on the eight
// labelled sets story F1 moves by at most .01 either way.
const candidateTerms = 40

// heaviest returns the terms of greatest weight, the lower id among equals.
func heaviest(v vector.Sparse, most int) vector.Sparse {
	if len(v.Terms) <= most {
		return v
	}
	order := identity(len(v.Terms))
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(v.Weights[b], v.Weights[a]), cmp.Compare(a, b))
	})
	order = order[:most]
	slices.Sort(order)
	out := vector.Sparse{Terms: make([]uint32, most), Weights: make([]float32, most)}
	for to, from := range order {
		out.Terms[to], out.Weights[to] = v.Terms[from], v.Weights[from]
	}
	return out
}

// edgeLogits returns the logit of every edge.
func edgeLogits(items cluster.Items, g *cluster.Graph) []float64 {
	logits := make([]float64, 0, g.Edges())
	for i := range g.Nodes() {
		neighbors, _ := g.Of(i)
		for _, j := range neighbors {
			if int(j) > i {
				logits = append(logits, pairLogit(items, i, int(j)))
			}
		}
	}
	return logits
}

// pairLogit is the similarity of two items.
func pairLogit(it cluster.Items, i, j int) float64 {
	a, b := it.Dense.Row(i), it.Dense.Row(j)
	positive := it.Dense.Dim - it.Negative
	return float64(it.Offset) + float64(vector.Dot(a[:positive], b[:positive])) - float64(vector.Dot(a[positive:], b[positive:])) +
		float64(it.Sparse[i].Dot(it.Sparse[j]))
}

// cutStories chooses the cut and returns the labels of stories, -1 for one-offs.
func (m *Model) cutStories(tree *cluster.Dendrogram, seen curves, prior, precision float64) (Cut, []int32) {
	cut := Cut{Prior: prior}
	cut.Even, cut.Raised = m.Cut.even(tree, seen, prior)
	cut.Logit = cut.Even
	if precision > 0 {
		cut.Logit = m.Reliability.cutFor(tree, cut.Even, precision)
	}
	var stories []int32
	stories, cut.Largest = withoutOneOffs(tree.Cut(float32(cut.Logit)))
	cut.Precision = 1
	expected, heights := m.Reliability.precision(tree, cut.Even), tree.Heights()
	for i := range expected {
		if float64(heights[i]) >= cut.Logit {
			cut.Precision = expected[i]
		}
	}
	return cut, stories
}

// withoutOneOffs gives labels that occur once -1 (labels are less than their number), numbers the others again, and returns the share of the largest.
func withoutOneOffs(labels []int32) ([]int32, float64) {
	sizes := make([]int, len(labels))
	largest := 0
	for _, l := range labels {
		if l >= 0 {
			sizes[l]++
		}
	}
	out := make([]int32, len(labels))
	for i, l := range labels {
		if out[i] = -1; l >= 0 && sizes[l] > 1 {
			out[i] = l
			largest = max(largest, sizes[l])
		}
	}
	return renumbered(out), float64(largest) / float64(max(len(labels), 1))
}

// renumbered numbers labels from 0 in the order of their first members, in place. -1 stays.
func renumbered(labels []int32) []int32 {
	number := map[int32]int32{-1: -1}
	for i, l := range labels {
		if _, known := number[l]; !known {
			number[l] = int32(len(number) - 1)
		}
		labels[i] = number[l]
	}
	return labels
}
