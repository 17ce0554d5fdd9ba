package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"throughline/internal/chunk"
	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

// report is an article whose lead ends before its second section. Each of its parts has a revision.
func report(id string, lede, first, second int) news.Article {
	long := func(what string, revision int) string {
		var b strings.Builder
		for i := range 12 {
			fmt.Fprintf(&b, "Sentence %d of the %s in revision %d says what was decided there today. ", i, what, revision)
		}
		return strings.TrimSpace(b.String())
	}
	return news.Article{ID: id, Title: "A report of the council", Sections: []news.Section{
		{Text: long("lede", lede)}, {Heading: "The vote", Text: long("vote", first)}, {Heading: "The reaction", Text: long("reaction", second)},
	}}
}

// take ingests articles and returns the texts that were embedded for it.
func (h *harness) take(t *testing.T, articles ...news.Article) ([]string, Summary) {
	t.Helper()
	before := len(h.embedder.Texts())
	summary, err := h.Run(t.Context(), sequence(articles...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	made := h.embedder.Texts()[before:]
	if summary.Embedded != len(made) {
		t.Errorf("%d texts embedded, the summary says %d", len(made), summary.Embedded)
	}
	return made, summary
}

// textsOf are the texts that have to be embedded for an article, sorted.
func (h *harness) textsOf(a news.Article) []string {
	a = valid(a).Article()
	texts := []string{chunk.LeadText(a)}
	for _, s := range chunk.Split(a, h.limit) {
		texts = append(texts, chunk.EmbedText(a.Title, s))
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// without are the texts of a that are not among those of b, sorted.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(text string) bool { return slices.Contains(b, text) })
}

func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }

func TestAnEditCostsWhatItChanged(t *testing.T) {
	h := newHarness(t)
	old := report("a", 1, 1, 1)
	if got, _ := h.take(t, old); !slices.Equal(sorted(got), h.textsOf(old)) {
		t.Fatalf("first embedded:\n%q", got)
	}
	for _, c := range []struct {
		name   string
		edited news.Article
		lead   bool // it changes too
	}{
		{"the last section", report("a", 1, 1, 2), false},
		{"the section before", report("a", 1, 2, 2), false},
		{"the lede", report("a", 2, 2, 2), true},
	} {
		got, summary := h.take(t, c.edited)
		want := without(h.textsOf(c.edited), h.textsOf(old))
		if !slices.Equal(sorted(got), want) || len(want) == 0 {
			t.Errorf("%s: embedded\n%q, want\n%q", c.name, got, want)
		}
		if summary.Updated != 1 || summary.Reused != len(h.textsOf(c.edited))-len(want) {
			t.Errorf("%s: %+v", c.name, summary)
		}
		if lead := slices.Contains(got, chunk.LeadText(c.edited)); lead != c.lead {
			t.Errorf("%s: the lead was embedded: %v", c.name, lead)
		}
		old = c.edited
	}
	// What was taken out comes back.
	for _, again := range []news.Article{report("a", 1, 1, 1), report("a", 2, 1, 2)} {
		if got, summary := h.take(t, again); len(got) != 0 || summary.Updated != 1 {
			t.Errorf("texts that were stored before were embedded again: %q", got)
		}
	}
}

func (h *harness) vectors(t *testing.T, id string) map[string][]float32 {
	t.Helper()
	found, err := h.store.Get(t.Context(), []string{id}, store.WithVectors)
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := h.vectorsOf(t.Context(), found)
	if err != nil {
		t.Fatal(err)
	}
	return vectors[id]
}

// Deleted in one process and ingested in the next: the same vectors to the bit, and nothing
// embedded.
func TestDeletedArticlesComeBackForNothing(t *testing.T) {
	server := storetest.NewServer(t, "")
	h := openHarness(t, server)
	h.take(t, report("a", 1, 1, 1), report("b", 2, 2, 2))
	before := h.vectors(t, "a")
	if err := h.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	h = openHarness(t, server)
	// Under another id: it is the text that counts.
	for _, id := range []string{"a", "c"} {
		got, summary := h.take(t, report(id, 1, 1, 1))
		if len(got) != 0 || summary.New != 1 || summary.Reused == 0 {
			t.Errorf("%s: embedded %q, %+v", id, got, summary)
		}
		if after := h.vectors(t, id); len(before) == 0 || fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%s: other vectors:\n%v\n%v", id, before, after)
		}
	}
}

func TestATextIsEmbeddedOnceInABatch(t *testing.T) {
	h := newHarness(t)
	short := news.Article{ID: "short", Title: "Council votes", Sections: []news.Section{{Text: "The council voted on Monday."}}}
	twin := short
	twin.ID = "twin"
	got, summary := h.take(t, short, twin)
	if len(got) != 1 || summary.New != 2 || summary.Reused != 0 {
		t.Errorf("lead and only section of two articles with one text: embedded %q, %+v", got, summary)
	}
	if v := h.vectors(t, "twin"); len(v) != 1 {
		t.Errorf("vectors %v", v)
	}
}

// faulty is a store that fails as it is asked to, and that lists the calls it was given.
type faulty struct {
	*store.Store
	sections, cached, cache, put, remove bool   // fail
	refuse                               string // id of an article that is invalid
	mu                                   sync.Mutex
	calls                                []string
}

var errStore = errors.New("the store is down")

func (f *faulty) called(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
}

func (f *faulty) Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error) {
	f.called("Get")
	return f.Store.Get(ctx, ids, with)
}

