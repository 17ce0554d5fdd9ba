package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

func TestFile(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 1)
	h.put("b1", "vote", 1)
	h.file("a1", "b1")
	h.check()
	if n := len(h.events()); n != 0 {
		t.Fatalf("%d events for one-offs", n)
	}

	h.put("a2", "flood", 2)
	h.file("a2")
	h.check()
	flood := h.together("a1", "a2")
	h.put("a3", "flood", 3)
	h.file("a3")
	h.check()
	h.together("a1", "a2", "a3")
	if got, want := h.kinds(0), []string{"created " + flood, "joined " + flood}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if id := h.article("b1").StoryID; id != "" {
		t.Errorf("the one-off is in story %s", id)
	}
	d, err := h.Get(context.Background(), flood, 2)
	if err != nil || len(d.Articles) != 2 || !d.Truncated || d.Story.Version != 2 || len(d.Story.Keywords) == 0 {
		t.Errorf("%+v, %v", d, err)
	}

	n := len(h.events())
	h.file("a1", "a2", "a3", "b1", "unknown") // again: nothing has changed
	h.check()
	if got := h.kinds(n); len(got) > 0 {
		t.Errorf("filing again told %q", got)
	}
	if s, err := store.ResolveStory(context.Background(), h.store, flood, store.WithNothing); err != nil || s.Version != 2 {
		t.Errorf("filing again left %+v, %v", s, err)
	}
}

// The ledger says why a story changed, and which article was the reason.
func TestCauses(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 1)
	h.put("a2", "flood", 2)
	h.file("a1", "a2")
	h.put("b1", "vote", 1)
	h.put("b2", "vote", 2)
	h.recluster()
	h.must(h.delete("b2"))
	var got []string
	for _, e := range h.events() {
		if e.Level == "" {
			got = append(got, fmt.Sprint(e.Kind, " ", e.Cause, " ", e.CauseArticleID))
		}
	}
	if want := []string{"created filed a1", "created arranged ", "left gone b2", "deleted gone b2"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// Articles of one event that arrive in one batch: filing the first makes a story of all.
func TestFileBatch(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 1)
	h.put("a2", "flood", 2)
	h.put("a3", "flood", 3)
	h.file("a1", "a2", "a3")
	h.check()
	flood := h.together("a1", "a2", "a3")
	if got, want := h.kinds(0), []string{"created " + flood}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// One link is not enough: an article near one member of three stays out.
func TestOneLinkIsNotEnough(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 0)
	h.put("a2", "flood", 1)
	h.put("a3", "flood", 2)
	h.file("a1", "a2", "a3")
	flood := h.together("a1", "a2", "a3")
	h.putArticle(news.Article{ID: "x", Title: "Aside", Published: h.now}, floodAside())
	h.file("x")
	h.check()
	if got := h.article("x").StoryID; got != "" {
		t.Errorf("x is in %s by one link", got)
	}
	draft, err := news.Validate(news.Article{Title: "Aside", Sections: []news.Section{{Text: floodAside()}}})
	h.must(err)
	d, err := h.Find(context.Background(), draft, 5)
	if err != nil || d.StoryID != "" || len(d.Fits) != 1 || d.Fits[0].Story.ID != flood || d.Fits[0].Probability > 0.5 {
		t.Errorf("found %+v, %v", d, err)
	}
}

// floodAside says what sets the first article on the flood apart from the others, over and over,
// and two words more.
func floodAside() string {
	text := ""
	for _, i := range []string{"0", "12"} {
		text += strings.Repeat("floodaside"+i+"part0 ", 9)
	}
	return text + "floodword1 floodword2"
}

