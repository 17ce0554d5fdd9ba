package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"throughline/internal/news"
)

// faults fails write requests from the n-th on.
type faults struct {
	mu    sync.Mutex
	armed bool
	n     int  // fails the write with this number, from 0
	late  bool // the server carries it out, but the answer is lost
	dead  bool // every later request fails too: the process is gone
	seen  int
	hit   bool
}

var errInjected = status.Error(codes.Internal, "injected")

func (f *faults) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	f.mu.Lock()
	name := method[strings.LastIndex(method, "/")+1:]
	writes := name == "Upsert" || name == "Delete" || name == "UpdateBatch" || name == "CreateFieldIndex" || name == "Create" || name == "UpdateAliases"
	fail, gone := false, f.armed && f.hit && f.dead
	if f.armed && writes && !gone {
		fail = f.seen == f.n
		f.seen++
		f.hit = f.hit || fail
	}
	late := f.late
	f.mu.Unlock()
	switch {
	case gone || fail && !late:
		return errInjected
	case fail:
		if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
			return err
		}
		return errInjected
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

func (f *faults) arm(n int, late, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.n, f.late, f.dead, f.seen, f.hit = true, n, late, dead, 0, false
}

func (f *faults) disarm() (hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	return f.hit
}

// eachFault runs a scenario with a fault at the first, second, ... write until it runs through
// without meeting one.
func eachFault(t *testing.T, dead bool, scenario func(t *testing.T, e *env, f *faults, arm func()) (hit bool)) {
	for _, late := range []bool{false, true} {
		for n := 0; ; n++ {
			if n == 100 {
				t.Fatal("the scenario never ends")
			}
			name := fmt.Sprintf("write %d lost", n)
			if late {
				name = fmt.Sprintf("answer of write %d lost", n)
			}
			ran, hit := false, false
			t.Run(name, func(t *testing.T) {
				ran = true // unless -run asks for another one
				f := &faults{}
				hit = scenario(t, embeddedEnv(t), f, func() { f.arm(n, late, dead) })
			})
			if !hit {
				if ran && n < 2 {
					t.Errorf("only %d faults were met", n)
				}
				break
			}
		}
	}
}

// TestCrashDuringWrites stops a writer at every write request of puts, a plan and a delete, as a
// crash would, and opens the store again.
func TestCrashDuringWrites(t *testing.T) {
	eachFault(t, true, func(t *testing.T, e *env, f *faults, arm func()) bool {
		s := e.open(t, f.intercept)
		m := newMaker(20)
		mustPut(t, s, m.put("old", 1, 3), m.put("replaced", 1, 4), m.put("deleted", 1, 2))
		arm()
		acked := map[string]int{"old": 1, "replaced": 1}
		items := []Put{m.put("replaced", 2, 2), m.put("new", 2, 3), m.put("empty", 2, 0)}
		for i, err := range s.Put(t.Context(), items) {
			if err == nil {
				acked[items[i].Article.ID] = 2
			}
		}
		in := news.Membership{StoryID: "s", TopicID: "t"}
		applied := s.Apply(t.Context(), &Plan{Topics: []Topic{topic("t")}, NewStories: []Story{story("s", 2)}, Events: events(0, 1),
			Memberships: []Membership{{ArticleID: "old", Membership: in}, {ArticleID: "new", Revision: items[1].Article.Revision, Membership: in}}})
		gone := s.Delete(t.Context(), "deleted")
		hit := f.disarm()
		s.lease.stop() // a dead process renews nothing

		e.advance(2 * leaseTTL)
		again := e.open(t)
		if again.Clean() {
			t.Error("clean after a crash")
		}
		checkVisible(t, again)
		checkNames(t, again)
		if _, err := again.RepairSections(t.Context()); err != nil {
			t.Fatal(err)
		}
		versions := checkWhole(t, again)
		for id, version := range acked {
			if versions[id] < version {
				t.Errorf("%s: acknowledged version %d, stored %d", id, version, versions[id])
			}
		}
		if _, ok := versions["deleted"]; ok && gone == nil {
			t.Error("a deleted article is back")
		}
		// Sections are filed as their article is.
		n := 0
		for id := range versions {
			if a := mustGet(t, again, id); a.StoryID == "s" {
				n += a.SectionCount
			}
		}
		if got := sectionsOf(t, again, news.Filter{StoryIDs: []string{"s"}}); got != n {
			t.Errorf("%d sections are filed in the story, want %d", got, n)
		}
		if applied == nil {
			checkLedger(t, again, 1)
			pending := []string{"old", "replaced", "empty"}
			if gone != nil && versions["deleted"] != 0 {
				pending = append(pending, "deleted")
			}
			checkPending(t, again, slices.Collect(maps.Keys(versions)), pending...)
		}
		return hit
	})
}

