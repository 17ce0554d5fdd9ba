package features

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

var now = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)

// put stores an article of one text.
func put(t *testing.T, s *store.Store, id, text string) {
	t.Helper()
	a := news.Article{ID: id, Title: "About " + id, Source: "Herald", Authors: []string{"A. Writer"}, Published: now,
		Sections: []news.Section{{Text: text}}}
	vectors, err := (&embedtest.Hashed{}).Embed(context.Background(), embed.Document, []string{text})
	if err != nil {
		t.Fatal(err)
	}
	f := score.FeaturesOf(&a, vectors[0])
	p := store.Put{Article: a, Vectors: store.Vectors{Dense: f.Dense, Lex: f.Lex}, Sections: []store.Section{{Section: a.Sections[0], Dense: vectors[0]}}}
	if err := errors.Join(s.Put(context.Background(), []store.Put{p})...); err != nil {
		t.Fatal(err)
	}
}

func stateOf(version int64) *score.State {
	st := score.NewState(score.Default(), score.NewStatsBuilder().Stats(score.DefaultBackground()))
	st.Version = version
	return st
}

func read(t *testing.T, c *Cache, st *score.State, marks map[string]*store.Mark, ids ...string) []*Article {
	t.Helper()
	found, err := c.Read(context.Background(), st, ids, marks)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// counted counts the articles that are read with vectors.
type counted struct {
	Articles
	mu   sync.Mutex
	read int
}

func (c *counted) Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error) {
	c.mu.Lock()
	c.read += len(ids)
	c.mu.Unlock()
	return c.Articles.Get(ctx, ids, with)
}

func words(from, n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint("Word", from+i))
	}
	return strings.Join(list, " ")
}

// TestReadIsWhatIsStored compares reads through an empty, a warm and no cache with the store.
func TestReadIsWhatIsStored(t *testing.T) {
	s := storetest.Open(t, storetest.Options{Now: func() time.Time { return now }})
	for i := range 5 {
		put(t, s, fmt.Sprint("a", i), words(i, 40))
	}
	filed := news.Membership{StoryID: "s", TopicID: "t", ThemeID: "h", CopyOf: "a0"}
	if err := s.Apply(t.Context(), &store.Plan{Memberships: []store.Membership{{ArticleID: "a1", Membership: filed}}}); err != nil {
		t.Fatal(err)
	}
	counts := &counted{Articles: s}
	warm, cold := New(counts, 1<<20), New(s, 0)
	ids := []string{"a3", "nothing", "a1", "a3"}
	for round, st := range []*score.State{stateOf(1), stateOf(1), stateOf(2)} {
		for _, c := range []*Cache{warm, cold} {
			found := read(t, c, st, nil, ids...)
			stored, err := s.Get(t.Context(), ids, store.WithVectors)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range stored {
				a := found[i]
				if want == nil {
					if a != nil {
						t.Fatalf("round %d: %s is not stored, got %+v", round, ids[i], a)
					}
					continue
				}
				f := want.Features()
				fields := want.Article
				fields.Membership, fields.FiledRevision = news.Membership{}, 0
				if a.ArticleID != ids[i] || a.Revision != want.Article.Revision || a.Membership != want.Article.Membership ||
					!reflect.DeepEqual(a.Fields, &fields) || !reflect.DeepEqual(a.Vectors, &want.Vectors) || !reflect.DeepEqual(a.Weighted, st.Weigh(&f)) {
					t.Errorf("round %d: got %+v, want %+v", round, a, want)
				}
			}
		}
	}
	if counts.read != 6 { // a3 twice and a1 in the first round; in each what is not stored
		t.Errorf("%d articles were read, want 6", counts.read)
	}
}

// TestAnotherWriter changes, refiles and deletes articles through another store.
func TestAnotherWriter(t *testing.T) {
	server := storetest.NewServer(t, "")
	s := server.Open(t, storetest.Options{Now: func() time.Time { return now }})
	for _, id := range []string{"changed", "filed", "gone"} {
		put(t, s, id, words(0, 40))
	}
	c, st := New(s, 1<<20), stateOf(1)
	before := read(t, c, st, nil, "changed", "filed", "gone")
	other := server.Open(t, storetest.Options{Now: func() time.Time { return now.Add(time.Hour) }})
	put(t, other, "changed", words(100, 40))
	if err := errors.Join(other.Apply(t.Context(), &store.Plan{Memberships: []store.Membership{{ArticleID: "filed", Membership: news.Membership{StoryID: "s"}}}}),
		other.Delete(t.Context(), "gone")); err != nil {
		t.Fatal(err)
	}
	after := read(t, c, st, nil, "changed", "filed", "gone")
	if after[0].Revision <= before[0].Revision || reflect.DeepEqual(after[0].Vectors, before[0].Vectors) || after[0].Weighted == before[0].Weighted {
		t.Errorf("the changed article is as before: %+v", after[0])
	}
	if after[1].StoryID != "s" || after[1].Weighted != before[1].Weighted {
		t.Errorf("the filed article: %+v", after[1])
	}
	if after[2] != nil {
		t.Errorf("the deleted article: %+v", after[2])
	}
	marks, err := s.Marks(t.Context(), []string{"changed"})
	if err != nil {
		t.Fatal(err)
	}
	put(t, other, "changed", words(200, 40))
	if again := read(t, c, st, marks, "changed"); again[0].Revision != after[0].Revision {
		t.Errorf("marks of the caller count: got revision %d, want %d", again[0].Revision, after[0].Revision)
	}
}

// TestBound reads many more articles than fit, from several goroutines, and looks at the heap.
func TestBound(t *testing.T) {
	s := storetest.Open(t, storetest.Options{Now: func() time.Time { return now }})
	const articles, bound = 1200, 1 << 20
	var ids []string
	for i := range articles {
		ids = append(ids, fmt.Sprint("a", i))
		put(t, s, ids[i], words(i, 120))
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	c := New(s, bound)
	for version := range int64(2) {
		st := stateOf(version)
		var wait sync.WaitGroup
		for from := 0; from < articles; from += 300 {
			wait.Go(func() {
				for i := from; i < from+300; i += 30 {
					if _, err := c.Read(context.Background(), st, ids[i:i+30], nil); err != nil {
						t.Error(err)
					}
					if size := c.Size(); size > bound {
						t.Errorf("%d bytes, want at most %d", size, bound)
					}
				}
			})
		}
		wait.Wait()
	}
	grown := heap() - before
	if c.Size() < bound/2 || grown > 3*bound/2 {
		t.Errorf("the cache says %d bytes and the heap has grown by %d, want at most about %d", c.Size(), grown, bound)
	}
	runtime.KeepAlive(c)
}
