package evidence

import (
	"context"
	"fmt"
	"math"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// views links the articles twice more, over the same candidates: by vectors alone and by words alone. What an event is shows
// in both, whatever the corpus is like; what is the accident of one does not. So the cut at which the dendrogram agrees
// with both is one that readers would draw as well, and no constant of one corpus, text length or embedding model is needed to
// find it. (Choosing a level of a hierarchy by how far independent descriptions agree there is the idea of co-training,
// Blum and Mitchell 1998, and of consensus clustering, Strehl and Ghosh 2002.)
//
// A corpus without vectors has one view.
func views(ctx context.Context, ws []*Weighed, g *cluster.Graph, workers int) ([]*cluster.Dendrogram, error) {
	opts := cluster.LinkOptions{Stop: float32(math.Inf(-1)), Workers: workers}
	words := cluster.Items{Sparse: make([]vector.Sparse, len(ws))}
	dim := 0
	for i, w := range ws {
		words.Sparse[i] = joined(w, 1, 1, 1)
		dim = max(dim, len(w.centred))
	}
	byWords, err := cluster.Link(ctx, words, g, opts)
	if err != nil {
		return nil, fmt.Errorf("linking articles by words: %w", err)
	}
	if dim == 0 {
		return []*cluster.Dendrogram{byWords}, nil
	}
	byVector, err := cluster.Link(ctx, cluster.Items{Dense: centredRows(ws, dim)}, g, opts)
	if err != nil {
		return nil, fmt.Errorf("linking articles by vectors: %w", err)
	}
	return []*cluster.Dendrogram{byVector, byWords}, nil
}

// viewCuts is how many cuts of a view are compared with. From all apart to all in one they are evenly spaced in the logarithm of
// the number of groups.
const viewCuts = 40

// farGroups is how many times the groups of one partition another may have and still be compared with it.
const farGroups = 4

// steadyFrom is how many articles in groups make an agreement count as much as all the others together. Where few are together, in copies
// say, that views agree on them may be chance.
const steadyFrom = 15

// agreement returns, for every logit that is tried as a cut, how far the partition there agrees with the best one of each view: the
// mean logarithm over the views, 0 where they agree entirely. Where few articles are in groups it says little, and counts in part as what it
// is on average over all cuts.
func agreement(tree *cluster.Dendrogram, views []*cluster.Dendrogram) []float64 {
	out := make([]float64, cutSteps+1)
	grouped := make([]float64, cutSteps+1)
	heights := tree.Heights()
	for _, view := range views {
		cuts := evenCuts(view)
		agreed := make([]float64, cutSteps+1)
		joins := -1
		sum, total := 0.0, 0.0
		for i := cutSteps; i >= 0; i-- {
			n := max(joins, 0)
			for n < len(heights) && float64(heights[n]) >= cutAt(i) {
				n++
			}
			if n != joins {
				p := newPartition(tree.Cut(float32(cutAt(i))))
				joins, agreed[i], grouped[i] = n, bestAgreement(p, cuts), p.grouped()
			} else { // nothing was joined since the last step
				agreed[i], grouped[i] = agreed[i+1], grouped[i+1]
			}
			sum += grouped[i] * agreed[i]
			total += grouped[i]
		}
		for i, a := range agreed {
			const least = 1e-3 // the logarithm of no agreement
			a = (grouped[i]*a + steadyFrom*sum/max(total, 1)) / (grouped[i] + steadyFrom)
			out[i] += math.Log(max(a, least)) / float64(len(views))
		}
	}
	return out
}

// bestAgreement is how far a partition agrees with the one of several that it agrees with most.
func bestAgreement(p partition, cuts []partition) float64 {
	best := 0.0
	for _, q := range cuts {
		if q.groups() <= farGroups*p.groups() && p.groups() <= farGroups*q.groups() {
			best = max(best, agree(p, q))
		}
	}
	return best
}

// evenCuts returns cuts of a dendrogram from nearly all items apart to a few groups.
func evenCuts(tree *cluster.Dendrogram) []partition {
	n := float64(tree.N)
	var out []partition
	last := tree.N
	for k := range viewCuts {
		groups := int(math.Round(n * math.Exp(-0.02-(math.Log(n)-0.6)*float64(k)/(viewCuts-1))))
		if groups < last && groups > 1 {
			out = append(out, newPartition(tree.CutN(groups)))
			last = groups
		}
	}
	return out
}

// partition is a labelling with the items of each label together.
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

// agree is the B-cubed F1 of two partitions of the same items, adjusted for chance: 1 when they are the same, 0 when they agree as
// much as partitions with groups of these sizes do by chance. The expected overlap of the groups of an item, when one has a members
// and the other b of n, is 1 + (a-1)(b-1)/(n-1), as for the adjusted Rand index (Hubert and Arabie 1985).
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

// moments are means over the items of a partition of functions of the number of members of their group.
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
