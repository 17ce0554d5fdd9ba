package related_test

import (
	"context"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"throughline/embed/minilm"
	"throughline/internal/formats"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/seedtest"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// samples is the product with the sample articles in it.
type samples struct {
	*testing.T
	*producttest.Product
}

// newSamples takes the sample articles in with the built-in model, and arranges them.
func newSamples(t *testing.T) samples {
	t.Helper()
	dir, err := seedtest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	p := producttest.New(t, producttest.Options{Embedder: embedder, Now: func() time.Time { return now }})
	ctx := context.Background()
	if _, err := p.Ingest.Run(ctx, formats.Read(ctx, []string{dir}, formats.Options{}), ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stories.Recluster(ctx, stories.ReclusterOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	return samples{t, p}
}

// on is the same samples for a subtest.
func (s samples) on(t *testing.T) samples { return samples{t, s.Product} }

// ask returns all results.
func (s samples) ask(req related.Request) []related.Result {
	s.Helper()
	list, err := s.Related.Related(context.Background(), req)
	if err != nil {
		s.Fatal(err)
	}
	return s.page(list)
}

func (s samples) page(list *related.List) []related.Result {
	s.Helper()
	results, err := list.Page(context.Background(), 0, list.Len())
	if err != nil {
		s.Fatal(err)
	}
	return results
}

// stored reads one article.
func (s samples) stored(id string) news.Article {
	s.Helper()
	found, err := s.Store.Get(context.Background(), []string{id}, store.WithNothing)
	if err != nil {
		s.Fatal(err)
	}
	if found[0] == nil {
		s.Fatalf("%s is not stored", id)
	}
	return found[0].Article
}

func idsOf(results []related.Result) []string {
	var ids []string
	for _, r := range results {
		ids = append(ids, r.Article.ID)
	}
	return ids
}

// TestSeeds asks about the sample articles with the built-in model. The quality of ranking is held
// elsewhere (internal/evaluate); here is what must hold however the model is tuned.
func TestSeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds all sample articles: leave out -short")
	}
	expected, err := seedtest.Load()
	if err != nil {
		t.Fatal(err)
	}
	all := newSamples(t)

	t.Run("the concert hall attack", func(t *testing.T) {
		s := all.on(t)
		story := expected.Members("crocus-attack")
		for _, id := range story {
			got := s.ask(related.Request{Seed: related.Seed{ArticleID: id}})
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
				if len(r.Evidence) == 0 && r.Article.SectionCount > 0 {
					t.Errorf("%s: %s comes without evidence", id, r.Article.ID)
				}
				for _, e := range r.Evidence {
					if n := utf8.RuneCountInString(e.Snippet); n == 0 || n > related.SnippetRunes || !utf8.ValidString(e.Snippet) {
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
		s := all.on(t)
		for _, a := range expected.Articles {
			if a.CopyOf == "" {
				continue
			}
			relation := func(f related.ListOptions) score.Relation {
				for _, r := range s.ask(related.Request{Seed: related.Seed{ArticleID: a.CopyOf}, ListOptions: f}) {
					if r.Article.ID == a.ID {
						return r.Relation
					}
				}
				return score.RelationNone
			}
			if got := relation(related.ListOptions{IncludeCopies: true}); got != score.RelationCopy {
				t.Errorf("%s is %s", a.Handle(), got)
			}
			if got := relation(related.ListOptions{}); got != score.RelationNone {
				t.Errorf("%s was not asked for and is there as %s", a.Handle(), got)
			}
		}
	})

	t.Run("relations", func(t *testing.T) { relationsOfSeeds(all.on(t), expected) })

	t.Run("each kind of relation", func(t *testing.T) { kindsOfRelation(all.on(t)) })

	t.Run("search", func(t *testing.T) {
		s := all.on(t)
		for query, story := range map[string]string{
			"concert hall attack near Moscow": "crocus-attack", "jewels stolen from the Louvre": "louvre-heist", "Francis Scott Key Bridge": "baltimore-bridge",
		} {
			list, err := s.Related.Search(context.Background(), related.SearchRequest{Query: query})
			if err != nil {
				t.Fatal(err)
			}
			got := s.page(list)
			if len(got) == 0 || !slices.Contains(expected.Members(story), got[0].Article.ID) || len(got[0].Evidence) == 0 {
				t.Errorf("%s: %q", query, idsOf(got[:min(len(got), 3)]))
			}
		}
	})

	t.Run("a stored text", func(t *testing.T) {
		s := all.on(t)
		sections, err := s.Store.Sections(context.Background(), []string{"crocus-breaking"}, false)
		if err != nil {
			t.Fatal(err)
		}
		stored := s.stored("crocus-breaking")
		draft := news.Article{Title: stored.Title, Published: stored.Published}
		for _, section := range sections[stored.ID] {
			draft.Sections = append(draft.Sections, section.Section)
		}
		valid, err := news.Validate(draft)
		if err != nil {
			t.Fatal(err)
		}
		seed := related.Seed{Draft: &valid}
		for _, r := range s.ask(related.Request{Seed: seed}) {
			if r.Article.ID == stored.ID {
				t.Errorf("the text itself is a result, as %s", r.Relation)
			}
		}
		if got := s.ask(related.Request{Seed: seed, ListOptions: related.ListOptions{IncludeCopies: true}}); got[0].Article.ID != stored.ID || got[0].Relation != score.RelationCopy {
			t.Errorf("with copies the first is %s, %s", got[0].Article.ID, got[0].Relation)
		}
	})
}
