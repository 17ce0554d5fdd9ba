package stories

import (
	"context"
	"maps"
	"slices"

	"throughline/internal/store"
)

// The ledger tells membership by three kinds of events alone: "created" and "joined" add articles to a story, "left" takes
// them out. Whoever adds these up has the stored membership, and at no point of the ledger is an article in two stories:
// what leaves is told before what arrives. "merged", "split", "deleted" and "renamed" tell what became of ids and titles;
// the articles of a story that ends have left it before.

// changes tells how one standing became another.
func changes(before, after standing, f fates) []store.Event {
	var events []store.Event
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if left := before[id].without(after[id]); len(left) > 0 {
			events = append(events, store.Event{Kind: store.StoryLeft, StoryID: id, ArticleIDs: left})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(after)) {
		now := after[id]
		was, old := before[id]
		if !old {
			events = append(events, store.Event{Kind: store.StoryCreated, StoryID: id, ArticleIDs: now.sorted(), Title: now.title})
			if from := f.from[id]; from != "" {
				events = append(events, store.Event{Kind: store.StorySplit, StoryID: from, OtherStoryIDs: []string{id}})
			}
			continue
		}
		if joined := now.without(was); len(joined) > 0 {
			events = append(events, store.Event{Kind: store.StoryJoined, StoryID: id, ArticleIDs: joined})
		}
		if now.title != was.title {
			events = append(events, store.Event{Kind: store.StoryRenamed, StoryID: id, Title: now.title})
		}
	}
	merged := make(map[string][]string)
	for _, id := range slices.Sorted(maps.Keys(f.into)) {
		if into := f.into[id]; into != "" {
			merged[into] = append(merged[into], id)
		} else {
			events = append(events, store.Event{Kind: store.StoryDeleted, StoryID: id})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(merged)) {
		events = append(events, store.Event{Kind: store.StoryMerged, StoryID: id, OtherStoryIDs: merged[id]})
	}
	return events
}

// tell adds one event to what is known.
func (s standing) tell(e store.Event) {
	switch e.Kind {
	case store.StoryCreated:
		s[e.StoryID] = list(e.Title, e.ArticleIDs...)
	case store.StoryJoined:
		l, ok := s[e.StoryID]
		if !ok {
			l = list("")
			s[e.StoryID] = l
		}
		for _, id := range e.ArticleIDs {
			l.members[id] = true
		}
	case store.StoryLeft:
		for _, id := range e.ArticleIDs {
			delete(s[e.StoryID].members, id)
		}
	case store.StoryRenamed:
		if l, ok := s[e.StoryID]; ok {
			l.title = e.Title
			s[e.StoryID] = l
		}
	case store.StoryMerged:
		for _, id := range e.OtherStoryIDs {
			delete(s, id)
		}
	case store.StoryDeleted:
		delete(s, e.StoryID)
	}
}

// replayPage is how many events are read at once.
const replayPage = 1000

// replay reads the whole ledger.
func (e *Engine) replay(ctx context.Context) (standing, error) {
	told, after := make(standing), int64(0)
	for {
		events, err := e.cfg.Store.Events(ctx, after, replayPage)
		if err != nil {
			return nil, err
		}
		for _, event := range events {
			told.tell(event)
			after = event.Sequence
		}
		if len(events) < replayPage {
			return told, nil
		}
	}
}

// record appends events to the ledger and wakes the watchers. Events that could not be appended are kept: the store may
// have given them numbers, and the same events must not be told again under other ones.
func (e *Engine) record(ctx context.Context, events []store.Event) error {
	if len(events) == 0 {
		return nil
	}
	now := e.cfg.Now().UTC()
	for i := range events {
		events[i].Time = now
	}
	e.untold = append(e.untold, events...)
	return e.tellRest(ctx)
}

// tellRest appends what is not in the ledger for sure.
func (e *Engine) tellRest(ctx context.Context) error {
	if len(e.untold) == 0 {
		return nil
	}
	if err := e.cfg.Store.Append(ctx, e.untold); err != nil {
		return err
	}
	e.untold = nil
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.changed)
	e.changed = make(chan struct{})
	return nil
}

// grown returns a channel that is closed when the ledger grows.
func (e *Engine) grown() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}
