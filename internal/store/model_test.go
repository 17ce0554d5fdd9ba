package store

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"throughline/internal/news"
)

// TestModel runs random operations on a store and on a map, reopening now and then, and compares
// everything that can be read. The articles of the map are what Put wrote back. Every run begins
// with an empty store, though not with a new one: making collections takes longer than a run.
func TestModel(t *testing.T) {
	e := embeddedEnv(t)
	conn := e.connect(t)
	s, err := Open(t.Context(), conn, e.config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	ids := []string{"a", "b", "c", "d", "é"}
	rapid.Check(t, func(r *rapid.T) {
		for _, id := range ids {
			if err := s.Delete(t.Context(), id); err != nil && !isNotFound(err) {
				r.Fatal(err)
			}
		}
		m := newMaker(rapid.Uint64().Draw(r, "seed"))
		model := map[string]Put{}
		id := rapid.SampledFrom(ids)
		membership := func(r *rapid.T) news.Membership {
			return news.Membership{StoryID: rapid.SampledFrom([]string{"", "s", "t"}).Draw(r, "story"), TopicID: rapid.SampledFrom([]string{"", "x"}).Draw(r, "topic"),
				ThemeID: rapid.SampledFrom([]string{"", "y"}).Draw(r, "theme"), Probability: rapid.SampledFrom([]float64{0, .25, 1}).Draw(r, "probability")}
		}
		version := 0
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				var items []Put
				for range rapid.IntRange(1, 3).Draw(r, "items") {
					version++
					p := m.put(id.Draw(r, "id"), version, rapid.IntRange(0, 4).Draw(r, "sections"))
					if rapid.Bool().Draw(r, "filed") {
						p.Article.Membership = membership(r)
					}
					items = append(items, p)
				}
				given := slices.Clone(items)
				for i, err := range s.Put(t.Context(), items) {
					if err != nil {
						r.Fatal(err)
					}
					want := given[i].Article.Membership
					if old, ok := model[given[i].Article.ID]; ok && want == (news.Membership{}) {
						want = old.Article.Membership
					}
					if a := items[i].Article; a.Membership != want || a.FiledRevision != 0 || a.Revision <= model[a.ID].Article.Revision {
						r.Fatalf("%q: put as %+v, want the membership %+v", a.ID, a.Record, want)
					}
					model[items[i].Article.ID] = items[i]
				}
			},
			"delete": func(r *rapid.T) {
				id := id.Draw(r, "id")
				_, known := model[id]
				if err := s.Delete(t.Context(), id); (err == nil) != known {
					r.Fatalf("delete %q, known %v: %v", id, known, err)
				}
				delete(model, id)
			},
			"apply": func(r *rapid.T) {
				var all []Membership
				last := map[string]Membership{}
				for range rapid.IntRange(1, 3).Draw(r, "memberships") {
					m := Membership{ArticleID: id.Draw(r, "id"), Membership: membership(r)}
					switch rapid.IntRange(0, 3).Draw(r, "revision") {
					case 0:
						m.Revision = 1 // of no article
					case 1, 2:
						m.Revision = model[m.ArticleID].Article.Revision
					}
					all, last[m.ArticleID] = append(all, m), m
				}
				if err := s.Apply(t.Context(), &Plan{Memberships: all}); err != nil {
					r.Fatal(err)
				}
				for id, m := range last {
					p, ok := model[id]
					if !ok || m.Revision != 0 && m.Revision != p.Article.Revision {
						continue
					}
					p.Article.Membership = m.Membership
					if m.Revision != 0 {
						p.Article.FiledRevision = m.Revision
					}
					model[id] = p
				}
			},
			"reopen": func(r *rapid.T) {
				if err := s.Close(); err != nil {
					r.Fatal(err)
				}
				if s, err = Open(t.Context(), conn, e.config()); err != nil {
					r.Fatal(err)
				}
			},
			"compare": func(r *rapid.T) { compare(t, r, s, m, model) },
		})
		compare(t, r, s, m, model)
	})
}

