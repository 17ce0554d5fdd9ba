package hierarchy

import (
	"context"
	"fmt"
	"math"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/internal/score"
)

// views links the articles twice more, over the same candidate pairs: by vectors alone and by words
// alone. An event shows in both views, whatever the corpus is like; an accident of one view does
// not show in the other. So how far the dendrogram agrees with both views at a logit tells whether
// readers would end stories there; see score.ThresholdRule. (Agreement between independent
// descriptions is the idea of co-training, Blum and Mitchell 1998, and of consensus clustering,
// Strehl and Ghosh 2002.)
//
// A corpus without vectors has one view.
func views(ctx context.Context, ws []*score.Weighted, g *cluster.Graph, workers int) ([]*cluster.Dendrogram, error) {
	opts := cluster.LinkOptions{Stop: float32(math.Inf(-1)), Overwrite: true, Workers: workers}
	words := cluster.Items{Sparse: make([]vector.Sparse, len(ws))}
	for i, w := range ws {
		words.Sparse[i] = w.Words()
	}
	byWords, err := cluster.Link(ctx, words, g, opts)
	if err != nil {
		return nil, fmt.Errorf("linking articles by words: %w", err)
	}
	centred := centredRows(ws)
	if centred.Dim == 0 {
		return []*cluster.Dendrogram{byWords}, nil
	}
	byVector, err := cluster.Link(ctx, cluster.Items{Dense: centred}, g, opts)
	if err != nil {
		return nil, fmt.Errorf("linking articles by vectors: %w", err)
	}
	return []*cluster.Dendrogram{byVector, byWords}, nil
}

// viewClusterings is how many flat clusterings of a view are compared. Their numbers of groups are
// evenly spaced on a logarithmic scale.
const viewClusterings = 40

// maxGroupRatio is the greatest ratio between the numbers of groups of two partitions that are
// compared.
const maxGroupRatio = 4

// agreementPrior is the number of articles in groups at which an agreement counts as much as the
// mean of all agreements. Views that agree on fewer articles, such as copies, may agree by chance.
const agreementPrior = 15

// mostUnited is the mean share of the other articles in the group of an article above which nearly
// all are in one group.
const mostUnited = 0.8

// agreement returns, for every logit looked at, how far the flat clustering
// there agrees with the best one of each view: the mean logarithm over the views, 0 for full
// agreement. An agreement with few articles in groups is shrunk towards the mean over all logits.
//
// united says where nearly all articles are in one group.
func agreement(dendrogram *cluster.Dendrogram, views []*cluster.Dendrogram) (out []float64, united []bool) {
	out, united = make([]float64, logitSteps+1), make([]bool, logitSteps+1)
	grouped := make([]float64, logitSteps+1)
	heights := dendrogram.Heights()
	for _, view := range views {
		clusterings := flatClusterings(view)
		agreed := make([]float64, logitSteps+1)
		joins := -1
		sum, total := 0.0, 0.0
		for i := logitSteps; i >= 0; i-- {
			n := max(joins, 0)
			for n < len(heights) && float64(heights[n]) >= LogitAt(i) {
				n++
			}
			if n != joins {
				p := newPartition(dendrogram.Cut(float32(LogitAt(i))))
				joins, agreed[i], grouped[i] = n, bestAgreement(p, clusterings), p.grouped()
				united[i] = p.united() > mostUnited
			} else { // nothing was joined since the last step
				agreed[i], grouped[i], united[i] = agreed[i+1], grouped[i+1], united[i+1]
			}
			sum += grouped[i] * agreed[i]
			total += grouped[i]
		}
		for i, a := range agreed {
			const least = 1e-3 // bounds the logarithm
			a = (grouped[i]*a + agreementPrior*sum/max(total, 1)) / (grouped[i] + agreementPrior)
			out[i] += math.Log(max(a, least)) / float64(len(views))
		}
	}
	return out, united
}

