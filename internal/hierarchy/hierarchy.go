// Package hierarchy arranges a set of articles into nested groups: copy groups in stories in topics
// in themes.
//
// It links the candidate pairs of articles by the logit of internal/score, chooses the threshold at
// which stories end without labels, and groups stories into topics. It is pure: it reads no store
// and no clock, and no goroutine outlives a call.
package hierarchy

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/internal/score"
)

// Options adjusts Arrange. The zero value is the recommended one.
type Options struct {
	// Topics is the number of topics; 0 chooses it by modularity.
	Topics int
	// TopicsBefore labels the topics that the articles are in, from 0, -1: in none. They stay
	// unless others are clearly better. nil: there are none yet.
	TopicsBefore []int32
	// Target is where stories should end.
	Target score.Target
	// Workers is the number of goroutines; 0 means GOMAXPROCS. It does not change the result.
	Workers int
}

// Hierarchy holds the labels of a set of articles: label[i] is that of the i-th article. Labels
// count from 0 in the order of first members. Each level lies within the next: the articles of a
// copy group share a story, those of a story a topic, those of a topic a theme if it has one.
type Hierarchy struct {
	Copy  []int32 // copy group; -1: in none
	Story []int32 // -1: a one-off
	Topic []int32 // -1: no other article has the topic, or the article has no vector
	Theme []int32 // -1: in no topic, or its topic is in no theme with another
	// Membership is the probability that an article of a story is about its event, 0 to 1; 0 for
	// one-offs.
	Membership []float32
	Threshold  score.Threshold
	Templates  score.Templates // that the articles show
}

// Arrange arranges articles that the statistics of the State count. The order of fs affects only
// the numbering of labels, as long as ids are distinct.
func Arrange(ctx context.Context, st *score.State, fs []score.Features, opts Options) (*Hierarchy, error) {
	if err := opts.Target.Check(); err != nil {
		return nil, err
	}
	graph, err := NewCandidateGraph(ctx, st, fs, opts)
	if err != nil {
		return nil, err
	}
	linked, err := Link(ctx, st.Model, graph, opts)
	if err != nil {
		return nil, err
	}
	threshold, story := stories(st.Model, linked, opts.Target)
	var before []int32
	if opts.TopicsBefore != nil {
		before = permuted(opts.TopicsBefore, graph.order)
	}
	topic, theme, err := topics(ctx, graph.ws, story, before, opts.Topics, opts.Workers)
	if err != nil {
		return nil, err
	}
	membership, err := memberships(st.Model, graph.ws, story, &threshold)
	if err != nil {
		return nil, err
	}
	place := graph.place
	return &Hierarchy{
		Copy:       renumbered(permuted(copies(graph.ws, graph.edges, story), place)),
		Story:      renumbered(permuted(story, place)),
		Topic:      renumbered(permuted(topic, place)),
		Theme:      renumbered(permuted(theme, place)),
		Membership: permuted(membership, place),
		Threshold:  threshold,
		Templates:  graph.templates,
	}, nil
}

// canonical returns the order of articles by id. Working in this order makes results independent of
// the order of the input, even in the rounding of sums.
func canonical(fs []score.Features) []int32 {
	order := identity(len(fs))
	slices.SortStableFunc(order, func(a, b int32) int { return strings.Compare(fs[a].ID, fs[b].ID) })
	return order
}

// permuted returns elements of xs in the given order: out[k] is xs[order[k]].
func permuted[T any](xs []T, order []int32) []T {
	out := make([]T, len(order))
	for to, from := range order {
		out[to] = xs[from]
	}
	return out
}

// inverse returns the position of each element in an order.
func inverse(order []int32) []int32 {
	place := make([]int32, len(order))
	for to, from := range order {
		place[from] = int32(to)
	}
	return place
}

// candidates returns the candidate graph: pairs of articles that are near by dense vector or by
// words. The members of a story need not all be near each other, only connected.
func candidates(ctx context.Context, ws []*score.Weighted, opts Options) (*cluster.Graph, error) {
	full := make([]vector.Sparse, len(ws))
	for i, w := range ws {
		full[i] = heaviest(w.Full, candidateTerms)
	}
	knn := cluster.KNNOptions{K: neighbors, Workers: opts.Workers}
	byWords, err := cluster.KNNSparse(ctx, full, knn)
	if err != nil {
		return nil, fmt.Errorf("finding neighbours by words: %w", err)
	}
	centred := centredRows(ws)
	if centred.Dim == 0 {
		return byWords, nil
	}
	byVector, err := cluster.KNN(ctx, centred, knn)
	if err != nil {
		return nil, fmt.Errorf("finding neighbours by vectors: %w", err)
	}
	return cluster.Merge(byVector, byWords)
}

// centredRows returns the centred vectors as a matrix.
func centredRows(ws []*score.Weighted) cluster.Matrix {
	return matrix(len(ws), func(i int) []float32 { return ws[i].Centred })
}