// compare reads everything in every way and compares with the model.
func compare(t *testing.T, r *rapid.T, s *Store, m *maker, model map[string]Put) {
	var ids []string
	sections, pending := 0, 0
	for id, p := range model {
		ids = append(ids, id)
		sections += len(p.Sections)
		if p.Article.FiledRevision == 0 {
			pending++
		}
	}
	slices.Sort(ids)
	stored, err := s.Get(t.Context(), ids, WithVectors)
	if err != nil {
		r.Fatal(err)
	}
	texts, err := s.Sections(t.Context(), ids, true)
	if err != nil {
		r.Fatal(err)
	}
	for i, id := range ids {
		want := model[id]
		if stored[i] == nil {
			r.Fatalf("%q is missing", id)
		}
		got := Put{Article: stored[i].Article, Vectors: stored[i].Vectors, Sections: texts[id]}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Section{}, "ArticleID")); diff != "" {
			r.Fatalf("%q (-want +got):\n%s", id, diff)
		}
	}
	if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{Articles: int64(len(ids)), Pending: int64(pending), Sections: int64(sections)}) {
		r.Fatalf("counts %+v, want %d articles, %d pending, and %d sections, %v", counts, len(ids), pending, sections, err)
	}
	for _, f := range []news.Filter{{}, {StoryIDs: []string{"s"}}, {ExcludeStoryIDs: []string{"s"}}, {TopicIDs: []string{"y", "z"}}, {Sources: []string{"source1"}},
		{Pending: true}} {
		var wantArticles []string
		wantSections := 0
		for _, id := range ids {
			if p := model[id]; passes(f, &p.Article) {
				wantArticles = append(wantArticles, id)
				wantSections += len(p.Sections)
			}
		}
		list, _, err := s.List(t.Context(), f, 100, "")
		if err != nil {
			r.Fatal(err)
		}
		var listed []string
		for _, a := range list {
			listed = append(listed, a.ID)
		}
		slices.Sort(listed)
		q := m.unit()
		queries := []Query{{Dense: q, Limit: 100, Filter: f}, {Of: Sections, Dense: q, Limit: 100, Filter: f}}
		if f.Pending { // which is not for sections
			queries[1].Filter, wantSections = news.Filter{}, sections
		}
		hits, err := s.Query(t.Context(), queries)
		if err != nil {
			r.Fatal(err)
		}
		if !slices.Equal(listed, wantArticles) || len(hits[0]) != len(wantArticles) || len(hits[1]) != wantSections {
			r.Fatalf("%+v: listed %v of %v, queries find %d articles and %d of %d sections", f, listed, wantArticles, len(hits[0]), len(hits[1]), wantSections)
		}
	}
}

// TestReadersNeverSeeAMix replaces articles while others read them.
func TestReadersNeverSeeAMix(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(70)
		ids := []string{"a", "b", "c"}
		sizes := func(version int) int { return version % 4 }
		batch := func(version int) []Put {
			var items []Put
			for _, id := range ids {
				items = append(items, m.put(id, version, sizes(version)))
			}
			return items
		}
		mustPut(t, s, batch(1)...)
		var stop atomic.Bool
		var readers sync.WaitGroup
		for n := range 3 {
			q := newMaker(uint64(100 + n)).unit()
			readers.Go(func() {
				for !stop.Load() {
					sections, err := s.Sections(t.Context(), ids, true)
					if err != nil {
						t.Error(err)
						return
					}
					for id, list := range sections {
						for i, section := range list {
							var version, at int
							if _, err := fmt.Sscanf(section.Text, id+" v%d section %d", &version, &at); err != nil || at != i || len(list) != sizes(version) {
								t.Errorf("%s: section %d of %d is %q", id, i, len(list), section.Text)
							}
							if section.Text[:len(section.Text)-1] != list[0].Text[:len(section.Text)-1] {
								t.Errorf("%s: %q beside %q", id, section.Text, list[0].Text)
							}
						}
					}
					hits, err := s.Query(t.Context(), []Query{{Of: Sections, Dense: q, Limit: 20}})
					if err != nil {
						t.Error(err)
						return
					}
					per := map[string]map[int]bool{}
					for _, hit := range hits[0] {
						if per[hit.ArticleID] == nil {
							per[hit.ArticleID] = map[int]bool{}
						}
						if per[hit.ArticleID][hit.Section] {
							t.Errorf("section %d of %s twice", hit.Section, hit.ArticleID)
						}
						per[hit.ArticleID][hit.Section] = true
					}
				}
			})
		}
		for version := 2; version < 40; version++ {
			mustPut(t, s, batch(version)...)
		}
		stop.Store(true)
		readers.Wait()
		checkWhole(t, s)
	})
}

// TestConcurrentWriters puts, files and deletes the same articles from many goroutines.
func TestConcurrentWriters(t *testing.T) {
	s := embeddedEnv(t).open(t)
	var wait sync.WaitGroup
	for n := range 6 {
		wait.Go(func() {
			m := newMaker(uint64(200 + n))
			for version := range 10 {
				var items []Put
				for _, i := range m.r.Perm(5)[:3] {
					items = append(items, m.put(fmt.Sprintf("a%d", i), n*10+version, m.r.IntN(4)))
				}
				for _, err := range s.Put(t.Context(), items) {
					if err != nil {
						t.Error(err)
					}
				}
				if err := s.Apply(t.Context(), &Plan{Memberships: []Membership{{ArticleID: "a0", Membership: news.Membership{StoryID: "x"}},
					{ArticleID: "a4", Membership: news.Membership{TopicID: "y"}}}}); err != nil {
					t.Error(err)
				}
				if version%4 == 3 {
					if err := s.Delete(t.Context(), "a2"); err != nil && !isNotFound(err) {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
	checkWhole(t, s)
	if a0, a4 := mustGet(t, s, "a0"), mustGet(t, s, "a4"); a0.StoryID != "x" || a4.TopicID != "y" {
		t.Errorf("a membership was lost: %+v, %+v", a0.Membership, a4.Membership)
	}
}
