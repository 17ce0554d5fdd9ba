package stories

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// ReclusterOptions of one run.
type ReclusterOptions struct {
	DryRun bool // make the plan and do not apply it
	Topics int  // number of topics to make; 0: the number with the largest modularity
	// Target is where stories should end; nil: where Config says.
	Target *score.Target
	// TopicStrengths asks for Arrangement.TopicStrengths.
	TopicStrengths bool
}

// Progress receives the current stage of a run and the share of the whole that is done, 0 to 1. It
// is called from one goroutine.
type Progress func(stage string, done float64)

// Recluster arranges all stored articles anew, and keeps the ids of stories and topics by largest
// overlap. Articles that are stored while it runs stay pending and are filed later. If nothing has
// changed since the last run, it writes nothing. Cancelling ctx stops it until it begins to write.
func (e *Engine) Recluster(ctx context.Context, opts ReclusterOptions, progress Progress) (*Arrangement, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	started := e.cfg.Now()
	progress("reading", 0)
	if !opts.DryRun {
		unlock, err := e.write(ctx)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	a, err := e.arrange(ctx, opts, progress)
	if err != nil {
		return nil, err
	}
	if !opts.DryRun {
		progress("writing", 0.8)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := e.apply(ctx, &a.Plan); err != nil {
			return nil, fmt.Errorf("writing the arrangement: %w", err)
		}
		e.cfg.States.Adopt(a.Summary.Threshold, a.Templates)
	}
	progress("done", 1)
	a.Summary.Took = e.cfg.Now().Sub(started)
	return a, nil
}

// arrange reads the store and makes the plan.
func (e *Engine) arrange(ctx context.Context, opts ReclusterOptions, progress Progress) (*Arrangement, error) {
	inv, err := e.inventory(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	progress("comparing", 0.1)
	if err := e.cfg.States.MeasureSpace(ctx); err != nil {
		return nil, err
	}
	st := e.cfg.States.Publish()
	features := make([]score.Features, len(inv.Articles))
	for i, a := range inv.Articles {
		features[i] = a.Features()
	}
	target := *cmp.Or(opts.Target, &e.cfg.Target)
	h, err := hierarchy.Arrange(ctx, st, features, hierarchy.Options{Workers: e.cfg.Workers, Topics: opts.Topics, Target: target})
	if err != nil {
		return nil, fmt.Errorf("clustering %d articles: %w", len(features), err)
	}
	if err := e.cfg.States.CheckThreshold(ctx, st, h.Threshold.Logit); err != nil {
		return nil, err
	}
	e.cfg.Logger.DebugContext(ctx, "story threshold chosen", "articles", len(features), "logit", h.Threshold.Logit, "confidence", h.Threshold.Confidence)
	progress("naming", 0.7)
	texts, err := e.beginnings(ctx, ArrangementTexts(inv, h))
	if err != nil {
		return nil, fmt.Errorf("reading texts for keywords: %w", err)
	}
	a := PlanArrangement(inv, h, texts, e.cfg.NewID)
	a.Summary.Target, a.Summary.Threshold, a.Templates = target, h.Threshold, h.Templates
	if opts.TopicStrengths {
		if a.TopicStrengths, err = hierarchy.TopicStrengths(ctx, features, h.Topic, e.cfg.Workers); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (e *Engine) inventory(ctx context.Context) (*Inventory, error) {
	inv := &Inventory{Stories: make(map[string]*store.Story), Topics: make(map[string]*store.Topic)}
	err := e.cfg.Articles.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		inv.Articles = append(inv.Articles, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(inv.Articles, byArticleID)
	if err := e.cfg.Stories.ScanStories(ctx, news.StoryFilter{}, store.WithDense, func(s *store.Story) error {
		inv.Stories[s.ID] = s
		return nil
	}); err != nil {
		return nil, err
	}
	return inv, e.cfg.Stories.ScanTopics(ctx, news.TopicFilter{}, store.WithDense, func(t *store.Topic) error {
		inv.Topics[t.ID] = t
		return nil
	})
}
