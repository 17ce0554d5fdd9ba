package store

import (
	"hash/maphash"
	"sync"
)

// stripes are locks by article id: writes of different articles run side by side, writes of one article one after the
// other, because a write reads what is stored (revision, assignment) before it replaces it. Two ids may share a lock.
type stripes struct {
	once  sync.Once
	seed  maphash.Seed
	locks [256]sync.Mutex
}

// lock takes the locks of all ids, always in the same order, so that two callers cannot wait for each other.
func (s *stripes) lock(ids []string) (unlock func()) {
	s.once.Do(func() { s.seed = maphash.MakeSeed() })
	var want [256]bool
	for _, id := range ids {
		want[maphash.String(s.seed, id)%256] = true
	}
	for i := range s.locks {
		if want[i] {
			s.locks[i].Lock()
		}
	}
	return func() {
		for i := range s.locks {
			if want[i] {
				s.locks[i].Unlock()
			}
		}
	}
}

// counter gives out growing numbers.
type counter struct {
	mu   sync.Mutex
	last int64
}

// next returns a number above every one given out before.
func (c *counter) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return c.last
}
