package stories

import (
	"context"
	"slices"

	"throughline/internal/store"
)

const (
	// filingBatch is the most articles whose filing is planned together and written at once.
	filingBatch = 64
	// mostQueued is the number of articles in the queue above which Room waits.
	mostQueued = 1000
)

// filingRequest is a call of Enqueue.
type filingRequest struct {
	ids   []string
	taken bool          // they are being filed
	done  chan struct{} // closed when they are filed, or err says why not
	err   error
}

func (r *filingRequest) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// File files articles as Enqueue does and waits for it. When ctx ends it waits no longer, and those
// in the queue are filed all the same.
func (e *Engine) File(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, filingBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.Enqueue(some)(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Enqueue has some newly stored articles filed in the background, in the order of calls: it is
// decided which story each belongs to, and memberships, stories and ledger are written. Ids that
// are not stored are skipped. filed waits until they are filed or ctx ends. After an error the
// articles that are not filed stay pending; see KeepFiling.
func (e *Engine) Enqueue(ids []string) (filed func(ctx context.Context) error) {
	r := &filingRequest{done: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.Err() != nil {
		r.err = store.ErrClosed
		close(r.done)
		return r.wait
	}
	for _, id := range ids {
		if before := e.queued[id]; before == nil || before.taken {
			e.queued[id] = r
			r.ids = append(r.ids, id)
		}
	}
	if e.requests = append(e.requests, r); len(e.requests) == 1 {
		e.filing.Go(func() {
			for e.fileNext() {
			}
		})
	}
	return r.wait
}

// Room waits until there is room in the queue of Enqueue.
func (e *Engine) Room(ctx context.Context) error {
	for {
		e.mu.Lock()
		var first *filingRequest
		if len(e.queued) > mostQueued {
			first = e.requests[0]
		}
		e.mu.Unlock()
		if first == nil {
			return nil
		}
		_ = first.wait(ctx) // its articles have left the queue, filed or not
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// inQueue reports whether an article is in the queue, or being filed.
func (e *Engine) inQueue(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queued[id] != nil
}

// fileNext files the articles of the first calls in the queue together, because a write of many
// takes little longer than one. It reports whether more are in the queue.
func (e *Engine) fileNext() (more bool) {
	unlock, err := e.write(e.life)
	e.mu.Lock()
	var ids []string
	n := 0
	for ; n == 0 || n < len(e.requests) && len(ids)+len(e.requests[n].ids) <= filingBatch; n++ {
		e.requests[n].taken = true
		ids = append(ids, e.requests[n].ids...)
	}
	e.mu.Unlock()
	if err == nil {
		for some := range slices.Chunk(ids, filingBatch) {
			if err = e.fileBatch(e.life, some); err != nil {
				break
			}
		}
		unlock()
	}
	if err != nil {
		if e.life.Err() != nil {
			err = store.ErrClosed
		} else {
			e.cfg.Logger.WarnContext(e.life, "articles are stored, and not filed yet", "articles", len(ids), "error", err)
		}
		e.wake()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.requests[:n] {
		for _, id := range r.ids {
			if e.queued[id] == r {
				delete(e.queued, id)
			}
		}
		r.err = err
		close(r.done)
	}
	e.requests = slices.Delete(e.requests, 0, n)
	return len(e.requests) > 0
}

// Close ends filing in the background. What is in the queue stays pending.
func (e *Engine) Close() {
	e.mu.Lock()
	e.end()
	e.mu.Unlock()
	e.filing.Wait()
}
