package store

import (
	"context"
	"slices"
	"sync"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// ledger numbers events. The id of an event's point is its number, so the order of point ids is the
// order of events.
type ledger struct {
	mu   sync.Mutex
	last int64 // the highest number that an event got
	// pending events have a number and may not be written yet. They are written before all later
	// ones, so that a number never means two events, and no event appears below a number up to
	// which somebody has read.
	pending []news.LedgerEvent
}

func (l *ledger) lastNumber() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// openLedger finds the highest number in use: usually the count, because only a deletion by hand
// leaves holes.
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

func encodeEvent(e *news.LedgerEvent) (*qdrant.PointStruct, error) {
	return newPoint(qdrant.NewIDNum(uint64(e.Sequence)), eventFields(e), nil, nil)
}

func decodeEvent(point *qdrant.RetrievedPoint) news.LedgerEvent {
	p := payload(point.GetPayload())
	e := news.LedgerEvent{Sequence: int64(point.GetId().GetNum()), Level: news.Level(p.text(fieldLevel))}
	decodeFields(eventFields(&e), p)
	return e
}

// append writes events to the ledger and sets their Sequence: strictly increasing, in the order
// given, above all earlier ones. An event that has a Sequence was appended before and is skipped.
// After an error the events stay pending, with their numbers.
func (s *Store) append(ctx context.Context, events []news.LedgerEvent) error {
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if events[i].Sequence != 0 {
			continue
		}
		l.last++
		events[i].Sequence = l.last
		if events[i].Time.IsZero() {
			events[i].Time = s.cfg.Now().UTC()
		}
		e := events[i] // a copy, with its lists: the caller may change the event
		e.ArticleIDs, e.OtherIDs = slices.Clone(e.ArticleIDs), slices.Clone(e.OtherIDs)
		l.pending = append(l.pending, e)
	}
	return s.writePending(ctx)
}

// writePending writes the pending events in order. The ledger has none of their numbers yet, unless
// a request that was given up on arrived after all, and then it has the same events.
func (s *Store) writePending(ctx context.Context) error {
	points := make([]*qdrant.PointStruct, len(s.ledger.pending))
	for i := range points {
		var err error
		if points[i], err = encodeEvent(&s.ledger.pending[i]); err != nil {
			return err
		}
	}
	for from, to := range batches(points) {
		if err := s.conn.upsert(ctx, s.names.ledger, points[from:to], upsertOptions{}); err != nil {
			return err
		}
		s.ledger.pending = slices.Delete(s.ledger.pending, 0, to-from)
	}
	return nil
}

// Events returns up to limit events with a sequence number above after, in order. limit is
// 1..MaxLimit.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]news.LedgerEvent, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	if _, err := checkPage(limit, ""); err != nil {
		return nil, err
	}
	var out []news.LedgerEvent
	from := qdrant.NewIDNum(uint64(max(after, 0)) + 1)
	_, err := s.page(ctx, s.names.ledger, nil, from, limit, func(p *qdrant.RetrievedPoint) {
		out = append(out, decodeEvent(p))
	})
	return out, err
}
