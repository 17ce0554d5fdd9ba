package evidence

import (
	"throughline/cluster"
	"throughline/cluster/vector"
)

// Among pairs of BASIL, independent reports by three outlets, none shares copyShare of its words, and one in ten shares
// more than half; among those of ECB+, which holds wire copy, one in fifty does.
const (
	// copyShare is the share of the rare-word weight of the article with fewer words that the other one has too, from
	// which on the two are one text.
	copyShare = 0.85
	// copyTerms is the number of distinct words below which sharing them all proves nothing: two headlines.
	copyTerms = 20
)

// contained returns the share of the weight of the vector with fewer terms that lies on terms of the other, and how many
// terms that one has. Unlike a cosine the share is not lowered by what the longer text adds, so that a shortened copy
// counts as one, and one with a paragraph added.
func contained(a, b vector.Sparse) (share float64, terms int) {
	if len(a.Terms) > len(b.Terms) {
		a, b = b, a
	}
	var sharedA, sharedB, totalA, totalB float64
	j := 0
	for i, term := range a.Terms {
		w := float64(a.Weights[i]) * float64(a.Weights[i])
		totalA += w
		for ; j < len(b.Terms) && b.Terms[j] <= term; j++ {
			v := float64(b.Weights[j]) * float64(b.Weights[j])
			totalB += v
			if b.Terms[j] == term {
				sharedA += w
				sharedB += v
			}
		}
	}
	if totalA == 0 {
		return 0, 0
	}
	share = sharedA / totalA
	if len(a.Terms) == len(b.Terms) { // the order of the two must not matter
		for ; j < len(b.Terms); j++ {
			totalB += float64(b.Weights[j]) * float64(b.Weights[j])
		}
		share = max(share, sharedB/totalB)
	}
	return share, len(a.Terms)
}

// IsCopy reports whether two articles are one text, lightly edited or shortened.
func IsCopy(s Signals) bool { return s.Shared >= copyShare && s.SharedOf >= copyTerms }

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
			if share, terms := contained(ws[i].full, ws[j].full); share >= copyShare && terms >= copyTerms {
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
