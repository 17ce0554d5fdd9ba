package stories

import (
	"cmp"
	"maps"
	"slices"
)

// group is the ids of articles that belong together.
type group []string

// carry gives groups their ids: the pair of an old and a new group with most articles in common keeps the old id, then the
// next pair of which neither has been settled. Ties go to the smaller old id, then to the earlier new group. A group that
// gets none of the old ids gets a new one.
func carry(old map[string]group, groups []group, newID func() string) []string {
	was := make(map[string]string) // article -> old id
	for id, members := range old {
		for _, a := range members {
			was[a] = id
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
			if id, ok := was[a]; ok {
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
	ids, taken := make([]string, len(groups)), make(map[string]bool)
	for _, o := range overlaps {
		if ids[o.group] == "" && !taken[o.id] {
			ids[o.group], taken[o.id] = o.id, true
		}
	}
	for g := range ids {
		if ids[g] == "" {
			ids[g] = newID()
		}
	}
	return ids
}

// standing is the stories there are at one time, by id.
type standing map[string]listed

// listed is one of them, as the ledger tells of it.
type listed struct {
	title   string
	members map[string]bool // ids of articles; may be empty, but is not nil
}

func list(title string, members ...string) listed {
	l := listed{title, make(map[string]bool, len(members))}
	for _, id := range members {
		l.members[id] = true
	}
	return l
}

func (l listed) sorted() []string { return slices.Sorted(maps.Keys(l.members)) }

// without lists, in order, the members that another one does not have.
func (l listed) without(other listed) []string {
	var ids []string
	for id := range l.members {
		if !other.members[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// fates is what became of stories between two standings.
type fates struct {
	// into names, for a story that ended, the one that most of its articles are in now; "" when none is in any. Of equals
	// it is the smaller id.
	into map[string]string
	// from names, for a new story, the one that most of its articles were in and that lives on; it has no entry when
	// there is none.
	from map[string]string
}

func follow(before, after standing) fates {
	f := fates{into: make(map[string]string), from: make(map[string]string)}
	for id := range before {
		if _, lives := after[id]; !lives {
			f.into[id] = ""
		}
	}
	was := make(map[string]string)
	for id, l := range before {
		for a := range l.members {
			was[a] = id
		}
	}
	into, from := make(map[[2]string]int), make(map[[2]string]int) // {ended, heir} and {new, origin} -> articles
	for id, l := range after {
		_, old := before[id]
		for a := range l.members {
			origin, known := was[a]
			if !known {
				continue
			}
			if _, lives := after[origin]; !lives {
				into[[2]string{origin, id}]++
			} else if !old {
				from[[2]string{id, origin}]++
			}
		}
	}
	for _, p := range largestFirst(into) {
		if f.into[p[0]] == "" {
			f.into[p[0]] = p[1]
		}
	}
	for _, p := range largestFirst(from) {
		if f.from[p[0]] == "" {
			f.from[p[0]] = p[1]
		}
	}
	return f
}

func largestFirst(counts map[[2]string]int) [][2]string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
}
