package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/cluster/vector"
)

func day(n int) time.Time { return time.Date(2024, 3, n, 0, 0, 0, 0, time.UTC) }

func TestStories(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(50)
		mean := m.unit()
		for i := range mean {
			mean[i] *= .7 // a mean is shorter than its members, and must come back so
		}
		story := Story{ID: "s", Title: "T", Keywords: []string{"k", "l"}, First: day(1), Last: day(3), Articles: 4, Sources: []string{"x"},
			Representative: "a", TopicID: "t", ThemeID: "h", Version: 7, IndependentReports: 3, IndependentSources: 1,
			Naming: Naming{TitleModel: "m", TitleArticles: []string{"a", "b"}, TitleKey: "k"}, Dense: mean, Full: m.sparse(), Lead: m.sparse(), Names: m.sparse()}
		if err := s.PutStories(t.Context(), []Story{{ID: "s", Title: "older"}, story, {ID: "bare"}}); err != nil {
			t.Fatal(err)
		}
		got, err := s.GetStories(t.Context(), []string{"bare", "nothing", "s"}, WithVectors)
		if err != nil {
			t.Fatal(err)
		}
		if got[1] != nil {
			t.Errorf("found %+v", got[1])
		}
		if diff := cmp.Diff([]*Story{{ID: "bare"}, nil, &story}, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("stories (-want +got):\n%s", diff)
		}
		one, err := s.Story(t.Context(), "s")
		if err != nil || one.Title != "T" || one.Dense != nil {
			t.Errorf("story %+v, %v", one, err)
		}
		if err := s.DeleteStories(t.Context(), []string{"s", "never"}); err != nil {
			t.Fatal(err)
		}
		var missing *NotFoundError
		if _, err := s.Story(t.Context(), "s"); !errors.As(err, &missing) || missing.Kind != "story" {
			t.Errorf("deleted story: %v", err)
		}
		if err := s.PutStories(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestMergedStoriesResolve(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(51)
		chain := []Story{{ID: "s0", Title: "live", Articles: 3, Dense: m.unit()}}
		for i := range 5 {
			chain = append(chain, Story{ID: fmt.Sprintf("s%d", i+1), MergedInto: fmt.Sprintf("s%d", i), Dense: m.unit()})
		}
		chain = append(chain, Story{ID: "x", MergedInto: "y"}, Story{ID: "y", MergedInto: "x"}, Story{ID: "dangling", MergedInto: "gone"})
		if err := s.PutStories(t.Context(), chain); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if got, err := s.Story(t.Context(), fmt.Sprintf("s%d", i)); err != nil || got.ID != "s0" {
				t.Errorf("s%d resolves to %+v, %v", i, got, err)
			}
		}
		if got, err := s.Story(t.Context(), "x"); err == nil {
			t.Errorf("a circle resolves to %+v", got)
		}
		var missing *NotFoundError
		if _, err := s.Story(t.Context(), "dangling"); !errors.As(err, &missing) || missing.ID != "dangling" {
			t.Errorf("got %v", err)
		}
		if counts, err := s.Counts(t.Context()); err != nil || counts.Stories != 1 {
			t.Errorf("counts %+v, %v", counts, err)
		}
		hits, err := s.Query(t.Context(), []Query{{Of: Stories, Dense: m.unit(), Limit: 10}})
		if err != nil || len(hits[0]) != 1 || hits[0][0].StoryID != "s0" || hits[0][0].ArticleID != "" {
			t.Errorf("a query finds %+v, %v", hits, err)
		}
		list, _, err := s.Stories(t.Context(), StoryFilter{}, 10, "")
		if err != nil || len(list) != 1 {
			t.Errorf("listed %+v, %v", list, err)
		}
		list, _, err = s.Stories(t.Context(), StoryFilter{Merged: true}, 10, "")
		if err != nil || len(list) != len(chain) {
			t.Errorf("listed %d with merged ones, %v", len(list), err)
		}
	})
}

