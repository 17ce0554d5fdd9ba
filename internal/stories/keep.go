package stories

import (
	"cmp"
	"context"
	"errors"
	"time"

	"throughline/internal/store"
)

const (
	// arrangeQuiet is how long no article must have arrived or gone before all are arranged anew.
	arrangeQuiet = 2 * time.Second
	// arrangeShare is the share of changed articles from which all are arranged while more arrive.
	arrangeShare = 0.1
	// arrangeRest is how many times as long as the last arrangement took KeepArranged rests after
	// it, and arrangeLongRest the same while fewer than arrangeFew of the articles have changed:
	// these were linked anew when they arrived.
	arrangeRest, arrangeLongRest = 4, 20
	arrangeFew                   = 0.01
	// arrangeRetry is the rest after the first arrangement that failed. It doubles with each, up to
	// arrangeRetryMost.
	arrangeRetry     = 30 * time.Second
	arrangeRetryMost = time.Hour
	// arrangeEvery is the interval at which KeepArranged looks.
	arrangeEvery = 250 * time.Millisecond
)

// unarranged is what has changed since all articles were arranged last.
type unarranged struct {
	articles int           // that arrived, changed or went
	last     time.Time     // of these changes
	ended    time.Time     // of the last arrangement
	took     time.Duration // the same
	failures int           // in a row
}

// due reports whether it is time to arrange, in a store of so many articles.
func (u unarranged) due(now time.Time, articles int) bool {
	share := float64(u.articles) / float64(max(articles, 1))
	rest := arrangeRest * u.took
	if share < arrangeFew {
		rest = arrangeLongRest * u.took
	}
	if u.failures > 0 {
		rest = min(arrangeRetry<<min(u.failures-1, 10), arrangeRetryMost)
	}
	return u.articles > 0 && now.Sub(u.ended) >= rest && (now.Sub(u.last) >= arrangeQuiet || share >= arrangeShare)
}

// end notes an arrangement that ended now. With an error what has changed is arranged later.
func (u *unarranged) end(now time.Time, took time.Duration, err error) {
	u.ended, u.took = now, took
	if u.failures++; err == nil {
		u.failures = 0
	}
}

// KeepArranged arranges all articles anew whenever some have changed, until ctx ends: soon after
// the last change, and while changes go on after every tenth of the articles. It rests four times
// as long as it works, and twenty times while few articles have changed. Of a store that is larger
// than the window it arranges what lies in it. Failures are logged and retried.
func (e *Engine) KeepArranged(ctx context.Context, w Window) {
	if e.cfg.Writer == nil {
		return
	}
	if last, all := e.cfg.States.Arranged(); !all || last.Target != *cmp.Or(last.Asked, &e.cfg.Target) {
		e.mu.Lock()
		e.unarranged.articles++ // by an earlier process, or with another target
		e.mu.Unlock()
	}
	ticker := time.NewTicker(arrangeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.keepArranged(ctx, w); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			e.cfg.Logger.WarnContext(ctx, "cannot arrange the articles; trying again", "error", err)
		}
	}
}

// Arranged reports whether all articles that were filed are arranged, and none is being arranged.
func (e *Engine) Arranged() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unarranged.articles == 0 && e.since == nil
}

// keepArranged arranges the articles if that is due, as the last request wanted.
func (e *Engine) keepArranged(ctx context.Context, w Window) error {
	e.mu.Lock()
	u := e.unarranged
	e.mu.Unlock()
	articles := e.cfg.States.Current().Stats.Articles()
	if !u.due(e.cfg.Now(), articles) {
		return nil
	}
	last, _ := e.cfg.States.Arranged()
	opts := ReclusterOptions{Target: last.Asked, Topics: last.Topics}
	if articles > w.Most {
		opts.Window = &w
	}
	a, err := e.Recluster(ctx, opts, nil)
	if err != nil {
		return err
	}
	sum := &a.Summary
	if log := e.cfg.Logger; opts.Window != nil {
		log.InfoContext(ctx, "the store is larger than what is arranged at once: arranged the latest articles", "stored", articles, "most", w.Most, "since", sum.Since)
	}
	e.cfg.Logger.InfoContext(ctx, "arranged articles", "articles", sum.Articles, "stories", sum.Stories, "topics", sum.Topics, "moved", sum.Moved, "took", sum.Took)
	return nil
}
