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
	// it.
	arrangeRest = 4
	// arrangeRetry is the rest after the first arrangement that failed. It doubles with each, up to
	// arrangeRetryMost.
	arrangeRetry     = 30 * time.Second
	arrangeRetryMost = time.Hour
	// arrangeMost is the most articles that KeepArranged arranges: those of a larger store take
	// gigabytes and minutes. They are filed one by one, and arranged on request.
	arrangeMost = 50_000
	// arrangeEvery is the interval at which KeepArranged looks.
	arrangeEvery = 250 * time.Millisecond
)

// unarranged is what has changed since all articles were arranged last.
type unarranged struct {
	articles int       // that arrived, changed or went
	last     time.Time // of these changes
	rest     time.Time // until then nothing is arranged
	failures int
}

// due reports whether it is time to arrange all articles, of which there are so many.
func (u unarranged) due(now time.Time, articles int) bool {
	return u.articles > 0 && articles <= arrangeMost && !now.Before(u.rest) &&
		(now.Sub(u.last) >= arrangeQuiet || float64(u.articles) >= arrangeShare*float64(articles))
}

// ended notes an arrangement that ended now. With an error what has changed is arranged later.
func (u *unarranged) ended(now time.Time, took time.Duration, err error) {
	if u.rest = now.Add(arrangeRest * took); err == nil {
		u.failures = 0
		return
	}
	u.rest = now.Add(min(arrangeRetry<<min(u.failures, 10), arrangeRetryMost))
	u.failures++
}

// KeepArranged arranges all articles anew whenever some have changed, until ctx ends: soon after
// the last change, and while changes go on after every tenth of the articles. It rests four times
// as long as it works. Failures are logged and retried.
func (e *Engine) KeepArranged(ctx context.Context) {
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
	warned := false
	for {
		if n := e.cfg.States.Current().Stats.Articles(); n > arrangeMost && !warned {
			warned = true
			e.cfg.Logger.WarnContext(ctx, "too many articles to arrange all of them again and again: call Recluster, or run cluster --apply", "articles", n, "most", arrangeMost)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := e.keepArranged(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
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

// keepArranged arranges all articles if that is due, as the last request wanted.
func (e *Engine) keepArranged(ctx context.Context) error {
	e.mu.Lock()
	u := e.unarranged
	e.mu.Unlock()
	if !u.due(e.cfg.Now(), e.cfg.States.Current().Stats.Articles()) {
		return nil
	}
	last, _ := e.cfg.States.Arranged()
	a, err := e.Recluster(ctx, ReclusterOptions{Target: last.Asked, Topics: last.Topics}, nil)
	if err != nil {
		return err
	}
	sum := &a.Summary
	e.cfg.Logger.InfoContext(ctx, "arranged all articles", "articles", sum.Articles, "stories", sum.Stories, "topics", sum.Topics, "moved", sum.Moved, "took", sum.Took)
	return nil
}