// bestAgreement returns how far a partition agrees with the one of several that it agrees with
// most.
func bestAgreement(p partition, others []partition) float64 {
	best := 0.0
	for _, q := range others {
		if q.groups() <= maxGroupRatio*p.groups() && p.groups() <= maxGroupRatio*q.groups() {
			best = max(best, agree(p, q))
		}
	}
	return best
}

// flatClusterings returns flat clusterings of a dendrogram, from nearly all items apart to a few
// groups.
func flatClusterings(dendrogram *cluster.Dendrogram) []partition {
	n := float64(dendrogram.N)
	var out []partition
	last := dendrogram.N
	for k := range viewClusterings {
		groups := int(math.Round(n * math.Exp(-0.02-(math.Log(n)-0.6)*float64(k)/(viewClusterings-1))))
		if groups < last && groups > 1 {
			out = append(out, newPartition(dendrogram.CutN(groups)))
			last = groups
		}
	}
	return out
}

// partition is a flat clustering with the items of each label together.
type partition struct {
	labels []int32
	starts []int32 // of the items of each label in items; one more at the end
	items  []int32
	counts []int32 // scratch: per label, zero between uses
}

func newPartition(labels []int32) partition {
	groups := int32(0)
	for _, l := range labels {
		groups = max(groups, l+1)
	}
	p := partition{labels: labels, starts: make([]int32, groups+1), items: make([]int32, len(labels)), counts: make([]int32, groups)}
	for _, l := range labels {
		p.starts[l+1]++
	}
	for l := range groups {
		p.starts[l+1] += p.starts[l]
	}
	for i, l := range labels {
		p.items[p.starts[l]+p.counts[l]] = int32(i)
		p.counts[l]++
	}
	clear(p.counts)
	return p
}

func (p partition) groups() int { return len(p.starts) - 1 }

func (p partition) size(label int32) float64 { return float64(p.starts[label+1] - p.starts[label]) }

// grouped returns the number of items that share their label with another.
func (p partition) grouped() float64 {
	n := 0.0
	for l := range p.groups() {
		if size := p.size(int32(l)); size > 1 {
			n += size
		}
	}
	return n
}

// united returns the mean share of the other items that are in the group of an item: 1 if all are
// in one group, 0 if all are apart.
func (p partition) united() float64 {
	return p.moments().others / math.Max(float64(len(p.labels)-1), 1)
}

// agree returns the B-cubed F1 of two partitions of the same items, adjusted for chance: 1 when
// they are the same, 0 when they agree as much as random partitions with groups of these sizes. The
// expected overlap of the groups of an item, when one has a members and the other b of n, is 1 +
// (a-1)(b-1)/(n-1), as for the adjusted Rand index (Hubert and Arabie 1985).
func agree(p, q partition) float64 {
	n := float64(len(p.labels))
	if n < 2 {
		return 0
	}
	var precision, recall float64 // sums over items
	for l := range p.groups() {
		items := p.items[p.starts[l]:p.starts[l+1]]
		for _, i := range items {
			q.counts[q.labels[i]]++
		}
		for _, i := range items {
			if c := float64(q.counts[q.labels[i]]); c > 0 {
				precision += c * c / q.size(q.labels[i])
				recall += c * c / float64(len(items))
				q.counts[q.labels[i]] = 0
			}
		}
	}
	one, two := p.moments(), q.moments()
	expectedPrecision := two.inverse + one.others*two.share/(n-1)
	expectedRecall := one.inverse + two.others*one.share/(n-1)
	f, expected := harmonic(precision/n, recall/n), harmonic(expectedPrecision, expectedRecall)
	if expected >= 1-1e-9 {
		return 0
	}
	return (f - expected) / (1 - expected)
}

// moments holds means, over the items, of functions of the size of an item's group.
type moments struct{ inverse, others, share float64 } // of 1/size, size-1 and (size-1)/size

func (p partition) moments() moments {
	var m moments
	n := float64(len(p.labels))
	for l := range p.groups() {
		size := p.size(int32(l))
		m.inverse += 1 / n
		m.others += size * (size - 1) / n
		m.share += (size - 1) / n
	}
	return m
}

func harmonic(a, b float64) float64 {
	if a+b == 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}
