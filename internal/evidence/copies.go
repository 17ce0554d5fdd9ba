package evidence

import (
	"throughline/cluster"
	"throughline/cluster/vector"
)

const (
	// copyShare is the share of the rare-word weight of the shorter article that the longer one has too from which on the
	// two are one text. Independent reports of one event share a third to a half.
	copyShare = 0.85
	// copyTerms is the number of distinct words below which sharing them all proves nothing: a headline.
	copyTerms = 25
)

// contained returns the share of the weight of the vector with fewer terms that lies on terms of the other. Unlike a
// cosine it is not lowered by what one of them adds, so that a shortened copy and one with an added paragraph count.
func contained(a, b vector.Sparse) float64 {
	if len(a.Terms) > len(b.Terms) {
		a, b = b, a
	}
	shared, total := 0.0, 0.0
	j := 0
	for i, term := range a.Terms {
		w := float64(a.Weights[i]) * float64(a.Weights[i])
		total += w
		for j < len(b.Terms) && b.Terms[j] < term {
			j++
		}
		if j < len(b.Terms) && b.Terms[j] == term {
			shared += w
		}
	}
	if total == 0 {
		return 0
	}
	return shared / total
}

// copied reports whether two articles are one text, lightly edited or shortened.
func (a *Weighed) copied(b *Weighed) (share float64, copied bool) {
	share = contained(a.full, b.full)
	return share, share >= copyShare && min(len(a.full.Terms), len(b.full.Terms)) >= copyTerms
}

// copies labels the copy groups within stories: what is connected by pairs of copies. Chains do not run away here, since
// all of a group lies within a story and a text drifts little from copy to copy.
func copies(ws []*Weighed, g *cluster.Graph, story []int32) []int32 {
	group := make([]int32, len(ws))
	for i := range group {
		group[i] = int32(i)
	}
	find := func(i int32) int32 {
		for group[i] != i {
			group[i] = group[group[i]]
			i = group[i]
		}
		return i
	}
	for i := range g.Nodes() {
		neighbors, _ := g.Of(i)
		for _, j := range neighbors {
			if int(j) <= i || story[i] < 0 || story[i] != story[j] {
				continue
			}
			a, b := find(int32(i)), find(j)
			if a == b {
				continue
			}
			if _, ok := ws[i].copied(ws[j]); ok {
				group[max(a, b)] = min(a, b)
			}
		}
	}
	for i := range group {
		group[i] = find(int32(i))
	}
	labels, _ := withoutOneOffs(group)
	return labels
}
