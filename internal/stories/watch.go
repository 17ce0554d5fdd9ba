package stories

import (
	"context"
	"slices"
	"time"

	"throughline/internal/store"
)

// WatchRequest says which events to see.
type WatchRequest struct {
	After     int64    // the last sequence number that was seen; 0: from the beginning
	StoryIDs  []string // only events of these stories, as subject or as other; empty: all
	StopAtEnd bool     // end after the last event there is instead of waiting for more
}

// watchPage is how many events are read at once.
const watchPage = 500

// watchPoll is how often the ledger is looked at for events that another process wrote.
const watchPoll = 2 * time.Second

// Watch calls fn for every event after the cursor, in order, and waits for new ones until ctx ends, which is no error of
// its own: the context's error is returned. An error of fn ends the watch and is returned as it is.
func (e *Engine) Watch(ctx context.Context, req WatchRequest, fn func(store.Event) error) error {
	after := req.After
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		grown := e.grown() // before reading, so that nothing slips between
		events, err := e.cfg.Store.Events(ctx, after, watchPage)
		if err != nil {
			return err
		}
		for _, event := range events {
			after = event.Sequence
			if len(req.StoryIDs) > 0 && !concerns(event, req.StoryIDs) {
				continue
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
		case <-grown:
		case <-poll.C:
		}
	}
}

func concerns(event store.Event, ids []string) bool {
	return slices.Contains(ids, event.StoryID) ||
		slices.ContainsFunc(event.OtherStoryIDs, func(id string) bool { return slices.Contains(ids, id) })
}
