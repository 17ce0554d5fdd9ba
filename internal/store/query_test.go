package store

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/news"
)

// corpus is a store with articles whose fields differ, and the articles themselves to answer the
// same queries dumbly.
func corpus(t *testing.T, e *env, n int) (*Store, []Put) {
	t.Helper()
	s := e.open(t)
	m := newMaker(30)
	var items []Put
	for i := range n {
		p := m.put(fmt.Sprintf("a%02d", i), i, i%3)
		a := &p.Article
		a.Source = fmt.Sprintf("s%d", i%4)
		a.Language = []string{"en", "de", ""}[i%3]
		a.Published = time.Date(2024, 3, 1+i%10, 0, 0, 0, 0, time.UTC)
		if i%5 == 0 {
			a.Published = time.Time{}
		}
		if i%2 == 0 {
			a.StoryID, a.TopicID, a.ThemeID = fmt.Sprintf("st%d", i%6), fmt.Sprintf("t%d", i%4), fmt.Sprintf("h%d", i%8)
		}
		items = append(items, p)
	}
	mustPut(t, s, items...)
	var filed []Membership
	for i := range items {
		if a := &items[i].Article; i%3 == 0 {
			a.FiledRevision = a.Revision
			filed = append(filed, Membership{ArticleID: a.ID, Revision: a.Revision, Membership: a.Membership})
		}
	}
	mustApply(t, s, &Plan{Memberships: filed})
	return s, items
}

// passes is the meaning of a filter, in the plainest way.
func passes(f news.Filter, a *news.Article) bool {
	in := func(list []string, v string) bool { return slices.Contains(list, v) }
	if len(f.Sources) > 0 && !in(f.Sources, a.Source) || in(f.ExcludeSources, a.Source) ||
		len(f.Languages) > 0 && !in(f.Languages, a.Language) ||
		len(f.StoryIDs) > 0 && !in(f.StoryIDs, a.StoryID) || in(f.ExcludeStoryIDs, a.StoryID) || in(f.ExcludeArticleIDs, a.ID) {
		return false
	}
	if len(f.TopicIDs) > 0 && !in(f.TopicIDs, a.TopicID) && !in(f.TopicIDs, a.ThemeID) || f.Pending && a.FiledRevision == a.Revision {
		return false
	}
	if (!f.After.IsZero() || !f.Before.IsZero()) && a.Published.IsZero() {
		return false
	}
	return (f.After.IsZero() || !a.Published.Before(f.After)) && (f.Before.IsZero() || a.Published.Before(f.Before))
}

var testFilters = []news.Filter{
	{},
	{Sources: []string{"s1", "s2"}},
	{ExcludeSources: []string{"s0", "nothing"}},
	{Languages: []string{"de"}},
	{Languages: []string{""}},
	{TopicIDs: []string{"t2"}},
	{TopicIDs: []string{"h4", "t0"}},
	{StoryIDs: []string{"st2", "st4"}},
	{ExcludeStoryIDs: []string{"st0"}},
	{ExcludeArticleIDs: []string{"a01", "a02", "a30"}},
	{After: time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)},
	{Before: time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)},
	{After: time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC), Before: time.Date(2024, 3, 5, 0, 0, 0, 0, time.UTC)},
	{Sources: []string{"s1", "s2", "s3"}, ExcludeArticleIDs: []string{"a02"}, After: time.Date(2024, 3, 3, 0, 0, 0, 0, time.UTC), Languages: []string{"en", "de"}},
	{Sources: []string{"nobody"}},
	{Pending: true},
	{Pending: true, Languages: []string{"en"}, StoryIDs: []string{"st2", "st4"}},
}

func TestFilters(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s, items := corpus(t, e, 40)
		for i, f := range testFilters {
			var want, listed, scanned []string
			for _, p := range items {
				if passes(f, &p.Article) {
					want = append(want, p.Article.ID)
				}
			}
			list, next, err := s.List(t.Context(), f, 1000, "")
			if err != nil || next != "" {
				t.Fatalf("filter %d: %q, %v", i, next, err)
			}
			for _, a := range list {
				listed = append(listed, a.ID)
			}
			if err := s.Scan(t.Context(), f, WithNothing, func(st *Stored) error { scanned = append(scanned, st.Article.ID); return nil }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(listed)
			slices.Sort(scanned)
			if !slices.Equal(listed, want) || !slices.Equal(scanned, want) {
				t.Errorf("filter %d %+v:\nwant %v\nlist %v\nscan %v", i, f, want, listed, scanned)
			}
		}
	})
}

