package stories

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"throughline/internal/store"
	"throughline/internal/storetest"
)

// Calls that wait for their turn are filed together, those too that nobody waits for any more.
func TestCallsAreFiledTogether(t *testing.T) {
	h := setUp(t)
	unlock, err := h.write(t.Context())
	h.must(err)
	gone, leave := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	left := make(chan struct{})
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = fmt.Sprintf("a%02d", i)
		h.put(ids[i], fmt.Sprintf("event%d", i/4), i)
		calls.Go(func() {
			if i == 5 {
				if err := h.File(gone, ids[i:i+1]); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", ids[i], err)
				}
				close(left)
			} else if err := h.File(t.Context(), ids[i:i+1]); err != nil {
				t.Errorf("%s: %v", ids[i], err)
			}
		})
	}
	waiting := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.requests)
	}
	for waiting() < 12 {
		time.Sleep(time.Millisecond)
	}
	leave()
	<-left
	writes := h.writes(func() {
		unlock()
		calls.Wait()
	})
	if writes > 12 {
		t.Errorf("12 calls took %d writes", writes)
	}
	if got := h.pending(); got != 0 || waiting() != 0 || len(h.queued) != 0 {
		t.Errorf("%d articles are pending, %d calls and %d articles in the queue", got, waiting(), len(h.queued))
	}
	for i := 0; i < 12; i += 4 {
		h.together(ids[i : i+4]...)
	}
	h.check()
}

// An article that is put again while it waits is filed once; one that is put again while it is
// filed is filed again.
func TestQueueOfOneArticle(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 1)
	reads := 0
	count := func(method string, _ any) bool {
		if storetest.Method("QueryBatch")(method, nil) {
			reads++
		}
		return false
	}
	unlock, err := h.write(t.Context())
	h.must(err)
	h.faults.FailFrom(0, count, false, nil)
	first, second := h.Enqueue([]string{"a1"}), h.Enqueue([]string{"a1"})
	unlock()
	h.must(errors.Join(first(t.Context()), second(t.Context())))
	if h.faults.Stop(); reads != 1 {
		t.Errorf("filed %d times", reads)
	}
	filing, release := h.faults.Hold(storetest.Method("QueryBatch"))
	h.put("a1", "flood", 2)
	h.Enqueue([]string{"a1"})
	<-filing
	h.put("a1", "storm", 3)
	again := h.Enqueue([]string{"a1"})
	h.faults.Stop()
	release()
	h.must(again(t.Context()))
	if got := h.pending(); got != 0 {
		t.Error("the last revision is pending")
	}
	h.check()
}

// Room waits while more than mostQueued articles are in the queue.
func TestRoom(t *testing.T) {
	h := setUp(t)
	unlock, err := h.write(t.Context())
	h.must(err)
	h.must(h.Room(t.Context()))
	var filed func(context.Context) error
	for i := range mostQueued + 1 {
		h.must(h.Room(t.Context()))
		filed = h.Enqueue([]string{fmt.Sprint("a", i)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.Room(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with %d articles in the queue: %v", mostQueued+1, err)
	}
	unlock()
	h.must(h.Room(t.Context()))
	h.must(filed(t.Context()))
}

// What waits, or is being filed, when the engine is closed is filed after the restart.
func TestCloseLeavesTheQueue(t *testing.T) {
	h := setUp(t)
	for i := range 4 {
		h.put(fmt.Sprint("a", i), "flood", i)
	}
	filing, _ := h.faults.Hold(storetest.Method("QueryBatch"))
	first := h.Enqueue([]string{"a0", "a1"})
	<-filing
	second := h.Enqueue([]string{"a2"})
	h.Close()
	h.faults.Stop()
	for i, filed := range []func(context.Context) error{first, second, h.Enqueue([]string{"a3"})} {
		if err := filed(t.Context()); !errors.Is(err, store.ErrClosed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if got := h.pending(); got != 4 {
		t.Errorf("%d articles are pending", got)
	}
	h.restart()
	h.must(h.fileOldPending(t.Context()))
	h.together("a0", "a1", "a2", "a3")
	h.check()
}

// KeepFiling leaves what is in the queue to the queue.
func TestQueuedArticlesAreNotFiledTwice(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 1)
	h.now = h.now.Add(pendingAge)
	unlock, err := h.write(t.Context())
	h.must(err)
	filed := h.Enqueue([]string{"a1"})
	h.must(h.fileOldPending(t.Context())) // waits for no lock
	unlock()
	h.must(filed(t.Context()))
}
