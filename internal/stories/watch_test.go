package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"throughline/internal/news"
	"throughline/internal/store"
)

func (h *harness) watched(req WatchRequest) []int64 {
	h.Helper()
	var seen []int64
	req.StopAtEnd = true
	h.must(h.Watch(context.Background(), req, func(e news.LedgerEvent) error {
		seen = append(seen, e.Sequence)
		return nil
	}))
	return seen
}

func TestWatch(t *testing.T) {
	h := setUp(t)
	if got := h.watched(WatchRequest{}); len(got) > 0 {
		t.Errorf("an empty ledger gives %v", got)
	}
	var events []news.LedgerEvent
	for i := range 2*watchPage + 3 {
		events = append(events, news.LedgerEvent{Kind: news.Joined, ID: fmt.Sprint("s", i%3), ArticleIDs: []string{fmt.Sprint("a", i)}})
	}
	events[10].Kind, events[10].ArticleIDs, events[10].OtherIDs = news.Merged, nil, []string{"old"}
	h.must(h.store.Apply(context.Background(), &store.Plan{Events: events}))

	all := h.watched(WatchRequest{})
	if len(all) != len(events) || !slices.IsSorted(all) || all[0] != 1 {
		t.Errorf("%d events, from %d", len(all), all[0])
	}
	if got := h.watched(WatchRequest{After: int64(len(events) - 2)}); len(got) != 2 || got[0] != int64(len(events)-1) {
		t.Errorf("after the last but two: %v", got)
	}
	if got := h.watched(WatchRequest{After: int64(len(events) + 7)}); len(got) > 0 {
		t.Errorf("after the end: %v", got)
	}
	if got := h.watched(WatchRequest{StoryIDs: []string{"s1"}}); len(got) != len(events)/3 || got[1] != got[0]+3 {
		t.Errorf("of one story: %d events", len(got))
	}
	if got := h.watched(WatchRequest{StoryIDs: []string{"old"}}); len(got) < 9 || !slices.Equal(got[:3], []int64{11, 14, 17}) {
		t.Errorf("of a story that was merged, and of what it was merged into: %v", got)
	}
	n := len(events)
	h.must(h.store.Apply(context.Background(), &store.Plan{Events: []news.LedgerEvent{
		{Kind: news.Created, Level: news.LevelTopic, ID: "t", Title: "T"}, {Kind: news.Deleted, ID: "s1"}}}))
	for want, req := range map[int]WatchRequest{1: {After: int64(n)}, 2: {After: int64(n), Topics: true, StoryIDs: []string{"s1"}}} {
		if got := h.watched(req); len(got) != want {
			t.Errorf("%+v: %v, want %d", req, got, want)
		}
	}
	stop := errors.New("enough")
	if err := h.Watch(context.Background(), WatchRequest{}, func(e news.LedgerEvent) error {
		if e.Sequence == 3 {
			return stop
		}
		return nil
	}); err != stop {
		t.Errorf("the watcher's error comes back as %v", err)
	}
}

// A watcher that waits is woken by what is filed, sees each event once, in order, and ends with its
// context.
func TestWatchWaits(t *testing.T) {
	h := setUp(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen, ended := make(chan news.LedgerEvent), make(chan error, 1)
	go func() {
		ended <- h.Watch(ctx, WatchRequest{Topics: true}, func(e news.LedgerEvent) error {
			seen <- e
			return nil
		})
	}()
	next := func() news.LedgerEvent {
		t.Helper()
		select {
		case e := <-seen:
			return e
		case err := <-ended:
			t.Fatalf("the watch ended: %v", err)
		}
		return news.LedgerEvent{}
	}
	h.put("a1", "flood", 1)
	h.put("a2", "flood", 2)
	h.file("a1", "a2")
	if e := next(); e.Sequence != 1 || e.Kind != news.Created || !slices.Equal(e.ArticleIDs, []string{"a1", "a2"}) || !e.Time.Equal(h.clock()) {
		t.Errorf("first event %+v", e)
	}
	if e := next(); e.Sequence != 2 || e.Kind != news.Created || e.Level != news.LevelTopic {
		t.Errorf("second event %+v", e)
	}
	h.put("a3", "flood", 3)
	h.file("a3")
	h.put("a2", "vote", 2)
	h.file("a2")
	if e := next(); e.Sequence != 3 || e.Kind != news.Joined {
		t.Errorf("third event %+v", e)
	}
	if e := next(); e.Sequence != 4 || e.Kind != news.Left {
		t.Errorf("fourth event %+v", e)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the watch ended with %v", err)
	}
}
