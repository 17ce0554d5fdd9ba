package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
)

const (
	// rearrangeShare is the share of pending articles among all from which they are filed by
	// reclustering: that then costs less than filing them one by one, and gives better stories.
	// KeepFiling, which runs while others read and write, needs rearrangeFrom of them too.
	rearrangeShare = 0.05
	rearrangeFrom  = 64
)

// fileBatch files articles. They are compared with those near them at the same time, then each is
// linked with what the plans for those before it lead to, and all plans are written at once.
func (e *Engine) fileBatch(ctx context.Context, ids []string) (err error) {
	e.memory.trim()
	defer func() {
		if err != nil {
			e.memory.clear() // it has what was planned
		}
	}()
	arrivals, err := e.cfg.Articles.Get(ctx, ids, store.WithVectors)
	if err != nil {
		return err
	}
	arrivals = slices.DeleteFunc(arrivals, func(a *store.Stored) bool { return a == nil })
	for _, a := range arrivals {
		e.memory.arrived(a)
	}
	near, read, err := e.near(ctx, e.memory, arrivals)
	if err != nil {
		return err
	}
	st := e.memory.comparer(e.cfg.States.Current())
	st.weighAll(read, e.cfg.Workers)
	neighbors := make([][]neighbor, len(arrivals))
	var compare sync.WaitGroup
	for i, a := range arrivals {
		compare.Go(func() { neighbors[i] = st.neighbors(a, near[i]) })
	}
	compare.Wait()
	var all store.Plan
	for i, a := range arrivals {
		plan, err := e.planOne(ctx, st, a.Article.ID, neighbors[i])
		if err != nil {
			return errors.Join(fmt.Errorf("filing %s: %w", a.Article.ID, err), e.commit(ctx, &all))
		}
		e.cfg.Logger.DebugContext(ctx, "filing an article", "article", a.Article.ID, "plan", plan)
		e.memory.applied(plan)
		e.noteArticle(a.Article.ID)
		all.Then(plan)
	}
	return e.commit(ctx, &all)
}

// planOne plans to file an article that is remembered.
func (e *Engine) planOne(ctx context.Context, st *comparer, id string, near []neighbor) (*store.Plan, error) {
	found, err := e.memory.get(ctx, []string{id})
	if err != nil || len(found) == 0 {
		return &store.Plan{}, err
	}
	a := found[0]
	ids := make([]string, len(near))
	for i, n := range near {
		ids[i] = n.id
	}
	stored, err := e.memory.get(ctx, ids)
	if err != nil {
		return nil, err
	}
	g, err := groupNear(ctx, e.memory, st, a, aroundOf(st, a, near, stored))
	if err != nil {
		return nil, err
	}
	var s Surroundings
	if err := e.readStories(ctx, &s, id, g.Stories...); err != nil {
		return nil, err
	}
	if err := e.readGroups(ctx, &s, g, a); err != nil {
		return nil, err
	}
	return PlanFiling(a, g, s, e.cfg.NewID), nil
}

// readGroups reads the one-offs of groups into s, and, if there may be a new story, the texts for
// its keywords. arrival is among the groups.
func (e *Engine) readGroups(ctx context.Context, s *Surroundings, g *Grouping, arrival *store.Stored) (err error) {
	filed := map[string]bool{}
	for _, members := range s.Members {
		for _, m := range members {
			filed[m.Article.ID] = true
		}
	}
	var oneOffs, texts []string
	fresh := len(g.Groups) > len(s.Stories)
	for _, group := range g.Groups {
		if len(group.Stories) > 0 { // it keeps the keywords of one of these
			continue
		}
		old := arrival.Article.StoryID != "" && slices.Contains(group.Articles, arrival.Article.ID)
		for _, id := range group.Articles {
			old = old || filed[id]
		}
		fresh = fresh || !old
		texts = append(texts, group.Articles...)
	}
	for _, group := range g.Groups {
		for _, id := range group.Articles {
			if !filed[id] && id != arrival.Article.ID {
				oneOffs = append(oneOffs, id)
			}
		}
	}
	if s.OneOffs, err = e.memory.get(ctx, oneOffs); err != nil || !fresh {
		return err
	}
	s.Texts, err = e.beginnings(ctx, texts)
	return err
}

