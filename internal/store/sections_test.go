package store

import (
	"maps"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// TestHalfApplied files sections but not their article, as a crash half way does: the article
// counts. Of c, d and e one field differs.
func TestHalfApplied(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(26)
		mustPut(t, s, m.put("a", 1, 2), m.put("b", 1, 2), m.put("c", 1, 1), m.put("d", 1, 1), m.put("e", 1, 1))
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "b", Membership: news.Membership{StoryID: "old", TopicID: "t"}}}})
		to := map[string]*Membership{"a": {Membership: news.Membership{StoryID: "s", TopicID: "u", ThemeID: "h"}}, "b": {},
			"c": {Membership: news.Membership{StoryID: "s"}}, "d": {Membership: news.Membership{TopicID: "u"}}, "e": {Membership: news.Membership{ThemeID: "h"}}}
		if err := s.setSectionMemberships(t.Context(), slices.Collect(maps.Keys(to)), to); err != nil {
			t.Fatal(err)
		}
		check := func(what string, want map[string]int) {
			t.Helper()
			for name, f := range map[string]news.Filter{
				"story s": {StoryIDs: []string{"s"}}, "topic u": {TopicIDs: []string{"u"}}, "theme h": {TopicIDs: []string{"h"}},
				"story old": {StoryIDs: []string{"old"}}, "topic t": {TopicIDs: []string{"t"}}, "not old": {ExcludeStoryIDs: []string{"old"}},
			} {
				if n := sectionsOf(t, s, f); n != want[name] {
					t.Errorf("%s: %d sections of %s, want %d", what, n, name, want[name])
				}
			}
		}
		// The server finds none of b's sections by its story. None is shown that does not belong.
		check("before", map[string]int{"not old": 5})
		if repair, err := s.RepairSections(t.Context()); err != nil || repair != (SectionRepair{Refiled: 5}) {
			t.Errorf("repair: %+v, %v", repair, err)
		}
		check("after", map[string]int{"not old": 5, "story old": 2, "topic t": 2})
	})
}

// TestRepairSections removes and damages sections of more articles than a page has.
func TestRepairSections(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(59)
		var items []Put
		for i := range maxPutArticles + 40 {
			p := m.put(string(rune('a'+i%26))+string(rune('a'+i/26)), 1, 2)
			p.Article.StoryID = "s"
			items = append(items, p)
		}
		mustPut(t, s, items...)
		if repair, err := s.RepairSections(t.Context()); err != nil || repair != (SectionRepair{}) {
			t.Errorf("of a whole store: %+v, %v", repair, err)
		}
		var orphans, stale int
		for i, p := range items {
			switch { // one of three is left as it is
			case i%3 == 0: // the article is gone, its sections are not
				if err := s.conn.remove(t.Context(), s.names.articles, qdrant.NewPointsSelector(articlePoint(p.Article.ID))); err != nil {
					t.Fatal(err)
				}
				orphans += 2
			case i%3 == 1: // sections of an older revision, and one beyond the count
				older, beyond := p.Article, p.Sections[1]
				older.Revision--
				beyond.Index = 2
				point, err := encodeSection(&older, &p.Sections[0])
				upsertPoint(t, s, s.names.sections, point, err)
				point, err = encodeSection(&p.Article, &beyond)
				upsertPoint(t, s, s.names.sections, point, err)
				stale += 2
			}
		}
		if repair, err := s.RepairSections(t.Context()); err != nil || repair != (SectionRepair{Removed: orphans + stale}) {
			t.Errorf("got %+v, %v, want %d removed", repair, err, orphans+stale)
		}
		checkWhole(t, s)
		if repair, err := s.RepairSections(t.Context()); err != nil || repair != (SectionRepair{}) {
			t.Errorf("second time: %+v, %v", repair, err)
		}
	})
}

// TestLostSections removes a confirmed section, as a server that lost a disk's cache would.
func TestLostSections(t *testing.T) {
	s := embeddedEnv(t).open(t)
	mustPut(t, s, newMaker(57).put("a", 1, 3), newMaker(58).put("b", 1, 1))
	if err := s.removeAll(t.Context(), s.names.sections, []*qdrant.PointId{sectionPoint("a", 1, mustGet(t, s, "a").Revision)}); err != nil {
		t.Fatal(err)
	}
	sections, err := s.Sections(t.Context(), []string{"a"}, false)
	if err != nil || len(sections["a"]) != 2 || sections["a"][1].Index != 2 {
		t.Errorf("got %+v, %v", sections, err)
	}
	repair, err := s.RepairSections(t.Context())
	if err != nil || repair != (SectionRepair{Damaged: 1}) {
		t.Errorf("got %+v, %v", repair, err)
	}
	if text := repair.LogValue().String(); text != "[articles_damaged=1]" {
		t.Errorf("logged as %s", text)
	}
	known, err := s.Known(t.Context(), []string{"a", "b"})
	if err != nil || known["a"].Hash != "" || known["b"].Hash == "" {
		t.Errorf("got %+v, %v", known, err)
	}
}
