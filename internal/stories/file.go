package stories

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

const (
	// rearrangeShare is the share of pending articles among all from which they are filed by
	// reclustering: that then costs less than filing them one by one, and gives better stories.
	// KeepFiling, which runs while others read and write, needs rearrangeFrom of them too.
	rearrangeShare = 0.05
	rearrangeFrom  = 64
)

// File decides which story each of some newly stored articles belongs to, in the order given, and
// writes memberships, stories and ledger. Ids that are not stored are skipped. After an error the
// articles that are not filed stay pending; see KeepFiling.
func (e *Engine) File(ctx context.Context, ids []string) (err error) {
	defer func() {
		if err != nil {
			e.wake()
		}
	}()
	unlock, err := e.write(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, id := range ids {
		// Read one by one: filing an article may change the membership of others.
		found, err := e.cfg.Articles.Get(ctx, []string{id}, store.WithVectors)
		if err != nil {
			return err
		}
		if found[0] == nil {
			continue
		}
		e.memory.arrived(found[0])
		if err := e.file(ctx, found[0]); err != nil {
			return fmt.Errorf("filing %s: %w", id, err)
		}
	}
	return nil
}

func (e *Engine) file(ctx context.Context, a *store.Stored) error {
	m, err := e.match(ctx, e.memory, e.cfg.States.Current(), a.Features())
	if err != nil {
		return err
	}
	var s Surroundings
	if err := e.readStories(ctx, &s, a.Article.ID, a.Article.StoryID, m.storyID); err != nil {
		return err
	}
	if m.partner != nil {
		if s.Texts, err = e.beginnings(ctx, []string{m.partner.Article.ID, a.Article.ID}); err != nil {
			return err
		}
	}
	plan := PlanFiling(a, m, s, e.cfg.NewID)
	e.cfg.Logger.DebugContext(ctx, "filing an article", "article", a.Article.ID, "plan", plan)
	e.noteArticle(a.Article.ID)
	return e.apply(ctx, plan)
}

// match finds the story that an article fits. It does not compare the article with itself: f.ID.
func (e *Engine) match(ctx context.Context, from source, st *score.State, f score.Features) (Match, error) {
	near, err := e.near(ctx, from, &f)
	if err != nil {
		return Match{}, err
	}
	w := st.Weigh(&f)
	ids, m := shortlist(st, w, near)
	samples := make(map[string][]*store.Stored, len(ids))
	for _, id := range ids {
		if samples[id], err = from.members(ctx, id, f.ID, store.MaxSampled); err != nil {
			return Match{}, err
		}
	}
	return m.withStories(st, w, samples), nil
}

// near returns the articles nearest to another by vector and by words, each once, nearest first.
// f.ID is left out.
func (e *Engine) near(ctx context.Context, from source, f *score.Features) ([]*store.Stored, error) {
	filter := news.Filter{}
	if f.ID != "" {
		filter.ExcludeArticleIDs = []string{f.ID}
	}
	queries := []store.Query{{Of: store.Articles, Dense: f.Dense, Filter: filter, Limit: nearArticles}}
	if len(f.Lex.Full.Terms) > 0 {
		queries = append(queries, store.Query{Of: store.Articles, Sparse: f.Lex.Full, Filter: filter, Limit: nearArticles})
	}
	hits, err := e.cfg.Articles.Query(ctx, queries)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, list := range hits {
		for _, h := range list {
			if !slices.Contains(ids, h.ArticleID) {
				ids = append(ids, h.ArticleID)
			}
		}
	}
	return from.get(ctx, ids)
}

// readStories reads stories and their articles into s, without the article but. Empty ids are
// skipped.
func (e *Engine) readStories(ctx context.Context, s *Surroundings, but string, storyIDs ...string) error {
	s.Stories, s.Members = make(map[string]*store.Story), make(map[string][]*store.Stored)
	for _, id := range storyIDs {
		if id == "" || s.Stories[id] != nil {
			continue
		}
		found, err := e.cfg.Stories.Stories(ctx, []string{id}, store.WithDense)
		if err != nil {
			return err
		}
		if found[0] == nil {
			continue
		}
		s.Stories[id] = found[0]
		if s.Members[id], err = e.memory.members(ctx, id, but, 0); err != nil {
			return err
		}
	}
	return nil
}

// beginnings reads the beginnings of articles, by article id; see Beginning.
func (e *Engine) beginnings(ctx context.Context, ids []string) (map[string]string, error) {
	texts := make(map[string]string, len(ids))
	for page := range slices.Chunk(ids, textPage) {
		sections, err := e.cfg.Articles.Sections(ctx, page, false)
		if err != nil {
			return nil, err
		}
		for id, list := range sections {
			texts[id] = beginning(list)
		}
	}
	return texts, nil
}

func beginning(stored []store.Section) string {
	sections := make([]news.Section, len(stored))
	for i, s := range stored {
		sections[i] = s.Section
	}
	return Beginning(sections)
}

// Delete deletes an article and takes it out of its story. erase deletes it from the store and
// returns what was stored, nil if nothing was. After an error the next write repairs the story.
func (e *Engine) Delete(ctx context.Context, id string, erase func() (*store.Stored, error)) error {
	// The article may be filed again after erase has read it and before this has the lock; apply
	// records where.
	at := &news.Membership{}
	e.mu.Lock()
	e.deleting[id] = at
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.deleting, id)
	}()
	removed, err := erase()
	e.noteArticle(id)
	switch {
	case removed == nil:
		return err
	case err != nil: // it may be gone all the same
		e.cfg.Writer.SetClean(false)
		return err
	}
	unlock, err := e.write(ctx)
	if err == nil {
		defer unlock()
		// The article is gone, so its story follows even if nobody waits for the answer any more.
		err = e.remove(context.WithoutCancel(ctx), id, cmp.Or(at.StoryID, removed.Article.StoryID))
	}
	if err != nil {
		e.cfg.Writer.SetClean(false)
		return fmt.Errorf("article %s: deleted, but its story still counts it: %w", id, err)
	}
	return nil
}