func (f *faulty) Sections(ctx context.Context, ids []string, vectors bool) (map[string][]store.Section, error) {
	if f.called("Sections"); f.sections {
		return nil, errStore
	}
	return f.Store.Sections(ctx, ids, vectors)
}

func (f *faulty) CachedEmbeddings(ctx context.Context, keys []string) (map[string][]float32, error) {
	if f.cached {
		return nil, errStore
	}
	return f.Store.CachedEmbeddings(ctx, keys)
}

func (f *faulty) CacheEmbeddings(ctx context.Context, vectors map[string][]float32) error {
	if f.called("CacheEmbeddings"); f.cache {
		return errStore
	}
	return f.Store.CacheEmbeddings(ctx, vectors)
}

func (f *faulty) Put(ctx context.Context, puts []store.Put) []error {
	f.called("Put")
	if f.refuse != "" {
		for i := range puts {
			if puts[i].Article.ID == f.refuse {
				puts[i].Vectors.Dense = nil // no store takes that
			}
		}
	}
	if !f.put {
		return f.Store.Put(ctx, puts)
	}
	errs := make([]error, len(puts))
	for i := range errs {
		errs[i] = errStore
	}
	return errs
}

func (f *faulty) Delete(ctx context.Context, id string) error {
	if f.called("Delete"); f.remove {
		return errStore
	}
	return f.Store.Delete(ctx, id)
}

// An update reads what it replaces once: for the vectors to reuse, and for the statistics to take
// back. What is replaced or deleted is cached before.
func TestWhatIsReplacedIsReadOnce(t *testing.T) {
	h := newHarness(t)
	h.take(t, report("a", 1, 1, 1), report("b", 1, 1, 1))
	found, err := h.store.Get(t.Context(), []string{"a", "b"}, store.WithNothing)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{Store: h.store}
	h.cfg.Store, h.cfg.BatchSections, h.states.calls = f, 1000, nil // both articles in one batch
	if _, summary := h.take(t, report("a", 1, 1, 2), report("b", 1, 1, 2)); summary.Updated != 2 || summary.Reused == 0 {
		t.Errorf("summary %+v", summary)
	}
	if want := []string{"Get", "Sections", "CacheEmbeddings", "Put"}; !slices.Equal(f.calls, want) {
		t.Errorf("an update makes the calls %v, want %v", f.calls, want)
	}
	now, err := h.store.Get(t.Context(), []string{"a", "b"}, store.WithNothing)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, s := range now {
		want = append(want, fmt.Sprintf("remove %s at %d", s.Article.ID, found[i].Article.Revision), fmt.Sprintf("add %s at %d", s.Article.ID, s.Article.Revision))
	}
	if !slices.Equal(h.states.calls, want) {
		t.Errorf("counted %v, want %v", h.states.calls, want)
	}
	h.checkCounted(t, 2)

	f.calls = nil
	if err := h.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Get", "Sections", "CacheEmbeddings", "Delete"}; !slices.Equal(f.calls, want) {
		t.Errorf("a deletion makes the calls %v, want %v", f.calls, want)
	}
	h.checkCounted(t, 1)
}

// Vectors that cannot be read or cached cost an embedding and nothing else.
func TestReuseIsNotNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults *faulty
	}{
		{"sections cannot be read", &faulty{sections: true}},
		{"cached vectors cannot be read", &faulty{cached: true}},
		{"vectors cannot be cached", &faulty{cache: true}},
		{"nothing works", &faulty{sections: true, cached: true, cache: true}},
	} {
		h := newHarness(t)
		c.faults.Store = h.store
		h.cfg.Store = c.faults
		h.take(t, report("a", 1, 1, 1))
		if _, summary := h.take(t, report("a", 1, 1, 2)); summary.Updated != 1 {
			t.Errorf("%s: %+v", c.name, summary)
		}
		if err := h.Delete(t.Context(), "a"); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, summary := h.take(t, report("a", 1, 1, 1)); summary.New != 1 {
			t.Errorf("%s: %+v", c.name, summary)
		}
		sections, err := h.store.Sections(t.Context(), []string{"a"}, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections["a"] {
			if len(s.Dense) != dims {
				t.Errorf("%s: a section without vector", c.name)
			}
		}
	}
}

// A stop between caching and writing loses no vector.
func TestReuseSurvivesFailedWrites(t *testing.T) {
	h := newHarness(t)
	store := &faulty{Store: h.store}
	h.cfg.Store = store
	h.take(t, report("a", 1, 1, 1))
	store.put = true
	if _, err := h.Run(t.Context(), sequence(report("a", 1, 1, 2)), Options{}); !errors.Is(err, errStore) {
		t.Fatal(err)
	}
	store.put, store.remove = false, true
	if err := h.Delete(t.Context(), "a"); !errors.Is(err, errStore) {
		t.Fatal(err)
	}
	store.remove = false
	want := without(h.textsOf(report("a", 1, 2, 1)), h.textsOf(report("a", 1, 1, 1)))
	if got, _ := h.take(t, report("a", 1, 2, 1)); !slices.Equal(sorted(got), want) {
		t.Errorf("after a failed put and a failed deletion, an edit of one section embeds %q", got)
	}
	if err := h.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := h.take(t, report("a", 1, 1, 1), report("b", 1, 2, 1)); len(got) != 0 {
		t.Errorf("embedded again: %q", got)
	}
}
