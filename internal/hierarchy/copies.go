package hierarchy

import (
	"cmp"
	"slices"

	"throughline/cluster"
	"throughline/internal/score"
)

// maxCompared bounds how many articles of a copy group are compared with those of another.
const maxCompared = 8

// copies labels the copy groups within stories. It joins the pairs of copies with the most shared
// text first, and two groups only if at least half of the compared pairs are copies: reports that
// repeat one statement at length are sometimes recognised as copies and would chain into one group.
func copies(ws []*score.Weighted, g *cluster.Graph, story []int32) []int32 {
	type pair struct {
		a, b     int32
		verbatim float64
	}
	var pairs []pair
	for i, j := range edges(g) {
		if story[i] < 0 || story[i] != story[j] {
			continue
		}
		if _, copied := score.SameText(ws[i], ws[j]); !copied {
			continue
		}
		if s := score.Compare(ws[i], ws[j]); s.Copy {
			pairs = append(pairs, pair{i, j, s.Verbatim})
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(y.verbatim, x.verbatim), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	group, members := identity(len(ws)), make(map[int32][]int32)
	of := func(i int32) []int32 {
		if list := members[group[i]]; list != nil {
			return list
		}
		return []int32{i}
	}
	for _, p := range pairs {
		if group[p.a] == group[p.b] {
			continue
		}
		as, bs := of(p.a), of(p.b)
		agree, compared := 0, 0
		for _, a := range as[:min(len(as), maxCompared)] {
			for _, b := range bs[:min(len(bs), maxCompared)] {
				compared++
				if _, copied := score.SameText(ws[a], ws[b]); copied {
					agree++
				}
			}
		}
		if 2*agree < compared {
			continue
		}
		into, from := min(group[p.a], group[p.b]), max(group[p.a], group[p.b])
		joined := slices.Concat(as, bs)
		slices.Sort(joined)
		delete(members, from)
		members[into] = joined
		for _, i := range joined {
			group[i] = into
		}
	}
	labels, _ := withoutSingletons(group)
	return labels
}
