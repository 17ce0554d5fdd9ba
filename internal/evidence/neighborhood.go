package evidence

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"throughline/cluster"
)

// Neighborhood is a set of articles with everything that is known before a model judges them: which pairs come near each other, and
// how vectors alone and words alone would arrange them. Several models can arrange one.
type Neighborhood struct {
	ws    []*Weighed // in canonical order
	place []int32    // where that order puts each article
	order []int32
	graph *cluster.Graph
	views []*cluster.Dendrogram
}

func (o LadderOptions) withDefaults() LadderOptions {
	if o.Neighbors == 0 {
		o.Neighbors = 20
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o
}

// NewNeighborhood finds the candidate pairs of articles that belong to the corpus. Of the options, Neighbors and Workers count.
func NewNeighborhood(ctx context.Context, c *Corpus, ps []Profile, opts LadderOptions) (*Neighborhood, error) {
	opts = opts.withDefaults()
	order := canonical(ps)
	n := &Neighborhood{ws: permuted(weighAll(c, ps, opts.Workers), order), order: order, place: inverse(order)}
	var err error
	if n.graph, err = candidates(ctx, n.ws, opts); err != nil {
		return nil, err
	}
	if n.views, err = views(ctx, n.ws, n.graph, opts.Workers); err != nil {
		return nil, err
	}
	return n, nil
}

// Pair is a candidate pair of articles, by their indexes as they were given.
type Pair struct{ A, B int32 }

// Pairs returns every candidate pair once, in the order of the articles' ids.
func (n *Neighborhood) Pairs() []Pair {
	out := make([]Pair, 0, n.graph.Edges())
	for i := range n.graph.Nodes() {
		neighbors, _ := n.graph.Of(i)
		for _, j := range neighbors {
			if int(j) > i {
				out = append(out, Pair{n.order[i], n.order[j]})
			}
		}
	}
	return out
}

// Compare returns the signals between two articles, by their indexes as they were given.
func (n *Neighborhood) Compare(p Pair) Signals {
	return Compare(n.ws[n.place[p.A]], n.ws[n.place[p.B]])
}

// Tree is how a model links the articles of a neighbourhood.
type Tree struct {
	Joins  *cluster.Dendrogram // of the articles in the order of their ids
	Logits []float64           // of the candidate pairs, in the order of Pairs
	Prior  float64             // estimated share of pairs of one event among them

	curves curves
}

// Link links the articles. Of the options, Workers counts.
func (m *Model) Link(ctx context.Context, n *Neighborhood, opts LadderOptions) (*Tree, error) {
	t, _, err := m.link(ctx, n, opts.withDefaults())
	return t, err
}

func (m *Model) link(ctx context.Context, n *Neighborhood, opts LadderOptions) (*Tree, cluster.Items, error) {
	items, err := m.items(n.ws)
	if err != nil {
		return nil, items, err
	}
	joins, err := cluster.Link(ctx, items, n.graph, cluster.LinkOptions{Stop: float32(math.Inf(-1)), Workers: opts.Workers})
	if err != nil {
		return nil, items, fmt.Errorf("linking articles: %w", err)
	}
	t := &Tree{Joins: joins, Logits: edgeLogits(items, n.graph), curves: curvesOf(joins, n.views)}
	t.Prior = prior(t.Logits)
	return t, items, nil
}

// Even returns where a rule cuts the tree into stories when no precision is asked for.
func (t *Tree) Even(r CutRule) float64 {
	cut, _ := r.even(t.Joins, t.curves, t.Prior)
	return cut
}

// CutFor returns where the tree is cut for an expected precision over pairs, where stories end at the logit even.
func (r Reliability) CutFor(t *Tree, even, wanted float64) float64 {
	return r.cutFor(t.Joins, even, wanted)
}
