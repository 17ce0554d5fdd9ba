package ingest

import (
	"context"
	"errors"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
)

// Retention says how long articles are kept. The zero value keeps them for ever.
type Retention struct {
	Keep time.Duration // 0: for ever
	// ByArrival counts from when an article was stored first; else from its publication, and of an
	// article of unknown time from when it was stored.
	ByArrival bool
}

// Ended reports whether an article is to be deleted.
func (r Retention) Ended(a *news.Article, now time.Time) bool {
	from := a.Published
	if r.ByArrival || from.IsZero() {
		from = a.Ingested
	}
	return r.Keep > 0 && !from.IsZero() && now.Sub(from) > r.Keep
}

const (
	// retentionEvery is the interval at which articles whose time has ended are deleted.
	retentionEvery = 10 * time.Minute
	// listPage is the number of articles that are listed at a time.
	listPage = 1000
)

// DeleteMatching deletes the articles that a filter selects and takes them out of their stories. It
// returns their number; with dryRun it deletes nothing. After an error some are deleted.
func (p *Pipeline) DeleteMatching(ctx context.Context, filter news.Filter, dryRun bool) (int, error) {
	return p.deleteWhere(ctx, filter, dryRun, func(*news.Article) bool { return true })
}

func (p *Pipeline) deleteWhere(ctx context.Context, filter news.Filter, dryRun bool, where func(*news.Article) bool) (int, error) {
	var ids []string
	for cursor := ""; ; {
		page, next, err := p.cfg.Lister.List(ctx, filter, listPage, cursor)
		if err != nil {
			return 0, err
		}
		for i := range page {
			if where(&page[i]) {
				ids = append(ids, page[i].ID)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if dryRun {
		return len(ids), nil
	}
	n := 0
	for _, id := range ids {
		switch err := p.Delete(ctx, id); {
		case errors.Is(err, store.ErrNotFound): // somebody else was faster
		case err != nil:
			return n, err
		default:
			n++
		}
	}
	return n, nil
}

// KeepWithin deletes the articles whose time has ended, again and again until ctx ends. Failures
// are logged and retried.
func (p *Pipeline) KeepWithin(ctx context.Context, r Retention) {
	ticker := time.NewTicker(retentionEvery)
	defer ticker.Stop()
	for {
		p.keepWithin(ctx, r)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Pipeline) keepWithin(ctx context.Context, r Retention) {
	now := p.cfg.Now()
	n, err := p.deleteWhere(ctx, news.Filter{}, false, func(a *news.Article) bool { return r.Ended(a, now) })
	if err != nil && ctx.Err() == nil {
		p.cfg.Logger.WarnContext(ctx, "cannot delete all articles whose time has ended; trying again", "error", err)
	}
	if n > 0 {
		p.cfg.Logger.InfoContext(ctx, "deleted articles whose time has ended", "articles", n, "keep", r.Keep)
	}
}
