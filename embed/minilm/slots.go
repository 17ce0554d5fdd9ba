package minilm

import (
	"context"
	"slices"
	"sync"

	"throughline/embed"
)

// slots are the workers of a model: the permission to compute, with working memory. The longest
// waiting caller gets the next slot, queries before documents.
type slots struct {
	mu      sync.Mutex
	free    []*scratch // the last used one last, because it may still be in a cache
	unmade  int        // slots whose scratch has not been allocated yet
	waiting [2][]chan *scratch
}

func newSlots(n int) *slots { return &slots{unmade: n} }

// queue returns the index of the queue of a kind. Queue 0 is served first.
func queue(kind embed.Kind) int {
	if kind == embed.Query {
		return 0
	}
	return 1
}

// acquire waits for a slot. It returns the context's error when that ends first.
func (s *slots) acquire(ctx context.Context, kind embed.Kind) (*scratch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return slot, nil
	}
	if s.unmade > 0 {
		s.unmade--
		s.mu.Unlock()
		return newScratch(), nil
	}
	turn := make(chan *scratch, 1) // buffered, so that release does not block
	q := &s.waiting[queue(kind)]
	*q = append(*q, turn)
	s.mu.Unlock()
	select {
	case slot := <-turn:
		return slot, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	at := slices.Index(*q, turn)
	if at >= 0 {
		*q = slices.Delete(*q, at, at+1)
	}
	s.mu.Unlock()
	if at < 0 { // it got a slot at the same time
		s.release(<-turn)
	}
	return nil, ctx.Err()
}

// release gives a slot to the first waiting caller, or keeps it.
func (s *slots) release(slot *scratch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range s.waiting {
		if len(q) > 0 {
			s.waiting[i] = q[1:]
			q[0] <- slot
			return
		}
	}
	s.free = append(s.free, slot)
}
