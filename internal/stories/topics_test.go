package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/store"
)

// What becomes of topics and themes is in the ledger, and merged ones lead to where their articles
// are; an arrangement that changes nothing is an empty plan.
func TestTopicEvents(t *testing.T) {
	w := newWorld()
	arrange := func(topic, theme []int32) []string {
		t.Helper()
		inv := &Inventory{Articles: w.sorted(), Stories: map[string]*store.Story{}, Topics: map[string]*store.Topic{}}
		for id, s := range w.stories {
			inv.Stories[id] = s
		}
		for id, topic := range w.topics {
			if topic.MergedInto == "" {
				inv.Topics[id] = topic
			}
		}
		n := len(inv.Articles)
		h := &hierarchy.Hierarchy{Copy: slices.Repeat([]int32{-1}, n), Story: make([]int32, n), Topic: topic, Theme: theme, Membership: make([]float32, n)}
		for i := range n {
			h.Story[i] = int32(i / 2)
		}
		plan := &PlanArrangement(inv, h, nil, w.newID).Plan
		w.apply(plan, allSteps)
		var events []string
		for _, e := range plan.Events {
			if e.Level != "" {
				if len(e.ArticleIDs) > 0 {
					t.Errorf("%+v has articles", e)
				}
				events = append(events, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.ID, strings.Join(e.OtherIDs, " "))))
			}
		}
		if len(events) == 0 && !plan.Empty() {
			t.Errorf("no event for\n%s", plan)
		}
		return events
	}
	expect := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("events\n%q, want\n%q", got, want)
		}
	}
	names := []string{"Flood", "Vote", "Match", "Trial"}
	for i := range 8 {
		w.put(fmt.Sprint("a", i), uint64(i)).Article.Title = names[i/2] + " news"
	}
	two, all := []int32{0, 0, 0, 0, 1, 1, 1, 1}, make([]int32, 8)
	none := slices.Repeat([]int32{-1}, 8)
	expect(arrange(two, all), "created theme-007", "created topic-005", "created topic-006")
	expect(arrange(two, all))
	// Two topics become one, of the id that is smaller, as they are equal. A theme needs two.
	got := arrange(all, none)
	expect(got[:1], "deleted theme-007")
	if !slices.Contains(got, "merged topic-005 topic-006") {
		t.Errorf("events %q", got)
	}
	if merged := w.topics["topic-006"]; merged.MergedInto != "topic-005" || merged.Level != news.LevelTopic || merged.Version != 2 || w.topics["theme-007"] != nil {
		t.Errorf("stored is %+v, %+v", merged, w.topics["theme-007"])
	}
	// The part that goes has a new id, not the one that it had.
	got = arrange(two, none)
	if !slices.Contains(got, "created topic-008") || !slices.Contains(got, "split topic-005 topic-008") {
		t.Errorf("events %q", got)
	}
	// Other words, another title.
	for i := range 4 {
		w.articles[fmt.Sprint("a", i)].Article.Title = "Storm damage"
	}
	expect(arrange(two, none), "renamed topic-005")
	expect(arrange(none, none), "deleted topic-005", "deleted topic-008")
}

// The id of a merged topic gives the topic that it is part of, in reads and in filters.
func TestMergedTopicResolves(t *testing.T) {
	h := setUp(t)
	ctx := context.Background()
	h.fill()
	three, err := h.Recluster(ctx, ReclusterOptions{Topics: 3}, nil)
	h.must(err)
	h.check()
	_, err = h.Recluster(ctx, ReclusterOptions{Topics: 1}, nil)
	h.must(err)
	h.check()
	topics, err := h.Topics(ctx, TopicsRequest{})
	h.must(err)
	if len(three.Topics) < 3 || len(topics) != 1 {
		t.Fatalf("%d topics became %d", len(three.Topics), len(topics))
	}
	heir := topics[0]
	for _, was := range three.Topics {
		if was.Level != news.LevelTopic {
			continue
		}
		d, err := h.Topic(ctx, was.ID, 100)
		if err != nil || d.Topic.ID != heir.ID || len(d.Stories) != heir.Stories {
			t.Errorf("%s gives %+v, %v", was.ID, d, err)
		}
		found := 0
		h.must(h.store.Scan(ctx, news.Filter{TopicIDs: []string{was.ID}}, store.WithNothing, func(*store.Stored) error {
			found++
			return nil
		}))
		listed, err := h.List(ctx, ListRequest{TopicIDs: []string{was.ID}})
		if err != nil || found != heir.Articles || len(listed) != heir.Stories {
			t.Errorf("%s selects %d articles and %d stories, %v, want %d and %d", was.ID, found, len(listed), err, heir.Articles, heir.Stories)
		}
	}
	if _, err := h.Topic(ctx, "unknown", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown topic: %v", err)
	}
}