// near returns for each article those nearest to it by vector and by words, each once, without
// itself. read has all of them and those of the articles that are stored.
func (e *Engine) near(ctx context.Context, from source, articles []*store.Stored) (near [][]*store.Stored, read []*store.Stored, err error) {
	var queries []store.Query
	var of []int // the article of each query
	var all []string
	seen := make(map[string]bool)
	for i, a := range articles {
		filter := news.Filter{}
		if id := a.Article.ID; id != "" {
			filter.ExcludeArticleIDs = []string{id}
			all, seen[id] = append(all, id), true
		}
		queries, of = append(queries, store.Query{Of: store.Articles, Dense: a.Vectors.Dense, Filter: filter, Limit: nearArticles}), append(of, i)
		if full := a.Vectors.Lex.Full; len(full.Terms) > 0 {
			queries, of = append(queries, store.Query{Of: store.Articles, Sparse: full, Filter: filter, Limit: nearArticles}), append(of, i)
		}
	}
	hits, err := e.cfg.Articles.Query(ctx, queries)
	if err != nil {
		return nil, nil, err
	}
	for _, list := range hits {
		for _, h := range list {
			if !seen[h.ArticleID] {
				seen[h.ArticleID] = true
				all = append(all, h.ArticleID)
			}
		}
	}
	if read, err = from.get(ctx, all); err != nil {
		return nil, nil, err
	}
	byID := make(map[string]*store.Stored, len(read))
	for _, a := range read {
		byID[a.Article.ID] = a
	}
	near = make([][]*store.Stored, len(articles))
	for q, list := range hits {
		i := of[q]
		for _, h := range list {
			if a := byID[h.ArticleID]; a != nil && !slices.Contains(near[i], a) {
				near[i] = append(near[i], a)
			}
		}
	}
	return near, read, nil
}

// readStories reads stories and their articles into s, without the article but. Empty ids are
// skipped.
func (e *Engine) readStories(ctx context.Context, s *Surroundings, but string, storyIDs ...string) error {
	s.Stories, s.Members = make(map[string]*store.Story), make(map[string][]*store.Stored)
	for _, id := range storyIDs {
		if id == "" || s.Stories[id] != nil {
			continue
		}
		story, err := e.memory.story(ctx, id)
		if err != nil {
			return err
		}
		if story == nil {
			continue
		}
		s.Stories[id] = story
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
// returns what was stored, nil if nothing was; it is called under the lock of writers. After an
// error of the store the next write repairs the story.
func (e *Engine) Delete(ctx context.Context, id string, erase func() (*store.Stored, error)) error {
	unlock, err := e.write(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	removed, err := erase()
	if removed == nil {
		return err
	}
	e.noteArticle(id)
	if err != nil { // it may be gone all the same
		e.cfg.Writer.SetClean(false)
		return err
	}
	// The article is gone, so its story follows even if nobody waits for the answer any more.
	if err := e.remove(context.WithoutCancel(ctx), id, removed.Article.StoryID); err != nil {
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

// fileOldPending files the articles that have been pending for pendingAge and are not in the queue:
// a page at a time, so that others get their turn, or by reclustering if there are many, as after a
// crash during a large ingest.
func (e *Engine) fileOldPending(ctx context.Context) error {
	for {
		var ids []string
		now := e.cfg.Now()
		err := e.cfg.Articles.Scan(ctx, news.Filter{Pending: true}, store.WithNothing, func(s *store.Stored) error {
			if now.Sub(s.Article.Ingested) >= pendingAge && !e.inQueue(s.Article.ID) {
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
