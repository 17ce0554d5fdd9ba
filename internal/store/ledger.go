package store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/qdrant/go-client/qdrant"
)

// ledger numbers events. The id of an event's point is its number, so the order of point ids is the order of events.
type ledger struct {
	mu   sync.Mutex
	last int64 // the highest number given out
	// pending were given numbers, but whether they were written is not known. They go first when anything is appended, so a
	// number never means two events, and nobody who has read up to a number misses one below it that arrives late.
	pending []Event
}

// openLedger finds the highest number in use. The ledger has no holes unless somebody made some, so the count is usually it.
func (s *Store) openLedger(ctx context.Context) error {
	n, err := s.conn.count(ctx, s.names.ledger, nil)
	if err != nil {
		return err
	}
	s.ledger.last, err = highest(n, func(from int64) (bool, error) {
		points, _, err := s.conn.scroll(ctx, s.names.ledger, nil, qdrant.NewIDNum(uint64(from)), 1, noFields, nil)
		return len(points) > 0, err
	})
	return err
}

func encodeEvent(e *Event) (*qdrant.PointStruct, error) {
	fields, err := toPayload(map[string]any{fieldTime: e.Time, fieldKind: string(e.Kind), fieldStory: e.StoryID,
		fieldArticleIDs: e.ArticleIDs, fieldOtherStories: e.OtherStoryIDs, fieldTitle: e.Title})
	if err != nil {
		return nil, err
	}
	return &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(e.Sequence)), Payload: fields, Vectors: encodeVectors(nil, none, none, none)}, nil
}

func decodeEvent(point *qdrant.RetrievedPoint) Event {
	p := payload(point.GetPayload())
	return Event{Sequence: int64(point.GetId().GetNum()), Time: p.time(fieldTime), Kind: EventKind(p.text(fieldKind)),
		StoryID: p.text(fieldStory), ArticleIDs: p.texts(fieldArticleIDs), OtherStoryIDs: p.texts(fieldOtherStories),
		Title: p.text(fieldTitle)}
}

// Append writes events to the ledger and sets their Sequence: strictly increasing, in the order given, after everything
// appended before. When it fails, the events keep the numbers that were meant for them, and they may or may not be in the
// ledger; appending the same slice again completes it and writes nothing twice. Whatever is appended next completes it
// too, so the ledger has no holes. Events with a Sequence that was never given out are refused.
func (s *Store) Append(ctx context.Context, events []Event) error {
	for i := range events {
		if err := checkEvent(&events[i]); err != nil {
			return err
		}
	}
	if len(events) == 0 {
		return nil
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if events[i].Sequence > l.last {
			return &InvalidError{ID: events[i].StoryID, Field: "sequence", Reason: fmt.Sprintf("%d was never given out", events[i].Sequence)}
		}
	}
	for i := range events {
		if events[i].Sequence != 0 {
			continue // appended before: it is in the ledger, or pending
		}
		l.last++
		events[i].Sequence = l.last
		l.pending = append(l.pending, events[i].clone())
	}
	if err := s.writePending(ctx); err != nil {
		return err
	}
	return s.lease.held()
}

// writePending writes what is pending, in order, and forgets what was written. The numbers are new to the ledger unless a
// request that was given up on arrived after all, and then it holds the same events.
func (s *Store) writePending(ctx context.Context) error {
	points := make([]*qdrant.PointStruct, len(s.ledger.pending))
	for i := range s.ledger.pending {
		point, err := encodeEvent(&s.ledger.pending[i])
		if err != nil {
			return &InvalidError{ID: s.ledger.pending[i].StoryID, Field: "event", Reason: err.Error()}
		}
		points[i] = point
	}
	from := 0
	for _, to := range batches(points) {
		if err := s.conn.upsert(ctx, s.names.ledger, points[from:to], upsertOptions{}); err != nil {
			return err
		}
		s.ledger.pending = slices.Delete(s.ledger.pending, 0, to-from)
		from = to
	}
	return nil
}

// clone keeps an event apart from the caller's slices.
func (e Event) clone() Event {
	e.ArticleIDs, e.OtherStoryIDs = slices.Clone(e.ArticleIDs), slices.Clone(e.OtherStoryIDs)
	return e
}

// Events returns up to limit events with a sequence number above after, in order. limit is 1..MaxLimit.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	if _, err := checkPage(limit, ""); err != nil {
		return nil, err
	}
	var out []Event
	from := qdrant.NewIDNum(uint64(max(after, 0)) + 1)
	_, err := s.page(ctx, s.names.ledger, nil, from, limit, func(p *qdrant.RetrievedPoint) {
		out = append(out, decodeEvent(p))
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
