package store

import (
	"hash/maphash"
	"sync"
)

// stripes are locks by article id. Writes of different articles run side by side, writes of one
// article one after the other, because a write reads the stored revision and membership before it
// replaces them. Two ids may share a lock.
type stripes [256]sync.Mutex

var stripeSeed = maphash.MakeSeed()

// lock takes the locks of all ids in a fixed order, so that two callers cannot wait for each other.
func (s *stripes) lock(ids []string) (unlock func()) {
	var want [256]bool
	for _, id := range ids {
		want[maphash.String(stripeSeed, id)%256] = true
	}
	for i := range s {
		if want[i] {
			s[i].Lock()
		}
	}
	return func() {
		for i := range s {
			if want[i] {
				s[i].Unlock()
			}
		}
	}
}
