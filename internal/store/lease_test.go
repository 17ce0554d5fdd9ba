package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// as makes the configuration of another writer.
func (e *env) as(owner string) Config {
	cfg := e.config()
	cfg.Owner = owner
	return cfg
}

func TestOneWriter(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		first := e.openWith(t, e.as("first"))
		conn := e.connect(t)
		_, err := Open(t.Context(), conn, e.as("second"))
		var held *LeaseHeldError
		if !errors.As(err, &held) || held.Owner != "first" || !errors.Is(err, ErrLeaseHeld) || !strings.Contains(err.Error(), "first") {
			t.Fatalf("got %v", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second, err := Open(t.Context(), conn, e.as("second"))
		if err != nil {
			t.Fatalf("after the first gave it back: %v", err)
		}
		defer second.Close()
		if second.lease.epoch <= first.lease.epoch {
			t.Errorf("epoch %d after %d", second.lease.epoch, first.lease.epoch)
		}
	})
}

func TestTakeover(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		first := e.openWith(t, e.as("first"))
		m := newMaker(40)
		mustPut(t, first, m.put("a", 1, 2))
		first.lease.stop() // it hangs
		e.advance(leaseTTL - time.Second)
		if _, err := Open(t.Context(), e.connect(t), e.as("second")); !errors.Is(err, ErrLeaseHeld) {
			t.Fatalf("taken too early: %v", err)
		}
		e.advance(2 * time.Second)
		second := e.openWith(t, e.as("second"))
		mustPut(t, second, m.put("a", 2, 1))

		// The first notices by its own clock.
		var lost *LeaseLostError
		for name, err := range map[string]error{
			"put": first.Put(t.Context(), []Put{m.put("a", 3, 1)})[0], "delete": first.Delete(t.Context(), "a"),
			"apply": first.Apply(t.Context(), &Plan{NewStories: []Story{story("s", 1)}}), "state": first.SaveState(t.Context(), []byte("x")),
			"ready": first.Ready(t.Context()),
		} {
			if !errors.As(err, &lost) || !errors.Is(err, ErrLeaseLost) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A renewal finds who has it, and does not take it back.
		if err := first.lease.renew(t.Context()); !errors.As(err, &lost) || lost.Owner != "second" {
			t.Errorf("renew: %v", err)
		}
		if err := second.lease.renew(t.Context()); err != nil {
			t.Error(err)
		}
		first.Close()
		if err := second.lease.renew(t.Context()); err != nil {
			t.Errorf("the close of a former owner took the lease away: %v", err)
		}
		if _, err := first.Get(t.Context(), []string{"a"}, WithNothing); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// TestFormerWriterIsFenced lets a writer that lost its lease without noticing write on: it cannot
// replace what the new one wrote.
func TestFormerWriterIsFenced(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		first := e.openWith(t, e.as("first"))
		m := newMaker(41)
		mustPut(t, first, m.put("a", 1, 2))
		first.lease.stop()
		e.advance(2 * leaseTTL)
		second := e.openWith(t, e.as("second"))
		mustPut(t, second, m.put("a", 2, 1))
		first.lease.now = func() time.Time { return e.clock().Add(-2 * leaseTTL) } // its clock stood still
		if err := first.Put(t.Context(), []Put{m.put("a", 3, 4)})[0]; !errors.Is(err, ErrLeaseLost) {
			t.Errorf("got %v", err)
		}
		// Even when it had looked before the second wrote.
		late := m.put("a", 4, 3)
		late.Article.Revision = first.revision.Add(1)
		first.writeMarks(t.Context(), []*putting{{item: &late, article: late.Article}}, late.Article.Revision)
		if a := mustGet(t, second, "a"); a.Title != "a v2" {
			t.Errorf("got %+v", a)
		}
	})
}

// TestRenewalAfterExpiry: being late is no loss as long as nobody took the lease.
func TestRenewalAfterExpiry(t *testing.T) {
	e := embeddedEnv(t)
	s := e.open(t)
	e.advance(2 * leaseTTL)
	if err := s.Ready(t.Context()); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("writes on after its time: %v", err)
	}
	if err := s.lease.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, newMaker(42).put("a", 1, 1))
}

// validUntil is when the right to write ends unless renewed.
func (l *lease) validUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

