package stories

import (
	"cmp"
	"maps"
	"slices"
)

// group is a set of articles, before or after a change.
type group []string

// carried says what became of the groups there were and where the ids of the new ones come from.
type carried struct {
	ids    []string          // of the new groups, in their order
	fresh  []bool            // the id is new
	from   []string          // for a fresh one: the old group that most of its articles were in and that lives on; "" for none
	merged map[string]string // old id without a group of its own -> the id that most of its articles are in now
	gone   []string          // old ids none of whose articles is in any group
	was    map[string]string // article -> old id
	old    map[string]group
}

// carry gives the new groups their ids: the pair of an old and a new group with most articles in common keeps the old id,
// then the next pair of which neither has been settled. Ties go to the smaller old id, then to the earlier new group.
func carry(old map[string]group, groups []group, newID func() string) carried {
	c := carried{
		ids: make([]string, len(groups)), fresh: make([]bool, len(groups)), from: make([]string, len(groups)),
		merged: make(map[string]string), was: make(map[string]string), old: old,
	}
	for id, members := range old {
		for _, a := range members {
			c.was[a] = id
		}
	}
	type overlap struct {
		id    string
		group int
		size  int
	}
	var overlaps []overlap
	for g, members := range groups {
		counts := make(map[string]int)
		for _, a := range members {
			if id, ok := c.was[a]; ok {
				counts[id]++
			}
		}
		for id, n := range counts {
			overlaps = append(overlaps, overlap{id, g, n})
		}
	}
	slices.SortFunc(overlaps, func(a, b overlap) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.id, b.id), cmp.Compare(a.group, b.group))
	})
	taken := make(map[string]bool)
	for _, o := range overlaps {
		if c.ids[o.group] == "" && !taken[o.id] {
			c.ids[o.group], taken[o.id] = o.id, true
		}
	}
	for g := range groups {
		if c.ids[g] == "" {
			c.ids[g], c.fresh[g] = newID(), true
		}
	}
	for _, o := range overlaps { // largest first
		if c.fresh[o.group] && taken[o.id] && c.from[o.group] == "" {
			c.from[o.group] = o.id
		}
		if _, settled := c.merged[o.id]; !taken[o.id] && !settled {
			c.merged[o.id] = c.ids[o.group]
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old)) {
		if _, merged := c.merged[id]; !taken[id] && !merged {
			c.gone = append(c.gone, id)
		}
	}
	return c
}

// joined and left are how the members of a group that keeps its id differ from before, in sorted order.
func (c carried) moved(id string, now group) (joined, left []string) {
	for _, a := range now {
		if c.was[a] != id {
			joined = append(joined, a)
		}
	}
	for _, a := range c.old[id] {
		if !slices.Contains(now, a) {
			left = append(left, a)
		}
	}
	slices.Sort(joined)
	slices.Sort(left)
	return joined, left
}
