package cluster

import (
	"fmt"
	"math"
	"slices"
)

// vetoes knows which clusters must not be joined, by slot, from both sides.
type vetoes struct {
	against map[int32][]int32
	most    float32 // what the similarity of a forbidden pair counts as
}

// newVetoes returns nil when nothing is forbidden.
func newVetoes(n int, opts LinkOptions) (*vetoes, error) {
	if len(opts.CannotLink) == 0 {
		return nil, nil
	}
	v := &vetoes{against: map[int32][]int32{}, most: float32(math.Inf(-1))}
	if opts.LiftVetoes {
		v.most = math.Nextafter32(opts.LiftBelow, v.most)
	}
	for k, p := range opts.CannotLink {
		if p[0] < 0 || p[1] < 0 || int(p[0]) >= n || int(p[1]) >= n || p[0] == p[1] {
			return nil, &InputError{-1, -1, fmt.Sprintf("pair %d that cannot be linked, %d and %d, does not name two of %d items", k, p[0], p[1], n)}
		}
		v.add(p[0], p[1])
		v.add(p[1], p[0])
	}
	return v, nil
}

func (v *vetoes) add(a, b int32) {
	list := v.against[a]
	if at, found := slices.BinarySearch(list, b); !found {
		v.against[a] = slices.Insert(list, at, b)
	}
}

// apply returns what a similarity s between the clusters at a and b counts as.
func (v *vetoes) apply(a, b int32, s float32) float32 {
	if _, forbidden := slices.BinarySearch(v.against[a], b); forbidden {
		return min(s, v.most)
	}
	return s
}

// join gives cluster a what is held against b.
func (v *vetoes) join(a, b int32) {
	for _, c := range v.against[b] {
		others := v.against[c]
		if at, found := slices.BinarySearch(others, b); found {
			v.against[c] = slices.Delete(others, at, at+1)
		}
		if c != a {
			v.add(c, a)
			v.add(a, c)
		}
	}
	delete(v.against, b)
}

// rename gives every cluster at i the slot slot[i].
func (v *vetoes) rename(slot []int32) {
	renamed := make(map[int32][]int32, len(v.against))
	for i, others := range v.against {
		list := make([]int32, len(others))
		for k, j := range others {
			list[k] = slot[j]
		}
		slices.Sort(list)
		renamed[slot[i]] = list
	}
	v.against = renamed
}
