package stories

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

func (h *harness) pending() int64 {
	h.Helper()
	counts, err := h.store.Counts(context.Background())
	h.must(err)
	return counts.Pending
}

// What a process stored and did not file before it died is filed by the next one.
func TestLeftArticlesAreFiled(t *testing.T) {
	for _, c := range []struct {
		left int
		once bool // by arranging everything anew
	}{
		{left: 4},
		{left: pendingPage + 4},
		{left: rearrangeFrom, once: true},
	} {
		t.Run(fmt.Sprint(c.left), func(t *testing.T) {
			h := setUp(t)
			h.put("a1", "storm", 1)
			h.file("a1")
			for i := range c.left {
				h.put(fmt.Sprintf("b%02d", i), fmt.Sprintf("event%d", i/4), i)
			}
			h.restart()
			if got := h.pending(); got != int64(c.left) {
				t.Fatalf("%d articles are pending, want %d", got, c.left)
			}
			h.must(h.fileOldPending(t.Context()))
			if got := h.pending(); got != 0 {
				t.Errorf("%d articles are pending, want none", got)
			}
			for i := 0; i < c.left; i += 4 {
				h.together(fmt.Sprintf("b%02d", i), fmt.Sprintf("b%02d", i+1), fmt.Sprintf("b%02d", i+2), fmt.Sprintf("b%02d", i+3))
			}
			h.check()
			if _, once := h.states.Arranged(); once != c.once {
				t.Errorf("%d articles: arranged %v", c.left, once)
			}
		})
	}
}

// An article is left for a moment to whoever has just stored it.
func TestNewArticlesAreNobodyElses(t *testing.T) {
	h := setUp(t)
	h.put("a1", "storm", 1)
	h.must(h.fileOldPending(t.Context()))
	if got := h.pending(); got != 1 {
		t.Errorf("%d articles are pending, want the one that was just stored", got)
	}
	h.now = h.now.Add(pendingAge)
	h.must(h.fileOldPending(t.Context()))
	if got := h.pending(); got != 0 {
		t.Errorf("%d articles are pending, want none", got)
	}
}

// KeepFiling goes on after failures, is woken by one, and ends with its context.
func TestKeepFiling(t *testing.T) {
	h := setUp(t)
	h.put("a1", "storm", 1)
	h.put("a2", "storm", 2)
	h.now = h.now.Add(pendingAge)
	h.faults.FailFrom(1, storetest.Writes, false, errors.New("the disk is full"))
	if err := h.tryFile("a1", "a2"); err == nil {
		t.Fatal("filing did not fail")
	}
	h.faults.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.KeepFiling(ctx)
	}()
	for deadline := time.Now().Add(20 * time.Second); h.pending() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what failed stays pending")
		}
	}
	cancel()
	<-done
	h.together("a1", "a2")
	h.check()
}

func TestFilePending(t *testing.T) {
	h := setUp(t)
	for i := range 40 {
		h.put(fmt.Sprintf("a%02d", i), fmt.Sprintf("event%d", i/4), i)
	}
	h.must(h.FilePending(t.Context(), nil)) // all of them: everything is arranged
	h.check()
	if got := h.pending(); got != 0 {
		t.Fatalf("%d articles are pending, want none", got)
	}
	h.put("b1", "event3", 5)
	var ids []string
	h.must(h.store.Scan(t.Context(), news.Filter{Pending: true}, store.WithNothing, func(s *store.Stored) error {
		ids = append(ids, s.Article.ID)
		return nil
	}))
	if len(ids) != 1 || ids[0] != "b1" {
		t.Fatalf("pending are %q, want b1", ids)
	}
	h.must(h.FilePending(t.Context(), nil))
	h.together("a12", "b1")
	h.check()
}
