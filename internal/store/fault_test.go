package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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

// eachFault runs a scenario with a fault at the first, second, ... write until it runs through without meeting one.
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

// TestCrashDuringWrites stops a writer at every write request of puts, assignments and a delete, as a crash would, and opens
// the store again.
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
		filed := s.Assign(t.Context(), []Assignment{{ArticleID: "old", StoryID: "s"}, {ArticleID: "new", StoryID: "s"}})
		told := s.PutStories(t.Context(), []Story{{ID: "s", Articles: 2}})
		gone := s.Delete(t.Context(), "deleted")
		hit := f.disarm()
		s.lease.stop() // a dead process renews nothing

		e.advance(2 * defaultLeaseTTL)
		again := e.open(t)
		versions := checkWhole(t, again)
		for id, version := range acked {
			if versions[id] < version {
				t.Errorf("%s: acknowledged version %d, stored %d", id, version, versions[id])
			}
		}
		if _, ok := versions["deleted"]; ok && gone == nil {
			t.Error("a deleted article is back")
		}
		checkFiling(t, again)
		if filed == nil && told == nil {
			if story, err := again.Story(t.Context(), "s"); err != nil || story.Articles != 2 {
				t.Errorf("story: %+v, %v", story, err)
			}
		}
		return hit
	})
}

// checkFiling fails the test unless every article's story is live and counts it, and sections are filed like their article.
func checkFiling(t *testing.T, s *Store) {
	t.Helper()
	members := map[string]int{}
	if err := s.Scan(t.Context(), WithNothing, func(st *Stored) error {
		if id := st.Article.StoryID; id != "" {
			members[id]++
			hits, err := s.Query(t.Context(), []Query{{Of: Sections, Dense: newMaker(1).unit(), Limit: 100, Exact: true, Filter: Filter{StoryIDs: []string{id}}}})
			if err != nil {
				return err
			}
			n := 0
			for _, hit := range hits[0] {
				if hit.ArticleID == st.Article.ID {
					n++
				}
			}
			if n != st.Article.Sections {
				t.Errorf("%s: %d of %d sections are found by its story", st.Article.ID, n, st.Article.Sections)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.ScanStories(t.Context(), StoryFilter{}, WithNothing, func(story *Story) error {
		if members[story.ID] != story.Articles {
			t.Errorf("story %s counts %d articles and has %d", story.ID, story.Articles, members[story.ID])
		}
		delete(members, story.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for id := range members {
		t.Errorf("articles are in the story %q, which does not exist", id)
	}
}

// TestFailedPutIsRepeated fails one write request and puts again with the same store: nothing is left over, without a restart.
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
		e.advance(2 * defaultLeaseTTL)
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

// TestPutAndAssignTakeTurns holds a put between reading what is stored and writing: an assignment that comes meanwhile must
// not be overwritten with what the put had read.
func TestPutAndAssignTakeTurns(t *testing.T) {
	e := embeddedEnv(t)
	var armed atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := req.(*qdrant.UpsertPoints); ok && armed.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	m := newMaker(25)
	mustPut(t, s, m.put("a", 1, 1))
	armed.Store(true)
	again := m.put("a", 2, 1)
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := s.Put(t.Context(), []Put{again})[0]; err != nil {
			t.Error(err)
		}
	})
	<-reached
	assigned := make(chan struct{})
	wait.Go(func() {
		defer close(assigned)
		if err := s.Assign(t.Context(), []Assignment{{ArticleID: "a", StoryID: "s"}}); err != nil {
			t.Error(err)
		}
	})
	select { // it waits for the put; if it did not, it would be done soon
	case <-assigned:
		t.Error("an assignment did not wait for a put of the article")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	wait.Wait()
	got, err := s.Get(t.Context(), []string{"a"}, WithNothing)
	if err != nil || got[0].Article.StoryID != "s" || got[0].Article.Title != "a v2" {
		t.Errorf("got %+v, %v", got[0], err)
	}
}

// TestHalfAssigned files sections but not their article, as a crash half way does: what the article says counts.
func TestHalfAssigned(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(26)
		mustPut(t, s, m.put("a", 1, 2), m.put("b", 1, 2))
		if err := s.PutStories(t.Context(), []Story{{ID: "old", Articles: 1}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Assign(t.Context(), []Assignment{{ArticleID: "b", StoryID: "old", TopicIDs: []string{"t"}}}); err != nil {
			t.Fatal(err)
		}
		to := map[string]*Assignment{"a": {ArticleID: "a", StoryID: "s", TopicIDs: []string{"u"}}, "b": {ArticleID: "b"}}
		if err := s.fileSections(t.Context(), []string{"a", "b"}, to); err != nil {
			t.Fatal(err)
		}
		var queries []Query
		for _, f := range []Filter{{StoryIDs: []string{"s"}}, {TopicIDs: []string{"u"}}, {ExcludeStoryIDs: []string{"old"}}} {
			queries = append(queries, Query{Of: Sections, Dense: m.unit(), Limit: 10, Filter: f})
		}
		got, err := s.Query(t.Context(), queries)
		if err != nil {
			t.Fatal(err)
		}
		if len(got[0]) != 0 || len(got[1]) != 0 || len(got[2]) != 2 || got[2][0].ArticleID != "a" {
			t.Errorf("got %v", got)
		}
		report, err := s.Reconcile(t.Context())
		if err != nil || report.SectionsTo != 2 {
			t.Errorf("reconcile: %+v, %v", report, err)
		}
	})
}
