package stories

import (
	"context"
	"errors"
	"slices"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
)

// WatchRequest selects the events of a watch.
type WatchRequest struct {
	After     int64    // sequence number of the last event seen; 0: from the beginning
	StoryIDs  []string // only events that name one of these stories, or what they were merged into; empty: all
	Topics    bool     // the events of topics and themes too
	StopAtEnd bool     // end after the last event instead of waiting for more
}

// watchPage is the number of events that are read at a time.
const watchPage = 500

// watchPoll is the interval at which the ledger is read for events that another process wrote.
const watchPoll = 2 * time.Second

// Watch calls fn for every event after req.After, in order, and waits for new ones until ctx ends;
// then it returns the error of ctx. An error of fn ends the watch and is returned unchanged.
func (e *Engine) Watch(ctx context.Context, req WatchRequest, fn func(news.LedgerEvent) error) error {
	after, ids := req.After, slices.Clone(req.StoryIDs)
	if after > 0 { // the merges before are not seen
		for _, id := range req.StoryIDs {
			switch heir, err := store.ResolveStory(ctx, e.cfg.Stories, id, store.WithNothing); {
			case err == nil:
				ids = append(ids, heir.ID)
			case !errors.Is(err, store.ErrNotFound):
				return err
			}
		}
	}
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		changed := e.ledgerChanged() // before reading, so that no event is missed
		events, err := e.cfg.Stories.Events(ctx, after, watchPage)
		if err != nil {
			return err
		}
		for _, event := range events {
			after = event.Sequence
			if event.Level == "" && len(ids) > 0 && !concerns(event, ids) || event.Level != "" && !req.Topics {
				continue
			}
			if event.Level == "" && event.Kind == news.Merged && len(ids) > 0 && !slices.Contains(ids, event.ID) {
				ids = append(ids, event.ID)
			}
			if err := fn(event); err != nil {
				return err
			}
		}
		if len(events) == watchPage {
			continue
		}
		if req.StopAtEnd {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-poll.C:
		}
	}
}

func concerns(event news.LedgerEvent, ids []string) bool {
	return slices.Contains(ids, event.ID) ||
		slices.ContainsFunc(event.OtherIDs, func(id string) bool { return slices.Contains(ids, id) })
}
