package stories

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
)

func TestList(t *testing.T) {
	h := setUp(t)
	day := func(d int) time.Time { return time.Date(2031, 4, d, 0, 0, 0, 0, time.UTC) }
	h.must(h.store.Apply(context.Background(), &store.Plan{Stories: []store.Story{
		{Story: news.Story{ID: "a", Articles: 2, First: day(1), Last: day(3), Sources: []string{"North Post"}, TopicID: "t1", ThemeID: "h1"}},
		{Story: news.Story{ID: "b", Articles: 5, First: day(2), Last: day(9), Sources: []string{"West News", "north post"}, TopicID: "t2", ThemeID: "h1"}},
		{Story: news.Story{ID: "c", Articles: 2, First: day(5), Last: day(9), TopicID: "t1", ThemeID: "h1"}},
		{Story: news.Story{ID: "undated", Articles: 3, TopicID: "t3", ThemeID: "h2"}},
		{Story: news.Story{ID: "gone", MergedInto: "a"}},
	}}))
	for _, c := range []struct {
		name string
		req  ListRequest
		want []string
	}{
		{"latest first, undated last", ListRequest{}, []string{"b", "c", "a", "undated"}},
		{"largest first, then as latest", ListRequest{Order: Largest}, []string{"b", "undated", "c", "a"}},
		{"of a topic", ListRequest{TopicIDs: []string{"t1"}}, []string{"c", "a"}},
		{"of a theme", ListRequest{TopicIDs: []string{"h1", "none"}}, []string{"b", "c", "a"}},
		{"covered by", ListRequest{Sources: []string{"NORTH post"}}, []string{"b", "a"}},
		{"covered by nobody", ListRequest{Sources: []string{"North"}}, nil},
		{"after", ListRequest{After: day(4)}, []string{"b", "c"}},
		{"before", ListRequest{Before: day(2)}, []string{"a"}},
		{"large", ListRequest{MinArticles: 3}, []string{"b", "undated"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := h.List(context.Background(), c.req)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range found {
				got = append(got, s.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if _, err := h.Get(context.Background(), "none", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown story: %v", err)
	}
	if _, err := h.Topic(context.Background(), "none", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown topic: %v", err)
	}
	if d, err := h.Get(context.Background(), "gone", -1); err != nil || d.Story.ID != "a" {
		t.Errorf("a merged id: %+v, %v", d, err)
	}
}

// The articles of a story come in order of publication, those without a known time last.
func TestGetOrder(t *testing.T) {
	h := setUp(t)
	for i, id := range []string{"a", "b", "c", "d"} {
		a := h.on(id, "flood")
		a.Published = h.now.AddDate(0, 0, -i)
		if id == "b" {
			a.Published = time.Time{}
		}
		h.putArticle(a, told("flood", i))
	}
	h.recluster()
	d, err := h.Get(context.Background(), h.together("a", "b", "c", "d"), 10)
	h.must(err)
	var got []string
	for _, a := range d.Articles {
		got = append(got, a.ID)
	}
	if !slices.Equal(got, []string{"d", "c", "a", "b"}) || d.Truncated {
		t.Errorf("articles %q, truncated %v", got, d.Truncated)
	}
	if !d.Story.First.Equal(h.now.AddDate(0, 0, -3)) || !d.Story.Last.Equal(h.now) {
		t.Errorf("span %v to %v", d.Story.First, d.Story.Last)
	}
}

func TestFind(t *testing.T) {
	h := setUp(t)
	ctx := context.Background()
	draft := func(text string) news.Valid {
		valid, err := news.Validate(news.Article{Published: h.now, Sections: []news.Section{{Text: text}}})
		h.must(err)
		return valid
	}
	if found, err := h.Find(ctx, draft(told("flood", 7)), 5); err != nil || found.StoryID != "" || len(found.Fits) != 0 {
		t.Errorf("in an empty store: %+v, %v", found, err)
	}
	h.fill()
	h.recluster()
	flood := h.together("f0", "f1")
	before := h.partition()
	var found *Found
	var err error
	writes := h.writes(func() { found, err = h.Find(ctx, draft(told("flood", 7)), 5) })
	if err != nil || found.StoryID != flood || found.Fits[0].Story.ID != flood || found.Fits[0].Probability <= 0.5 {
		t.Errorf("found %+v, %v", found, err)
	}
	if found.State != h.states.Current().Version {
		t.Errorf("found by State %d, which is %d", found.State, h.states.Current().Version)
	}
	if writes > 0 || h.partition() != before {
		t.Error("finding wrote")
	}
	if found, err = h.Find(ctx, draft(told("flood", 7)), 0); err != nil || found.StoryID != flood || len(found.Fits) != 0 {
		t.Errorf("no fits wanted: %+v, %v", found, err)
	}
	if found, err = h.Find(ctx, draft(told("parade", 1)), 5); err != nil || found.StoryID != "" {
		t.Errorf("a draft on the same as a one-off: %+v, %v", found, err)
	}
}