// TestQueriesAgainstBruteForce compares dense queries, with every filter, over articles and
// sections, with a full scan.
func TestQueriesAgainstBruteForce(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s, items := corpus(t, e, 40)
		m := newMaker(31)
		var queries []Query
		var want [][]Hit
		for _, f := range testFilters {
			for _, of := range []Collection{Articles, Sections} {
				if of == Sections && f.Pending {
					continue
				}
				q := Query{Of: of, Dense: m.unit(), Filter: f, Limit: 7}
				var hits []Hit
				for _, p := range items {
					if !passes(f, &p.Article) {
						continue
					}
					if of == Articles {
						hits = append(hits, Hit{ArticleID: p.Article.ID, Score: float32(dot(q.Dense, p.Vectors.Dense))})
						continue
					}
					for _, sec := range p.Sections {
						hits = append(hits, Hit{ArticleID: p.Article.ID, Section: sec.Index, Score: float32(dot(q.Dense, sec.Dense))})
					}
				}
				queries, want = append(queries, q), append(want, best(hits, q.Limit))
			}
		}
		got, err := s.Query(t.Context(), queries)
		if err != nil {
			t.Fatal(err)
		}
		for i := range queries {
			sameHits(t, fmt.Sprintf("query %d", i), want[i], got[i])
		}
	})
}

// TestSparseQueries checks which articles and sections are found. The server decides how it weighs
// document frequencies, so scores are not compared.
func TestSparseQueries(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s, items := corpus(t, e, 40)
		q := vector.Sparse{Terms: []uint32{2, 5, 9}, Weights: []float32{1, .5, 2}}
		got, err := s.Query(t.Context(), []Query{
			{Of: Articles, Sparse: q, Limit: 100}, {Of: Sections, Sparse: q, Limit: 100}, {Of: Sections, Sparse: vector.Sparse{}, Limit: 3},
		})
		if err != nil {
			t.Fatal(err)
		}
		full, sections := map[string]bool{}, map[string]bool{}
		for _, p := range items {
			id := p.Article.ID
			if q.Dot(p.Vectors.Lex.Full) != 0 {
				full[id] = true
			}
			for _, sec := range p.Sections {
				if q.Dot(sec.Lexical) != 0 {
					sections[fmt.Sprint(id, sec.Index)] = true
				}
			}
		}
		if len(got[0]) != len(full) || len(got[1]) != len(sections) {
			t.Errorf("%d articles and %d sections share a term, found %d and %d", len(full), len(sections), len(got[0]), len(got[1]))
		}
		for _, hit := range got[0] {
			if !full[hit.ArticleID] {
				t.Errorf("%s shares no term", hit.ArticleID)
			}
		}
		for _, hit := range got[1] {
			if !sections[fmt.Sprint(hit.ArticleID, hit.Section)] {
				t.Errorf("%s/%d shares no term", hit.ArticleID, hit.Section)
			}
		}
		if len(got[2]) != 0 {
			t.Errorf("a query without terms found %v", got[2])
		}
	})
}

// TestRareTermsCountMore checks that candidates are weighed by inverse document frequency: of two
// articles that share one term each with the query, the one with the rare term comes first.
func TestRareTermsCountMore(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(32)
		var items []Put
		for i := range 20 {
			p := m.put(fmt.Sprintf("common%d", i), 1, 0)
			p.Vectors.Lex.Full = vector.Sparse{Terms: []uint32{1}, Weights: []float32{1}}
			items = append(items, p)
		}
		items[7].Article.ID = "rare"
		items[7].Vectors.Lex.Full.Terms = []uint32{2}
		mustPut(t, s, items...)
		got, err := s.Query(t.Context(), []Query{{Sparse: vector.Sparse{Terms: []uint32{1, 2}, Weights: []float32{1, 1}}, Limit: 3}})
		if err != nil {
			t.Fatal(err)
		}
		if got[0][0].ArticleID != "rare" || got[0][0].Score <= got[0][1].Score {
			t.Errorf("got %v", got[0])
		}
	})
}

func best(hits []Hit, limit int) []Hit {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ArticleID, b.ArticleID), cmp.Compare(a.Section, b.Section))
	})
	return hits[:min(limit, len(hits))]
}

// sameHits compares hits in order; neighbours whose scores differ by less than rounding may be
// swapped.
func sameHits(t *testing.T, what string, want, got []Hit) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d hits, want %d: %v", what, len(got), len(want), got)
		return
	}
	for i := range want {
		if !near(float64(want[i].Score), float64(got[i].Score), 1e-4) {
			t.Errorf("%s: hit %d is %+v, want %+v", what, i, got[i], want[i])
			continue
		}
		found := slices.ContainsFunc(want, func(h Hit) bool {
			return h.ArticleID == got[i].ArticleID && h.Section == got[i].Section && near(float64(h.Score), float64(got[i].Score), 1e-4)
		})
		// The last one may tie with one that was cut off.
		if !found && math.Abs(float64(want[len(want)-1].Score-got[i].Score)) > 1e-4 {
			t.Errorf("%s: hit %d is %+v, want %+v", what, i, got[i], want[i])
		}
	}
	if !slices.IsSortedFunc(got, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) }) {
		t.Errorf("%s: not best first: %v", what, got)
	}
}