// TestFailedPutIsRepeated fails one write request and puts again with the same store: nothing is
// left over, without a restart.
func TestFailedPutIsRepeated(t *testing.T) {
	eachFault(t, false, func(t *testing.T, e *env, f *faults, arm func()) bool {
		s := e.open(t, f.intercept)
		m := newMaker(21)
		mustPut(t, s, m.put("a", 1, 4))
		arm()
		first := []Put{m.put("a", 2, 3), m.put("b", 2, 3)}
		errs := s.Put(t.Context(), first)
		hit := f.disarm()
		for i, err := range errs {
			if err != nil && errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", first[i].Article.ID, err)
			}
		}
		mustPut(t, s, m.put("a", 3, 1), m.put("b", 3, 2))
		if got := checkWhole(t, s); got["a"] != 3 || got["b"] != 3 {
			t.Errorf("versions %v", got)
		}
		if len(s.dirty) != 0 {
			t.Errorf("left to repair: %v", s.dirty)
		}
		return hit
	})
}

// TestFailedDeleteIsRepeated fails one write of a delete and deletes again.
func TestFailedDeleteIsRepeated(t *testing.T) {
	eachFault(t, false, func(t *testing.T, e *env, f *faults, arm func()) bool {
		s := e.open(t, f.intercept)
		mustPut(t, s, newMaker(22).put("a", 1, 4))
		arm()
		err := s.Delete(t.Context(), "a")
		hit := f.disarm()
		if err != nil {
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Errorf("again: %v", err)
			}
		}
		if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{}) {
			t.Errorf("left: %+v, %v", counts, err)
		}
		return hit
	})
}

// TestOpenIsRepeated stops Open at every write and opens again.
func TestOpenIsRepeated(t *testing.T) {
	eachFault(t, true, func(t *testing.T, e *env, f *faults, arm func()) bool {
		arm()
		s, err := Open(t.Context(), e.connect(t, f.intercept), e.config())
		hit := f.disarm()
		if err == nil {
			s.Close()
		}
		e.advance(2 * leaseTTL)
		again := e.open(t)
		mustPut(t, again, newMaker(23).put("a", 1, 2))
		checkWhole(t, again)
		return hit
	})
}

// TestLateRequest lets the requests of a put that was given up on arrive after a later put.
func TestLateRequest(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		var mu sync.Mutex
		var held []func() error
		holding := true
		hold := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			mu.Lock()
			defer mu.Unlock()
			if up, ok := req.(interface{ GetCollectionName() string }); holding && strings.HasSuffix(method, "/Upsert") && ok && strings.HasSuffix(up.GetCollectionName(), "_articles") {
				held = append(held, func() error { return invoke(context.Background(), method, req, reply, cc) })
				return status.Error(codes.DeadlineExceeded, "no answer")
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}
		s := e.open(t, hold)
		m := newMaker(24)
		if err := s.Put(t.Context(), []Put{m.put("a", 1, 3)})[0]; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		mu.Lock()
		holding = false
		mu.Unlock()
		mustPut(t, s, m.put("a", 2, 2))
		for _, arrive := range held {
			if err := arrive(); err != nil {
				t.Fatal(err)
			}
		}
		if got := checkWhole(t, s); got["a"] != 2 {
			t.Errorf("the late request won: %v", got)
		}
	})
}
