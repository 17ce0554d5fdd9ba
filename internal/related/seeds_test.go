package related

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"unicode/utf8"

	"throughline/embed/minilm"
	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/ingest"
	"throughline/internal/seedtest"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// TestSeeds asks about the sample articles with the built-in model. The quality of ranking is held elsewhere
// (internal/evaluate); here is what must hold however the model is tuned.
func TestSeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds all sample articles: leave out -short")
	}
	expected, err := seedtest.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := seedtest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, embedder, evidence.Default())
	pipeline, err := ingest.NewPipeline(ingest.Config{Store: h.store, Embedder: embedder, Corpus: h.corpus, Logger: slog.New(slog.DiscardHandler), Now: h.clock})
	h.must(err)
	ctx := context.Background()
	_, err = pipeline.Run(ctx, article.Read(ctx, []string{dir}, article.Options{}), ingest.Options{})
	h.must(err)

	ids := 0
	filer, err := stories.New(stories.Config{
		Store: h.store, Embedder: embedder, Corpus: h.corpus, Model: evidence.Default(), Logger: slog.New(slog.DiscardHandler), Now: h.clock,
		NewID: func(kind string) string { ids++; return fmt.Sprintf("%s-%03d", kind, ids) },
	})
	h.must(err)
	_, err = filer.Recluster(ctx, stories.ReclusterOptions{}, nil)
	h.must(err)

	t.Run("the concert hall attack", func(t *testing.T) {
		story := expected.Members("crocus-attack")
		for _, id := range story {
			got := h.related(Request{Seed: Seed{ArticleID: id}})
			if len(got) < 4 {
				t.Fatalf("%s: %d results", id, len(got))
			}
			found := 0
			for i, r := range got {
				of := slices.Contains(story, r.Article.ID)
				if of {
					found++
				}
				if i < 4 && !of {
					t.Errorf("%s: result %d is %s", id, i, r.Article.ID)
				}
				if len(r.Evidence) == 0 && r.Article.Sections > 0 {
					t.Errorf("%s: %s comes without evidence", id, r.Article.ID)
				}
				for _, e := range r.Evidence {
					if n := utf8.RuneCountInString(e.Snippet); n == 0 || n > SnippetRunes || !utf8.ValidString(e.Snippet) {
						t.Errorf("%s: snippet %q of %s", id, e.Snippet, r.Article.ID)
					}
				}
			}
			if found < len(story)-2 {
				t.Errorf("%s: %d of %d others are found: %q", id, found, len(story)-1, idsOf(got))
			}
		}
	})

	t.Run("copies", func(t *testing.T) {
		for _, a := range expected.Articles {
			if a.CopyOf == "" {
				continue
			}
			relation := func(f Shape) evidence.Relation {
				for _, r := range h.related(Request{Seed: Seed{ArticleID: a.CopyOf}, Shape: f}) {
					if r.Article.ID == a.ID {
						return r.Relation
					}
				}
				return evidence.RelationNone
			}
			if got := relation(Shape{IncludeCopies: true}); got != evidence.RelationCopy {
				t.Errorf("%s is %s", a.Handle(), got)
			}
			if got := relation(Shape{}); got != evidence.RelationNone {
				t.Errorf("%s was not asked for and is there as %s", a.Handle(), got)
			}
		}
	})

	t.Run("relations", func(t *testing.T) { relationsOfSeeds(t, h, expected) })

	t.Run("each kind of relation", func(t *testing.T) { kindsOfRelation(t, h) })

	t.Run("search", func(t *testing.T) {
		for query, story := range map[string]string{
			"concert hall attack near Moscow": "crocus-attack", "jewels stolen from the Louvre": "louvre-heist", "Francis Scott Key Bridge": "baltimore-bridge",
		} {
			list, err := h.Search(ctx, SearchRequest{Query: query})
			h.must(err)
			got := h.page(list)
			if len(got) == 0 || !slices.Contains(expected.Members(story), got[0].Article.ID) || len(got[0].Evidence) == 0 {
				t.Errorf("%s: %q", query, idsOf(got[:min(len(got), 3)]))
			}
		}
	})

	t.Run("a stored text", func(t *testing.T) {
		sections, err := h.store.Sections(ctx, []string{"crocus-breaking"}, false)
		h.must(err)
		text := ""
		for _, s := range sections["crocus-breaking"] {
			text += s.Heading + "\n\n" + s.Text + "\n\n"
		}
		stored := h.published("crocus-breaking")
		seed := Seed{Text: text, Title: stored.Title, Published: stored.Published}
		for _, r := range h.related(Request{Seed: seed}) {
			if r.Article.ID == stored.ID {
				t.Errorf("the text itself is a result, as %s", r.Relation)
			}
		}
		if got := h.related(Request{Seed: seed, Shape: Shape{IncludeCopies: true}}); got[0].Article.ID != stored.ID || got[0].Relation != evidence.RelationCopy {
			t.Errorf("with copies the first is %s, %s", got[0].Article.ID, got[0].Relation)
		}
	})
}

// published reads one article.
func (h *harness) published(id string) store.Article {
	h.Helper()
	found, err := h.store.Get(context.Background(), []string{id}, store.WithNothing)
	h.must(err)
	if found[0] == nil {
		h.Fatalf("%s is not stored", id)
	}
	return found[0].Article
}
