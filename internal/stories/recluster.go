package stories

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	// Window bounds the articles; nil: all are arranged.
	Window *Window
	// TopicStrengths asks for Arrangement.TopicStrengths.
	TopicStrengths bool
}

// Progress receives the current stage of a run and the share of the whole that is done, 0 to 1. It
// is called from one goroutine.
type Progress func(stage string, done float64)

// Recluster arranges all stored articles anew, and keeps the ids of stories and topics by largest
// overlap. Others may write meanwhile: it waits for its turn when the arrangement is made, and
// takes in what has changed since it read the store. If nothing has changed since the last run, it
// writes nothing. Cancelling ctx stops it until it begins to write.
//
// What it was asked for holds for KeepArranged too, until it is asked for something else.
func (e *Engine) Recluster(ctx context.Context, opts ReclusterOptions, progress Progress) (*Arrangement, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	started := e.cfg.Now()
	progress("reading", 0)
	run := e.dry
	if !opts.DryRun {
		run = e.arrange
	}
	a, err := run(ctx, opts, progress)
	if err != nil {
		return nil, err
	}
	progress("done", 1)
	a.Summary.Took = e.cfg.Now().Sub(started)
	return a, nil
}

// dry makes a plan.
func (e *Engine) dry(ctx context.Context, opts ReclusterOptions, progress Progress) (*Arrangement, error) {
	found, err := e.find(ctx, opts, progress)
	if err != nil {
		return nil, err
	}
	return e.plan(ctx, found, opts)
}

// arrange makes a plan and applies it.
func (e *Engine) arrange(ctx context.Context, opts ReclusterOptions, progress Progress) (a *Arrangement, err error) {
	if e.cfg.Writer == nil {
		return nil, store.ErrReadOnly
	}
	select {
	case e.arranging <- struct{}{}:
		defer func() { <-e.arranging }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	started, extent := e.cfg.Now(), e.cfg.States.Extent()
	if err := e.beginArranging(ctx); err != nil {
		return nil, err
	}
	defer func() { e.endArranging(e.cfg.Now().Sub(started), err) }()
	found, err := e.find(ctx, opts, progress)
	if err != nil {
		return nil, err
	}
	unlock, err := e.write(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := e.catchUp(ctx, found); err != nil {
		return nil, fmt.Errorf("reading what has changed since: %w", err)
	}
	if a, err = e.plan(ctx, found, opts); err != nil {
		return nil, err
	}
	progress("writing", 0.8)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := e.apply(ctx, &a.Plan); err != nil {
		return nil, fmt.Errorf("writing the arrangement: %w", err)
	}
	e.cfg.States.Adopt(score.Arranged{Asked: opts.Target, Topics: opts.Topics, Target: found.target, Threshold: found.Threshold, Templates: found.Templates}, extent)
	return a, nil
}

// finding is an arrangement of what was read.
type finding struct {
	*Inventory
	*hierarchy.Hierarchy
	target score.Target
	texts  map[string]string // for keywords, by article id
}

// find reads the store and arranges it.
func (e *Engine) find(ctx context.Context, opts ReclusterOptions, progress Progress) (*finding, error) {
	inv, err := e.inventory(ctx, opts.Window)
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	progress("comparing", 0.1)
	if err := e.cfg.States.MeasureSpace(ctx); err != nil {
		return nil, err
	}
	st := e.cfg.States.Publish()
	f := &finding{Inventory: inv, target: *cmp.Or(opts.Target, &e.cfg.Target), texts: make(map[string]string)}
	f.Hierarchy, err = hierarchy.Arrange(ctx, st, inv.features(), hierarchy.Options{Workers: e.cfg.Workers, Topics: opts.Topics, TopicsBefore: inv.topics(), Target: f.target})
	if err != nil {
		return nil, fmt.Errorf("clustering %d articles: %w", len(inv.Articles), err)
	}
	if err := e.cfg.States.CheckThreshold(ctx, st, f.Threshold.Logit); err != nil {
		return nil, err
	}
	e.cfg.Logger.DebugContext(ctx, "story threshold chosen", "articles", len(inv.Articles), "logit", f.Threshold.Logit, "confidence", f.Threshold.Confidence)
	progress("naming", 0.7)
	return f, e.readTexts(ctx, f)
}

// readTexts reads the texts for keywords that are not there yet.
func (e *Engine) readTexts(ctx context.Context, f *finding) error {
	missing := slices.DeleteFunc(ArrangementTexts(f.Inventory, f.Hierarchy), func(id string) bool { _, ok := f.texts[id]; return ok })
	texts, err := e.beginnings(ctx, missing)
	if err != nil {
		return fmt.Errorf("reading texts for keywords: %w", err)
	}
	maps.Copy(f.texts, texts)
	return nil
}

// plan plans the changes to what is stored.
func (e *Engine) plan(ctx context.Context, f *finding, opts ReclusterOptions) (a *Arrangement, err error) {
	a = PlanArrangement(f.Inventory, f.Hierarchy, f.texts, e.cfg.NewID)
	a.Summary.Target, a.Summary.Threshold = f.target, f.Threshold
	if opts.TopicStrengths {
		a.TopicStrengths, err = hierarchy.TopicStrengths(ctx, f.features(), f.Topic, e.cfg.Workers)
	}
	return a, err
}

// topics returns labels of the topics that the articles are in, -1 for none.
func (inv *Inventory) topics() []int32 {
	out, number := make([]int32, len(inv.Articles)), make(map[string]int32)
	for i, a := range inv.Articles {
		id := a.Article.TopicID
		if id == "" {
			out[i] = -1
			continue
		}
		if _, known := number[id]; !known {
			number[id] = int32(len(number))
		}
		out[i] = number[id]
	}
	return out
}

func (inv *Inventory) features() []score.Features {
	out := make([]score.Features, len(inv.Articles))
	for i, a := range inv.Articles {
		out[i] = a.Features()
	}
	return out
}

// inventory reads all articles, or those in a window, and their stories and topics.
func (e *Engine) inventory(ctx context.Context, w *Window) (inv *Inventory, err error) {
	if w != nil {
		inv, err = e.windowInventory(ctx, *w)
	} else {
		inv = &Inventory{Stories: make(map[string]*store.Story)}
		err = errors.Join(e.cfg.Articles.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
			inv.Articles = append(inv.Articles, s)
			return nil
		}), e.cfg.Stories.ScanStories(ctx, news.StoryFilter{}, store.WithDense, func(s *store.Story) error {
			inv.Stories[s.ID] = s
			return nil
		}))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(inv.Articles, byArticleID)
	inv.Topics = make(map[string]*store.Topic)
	return inv, e.cfg.Stories.ScanTopics(ctx, news.TopicFilter{}, store.WithDense, func(t *store.Topic) error {
		inv.Topics[t.ID] = t
		return nil
	})
}
