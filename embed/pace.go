package embed

import (
	"context"
	"sync"
)

// pace is how many requests of a kind may be in flight, and how many inputs in one. Both shrink when a request gets no answer in
// time, because a server that is behind goes on with what nobody waits for any more, and grow again while answers come soon.
type pace struct {
	mu                 sync.Mutex
	requests, inputs   int // allowed now
	mostRequests, most int // allowed at best
	inFlight           int
	waiting            []chan struct{}
}

func newPace(requests, inputs int) *pace {
	return &pace{requests: requests, mostRequests: requests, inputs: inputs, most: inputs}
}

// batch is how many inputs a request may have.
func (p *pace) batch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inputs
}

// begin waits until one more request may be in flight. It fails with the context's cause when that ends first.
func (p *pace) begin(ctx context.Context) error {
	p.mu.Lock()
	if p.inFlight < p.requests && len(p.waiting) == 0 {
		p.inFlight++
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	for i, other := range p.waiting {
		if other == turn {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			p.mu.Unlock()
			return context.Cause(ctx)
		}
	}
	p.mu.Unlock()
	p.end() // its turn came at the same time; somebody else takes it
	return context.Cause(ctx)
}

// end is for a request that is in flight no more.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	p.admit()
}

func (p *pace) admit() {
	for len(p.waiting) > 0 && p.inFlight < p.requests {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
		p.inFlight++
	}
}

// late is for a request of n inputs that got no answer in time. It returns what is allowed from now on.
func (p *pace) late(n int) (requests, inputs int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = max(1, p.requests/2)
	p.inputs = min(p.inputs, max(1, n/2))
	return p.requests, p.inputs
}

// soon is for a request of n inputs whose answer took little of the time it had.
func (p *pace) soon(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case n < p.inputs: // says nothing about larger ones
	case p.inputs < p.most:
		p.inputs++
	case p.requests < p.mostRequests:
		p.requests++
		p.admit()
	}
}
