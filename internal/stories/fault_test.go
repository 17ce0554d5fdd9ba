package stories

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

// partition says which articles are together, and which are copies, whatever the stories are
// called.
func (h *harness) partition() string {
	h.Helper()
	groups := make(map[string][]string)
	h.must(h.store.Scan(context.Background(), news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		a := s.Article
		key := a.StoryID
		if key == "" {
			key = "one-off " + a.ID
		}
		groups[key] = append(groups[key], a.ID+"("+a.CopyOf+")")
		return nil
	}))
	lines := make([]string, 0, len(groups))
	for _, g := range groups {
		slices.Sort(g)
		lines = append(lines, strings.Join(g, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// errInjected is how a request fails: not in a way that is tried again.
var errInjected = status.Error(codes.Internal, "the store failed, as the test wants")

// operations is what can be interrupted: what comes before, and the operation, which can be
// repeated.
var operations = map[string]struct{ before, do func(h *harness) error }{
	"File: a new story": {
		func(h *harness) error { h.put("a1", "flood", 1); h.put("a2", "flood", 2); return nil },
		func(h *harness) error { return h.tryFile("a1", "a2") },
	},
	"File: articles join, one renames": {
		func(h *harness) error {
			h.fill()
			h.recluster()
			h.put("m4", "match", 4)
			h.putArticle(news.Article{ID: "m5", Title: "Great match", Published: h.now}, told("match", 5)+" "+told("match", 6))
			return nil
		},
		func(h *harness) error { return h.tryFile("m4", "m5") },
	},
	"File: an article moves": {
		func(h *harness) error { h.fill(); h.recluster(); h.put("m1", "launch", 5); return nil },
		func(h *harness) error { return h.tryFile("m1") },
	},
	"File: an article moves and its story ends": {
		func(h *harness) error { h.fill(); h.recluster(); h.put("f0", "launch", 5); return nil },
		func(h *harness) error { return h.tryFile("f0") },
	},
	"File: an earlier copy": {
		func(h *harness) error {
			h.fill()
			h.recluster()
			h.putArticle(news.Article{ID: "copy", Title: "Copy", Published: h.now.AddDate(0, 0, -1)}, told("match", 1))
			return nil
		},
		func(h *harness) error { return h.tryFile("copy") },
	},
	"Forget: an original of three": {
		func(h *harness) error {
			h.fill()
			h.putArticle(news.Article{ID: "copy", Title: "Copy", Published: h.now}, told("match", 1))
			h.putArticle(news.Article{ID: "copy2", Title: "Copy", Published: h.now}, told("match", 1))
			h.recluster()
			h.drop("copy")
			return nil
		},
		func(h *harness) error { return h.forget(h.removed) },
	},
	"Forget: one of two": {
		func(h *harness) error { h.fill(); h.recluster(); h.drop("f1"); return nil },
		func(h *harness) error { return h.forget(h.removed) },
	},
	"Recluster: everything is new": {
		func(h *harness) error { h.fill(); return nil },
		func(h *harness) error { _, err := h.tryRecluster(); return err },
	},
	"Recluster: merges, a split, an end, an arrival": {
		func(h *harness) error {
			h.fill()
			for part := range 3 {
				h.put(fmt.Sprint("s", part), "launch", part+6)
			}
			h.recluster()
			h.put("v0", "match", 4) // the vote merges into the match
			h.put("v1", "match", 5)
			h.put("v2", "match", 6)
			for part := range 3 { // the launch splits
				h.put(fmt.Sprint("s", part), "landing", part)
			}
			h.put("t1", "theft", 0) // the trial ends
			h.put("f2", "flood", 2) // the flood grows
			h.put("z", "match", 7)
			return nil
		},
		func(h *harness) error { _, err := h.tryRecluster(); return err },
	},
}

// Every operation is interrupted at every write, that write done or not, and goes on in a new
// process, or in the same one that does not know that the write was done. Once what is left is
// repaired, everything fits together and the ledger tells of it; and the operation, repeated, comes
// to what it would have come to.
func TestInterrupted(t *testing.T) {
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			h := setUp(t)
			h.must(op.before(h))
			h.must(op.do(h))
			h.check()
			want := h.partition()
			points := 0
			for _, late := range []bool{false, true} {
				for _, restart := range []bool{false, true} {
					if !late && !restart || testing.Short() && (late != restart || strings.Contains(name, "everything")) {
						continue
					}
					for n := 1; ; n++ {
						h := setUp(t)
						h.must(op.before(h))
						h.faults.FailFrom(n, storetest.Writes, late, errInjected)
						err := op.do(h)
						reached := h.faults.Stop() >= n
						if !reached {
							h.must(err)
							break
						}
						points++
						if err == nil {
							t.Fatalf("write %d failed and nobody was told", n)
						}
						if restart {
							h.restart()
						}
						h.repairs()
						h.check()
						h.must(op.do(h))
						h.check()
						if got := h.partition(); got != want {
							t.Errorf("at write %d (done: %v, new process: %v) it comes to\n%s\nwant\n%s", n, late, restart, got, want)
						}
						h.must(op.do(h)) // what was filed first sees the others now
						if writes := h.writes(func() { h.must(op.do(h)) }); writes > 0 {
							t.Errorf("at write %d: done again, it writes %d times", n, writes)
						}
						if t.Failed() {
							t.FailNow()
						}
					}
				}
			}
			if points < 8 && !testing.Short() {
				t.Errorf("interrupted %d times: the test is no test", points)
			}
		})
	}
}

// Any operations in any order, with faults and new processes in between: once repaired, everything
// fits together.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := setUp(t)
		events := []string{"flood", "vote", "match"}
		text := make(map[string]bool)
		for range rapid.IntRange(1, 15).Draw(t, "operations") {
			failed := rapid.IntRange(0, 9).Draw(t, "faulty") < 3
			failAt, late := rapid.IntRange(1, 12).Draw(t, "fails at"), rapid.Bool().Draw(t, "late")
			arm := func() {
				if failed {
					h.faults.FailFrom(failAt, storetest.Writes, late, errInjected)
				}
			}
			var err error
			switch op := rapid.SampledFrom([]string{"put", "put", "put", "put", "batch", "delete", "recluster", "restart"}).Draw(t, "operation"); op {
			case "put", "batch":
				var ids []string
				n := 1
				if op == "batch" {
					n = 4
				}
				for range n {
					id := fmt.Sprint("a", rapid.IntRange(0, 11).Draw(t, "article"))
					h.put(id, rapid.SampledFrom(events).Draw(t, "event"), rapid.IntRange(0, 5).Draw(t, "part"))
					text[id] = true
					ids = append(ids, id)
				}
				arm()
				err = h.tryFile(ids...)
			case "delete":
				if len(text) == 0 {
					continue
				}
				id := rapid.SampledFrom(slices.Sorted(maps.Keys(text))).Draw(t, "deleted")
				delete(text, id)
				removed := h.drop(id)
				arm()
				err = h.forget(removed)
			case "recluster":
				arm()
				_, err = h.tryRecluster()
			case "restart":
				h.restart()
			}
			if h.faults.Stop(); err != nil && !failed {
				t.Fatal(err)
			}
			if err != nil && rapid.Bool().Draw(t, "new process") {
				h.restart()
			}
			h.repairs()
			h.check()
		}
	})
}