// matrix returns vectors as the rows of a matrix, with zeros for a missing one. Without any vector
// its Dim is 0.
func matrix(rows int, vector func(i int) []float32) cluster.Matrix {
	m := cluster.Matrix{Rows: rows}
	for i := range rows {
		m.Dim = max(m.Dim, len(vector(i)))
	}
	m.Data = make([]float32, rows*m.Dim)
	for i := range rows {
		copy(m.Row(i), vector(i))
	}
	return m
}

// neighbors is the number of candidates of every article by vector and by words each.
const neighbors = 20

// candidateTerms is how many of an article's rarest words are used to find candidates. All words
// cost several times as much and move story F1 on the eight labelled sets by at most .01 either
// way.
const candidateTerms = 40

// heaviest returns the most terms of greatest weight, the lower id among equals.
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
	return vector.Sparse{Terms: permuted(v.Terms, order), Weights: permuted(v.Weights, order)}
}

// edges yields the two ends of every edge once, the lower one first.
func edges(g *cluster.Graph) iter.Seq2[int32, int32] {
	return func(yield func(i, j int32) bool) {
		for i := range g.Nodes() {
			neighbors, _ := g.Of(i)
			for _, j := range neighbors {
				if int(j) > i && !yield(int32(i), j) {
					return
				}
			}
		}
	}
}

// pairLogit returns the logit of a pair of items.
func pairLogit(it cluster.Items, i, j int) float64 {
	a, b := it.Dense.Row(i), it.Dense.Row(j)
	positive := it.Dense.Dim - it.Negative
	return float64(it.Offset) + float64(vector.Dot(a[:positive], b[:positive])) - float64(vector.Dot(a[positive:], b[positive:])) +
		float64(it.Sparse[i].Dot(it.Sparse[j]))
}

// stories chooses the threshold and returns it with the labels of stories, -1 for one-offs.
func stories(m *score.Model, l *Linkage, target score.Target) (score.Threshold, []int32) {
	dendrogram := l.Joins
	t := score.Threshold{Prior: l.Prior, Precision: 1}
	t.BreakEven, t.Confidence = choose(m.Threshold, dendrogram, l.Sight)
	t.Logit = stepped(dendrogram, t.BreakEven, target.Granularity)
	if target.Precision > 0 {
		t.Logit = forPrecision(m.Reliability, dendrogram, &t, target.Precision)
	}
	var labels []int32
	labels, t.Largest = withoutSingletons(dendrogram.Cut(float32(t.Logit)))
	heights := dendrogram.Heights()
	for i, p := range precision(m.Reliability, dendrogram, &t) {
		if float64(heights[i]) >= t.Logit {
			t.Precision = p
		}
	}
	return t, labels
}

// withoutSingletons replaces labels that occur once by -1, renumbers the others, and returns the
// share of the items with the most frequent one. Labels are below their number.
func withoutSingletons(labels []int32) ([]int32, float64) {
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

// renumbered renumbers labels from 0 in the order of their first members, in place. -1 stays.
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

// memberships returns for every article of a story the probability that follows from its mean logit
// to the other members, 0 for one-offs. The sum over the members is one product with the sum of
// their vectors.
func memberships(m *score.Model, ws []*score.Weighted, story []int32, t *score.Threshold) ([]float32, error) {
	members := map[int32][]int32{}
	for i, s := range story {
		if s >= 0 {
			members[s] = append(members[s], int32(i))
		}
	}
	out := make([]float32, len(story))
	for _, ids := range members {
		it, err := m.Items(permuted(ws, ids))
		if err != nil {
			return nil, err
		}
		dim, positive := it.Dense.Dim, it.Dense.Dim-it.Negative
		dense := make([]float64, dim)
		sparse := map[uint32]float64{}
		for k := range ids {
			for d, x := range it.Dense.Row(k) {
				dense[d] += float64(x)
			}
			for e, t := range it.Sparse[k].Terms {
				sparse[t] += float64(it.Sparse[k].Weights[e])
			}
		}
		for k, i := range ids {
			sum := 0.0
			for d, x := range it.Dense.Row(k) {
				others := float64(x) * (dense[d] - float64(x))
				if d >= positive {
					others = -others
				}
				sum += others
			}
			for e, t := range it.Sparse[k].Terms {
				w := float64(it.Sparse[k].Weights[e])
				sum += w * (sparse[t] - w)
			}
			mean := float64(it.Offset) + sum/float64(len(ids)-1)
			out[i] = float32(m.Reliability.Joined(mean, t))
		}
	}
	return out, nil
}

// TopicStrengths returns for every article its mean cosine with the other articles of its topic,
// relative to the mean over all pairs of the topic, 0 to 1; see cluster.Strengths. It is 0 for
// articles without a topic or a dense vector.
func TopicStrengths(ctx context.Context, fs []score.Features, topic []int32, workers int) ([]float32, error) {
	rows := matrix(len(fs), func(i int) []float32 { return fs[i].Dense })
	if rows.Dim == 0 {
		return make([]float32, len(fs)), nil
	}
	return cluster.Strengths(ctx, rows, topic, workers)
}
