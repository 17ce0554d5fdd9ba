package hierarchy

import (
	"context"
	"fmt"
	"math"

	"throughline/cluster"
	"throughline/internal/score"
)

// CandidateGraph holds the candidate pairs of a set of articles, with the linkages by vectors alone
// and by words alone. It does not depend on a model, so several models can link one graph.
type CandidateGraph struct {
	ws    []*score.Weighted // in canonical order
	place []int32           // position of each article in that order
	order []int32
	edges *cluster.Graph
	views []*cluster.Dendrogram

	templates score.Templates
}

// NewCandidateGraph finds the candidate pairs of articles. It uses Workers of the options, and
// neither the model nor the templates of the State: it takes those that the articles show.
func NewCandidateGraph(ctx context.Context, st *score.State, fs []score.Features, opts Options) (*CandidateGraph, error) {
	order, own := canonical(fs), *st
	own.Templates = score.TemplatesOf(fs)
	g := &CandidateGraph{templates: own.Templates, ws: permuted(own.WeighAll(fs, opts.Workers), order), order: order, place: inverse(order)}
	var err error
	if g.edges, err = candidates(ctx, g.ws, opts); err != nil {
		return nil, err
	}
	if g.views, err = views(ctx, g.ws, g.edges, opts.Workers); err != nil {
		return nil, err
	}
	return g, nil
}

// Pair is a candidate pair of articles, by their indexes in the argument of NewCandidateGraph.
type Pair struct{ A, B int32 }

// Pairs returns every candidate pair once, in the order of the articles' ids.
func (g *CandidateGraph) Pairs() []Pair {
	out := make([]Pair, 0, g.edges.Edges())
	for i, j := range edges(g.edges) {
		out = append(out, Pair{g.order[i], g.order[j]})
	}
	return out
}

// Compare returns the signals between the two articles of a pair.
func (g *CandidateGraph) Compare(p Pair) score.Signals {
	return score.Compare(g.ws[g.place[p.A]], g.ws[g.place[p.B]])
}

// Linkage is the result of linking the articles of a candidate graph with a model.
type Linkage struct {
	Joins  *cluster.Dendrogram // over the articles in the order of their ids
	Logits []float64           // of the candidate pairs, in the order of Pairs
	Prior  float64             // estimated share of candidate pairs of one event

	Sight *Sight // what the threshold follows from
}

// Link links the articles of a candidate graph. It uses Workers of the options.
func Link(ctx context.Context, m *score.Model, g *CandidateGraph, opts Options) (*Linkage, error) {
	items, err := m.Items(g.ws)
	if err != nil {
		return nil, err
	}
	random := randomLogits(items)
	l := &Linkage{Logits: make([]float64, 0, g.edges.Edges())}
	edge := func(_, _ int32, logit float32) { l.Logits = append(l.Logits, float64(logit)) }
	joins, err := cluster.Link(ctx, items, g.edges, cluster.LinkOptions{Stop: float32(math.Inf(-1)), Edge: edge, Overwrite: true, Workers: opts.Workers})
	if err != nil {
		return nil, fmt.Errorf("linking articles: %w", err)
	}
	l.Joins = coherent(joins, nil)
	l.Prior = prior(l.Logits)
	l.Sight = sightOf(l.Joins, g.views, random, l.Prior)
	return l, nil
}

// BreakEven returns the break-even threshold that a rule chooses, with the estimated share.
func (l *Linkage) BreakEven(r score.ThresholdRule) *score.Threshold {
	at, confidence := choose(r, l.Joins, l.Sight)
	return &score.Threshold{Logit: at, BreakEven: at, Prior: l.Prior, Confidence: confidence}
}

// ForPrecision returns the logit for an expected precision over pairs, 0 to 1.
func (l *Linkage) ForPrecision(r score.Reliability, t *score.Threshold, wanted float64) float64 {
	return forPrecision(r, l.Joins, t, wanted)
}
