package ingest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/internal/article"
	"throughline/internal/store"
)

// report is an article whose lead ends before its second section. Each of its parts has a revision.
func report(id string, lede, first, second int) article.Article {
	long := func(what string, revision int) string {
		var b strings.Builder
		for i := range 12 {
			fmt.Fprintf(&b, "Sentence %d of the %s in revision %d says what was decided there today. ", i, what, revision)
		}
		return strings.TrimSpace(b.String())
	}
	return article.Article{ID: id, Title: "A report of the council", Sections: []article.Section{
		{Text: long("lede", lede)}, {Heading: "The vote", Text: long("vote", first)}, {Heading: "The reaction", Text: long("reaction", second)},
	}}
}

// take ingests articles and returns the texts that were embedded for it.
func (h *harness) take(t *testing.T, articles ...article.Article) ([]string, Summary) {
	t.Helper()
	before := len(h.embedder.seen)
	summary, err := h.Run(t.Context(), sequence(articles...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if made := len(h.embedder.seen) - before; summary.Embedded != made {
		t.Errorf("%d texts embedded, the summary says %d", made, summary.Embedded)
	}
	return h.embedder.seen[before:], summary
}

// texts are those that have to be embedded for an article, sorted.
func (h *harness) textsOf(a article.Article) []string {
	if err := article.Finish(&a); err != nil {
		panic(err)
	}
	texts := []string{article.LeadText(a)}
	for _, s := range article.Split(a, h.limit) {
		texts = append(texts, article.EmbedText(a.Title, s))
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
		edited article.Article
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
		if lead := slices.Contains(got, article.LeadText(c.edited)); lead != c.lead {
			t.Errorf("%s: the lead was embedded: %v", c.name, lead)
		}
		old = c.edited
	}
	// What was taken out comes back.
	for _, again := range []article.Article{report("a", 1, 1, 1), report("a", 2, 1, 2)} {
		if got, summary := h.take(t, again); len(got) != 0 || summary.Updated != 1 {
			t.Errorf("texts that were stored before were embedded again: %q", got)
		}
	}
}

func (h *harness) vectors(t *testing.T, id string) map[string][]float32 {
	t.Helper()
	vectors, err := h.vectorsOf(t.Context(), []string{id})
	if err != nil {
		t.Fatal(err)
	}
	return vectors[id]
}

// Deleted in one process and ingested in the next: the same vectors to the bit, and nothing embedded.
func TestDeletedArticlesComeBackForNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	h := openHarness(t, path)
	h.take(t, report("a", 1, 1, 1), report("b", 2, 2, 2))
	before := h.vectors(t, "a")
	if err := h.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.conn.Close(); err != nil {
		t.Fatal(err)
	}
	h = openHarness(t, path)
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
	short := article.Article{ID: "short", Title: "Council votes", Sections: []article.Section{{Text: "The council voted on Monday."}}}
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

// faulty fails where it is told to.
type faulty struct {
	*store.Store
	sections, kept, keep, put, remove bool
}

var errStore = errors.New("the store is down")

func (f *faulty) Sections(ctx context.Context, ids []string, vectors bool) (map[string][]store.Section, error) {
	if f.sections {
		return nil, errStore
	}
	return f.Store.Sections(ctx, ids, vectors)
}

func (f *faulty) KeptVectors(ctx context.Context, keys []string) (map[string][]float32, error) {
	if f.kept {
		return nil, errStore
	}
	return f.Store.KeptVectors(ctx, keys)
}

func (f *faulty) KeepVectors(ctx context.Context, vectors map[string][]float32) error {
	if f.keep {
		return errStore
	}
	return f.Store.KeepVectors(ctx, vectors)
}

func (f *faulty) Put(ctx context.Context, puts []store.Put) []error {
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
	if f.remove {
		return errStore
	}
	return f.Store.Delete(ctx, id)
}

// Vectors that cannot be had or kept cost an embedding and nothing else.
func TestReuseIsNotNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults faulty
	}{
		{"sections cannot be read", faulty{sections: true}},
		{"kept vectors cannot be read", faulty{kept: true}},
		{"vectors cannot be kept", faulty{keep: true}},
		{"nothing works", faulty{sections: true, kept: true, keep: true}},
	} {
		h := newHarness(t)
		c.faults.Store = h.store
		h.cfg.Store = &c.faults
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

// A stop between keeping and writing loses no vector.
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
