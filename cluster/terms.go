package cluster

import (
	"cmp"
	"math/bits"
	"slices"

	"throughline/cluster/vector"
)

// termTable counts terms, then numbers them: a hash table with open addressing. A map takes four
// times as long, and every term of every row is looked up.
type termTable struct {
	slots []termSlot // a power of two, at most half of them used
	used  int
}

// termSlot has the value of a term: how many rows have it, then 1 more than its number.
type termSlot struct {
	term  uint32
	value int32 // 0: the slot is empty
}

// numberTerms numbers, in their order, the terms that at least least rows have.
func numberTerms(rows []vector.Sparse, least int32) (t *termTable, counts []int32) {
	t = &termTable{slots: make([]termSlot, 1024)}
	for _, row := range rows {
		for _, term := range row.Terms {
			if 2*t.used >= len(t.slots) {
				t.grow()
			}
			s := t.slot(term)
			if s.value == 0 {
				s.term = term
				t.used++
			}
			s.value++
		}
	}
	var kept []termSlot
	for i := range t.slots {
		if s := &t.slots[i]; s.value >= max(least, 1) {
			kept = append(kept, *s)
		} else if s.value > 0 {
			s.value = -1
		}
	}
	slices.SortFunc(kept, func(a, b termSlot) int { return cmp.Compare(a.term, b.term) })
	counts = make([]int32, len(kept))
	for i, s := range kept {
		counts[i] = s.value
		t.slot(s.term).value = int32(i) + 1
	}
	return t, counts
}

// number returns the number of a term that some row has; false: fewer than least rows have it.
func (t *termTable) number(term uint32) (uint32, bool) {
	value := t.slot(term).value
	return uint32(value - 1), value > 0
}

// slot returns the slot of a term, or an empty one.
func (t *termTable) slot(term uint32) *termSlot {
	at := int(term * 2654435769 >> (33 - bits.Len(uint(len(t.slots)))))
	for t.slots[at].value != 0 && t.slots[at].term != term {
		at = (at + 1) & (len(t.slots) - 1)
	}
	return &t.slots[at]
}

func (t *termTable) grow() {
	old := t.slots
	t.slots = make([]termSlot, 2*len(old))
	for _, s := range old {
		if s.value != 0 {
			*t.slot(s.term) = s
		}
	}
}
