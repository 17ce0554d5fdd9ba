package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"throughline/internal/news"
)

// events makes events of the stories s<from>, s<from+1>, ...
func events(from, n int) []news.LedgerEvent {
	var out []news.LedgerEvent
	for i := range n {
		out = append(out, news.LedgerEvent{Time: day(1), Kind: news.Joined, ID: fmt.Sprintf("s%d", from+i), ArticleIDs: []string{"a", "b"},
			OtherIDs: []string{"o"}, Title: "T"})
	}
	return out
}

// checkLedger fails the test unless the ledger has the events s0, s1, ... numbered 1, 2, ...
func checkLedger(t *testing.T, s *Store, n int) {
	t.Helper()
	got, err := s.Events(t.Context(), 0, MaxLimit)
	if err != nil {
		t.Fatal(err)
	}
	want := events(0, n)
	for i := range want {
		want[i].Sequence = int64(i + 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestLedger(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		if got, err := s.Events(t.Context(), 0, 10); err != nil || len(got) != 0 {
			t.Fatalf("empty ledger: %v, %v", got, err)
		}
		first := events(0, 3)
		mustApply(t, s, &Plan{Events: first})
		if first[0].Sequence != 1 || first[2].Sequence != 3 {
			t.Errorf("numbers %d..%d", first[0].Sequence, first[2].Sequence)
		}
		mustApply(t, s, &Plan{Events: first}) // again: nothing twice
		mustApply(t, s, &Plan{Events: events(3, maxBatchPoints+5)})
		checkLedger(t, s, maxBatchPoints+8)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = e.open(t)
		mustApply(t, s, &Plan{Events: events(maxBatchPoints+8, 2)})
		checkLedger(t, s, maxBatchPoints+10)
		got, err := s.Events(t.Context(), 5, 2)
		if err != nil || len(got) != 2 || got[0].Sequence != 6 || got[1].Sequence != 7 {
			t.Errorf("after 5: %v, %v", got, err)
		}
		if got, err := s.Events(t.Context(), maxBatchPoints+10, 2); err != nil || len(got) != 0 {
			t.Errorf("after the last: %v, %v", got, err)
		}
		if got, err := s.Events(t.Context(), -7, 1); err != nil || got[0].Sequence != 1 {
			t.Errorf("after -7: %v, %v", got, err)
		}
		if _, err := s.Events(t.Context(), 0, 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("a limit of 0: %v", err)
		}
		now := []news.LedgerEvent{{Kind: news.Deleted, ID: "s"}}
		if mustApply(t, s, &Plan{Events: now}); !now[0].Time.Equal(e.clock()) {
			t.Errorf("an event without a time happened at %v, want %v", now[0].Time, e.clock())
		}
	})
}

// TestFailedEventsAreCompleted fails one write of events that got a number. The next plan completes
// them, be it the same one, an empty one, or another, whose events come after them.
func TestFailedEventsAreCompleted(t *testing.T) {
	const n = maxBatchPoints + 3
	for name, next := range map[string]func(failed *Plan) *Plan{
		"same":    func(failed *Plan) *Plan { return failed },
		"empty":   func(*Plan) *Plan { return &Plan{} },
		"another": func(*Plan) *Plan { return &Plan{Events: events(2+n, 2)} },
	} {
		t.Run(name, func(t *testing.T) {
			eachFault(t, false, func(t *testing.T, e *env, f *faults, arm func()) bool {
				s := e.open(t, f.intercept)
				mustApply(t, s, &Plan{Events: events(0, 2)})
				p := &Plan{Events: events(2, n)}
				arm()
				err := s.Apply(t.Context(), p)
				hit := f.disarm()
				if (err != nil) != hit || p.Events[n-1].Sequence != 2+n {
					t.Errorf("fault met: %v, error: %v, last number %d", hit, err, p.Events[n-1].Sequence)
				}
				completing := next(p)
				mustApply(t, s, completing)
				want := 2 + n
				if name == "another" {
					want += 2
				}
				checkLedger(t, s, want)
				return hit
			})
		})
	}
}

func TestEventsOfPlansSideBySide(t *testing.T) {
	s := embeddedEnv(t).open(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 5 {
				batch := events(0, 3)
				if err := s.Apply(t.Context(), &Plan{Events: batch}); err != nil {
					t.Error(err)
				}
				if batch[1].Sequence != batch[0].Sequence+1 || batch[2].Sequence != batch[0].Sequence+2 {
					t.Errorf("numbers %d %d %d", batch[0].Sequence, batch[1].Sequence, batch[2].Sequence)
				}
			}
		})
	}
	wait.Wait()
	got, err := s.Events(t.Context(), 0, MaxLimit)
	if err != nil {
		t.Fatal(err)
	}
	for i, event := range got {
		if event.Sequence != int64(i+1) {
			t.Fatalf("event %d has the number %d", i, event.Sequence)
		}
	}
	if len(got) != 8*5*3 {
		t.Errorf("%d events", len(got))
	}
}

// TestLedgerWithHoles opens ledgers from which points were removed by hand: the next number is
// above all that are left.
func TestLedgerWithHoles(t *testing.T) {
	for _, keep := range [][]uint64{{}, {1}, {9}, {2, 3}, {1, 40}, {1, 2, 3, 1000}, {7, 8, 9}} {
		e := embeddedEnv(t)
		s := e.open(t)
		var points []*qdrant.PointStruct
		last := int64(0)
		for _, n := range keep {
			event := events(0, 1)[0]
			event.Sequence = int64(n)
			last = event.Sequence
			point, err := encodeEvent(&event)
			if err != nil {
				t.Fatal(err)
			}
			points = append(points, point)
		}
		if err := s.conn.upsert(t.Context(), s.names.ledger, points, upsertOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		requests := 0
		s = e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if strings.HasSuffix(method, "/Scroll") {
				requests++
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		})
		next := events(0, 1)
		if err := s.Apply(t.Context(), &Plan{Events: next}); err != nil || next[0].Sequence != last+1 {
			t.Errorf("%v: next is %d, %v", keep, next[0].Sequence, err)
		}
		if requests > 25 {
			t.Errorf("%v: %d requests to find the end", keep, requests)
		}
		s.Close()
	}
}
