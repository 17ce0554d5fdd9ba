package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/internal/lexical"
	"throughline/internal/news"
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
		full := Story{Story: news.Story{ID: "s", Title: "T", Keywords: []string{"k", "l"}, First: day(1), Last: day(3), Articles: 4, Sources: []string{"x"},
			Representative: "a", TopicID: "t", ThemeID: "h", Version: 7, IndependentReports: 3, IndependentSources: 1,
			Naming: news.Naming{TitleModel: "m", TitleArticles: []string{"a", "b"}, TitleKey: "k"}},
			Vectors: Vectors{Dense: mean, Lex: lexical.Vectors{Full: m.sparse(), Lead: m.sparse(), Names: m.sparse()}}}
		older, bare := story("s", 1), story("bare", 0)
		mustApply(t, s, &Plan{NewStories: []Story{older, full, bare}}) // the last of an id counts
		got, err := s.Stories(t.Context(), []string{"bare", "nothing", "s", "bare"}, WithVectors)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]*Story{&bare, nil, &full, &bare}, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("stories (-want +got):\n%s", diff)
		}
		mustApply(t, s, &Plan{Stories: []Story{older}})
		one, err := ResolveStory(t.Context(), s, "s", WithVectors)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&older, one); diff != "" {
			t.Errorf("a changed story keeps what the new one does not have (-want +got):\n%s", diff)
		}
		mustApply(t, s, &Plan{DeletedStories: []string{"s", "never"}})
		var missing *NotFoundError
		if _, err := ResolveStory(t.Context(), s, "s", WithNothing); !errors.As(err, &missing) || missing.Kind != "story" || missing.ID != "s" {
			t.Errorf("deleted story: %v", err)
		}
		if counts, err := s.Counts(t.Context()); err != nil || counts.Stories != 1 {
			t.Errorf("counts %+v, %v", counts, err)
		}
	})
}

