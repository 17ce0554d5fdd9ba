package embed

import (
	"context"
	"slices"
	"sync"
)

// adaptiveLimiter bounds the requests of a kind that are in flight and the inputs of one request,
// by additive increase and multiplicative decrease (AIMD). A timeout halves both bounds, because an
// overloaded server still works on requests that nobody waits for. Every quick answer raises one of
// them by one, up to its maximum.
type adaptiveLimiter struct {
	mu                     sync.Mutex
	requests, inputs       int // current bounds
	maxRequests, maxInputs int
	inFlight               int
	waiting                []chan struct{} // closed when a request may start
}

func newLimiter(requests, inputs int) *adaptiveLimiter {
	return &adaptiveLimiter{requests: requests, maxRequests: requests, inputs: inputs, maxInputs: inputs}
}

// batch returns the number of inputs that a request may have.
func (l *adaptiveLimiter) batch() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inputs
}

// acquire waits until a request may start. It returns the context's cause when that ends first.
func (l *adaptiveLimiter) acquire(ctx context.Context) error {
	l.mu.Lock()
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.admit()
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := slices.Index(l.waiting, turn); at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	} else { // admitted at the same time
		l.inFlight--
		l.admit()
	}
	return context.Cause(ctx)
}

// release ends a request.
func (l *adaptiveLimiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.admit()
}

// admit starts as many waiting requests as the bound allows, in the order of their arrival.
func (l *adaptiveLimiter) admit() {
	for len(l.waiting) > 0 && l.inFlight < l.requests {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.inFlight++
	}
}

// timedOut lowers the bounds after a request of n inputs timed out, and returns them.
func (l *adaptiveLimiter) timedOut(n int) (requests, inputs int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = max(1, l.requests/2)
	l.inputs = min(l.inputs, max(1, n/2))
	return l.requests, l.inputs
}

// quick raises a bound after a request of n inputs was answered well within its timeout.
func (l *adaptiveLimiter) quick(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n < l.inputs: // a small request shows nothing about larger ones
	case l.inputs < l.maxInputs:
		l.inputs++
	case l.requests < l.maxRequests:
		l.requests++
		l.admit()
	}
}