func TestStoryFilters(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(52)
		var stories []Story
		for i := range 30 {
			st := Story{ID: fmt.Sprintf("s%02d", i), Articles: i % 7, TopicID: fmt.Sprintf("t%d", i%3), ThemeID: fmt.Sprintf("h%d", i%2), Dense: m.unit()}
			if i%4 != 0 {
				st.First, st.Last = day(1+i%10), day(1+i%10+i%3)
			}
			stories = append(stories, st)
		}
		if err := s.PutStories(t.Context(), stories); err != nil {
			t.Fatal(err)
		}
		for i, f := range []StoryFilter{
			{}, {TopicIDs: []string{"t1"}}, {TopicIDs: []string{"h0", "t2"}}, {MinArticles: 4},
			{After: day(5)}, {Before: day(5)}, {After: day(4), Before: day(6)}, {After: day(4), TopicIDs: []string{"h1"}, MinArticles: 2},
		} {
			var want []string
			for _, st := range stories {
				topic := len(f.TopicIDs) == 0 || slices.Contains(f.TopicIDs, st.TopicID) || slices.Contains(f.TopicIDs, st.ThemeID)
				after := f.After.IsZero() || !st.Last.IsZero() && !st.Last.Before(f.After)
				before := f.Before.IsZero() || !st.First.IsZero() && st.First.Before(f.Before)
				if topic && after && before && st.Articles >= f.MinArticles {
					want = append(want, st.ID)
				}
			}
			var paged, scanned []string
			cursor := ""
			for {
				page, next, err := s.Stories(t.Context(), f, 4, cursor)
				if err != nil {
					t.Fatal(err)
				}
				for _, st := range page {
					paged = append(paged, st.ID)
				}
				if cursor = next; next == "" {
					break
				}
			}
			if err := s.ScanStories(t.Context(), f, WithDense, func(st *Story) error {
				if len(st.Dense) != testDim {
					t.Errorf("%s has no vector", st.ID)
				}
				scanned = append(scanned, st.ID)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			slices.Sort(paged)
			slices.Sort(scanned)
			if !slices.Equal(paged, want) || !slices.Equal(scanned, want) {
				t.Errorf("filter %d:\nwant %v\npaged %v\nscanned %v", i, want, paged, scanned)
			}
			if f.MinArticles > 0 {
				continue // not in a query's filter
			}
			hits, err := s.Query(t.Context(), []Query{{Of: Stories, Dense: m.unit(), Limit: 100,
				Filter: Filter{TopicIDs: f.TopicIDs, After: f.After, Before: f.Before, ExcludeStoryIDs: []string{"s03"}}}})
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, h := range hits[0] {
				found = append(found, h.StoryID)
			}
			slices.Sort(found)
			want = slices.DeleteFunc(want, func(id string) bool { return id == "s03" })
			if !slices.Equal(found, want) {
				t.Errorf("query %d:\nwant %v\ngot  %v", i, want, found)
			}
		}
	})
}

func TestInvalidStoriesTopicsEventsAssignments(t *testing.T) {
	s := embeddedEnv(t).open(t)
	m := newMaker(53)
	ctx := t.Context()
	badSparse := vector.Sparse{Terms: []uint32{1}}
	for _, c := range []struct {
		field string
		err   error
	}{
		{"id", s.PutStories(ctx, []Story{{ID: "fine"}, {}})},
		{"title", s.PutStories(ctx, []Story{{ID: "s", Title: "\xff"}})},
		{"keywords[0]", s.PutStories(ctx, []Story{{ID: "s", Keywords: []string{"\xff"}}})},
		{"sources[0]", s.PutStories(ctx, []Story{{ID: "s", Sources: []string{"\xff"}}})},
		{"representative", s.PutStories(ctx, []Story{{ID: "s", Representative: "\xff"}})},
		{"topic_id", s.PutStories(ctx, []Story{{ID: "s", TopicID: "\xff"}})},
		{"theme_id", s.PutStories(ctx, []Story{{ID: "s", ThemeID: "\xff"}})},
		{"merged_into", s.PutStories(ctx, []Story{{ID: "s", MergedInto: "s"}})},
		{"articles", s.PutStories(ctx, []Story{{ID: "s", Articles: -1}})},
		{"dense", s.PutStories(ctx, []Story{{ID: "s", Dense: m.unit()[1:]}})},
		{"full", s.PutStories(ctx, []Story{{ID: "s", Full: badSparse}})},
		{"lead", s.PutStories(ctx, []Story{{ID: "s", Lead: badSparse}})},
		{"names", s.PutStories(ctx, []Story{{ID: "s", Names: badSparse}})},
		{"level", s.PutTopics(ctx, []Topic{{ID: "t"}})},
		{"id", s.PutTopics(ctx, []Topic{{Level: LevelTopic}})},
		{"parent_id", s.PutTopics(ctx, []Topic{{ID: "t", Level: LevelTopic, ParentID: "t"}})},
		{"dense", s.PutTopics(ctx, []Topic{{ID: "t", Level: LevelTopic, Dense: []float32{1}}})},
		{"story_id", s.Append(ctx, []Event{{Kind: StoryCreated}})},
		{"kind", s.Append(ctx, []Event{{StoryID: "s", Kind: "exploded"}})},
		{"article_ids[0]", s.Append(ctx, []Event{{StoryID: "s", Kind: StoryJoined, ArticleIDs: []string{""}}})},
		{"other_story_ids[0]", s.Append(ctx, []Event{{StoryID: "s", Kind: StoryMerged, OtherStoryIDs: []string{"\xff"}}})},
		{"title", s.Append(ctx, []Event{{StoryID: "s", Kind: StoryRenamed, Title: "\xff"}})},
		{"sequence", s.Append(ctx, []Event{{StoryID: "s", Kind: StoryCreated, Sequence: -1}})},
		{"sequence", s.Append(ctx, []Event{{StoryID: "s", Kind: StoryCreated, Sequence: 1}})},
		{"article_id", s.Assign(ctx, []Assignment{{}})},
		{"probability", s.Assign(ctx, []Assignment{{ArticleID: "a", Probability: -1}})},
		{"topic_ids[0]", s.Assign(ctx, []Assignment{{ArticleID: "a", TopicIDs: []string{"\xff"}}})},
	} {
		var invalid *InvalidError
		if !errors.As(c.err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: got %v", c.field, c.err)
		}
	}
	if counts, err := s.Counts(ctx); err != nil || counts != (Counts{}) {
		t.Errorf("something was stored: %+v, %v", counts, err)
	}
}

