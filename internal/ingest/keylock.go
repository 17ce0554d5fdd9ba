package ingest

import (
	"context"
	"sync"
)

// keyLock is a mutex per article id. It is held from the read of the stored revision to the commit
// of the next.
type keyLock struct {
	mu   sync.Mutex
	held map[string]chan struct{} // by article id; closed by unlock
}

// tryLock locks the id if it is free; otherwise it returns what is closed when the id is unlocked.
func (l *keyLock) tryLock(id string) (taken <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held, ok := l.held[id]; ok {
		return held
	}
	l.held[id] = make(chan struct{})
	return nil
}

func (l *keyLock) lock(ctx context.Context, id string) error {
	for taken := l.tryLock(id); taken != nil; taken = l.tryLock(id) {
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *keyLock) unlock(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.held[id])
	delete(l.held, id)
}