// storyIDs scans.
func storyIDs(t *testing.T, s *Store, f news.StoryFilter) []string {
	t.Helper()
	var ids []string
	if err := s.ScanStories(t.Context(), f, WithDense, func(story *Story) error {
		if len(story.Dense) != testDim || len(story.Lex.Full.Terms) != 0 {
			t.Errorf("%s has %d components and %d terms", story.ID, len(story.Dense), len(story.Lex.Full.Terms))
		}
		ids = append(ids, story.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

func TestMergedStories(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(51)
		into := map[string]string{"s0": "", "x": "y", "y": "x", "dangling": "gone"}
		for i := range 5 {
			into[fmt.Sprintf("s%d", i+1)] = fmt.Sprintf("s%d", i)
		}
		var stories []Story
		for id, heir := range into {
			stories = append(stories, Story{Story: news.Story{ID: id, MergedInto: heir}, Vectors: Vectors{Dense: m.unit()}})
		}
		mustApply(t, s, &Plan{Stories: stories})
		for i := range 6 {
			if got, err := ResolveStory(t.Context(), s, fmt.Sprintf("s%d", i), WithDense); err != nil || got.ID != "s0" || len(got.Dense) != testDim {
				t.Errorf("s%d resolves to %+v, %v", i, got, err)
			}
		}
		if got, err := ResolveStory(t.Context(), s, "x", WithNothing); err == nil {
			t.Errorf("a circle resolves to %+v", got)
		}
		var missing *NotFoundError
		if _, err := ResolveStory(t.Context(), s, "dangling", WithNothing); !errors.As(err, &missing) || missing.ID != "dangling" {
			t.Errorf("got %v", err)
		}
		if counts, err := s.Counts(t.Context()); err != nil || counts.Stories != 1 {
			t.Errorf("counts %+v, %v", counts, err)
		}
		if got := storyIDs(t, s, news.StoryFilter{}); !slices.Equal(got, []string{"s0"}) {
			t.Errorf("live are %v", got)
		}
		if got := storyIDs(t, s, news.StoryFilter{Merged: true}); len(got) != len(into) {
			t.Errorf("%d with the merged ones, want %d", len(got), len(into))
		}
	})
}

// A filter by a merged topic selects what is in its heir, and what is not moved to it yet.
func TestMergedTopics(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(53)
		mustPut(t, s, m.put("a", 1, 1), m.put("b", 1, 1), m.put("c", 1, 1))
		theme := func(id, into string) Topic {
			return Topic{Topic: news.Topic{ID: id, Level: news.LevelTheme, MergedInto: into}}
		}
		topics := []Topic{topic("t0"), topic("t1"), topic("t2"), topic("x"), topic("y"), topic("dangling"), theme("h0", ""), theme("h1", "h0")}
		for id, into := range map[int]string{1: "t0", 2: "t1", 3: "y", 4: "x", 5: "gone"} {
			topics[id].MergedInto = into
		}
		topics[0].ParentID = "h0"
		live := story("s", 2)
		live.Dense = m.unit()
		live.TopicID, live.ThemeID = "t0", "h0"
		mustApply(t, s, &Plan{Topics: topics, NewStories: []Story{live}, Memberships: []Membership{
			{ArticleID: "a", Membership: news.Membership{StoryID: "s", TopicID: "t0", ThemeID: "h0"}},
			{ArticleID: "b", Membership: news.Membership{StoryID: "s", TopicID: "t1", ThemeID: "h1"}}}})
		for id, want := range map[string]string{"t0": "t0", "t1": "t0", "t2": "t0", "h1": "h0", "x": "", "dangling": ""} {
			got, err := ResolveTopic(t.Context(), s, id)
			if (err != nil) != (want == "") || err == nil && got.ID != want {
				t.Errorf("%s resolves to %+v, %v", id, got, err)
			}
		}
		for id, want := range map[string]int{"t0": 1, "t1": 2, "t2": 2, "h0": 1, "h1": 2, "x": 0, "dangling": 0, "unknown": 0} {
			filter := news.Filter{TopicIDs: []string{"unknown", id}}
			listed, _, err := s.List(t.Context(), filter, 10, "")
			if err != nil || len(listed) != want {
				t.Errorf("%s: lists %d articles, %v, want %d", id, len(listed), err, want)
			}
			hits, err := s.Query(t.Context(), []Query{{Of: Articles, Dense: m.unit(), Limit: 10}, {Of: Articles, Dense: m.unit(), Filter: filter, Limit: 10},
				{Of: Sections, Dense: m.unit(), Filter: filter, Limit: 10}})
			if err != nil || len(hits[0]) != 3 || len(hits[1]) != want || len(hits[2]) != want {
				t.Errorf("%s: finds %v, %v, want %d", id, hits, err, want)
			}
			if got := storyIDs(t, s, news.StoryFilter{TopicIDs: filter.TopicIDs}); len(got) != min(want, 1) {
				t.Errorf("%s: stories %v", id, got)
			}
		}
		count := func(f news.TopicFilter) (n int) {
			if err := s.ScanTopics(t.Context(), f, WithNothing, func(*Topic) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if counts, err := s.Counts(t.Context()); err != nil || counts.Topics != 2 || count(news.TopicFilter{}) != 2 || count(news.TopicFilter{Merged: true}) != len(topics) ||
			count(news.TopicFilter{ParentID: "h1"}) != 1 || count(news.TopicFilter{Level: news.LevelTheme, Merged: true}) != 2 {
			t.Errorf("counts %+v, %v", counts, err)
		}
	})
}

// A filter by a merged story selects, or leaves out, what is in its heir, and what is not moved to
// it yet.
func TestFiltersByMergedStories(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(54)
		mustPut(t, s, m.put("a", 1, 1), m.put("b", 1, 1), m.put("c", 1, 1))
		stories := []Story{story("s0", 2), story("s1", 2), story("s2", 2)}
		stories[1].MergedInto, stories[2].MergedInto = "s0", "s1"
		for i := range stories {
			stories[i].Dense = m.unit()
		}
		mustApply(t, s, &Plan{NewStories: stories, Memberships: []Membership{
			{ArticleID: "a", Membership: news.Membership{StoryID: "s0"}}, {ArticleID: "b", Membership: news.Membership{StoryID: "s1"}}}})
		for id, want := range map[string]int{"s0": 1, "s1": 2, "s2": 2, "unknown": 0} {
			in, out := news.Filter{StoryIDs: []string{id}}, news.Filter{ExcludeStoryIDs: []string{id}}
			hits, err := s.Query(t.Context(), []Query{{Of: Articles, Dense: m.unit(), Filter: in, Limit: 10}, {Of: Sections, Dense: m.unit(), Filter: in, Limit: 10},
				{Of: Articles, Dense: m.unit(), Filter: out, Limit: 10}, {Of: Sections, Dense: m.unit(), Filter: out, Limit: 10}})
			if err != nil || len(hits[0]) != want || len(hits[1]) != want || len(hits[2]) != 3-want || len(hits[3]) != 3-want {
				t.Errorf("%s: finds %v, %v, want %d and without them %d", id, hits, err, want, 3-want)
			}
			for want, f := range map[int]news.Filter{want: in, 3 - want: out} {
				if listed, _, err := s.List(t.Context(), f, 10, ""); err != nil || len(listed) != want {
					t.Errorf("%s: lists %d articles, %v, want %d", id, len(listed), err, want)
				}
			}
		}
	})
}