func TestTiesAreOrderedByID(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(33)
		same := m.unit()
		var items []Put
		for _, id := range []string{"m", "z", "a", "q", "b"} {
			p := m.put(id, 1, 2)
			p.Vectors.Dense = same
			for i := range p.Sections {
				p.Sections[i].Dense = same
			}
			items = append(items, p)
		}
		mustPut(t, s, items...)
		got, err := s.Query(t.Context(), []Query{{Dense: same, Limit: 5}, {Of: Sections, Dense: same, Limit: 10}})
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, h := range got[0] {
			order = append(order, h.ArticleID)
		}
		for _, h := range got[1] {
			order = append(order, fmt.Sprint(h.ArticleID, h.Section))
		}
		want := []string{"a", "b", "m", "q", "z", "a0", "a1", "b0", "b1", "m0", "m1", "q0", "q1", "z0", "z1"}
		if !slices.Equal(order, want) {
			t.Errorf("got %v", order)
		}
	})
}

func TestBadQueries(t *testing.T) {
	s := embeddedEnv(t).open(t)
	v := newMaker(1).unit()
	sparse := vector.Sparse{Terms: []uint32{1}, Weights: []float32{1}}
	nan := slices.Clone(v)
	nan[0] = float32(nanValue())
	for _, c := range []struct {
		field string
		q     Query
	}{
		{"queries[1].limit", Query{Dense: v}},
		{"queries[1].limit", Query{Dense: v, Limit: MaxLimit + 1}},
		{"queries[1].dense", Query{Dense: v[1:], Limit: 1}},
		{"queries[1].dense", Query{Dense: nan, Limit: 1}},
		{"queries[1].dense", Query{Dense: v, Sparse: sparse, Limit: 1}},
		{"queries[1].sparse", Query{Sparse: vector.Sparse{Terms: []uint32{1}}, Limit: 1}},
		{"queries[1].of", Query{Of: 7, Dense: v, Limit: 1}},
		{"queries[1].filter.languages[0]", Query{Dense: v, Limit: 1, Filter: news.Filter{Languages: []string{"\xff"}}}},
		{"queries[1].filter.pending", Query{Of: Sections, Dense: v, Limit: 1, Filter: news.Filter{Pending: true}}},
	} {
		_, err := s.Query(t.Context(), []Query{{Dense: v, Limit: 1}, c.q})
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%+v: got %v, want %s", c.q, err, c.field)
		}
	}
	if _, err := s.Query(t.Context(), make([]Query, maxQueries+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
	if got, err := s.Query(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("none: %v, %v", got, err)
	}
}

// TestQueriesShareRequests counts requests: the number does not grow with queries or hits.
func TestQueriesShareRequests(t *testing.T) {
	e := embeddedEnv(t)
	count := &counting{}
	_, items := corpus(t, e, 40)
	reading := e.config()
	reading.ReadOnly = true
	s := e.openWith(t, reading, count.intercept)
	var queries []Query
	for _, p := range items {
		queries = append(queries, Query{Dense: p.Vectors.Dense, Limit: 10}, Query{Of: Sections, Dense: p.Vectors.Dense, Limit: 10})
	}
	count.reset()
	if _, err := s.Query(t.Context(), queries); err != nil {
		t.Fatal(err)
	}
	if n := count.reset(); n != 3 {
		t.Errorf("%d requests for queries over two collections, want 2 and one to check sections", n)
	}
}

// TestSectionsOfOtherRevisionsAreInvisible stores sections that no article names, as a put that is
// under way or was cut short does.
func TestSectionsOfOtherRevisionsAreInvisible(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(34)
		mustPut(t, s, m.put("a", 1, 2))
		stray := m.put("a", 2, 3)
		stray.Article.Revision = 7
		orphan := m.put("b", 1, 2)
		for _, p := range []Put{stray, orphan} {
			for i := range p.Sections {
				point, err := encodeSection(&p.Article, &p.Sections[i])
				upsertPoint(t, s, s.names.sections, point, err)
			}
		}
		got, err := s.Query(t.Context(), []Query{{Of: Sections, Dense: stray.Sections[0].Dense, Limit: 10}})
		if err != nil {
			t.Fatal(err)
		}
		if len(got[0]) != 2 || got[0][0].ArticleID != "a" || got[0][1].ArticleID != "a" {
			t.Errorf("got %v", got[0])
		}
		if repair, err := s.RepairSections(t.Context()); err != nil || repair != (SectionRepair{Removed: 5}) {
			t.Errorf("repair: %+v, %v", repair, err)
		}
		checkWhole(t, s)
	})
}
