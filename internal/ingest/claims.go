package ingest

import (
	"context"
	"sync"
)

// claims lets one goroutine at a time work on an article: from the look at its stored revision to the commit of the next.
type claims struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed on release
}

func newClaims() *claims { return &claims{held: make(map[string]chan struct{})} }

// try claims the id and reports whether it was free.
func (c *claims) try(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.held[id]; taken {
		return false
	}
	c.held[id] = make(chan struct{})
	return true
}

// claim waits until the id is free.
func (c *claims) claim(ctx context.Context, id string) (release func(), err error) {
	for {
		c.mu.Lock()
		taken, ok := c.held[id]
		if !ok {
			c.held[id] = make(chan struct{})
			c.mu.Unlock()
			return func() { c.release(id) }, nil
		}
		c.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *claims) release(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.held[id])
	delete(c.held, id)
}