func TestStoryFilters(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(52)
		var stories []Story
		for i := range 30 {
			st := Story{Story: news.Story{ID: fmt.Sprintf("s%02d", i), Articles: i % 7, TopicID: fmt.Sprintf("t%d", i%3), ThemeID: fmt.Sprintf("h%d", i%2)},
				Vectors: Vectors{Dense: m.unit(), Lex: lexical.Vectors{Full: m.sparse()}}}
			if i%4 != 0 {
				st.First, st.Last = day(1+i%10), day(1+i%10+i%3)
			}
			stories = append(stories, st)
		}
		mustApply(t, s, &Plan{NewStories: stories})
		for i, f := range []news.StoryFilter{
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
			if got := storyIDs(t, s, f); !slices.Equal(got, want) {
				t.Errorf("filter %d:\nwant %v\ngot  %v", i, want, got)
			}
		}
		if err := s.ScanStories(t.Context(), news.StoryFilter{TopicIDs: []string{"\xff"}}, WithNothing, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTopics(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		theme := Topic{Topic: news.Topic{ID: "h", Title: "Theme", Level: news.LevelTheme, Keywords: []string{"k"}, Stories: 9, Articles: 30, First: day(1), Last: day(9),
			Representative: "s", Version: 2, Naming: news.Naming{TitleModel: "m", TitleArticles: []string{"a"}, TitleKey: "k"}}, Dense: newMaker(54).unit()}
		t1, t2 := topic("t1"), topic("t2")
		t1.ParentID, t2.ParentID = "h", "h"
		mustApply(t, s, &Plan{Topics: []Topic{theme, t1, t2, topic("t3")}})
		got, err := s.Topics(t.Context(), []string{"t1", "nothing", "h"})
		if err != nil {
			t.Fatal(err)
		}
		want := theme
		want.Dense = nil
		if diff := cmp.Diff([]*Topic{&t1, nil, &want}, got); diff != "" {
			t.Errorf("topics (-want +got):\n%s", diff)
		}
		for i, c := range []struct {
			f   news.TopicFilter
			ids []string
		}{{news.TopicFilter{}, []string{"h", "t1", "t2", "t3"}}, {news.TopicFilter{Level: news.LevelTopic}, []string{"t1", "t2", "t3"}},
			{news.TopicFilter{ParentID: "h"}, []string{"t1", "t2"}}, {news.TopicFilter{Level: news.LevelTheme, ParentID: "h"}, nil}} {
			var ids []string
			if err := s.ScanTopics(t.Context(), c.f, WithVectors, func(topic *Topic) error {
				if topic.ID == "h" && !slices.Equal(topic.Dense, theme.Dense) || topic.ID != "h" && topic.Dense != nil {
					t.Errorf("%s has the vector %v", topic.ID, topic.Dense)
				}
				ids = append(ids, topic.ID)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if slices.Sort(ids); !slices.Equal(ids, c.ids) {
				t.Errorf("filter %d: %v, want %v", i, ids, c.ids)
			}
		}
		for _, f := range []news.TopicFilter{{Level: "x"}, {ParentID: "\xff"}} {
			if err := s.ScanTopics(t.Context(), f, WithNothing, nil); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v", f, err)
			}
		}
		mustApply(t, s, &Plan{DeletedTopics: []string{"h", "never"}})
		if got, err := s.Topics(t.Context(), []string{"h", "t1"}); err != nil || got[0] != nil || got[1] == nil {
			t.Errorf("after deleting h: %v, %v", got, err)
		}
	})
}
