package stories

import (
	"context"
	"fmt"
	"slices"

	"throughline/internal/news"
	"throughline/internal/store"
)

// repair makes the store consistent after an interrupted write, of this process or of one that
// died. The caller holds the lock.
func (e *Engine) repair(ctx context.Context) error {
	sections, err := e.cfg.Writer.RepairSections(ctx)
	if err != nil {
		return fmt.Errorf("repairing sections: %w", err)
	}
	if err := e.cfg.Writer.Apply(ctx, &store.Plan{}); err != nil { // writes the events that have a number and are not in the ledger
		return fmt.Errorf("completing the ledger: %w", err)
	}
	r, err := e.remains(ctx)
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	_, need := PlanRepair(r, nil)
	described := make(map[string][]*store.Stored, len(need))
	for id, articleIDs := range need {
		members, err := e.cfg.Articles.Get(ctx, articleIDs, store.WithVectors)
		if err != nil {
			return fmt.Errorf("reading story %s: %w", id, err)
		}
		described[id] = slices.DeleteFunc(members, func(m *store.Stored) bool { return m == nil }) // deleted since
	}
	plan, _ := PlanRepair(r, described)
	if err := e.apply(ctx, plan); err != nil {
		return fmt.Errorf("repairing stories: %w", err)
	}
	e.cfg.Writer.SetClean(true)
	e.cfg.Logger.InfoContext(ctx, "repaired the store after an interrupted write", "sections", sections,
		"memberships", len(plan.Memberships), "stories", len(plan.Stories)+len(plan.DeletedStories), "events", len(plan.Events))
	return nil
}

// ledgerPage is the number of events that are read at a time.
const ledgerPage = 1000

// remains reads what PlanRepair needs: the ledger and the fields of all records.
func (e *Engine) remains(ctx context.Context) (*Remains, error) {
	r := &Remains{Stories: make(map[string]*store.Story), Topics: make(map[string]*store.Topic),
		Ledger: map[news.Level]snapshot{"": {}, news.LevelTopic: {}, news.LevelTheme: {}}}
	for after := int64(0); ; {
		events, err := e.cfg.Stories.Events(ctx, after, ledgerPage)
		if err != nil {
			return nil, err
		}
		for _, event := range events {
			r.Ledger[event.Level].applyEvent(event)
			after = event.Sequence
		}
		if len(events) < ledgerPage {
			break
		}
	}
	err := e.cfg.Stories.ScanStories(ctx, news.StoryFilter{Merged: true}, store.WithNothing, func(s *store.Story) error {
		r.Stories[s.ID] = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := e.cfg.Stories.ScanTopics(ctx, news.TopicFilter{Merged: true}, store.WithNothing, func(t *store.Topic) error {
		r.Topics[t.ID] = t
		return nil
	}); err != nil {
		return nil, err
	}
	return r, e.cfg.Articles.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		r.Articles = append(r.Articles, &s.Article)
		return nil
	})
}