func TestFileUpdates(t *testing.T) {
	h := setUp(t)
	for _, id := range []string{"a1", "a2", "a3"} {
		h.put(id, "flood", int(id[1]))
	}
	for _, id := range []string{"b1", "b2"} {
		h.put(id, "vote", int(id[1]))
	}
	h.file("a1", "a2", "a3", "b1", "b2")
	flood, vote := h.together("a1", "a2", "a3"), h.together("b1", "b2")

	t.Run("an article that moves", func(t *testing.T) {
		n := len(h.events())
		h.put("a3", "vote", 3)
		h.file("a3")
		h.check()
		h.together("b1", "b2", "a3")
		if got, want := h.kinds(n), []string{"left " + flood, "joined " + vote}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
	t.Run("a title that changes renames the story", func(t *testing.T) {
		n := len(h.events())
		s, err := store.ResolveStory(context.Background(), h.store, flood, store.WithNothing)
		h.must(err)
		h.putArticle(news.Article{ID: s.Representative, Title: "Waters rise", Source: "Outlet a", Published: h.now}, told("flood", int(s.Representative[1])))
		h.file(s.Representative)
		h.check()
		if got, want := h.kinds(n), []string{"renamed " + flood}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
	t.Run("a story of one ends", func(t *testing.T) {
		n := len(h.events())
		h.put("a2", "sports", 2)
		h.file("a2")
		h.check()
		if a, b := h.article("a1").StoryID, h.article("a2").StoryID; a != "" || b != "" {
			t.Errorf("a1 is in %q, a2 in %q", a, b)
		}
		if got, want := h.kinds(n), []string{"left " + flood, "deleted " + flood}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		if _, err := h.Get(context.Background(), flood, 1); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the ended story: %v", err)
		}
	})
}

func topicsOf(a news.Article) []string { return a.TopicIDs() }

// One-offs that a reclustering gave a topic keep it while they are filed, and pass it on to a
// story.
func TestFileKeepsTopics(t *testing.T) {
	h := setUp(t)
	for _, id := range []string{"a1", "b1", "c1", "d1"} {
		h.put(id, map[byte]string{'a': "flood", 'b': "vote", 'c': "match", 'd': "trial"}[id[0]], 1)
	}
	h.recluster()
	h.must(h.store.Apply(context.Background(), &store.Plan{
		Topics:      []store.Topic{{Topic: news.Topic{ID: "t", Title: "T", Level: news.LevelTopic}}, {Topic: news.Topic{ID: "h", Title: "H", Level: news.LevelTheme}}},
		Memberships: []store.Membership{{ArticleID: "a1", Membership: news.Membership{TopicID: "t", ThemeID: "h"}}},
		Events:      []news.LedgerEvent{{Kind: news.Created, Level: news.LevelTheme, ID: "h", Title: "H"}, {Kind: news.Created, Level: news.LevelTopic, ID: "t", Title: "T"}},
	}))
	h.file("a1")
	if got := topicsOf(h.article("a1")); !slices.Equal(got, []string{"t", "h"}) {
		t.Errorf("filed again, a1 has topics %q", got)
	}
	h.put("a2", "flood", 2)
	h.file("a2")
	h.check()
	h.together("a1", "a2")
	if got := topicsOf(h.article("a2")); !slices.Equal(got, []string{"t", "h"}) {
		t.Errorf("a2 has topics %q", got)
	}
	h.put("a3", "flood", 3)
	h.file("a3")
	h.check()
	if got := topicsOf(h.article("a3")); !slices.Equal(got, []string{"t", "h"}) {
		t.Errorf("a3 has topics %q", got)
	}
}

func TestCopies(t *testing.T) {
	h := setUp(t)
	text := told("flood", 1)
	day := func(id string, days int) {
		h.putArticle(news.Article{ID: id, Title: "Wire", Published: h.now.Add(time.Duration(days) * 24 * time.Hour)}, text)
	}
	day("b", 2)
	h.put("other", "flood", 2)
	h.file("b", "other")
	day("c", 3)
	h.file("c")
	h.check()
	if got := h.article("c").CopyOf; got != "b" {
		t.Errorf("c is a copy of %q", got)
	}
	h.putArticle(news.Article{ID: "undated", Title: "Wire"}, text)
	h.file("undated")
	h.check()
	if got := h.article("undated").CopyOf; got != "b" {
		t.Errorf("the undated one is a copy of %q", got)
	}
	day("a", 1) // arrives last, was first
	h.file("a")
	h.check()
	for id, want := range map[string]string{"a": "", "b": "a", "c": "a", "undated": "a", "other": ""} {
		if got := h.article(id).CopyOf; got != want {
			t.Errorf("%s is a copy of %q, want %q", id, got, want)
		}
	}
	counts := func(when string, reports, sources int) {
		t.Helper()
		d, err := h.Get(context.Background(), h.article("c").StoryID, 9)
		h.must(err)
		if s := d.Story; s.IndependentReports != reports || s.IndependentSources != sources {
			t.Errorf("%s there are %d independent reports of %d sources, want %d of %d", when, s.IndependentReports, s.IndependentSources, reports, sources)
		}
	}
	counts("with four copies of a text and another one", 2, 1) // the text is of nobody known
	before := len(h.events())
	if s := h.recluster(); s.Moved != 0 {
		t.Errorf("reclustering moved %d", s.Moved)
	}
	h.check()
	if got := h.article("c").CopyOf; got != "a" {
		t.Errorf("reclustered, c is a copy of %q", got)
	}
	h.must(h.delete("a"))
	h.check()
	for id, want := range map[string]string{"b": "", "c": "b", "undated": "b"} {
		if got := h.article(id).CopyOf; got != want {
			t.Errorf("without the original, %s is a copy of %q, want %q", id, got, want)
		}
	}
	// An original that says something else now: it has moved away from its copies.
	h.put("b", "vote", 1)
	h.file("b")
	h.check()
	for id, want := range map[string]string{"b": "", "c": "", "undated": "c"} {
		if got := h.article(id).CopyOf; got != want {
			t.Errorf("without the second original, %s is a copy of %q, want %q", id, got, want)
		}
	}
	if got := h.kinds(before); len(got) < 2 {
		t.Errorf("events %q", got)
	}
}

// An article that is gone leaves its story, whatever fails or ends meanwhile.
func TestDeletionsThatFail(t *testing.T) {
	for name, fail := range map[string]func(h *harness) error{
		"its story cannot be read": func(h *harness) error {
			removed := h.drop("a1")
			h.memory.clear()
			h.faults.FailFrom(1, storetest.Method("Get"), false, storetest.ErrInjected)
			return h.forget(removed)
		},
		"its story cannot be written": func(h *harness) error {
			removed := h.drop("a1")
			h.faults.FailFrom(1, storetest.Writes, false, storetest.ErrInjected)
			return h.forget(removed)
		},
		"the answer of the store is lost": func(h *harness) error {
			return h.Delete(t.Context(), "a1", func() (*store.Stored, error) { return h.drop("a1"), storetest.ErrInjected })
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := setUp(t)
			for _, id := range []string{"a1", "a2", "a3"} {
				h.put(id, "flood", int(id[1]))
			}
			h.file("a1", "a2", "a3")
			if err := fail(h); err == nil {
				t.Fatal("nothing failed")
			}
			h.faults.Stop()
			h.repairs()
			h.check()
			h.together("a2", "a3")
		})
	}
}

func TestDelete(t *testing.T) {
	h := setUp(t)
	for _, id := range []string{"a1", "a2", "a3"} {
		h.put(id, "flood", int(id[1]))
	}
	h.put("x", "vote", 1)
	h.file("a1", "a2", "a3", "x")
	story := h.together("a1", "a2", "a3")

	n := len(h.events())
	h.must(h.delete("x"))
	if got := h.kinds(n); len(got) > 0 {
		t.Errorf("deleting a one-off caused %q", got)
	}
	removed := h.drop("a1")
	h.must(h.forget(removed))
	h.check()
	h.must(h.forget(removed)) // again
	h.check()
	h.together("a2", "a3")
	h.must(h.delete("a2"))
	h.check()
	if got, want := h.kinds(n)[0], "left "+story; got != want {
		t.Errorf("first event %q, want %q", got, want)
	}
	if got := h.kinds(n); got[len(got)-1] != "deleted "+story || h.article("a3").StoryID != "" {
		t.Errorf("events %q, a3 in %q", got, h.article("a3").StoryID)
	}
	failing := errors.New("not now")
	if err := h.Delete(context.Background(), "a3", func() (*store.Stored, error) { return nil, failing }); !errors.Is(err, failing) {
		t.Errorf("an article that cannot be deleted: %v", err)
	}
	h.check()
}

// A deletion waits for its turn before it deletes. After that it is completed, whoever waits.
func TestDeleteHasItsTurn(t *testing.T) {
	h := setUp(t)
	for _, id := range []string{"a1", "a2", "a3"} {
		h.put(id, "flood", int(id[1]))
	}
	h.file("a1", "a2", "a3")
	unlock, err := h.write(t.Context())
	h.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	erase := func() (*store.Stored, error) {
		cancel()
		return h.drop("a1"), nil
	}
	if err := h.Delete(ctx, "a1", erase); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another writes: %v", err)
	}
	h.together("a1", "a2", "a3")
	unlock()
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	h.must(h.Delete(ctx, "a1", erase))
	h.check()
	h.together("a2", "a3")
}

func TestFileStopsWithItsContext(t *testing.T) {
	h := setUp(t)
	h.put("a1", "flood", 1)
	unlock, err := h.write(context.Background())
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.File(ctx, []string{"a1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("filing while another works: %v", err)
	}
	if _, err := h.Recluster(ctx, ReclusterOptions{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("reclustering while another works: %v", err)
	}
	if err := h.Delete(ctx, "a1", func() (*store.Stored, error) { return &store.Stored{}, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("deleting while another works: %v", err)
	}
	unlock()
	if err := h.File(ctx, []string{"a1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("filing with a context that has ended: %v", err)
	}
	h.file("a1")
	h.check()
}