func TestTopics(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(54)
		topics := []Topic{
			{ID: "h", Title: "Theme", Level: LevelTheme, Keywords: []string{"k"}, Stories: 9, Articles: 30, First: day(1), Last: day(9), Representative: "s", Version: 2,
				Naming: Naming{TitleModel: "m", TitleArticles: []string{"a"}, TitleKey: "k"}, Dense: m.unit()},
			{ID: "t1", Level: LevelTopic, ParentID: "h"}, {ID: "t2", Level: LevelTopic, ParentID: "h"}, {ID: "t3", Level: LevelTopic},
		}
		if err := s.PutTopics(t.Context(), topics); err != nil {
			t.Fatal(err)
		}
		got, err := s.Topic(t.Context(), "h")
		if err != nil {
			t.Fatal(err)
		}
		want := topics[0]
		want.Dense = nil
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("topic (-want +got):\n%s", diff)
		}
		for i, c := range []struct {
			f TopicFilter
			n int
		}{{TopicFilter{}, 4}, {TopicFilter{Level: LevelTopic}, 3}, {TopicFilter{ParentID: "h"}, 2}, {TopicFilter{Level: LevelTheme, ParentID: "h"}, 0}} {
			list, next, err := s.Topics(t.Context(), c.f, 10, "")
			if err != nil || len(list) != c.n || next != "" {
				t.Errorf("filter %d: %d topics, %q, %v", i, len(list), next, err)
			}
		}
		dense := 0
		if err := s.ScanTopics(t.Context(), TopicFilter{}, WithVectors, func(topic *Topic) error { dense += len(topic.Dense); return nil }); err != nil || dense != testDim {
			t.Errorf("scanned %d components, %v", dense, err)
		}
		if _, _, err := s.Topics(t.Context(), TopicFilter{Level: "x"}, 1, ""); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
		if err := s.DeleteTopics(t.Context(), []string{"h"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Topic(t.Context(), "h"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAssign(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(55)
		var items []Put
		for i := range 30 {
			items = append(items, m.put(fmt.Sprintf("a%02d", i), 1, 2))
		}
		mustPut(t, s, items...)
		var all []Assignment
		want := map[string]Assignment{}
		for i, p := range items {
			a := Assignment{ArticleID: p.Article.ID, StoryID: fmt.Sprintf("s%d", i%4), TopicIDs: []string{fmt.Sprintf("t%d", i%2), "h"}, Probability: float64(i) / 64}
			if i%6 == 0 {
				a = Assignment{ArticleID: p.Article.ID, CopyOf: "a01"}
			}
			all, want[p.Article.ID] = append(all, a), a
		}
		all = append(all, Assignment{ArticleID: "not stored", StoryID: "s0"}, Assignment{ArticleID: "a00", StoryID: "last"})
		want["a00"] = Assignment{ArticleID: "a00", StoryID: "last"}
		if err := s.Assign(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			if err := s.Scan(t.Context(), WithNothing, func(st *Stored) error {
				a := st.Article
				got := Assignment{ArticleID: a.ID, StoryID: a.StoryID, TopicIDs: a.TopicIDs, CopyOf: a.CopyOf, Probability: a.Probability}
				if diff := cmp.Diff(want[a.ID], got); diff != "" || a.Title != a.ID+" v1" {
					t.Errorf("%s (-want +got):\n%s", a.ID, diff)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for _, story := range []string{"s0", "s1", "s2", "s3", "last"} {
				n := 0
				for _, a := range want {
					if a.StoryID == story {
						n += 2
					}
				}
				hits, err := s.Query(t.Context(), []Query{{Of: Sections, Dense: m.unit(), Limit: 100, Filter: Filter{StoryIDs: []string{story}}}})
				if err != nil || len(hits[0]) != n {
					t.Errorf("%d sections of %s, want %d, %v", len(hits[0]), story, n, err)
				}
			}
		}
		check()
		if counts, err := s.Counts(t.Context()); err != nil || counts.Articles != 30 || counts.Sections != 60 {
			t.Errorf("assigning made points: %+v, %v", counts, err)
		}
		// Replacing an assignment takes back what is not in it.
		if err := s.Assign(t.Context(), []Assignment{{ArticleID: "a01"}}); err != nil {
			t.Fatal(err)
		}
		want["a01"] = Assignment{ArticleID: "a01"}
		check()
	})
}

// TestReconcileFiling leaves what a crash between the requests of a caller leaves.
func TestReconcileFiling(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(56)
		var items []Put
		for i, story := range []string{"ok", "ok", "merged", "merged again", "gone", "", "into nothing"} {
			p := m.put(fmt.Sprintf("a%d", i), 1, 1)
			p.Article.StoryID, p.Article.Probability = story, .5
			if story != "" {
				p.Article.TopicIDs = []string{"t"}
			}
			items = append(items, p)
		}
		mustPut(t, s, items...)
		if err := s.PutStories(t.Context(), []Story{{ID: "ok", Articles: 2}, {ID: "merged", MergedInto: "ok"}, {ID: "merged again", MergedInto: "merged"},
			{ID: "empty", Articles: 3}, {ID: "into nothing", MergedInto: "was removed"}, {ID: "kept", Articles: 1}, {ID: "old", MergedInto: "kept"}}); err != nil {
			t.Fatal(err)
		}
		report, err := s.Reconcile(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := (Report{Refiled: 2, Unfiled: 2, Stories: 1, Recounted: 2, SectionsTo: 4}); report != want {
			t.Errorf("got %+v, want %+v", report, want)
		}
		checkFiling(t, s)
		got, err := s.Get(t.Context(), []string{"a2", "a3", "a4"}, WithNothing)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"ok", "ok", ""} {
			if a := got[i].Article; a.StoryID != want || (want == "") != (a.TopicIDs == nil && a.Probability == 0) {
				t.Errorf("%+v", a)
			}
		}
		if story, err := s.Story(t.Context(), "old"); err != nil || story.ID != "kept" || story.Articles != 0 {
			t.Errorf("a merged id no longer resolves: %+v, %v", story, err)
		}
		if again, err := s.Reconcile(t.Context()); err != nil || again != (Report{}) {
			t.Errorf("second time: %+v, %v", again, err)
		}
	})
}

// TestReconcileFindsLostSections removes a confirmed section, as a server that lost a disk's cache would.
func TestReconcileFindsLostSections(t *testing.T) {
	s := embeddedEnv(t).open(t)
	mustPut(t, s, newMaker(57).put("a", 1, 3), newMaker(58).put("b", 1, 1))
	known, err := s.Known(t.Context(), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.removeAll(t.Context(), s.names.sections, []*qdrantID{sectionPoint("a", 1, known["a"].Revision)}); err != nil {
		t.Fatal(err)
	}
	sections, err := s.Sections(t.Context(), []string{"a"}, false)
	if err != nil || len(sections["a"]) != 2 || sections["a"][1].Index != 2 {
		t.Errorf("got %+v, %v", sections, err)
	}
	if report, err := s.Reconcile(t.Context()); err != nil || report != (Report{Damaged: 1}) {
		t.Errorf("got %+v, %v", report, err)
	}
	known, err = s.Known(t.Context(), []string{"a", "b"})
	if err != nil || known["a"].Hash != "" || known["b"].Hash == "" {
		t.Errorf("got %+v, %v", known, err)
	}
}
