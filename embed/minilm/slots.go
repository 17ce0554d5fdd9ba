package minilm

import (
	"context"
	"sync"

	"throughline/embed"
)

// slots are the workers of a model: the right to compute, and the memory to do it in. Whoever waits longest gets the next
// one, queries before documents.
type slots struct {
	mu      sync.Mutex
	free    []*scratch // last used last, so that it is still in the cache when it is used again
	unmade  int        // slots whose scratch has not been needed yet
	waiting [2][]*waiter
}

type waiter struct {
	slot chan *scratch // buffered, so that release never blocks
}

func newSlots(n int) *slots { return &slots{unmade: n} }

// lane is the queue of a kind: 0 is served first.
func lane(kind embed.Kind) int {
	if kind == embed.Query {
		return 0
	}
	return 1
}

// acquire waits for a slot. It fails with the context's error when that ends first.
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
	w := &waiter{slot: make(chan *scratch, 1)}
	s.waiting[lane(kind)] = append(s.waiting[lane(kind)], w)
	s.mu.Unlock()
	select {
	case slot := <-w.slot:
		return slot, nil
	case <-ctx.Done():
		s.abandon(w, lane(kind))
		return nil, ctx.Err()
	}
}

// abandon takes a waiter out of its queue, or passes on the slot that it got in the meantime.
func (s *slots) abandon(w *waiter, lane int) {
	s.mu.Lock()
	for i, other := range s.waiting[lane] {
		if other == w {
			s.waiting[lane] = append(s.waiting[lane][:i], s.waiting[lane][i+1:]...)
			s.mu.Unlock()
			return
		}
	}
	s.mu.Unlock()
	s.release(<-w.slot)
}

// release gives a slot to the first in the queues, or keeps it.
func (s *slots) release(slot *scratch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for lane := range s.waiting {
		if queue := s.waiting[lane]; len(queue) > 0 {
			s.waiting[lane] = queue[1:]
			queue[0].slot <- slot
			return
		}
	}
	s.free = append(s.free, slot)
}