func TestHeartbeat(t *testing.T) {
	e := embeddedEnv(t)
	s := e.open(t)
	s.lease.stop()
	<-s.lease.done
	s.lease.ttl = 30 * time.Millisecond // of real time between beats; the clock of the test decides about validity
	e.advance(5 * time.Second)
	reported := make(chan error, 100)
	s.lease.keep(func(err error) { reported <- err })
	before := s.lease.validUntil()
	for s.lease.validUntil().Equal(before) {
		select {
		case err := <-reported:
			t.Fatal(err)
		case <-t.Context().Done():
			t.Fatal("no heartbeat")
		case <-time.After(time.Millisecond):
		}
	}
	// Another writer's record ends it, with a report.
	fields, err := toPayload(map[string]any{fieldToken: "another", fieldOwner: "another"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.conn.set(t.Context(), s.names.meta, []setPayload{{fields, s.lease.own()}}); err != nil {
		t.Fatal(err)
	}
	for err := range reported {
		var lost *LeaseLostError
		if errors.As(err, &lost) {
			if lost.Owner != "another" {
				t.Errorf("lost to %q", lost.Owner)
			}
			break
		}
	}
	<-s.lease.done
	if err := s.writable(); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("got %v", err)
	}
}

// TestRace opens many writers at once: one gets the lease.
func TestRace(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		e.open(t).Close() // the collections exist
		conn := e.connect(t)
		var wait sync.WaitGroup
		var mu sync.Mutex
		var winners []*Store
		for range 8 {
			wait.Go(func() {
				s, err := Open(t.Context(), conn, e.config())
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					winners = append(winners, s)
				case !errors.Is(err, ErrLeaseHeld):
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if len(winners) != 1 {
			t.Errorf("%d writers", len(winners))
		}
		for _, s := range winners {
			s.Close()
		}
	})
}

// TestRaceIsDecidedByTheServer lets another writer take the lease between a writer's look at it and
// its attempt to take it.
func TestRaceIsDecidedByTheServer(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		for _, fresh := range []bool{true, false} {
			if !fresh {
				e.open(t).Close()
			}
			meanwhile := true
			conn := e.connect(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				if _, ok := req.(*qdrant.UpsertPoints); ok && meanwhile {
					meanwhile = false
					e.openWith(t, e.as("other"))
				}
				return invoke(ctx, method, req, reply, cc, opts...)
			})
			var held *LeaseHeldError
			if _, err := Open(t.Context(), conn, e.config()); !errors.As(err, &held) || held.Owner != "other" {
				t.Errorf("fresh %v: got %v", fresh, err)
			}
			e.advance(2 * leaseTTL)
		}
	})
}

// TestDeadProcess: on a server of this process the lease of another one is that of a dead one.
func TestDeadProcess(t *testing.T) {
	e := embeddedEnv(t)
	s := e.open(t)
	fields, err := toPayload(map[string]any{fieldProcess: "another"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.conn.set(t.Context(), s.names.meta, []setPayload{{fields, s.lease.own()}}); err != nil {
		t.Fatal(err)
	}
	conn := e.connect(t)
	conn.ownProcess = false
	if _, err := Open(t.Context(), conn, e.as("second")); !errors.Is(err, ErrLeaseHeld) {
		t.Fatalf("on a shared server: %v", err)
	}
	e.openWith(t, e.as("second"))
}

// TestCloseAfterLeftovers: sections that a store could not delete make its end unclean, and a
// repair deletes them.
func TestCloseAfterLeftovers(t *testing.T) {
	e := embeddedEnv(t)
	failing := true
	s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if strings.HasSuffix(method, "/Delete") && failing {
			return status.Error(codes.Internal, "injected")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	m := newMaker(43)
	mustPut(t, s, m.put("a", 1, 4))
	mustPut(t, s, m.put("a", 2, 1)) // the older sections cannot be deleted, which is no failure
	if counts, err := s.Counts(t.Context()); err != nil || counts.Sections != 5 {
		t.Fatalf("nothing is left over: %+v, %v", counts, err)
	}
	if got, err := s.Sections(t.Context(), []string{"a"}, false); err != nil || len(got["a"]) != 1 {
		t.Errorf("visible: %v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = e.open(t)
	if s.Clean() {
		t.Error("clean with sections left over")
	}
	if repair, err := s.RepairSections(t.Context()); err != nil || repair != (SectionRepair{Removed: 4}) {
		t.Errorf("repair: %+v, %v", repair, err)
	}
	checkWhole(t, s)
}

// TestOpenReadsNothing counts requests: what is stored does not make a start slower, after a crash
// neither.
func TestOpenReadsNothing(t *testing.T) {
	e := embeddedEnv(t)
	s := e.open(t)
	mustPut(t, s, newMaker(44).put("a", 1, 1))
	s.lease.stop() // a dead process renews nothing
	e.advance(2 * leaseTTL)
	scrolls := 0
	look := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if r, ok := req.(*qdrant.ScrollPoints); ok && !strings.HasSuffix(r.GetCollectionName(), "_ledger") {
			scrolls++
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	for range 2 {
		e.open(t, look).Close()
	}
	if scrolls != 0 {
		t.Errorf("%d scrolls", scrolls)
	}
}

// TestLostRecord removes the meta collection by hand: revisions grow on.
func TestLostRecord(t *testing.T) {
	e := embeddedEnv(t)
	m := newMaker(45)
	for version := range 5 {
		s := e.open(t)
		mustPut(t, s, m.put("a", version, 2))
		s.Close()
	}
	conn := e.connect(t)
	if err := conn.client.DeleteCollection(t.Context(), namesFor(e.prefix).meta); err != nil {
		t.Fatal(err)
	}
	for version := range 2 {
		s := e.open(t)
		mustPut(t, s, m.put("a", 6+version, 1))
		if got := checkWhole(t, s); got["a"] != 6+version || s.lease.epoch != int64(6+version) {
			t.Errorf("stored %v in epoch %d", got, s.lease.epoch)
		}
		s.Close()
	}
}