func (e *Engine) remove(ctx context.Context, id, storyID string) error {
	defer e.memory.forget(id)
	if storyID == "" {
		return nil
	}
	var s Surroundings
	if err := e.readStories(ctx, &s, id, storyID); err != nil {
		return err
	}
	return e.apply(ctx, PlanRemoval(id, storyID, s))
}

// Start repairs what an interrupted writer left, and reclusters if an earlier version of the
// program wrote the store. Call it before anything is served. On a read-only engine it does
// nothing.
func (e *Engine) Start(ctx context.Context) error {
	if e.cfg.Writer == nil {
		return nil
	}
	unlock, err := e.write(ctx)
	if err != nil {
		return err
	}
	unlock()
	if !e.cfg.Writer.Outdated() {
		return nil
	}
	e.cfg.Logger.InfoContext(ctx, "an earlier version wrote this store; reclustering")
	if _, err := e.Recluster(ctx, ReclusterOptions{}, nil); err != nil {
		return fmt.Errorf("reclustering the store of an earlier version: %w", err)
	}
	return e.cfg.Writer.MarkCurrent(ctx)
}

// FilePending files every pending article: one by one, or by reclustering if there are many; see
// rearrangeShare. progress may be nil.
func (e *Engine) FilePending(ctx context.Context, progress Progress) error {
	counts, err := e.cfg.Articles.Counts(ctx)
	if err != nil || counts.Pending == 0 {
		return err
	}
	if manyPending(counts) {
		_, err := e.Recluster(ctx, ReclusterOptions{}, progress)
		return err
	}
	var ids []string
	err = e.cfg.Articles.Scan(ctx, news.Filter{Pending: true}, store.WithNothing, func(s *store.Stored) error {
		ids = append(ids, s.Article.ID)
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(ids)
	return e.File(ctx, ids)
}

func manyPending(c store.Counts) bool {
	return float64(c.Pending) >= rearrangeShare*float64(c.Articles)
}

const (
	// pendingEvery is the interval at which KeepFiling looks for pending articles. It also looks at
	// once when filing has failed.
	pendingEvery = 5 * time.Second
	// pendingPage is the number of pending articles that are filed at a time.
	pendingPage = 32
	// pendingAge is how long an article is left to the call that stored it.
	pendingAge = 2 * time.Second
)

// wake makes KeepFiling look for pending articles now.
func (e *Engine) wake() {
	select {
	case e.arrived <- struct{}{}:
	default:
	}
}

// KeepFiling files pending articles until ctx ends: those whose filing failed or was interrupted,
// in this process or an earlier one. Failures are logged and retried.
func (e *Engine) KeepFiling(ctx context.Context) {
	if e.cfg.Writer == nil {
		return
	}
	ticker := time.NewTicker(pendingEvery)
	defer ticker.Stop()
	for {
		if err := e.fileOldPending(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			e.cfg.Logger.WarnContext(ctx, "cannot file pending articles; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.arrived:
		case <-ticker.C:
		}
	}
}

// fileOldPending files the articles that have been pending for pendingAge: a page at a time, so
// that other calls of File get their turn, or by reclustering if there are many, as after a crash
// during a large ingest.
func (e *Engine) fileOldPending(ctx context.Context) error {
	for {
		var ids []string
		now := e.cfg.Now()
		err := e.cfg.Articles.Scan(ctx, news.Filter{Pending: true}, store.WithNothing, func(s *store.Stored) error {
			if now.Sub(s.Article.Ingested) >= pendingAge {
				ids = append(ids, s.Article.ID)
			}
			if len(ids) == pendingPage {
				return store.ErrStop
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		if len(ids) == pendingPage {
			counts, err := e.cfg.Articles.Counts(ctx)
			if err != nil {
				return err
			}
			if counts.Pending >= rearrangeFrom && manyPending(counts) {
				_, err := e.Recluster(ctx, ReclusterOptions{}, nil)
				return err
			}
		}
		if err := e.File(ctx, ids); err != nil {
			return err
		}
	}
}
