package store

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// Report is what Reconcile found and did.
type Report struct {
	Sections   int // removed: their article is gone or names another revision
	Damaged    int // articles some of whose sections are gone; their hash is blanked, so that ingesting them again repairs them
	Refiled    int // articles moved from a story that was merged away to the one it is part of
	Unfiled    int // articles taken out of a story that does not exist
	Stories    int // removed: no article is in them
	Recounted  int // stories whose number of articles was wrong
	SectionsTo int // articles whose sections were filed elsewhere than the article
}

// LogValue shows what is not zero.
func (r Report) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range []struct {
		name string
		n    int
	}{
		{"sections_removed", r.Sections}, {"articles_damaged", r.Damaged}, {"articles_refiled", r.Refiled}, {"articles_unfiled", r.Unfiled},
		{"stories_removed", r.Stories}, {"stories_recounted", r.Recounted}, {"articles_resynced", r.SectionsTo},
	} {
		if f.n != 0 {
			attrs = append(attrs, slog.Int(f.name, f.n))
		}
	}
	return slog.GroupValue(attrs...)
}

// Reconcile removes or completes what writes that did not get to their end left. None of it was ever visible as an
// article or section; what it repairs beyond that are assignments and stories, which a caller writes with several requests.
// Open calls it when the last writer did not close the store; it excludes writes while it runs. It reads the payload of
// everything once, in pages; what it remembers is one entry for each story.
func (s *Store) Reconcile(ctx context.Context) (Report, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var r Report
	if err := s.writable(); err != nil {
		return r, err
	}
	if err := s.reconcileFiling(ctx, &r); err != nil {
		return r, err
	}
	if err := s.reconcileSections(ctx, &r); err != nil {
		return r, err
	}
	if err := s.lease.held(); err != nil {
		return r, err
	}
	s.mu.Lock()
	clear(s.dirty)
	s.mu.Unlock()
	return r, nil
}

// storyState is what reconciling remembers of a story.
type storyState struct {
	mergedInto string
	articles   int // as stored
	members    int // as counted
}

// reconcileFiling makes articles and stories agree: every story id of an article names a live story, and every live story
// counts its articles. A story whose articles were never filed is what a caller's crash between PutStories and Assign leaves.
func (s *Store) reconcileFiling(ctx context.Context, r *Report) error {
	stories := map[string]*storyState{}
	err := s.scan(ctx, s.names.stories, nil, []string{fieldStory, fieldMergedInto, fieldArticles}, WithNothing, func(point *qdrant.RetrievedPoint) error {
		p := payload(point.GetPayload())
		stories[p.text(fieldStory)] = &storyState{mergedInto: p.text(fieldMergedInto), articles: int(p.number(fieldArticles))}
		return nil
	})
	if err != nil {
		return err
	}
	moved := map[string][]string{} // target story, "" for none: articles
	err = s.scan(ctx, s.names.articles, nil, []string{fieldArticle, fieldStory}, WithNothing, func(point *qdrant.RetrievedPoint) error {
		p := payload(point.GetPayload())
		filed := p.text(fieldStory)
		if filed == "" {
			return nil
		}
		target := resolve(stories, filed)
		if target != "" {
			stories[target].members++
		}
		switch target {
		case filed:
			return nil
		case "":
			r.Unfiled++
		default:
			r.Refiled++
		}
		moved[target] = append(moved[target], p.text(fieldArticle))
		return nil
	})
	if err != nil {
		return err
	}
	for target, ids := range moved {
		if err := s.move(ctx, ids, target); err != nil {
			return err
		}
	}
	return s.recount(ctx, stories, r)
}

// resolve follows merges to the story that is live; "" when there is none.
func resolve(stories map[string]*storyState, id string) string {
	for range maxMerges {
		state := stories[id]
		if state == nil {
			return ""
		}
		if state.mergedInto == "" {
			return id
		}
		id = state.mergedInto
	}
	return ""
}

// move files articles elsewhere: into a story, or out of any. An article in no story has no topic by it, and no probability
// of belonging; in another one the probability that was found for the merged part stands.
func (s *Store) move(ctx context.Context, ids []string, story string) error {
	change := map[string]any{fieldStory: story}
	if story == "" {
		change[fieldTopics], change[fieldProbability] = []string{}, 0.0
	}
	fields, err := toPayload(change)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, maxAssignIDs) {
		if err := s.conn.set(ctx, s.names.articles, []setPayload{{fields, hasIDs(chunk, articlePoint)}}); err != nil {
			return err
		}
	}
	return nil // the sections follow in reconcileSections
}

func (s *Store) recount(ctx context.Context, stories map[string]*storyState, r *Report) error {
	var empty []*qdrant.PointId
	counts := map[int][]string{}
	target := map[string]bool{} // an id that was merged away resolves for ever, so what it resolves to stays
	for _, state := range stories {
		target[state.mergedInto] = true
	}
	for id, state := range stories {
		switch {
		case state.mergedInto != "":
		case state.members == 0 && !target[id]:
			empty = append(empty, storyPoint(id))
		case state.members != state.articles:
			counts[state.members] = append(counts[state.members], id)
			r.Recounted++
		}
	}
	r.Stories = len(empty)
	if err := s.removeAll(ctx, s.names.stories, empty); err != nil {
		return err
	}
	for n, ids := range counts {
		fields, err := toPayload(map[string]any{fieldArticles: n})
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(ids, maxAssignIDs) {
			if err := s.conn.set(ctx, s.names.stories, []setPayload{{fields, hasIDs(chunk, storyPoint)}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// reconcileSections makes sections agree with their articles. It walks over the articles and looks at all sections of a
// page of them at a time, and then over the sections for those whose article does not exist.
func (s *Store) reconcileSections(ctx context.Context, r *Report) error {
	var page []Article
	flush := func() error {
		err := s.reconcilePage(ctx, page, r)
		page = page[:0]
		return err
	}
	err := s.scan(ctx, s.names.articles, nil, filingFields, WithNothing, func(point *qdrant.RetrievedPoint) error {
		page = append(page, decodeArticle(payload(point.GetPayload())))
		if len(page) == maxPutArticles {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	return s.removeOrphans(ctx, r)
}

// sectionFields are what reconciling reads of a section.
var sectionFields = []string{fieldArticle, fieldRevision, fieldIndex, fieldStory, fieldTopics}

// reconcilePage compares the sections of some articles with what the articles name.
func (s *Store) reconcilePage(ctx context.Context, articles []Article, r *Report) error {
	if len(articles) == 0 {
		return nil
	}
	byID := make(map[string]*Article, len(articles))
	ids := make([]string, len(articles))
	for i := range articles {
		byID[articles[i].ID], ids[i] = &articles[i], articles[i].ID
	}
	have := map[string]int{}
	refile := map[string]*Assignment{}
	var stale []*qdrant.PointId
	where := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeywords(fieldArticle, ids...)}}
	err := s.scan(ctx, s.names.sections, where, sectionFields, WithNothing, func(point *qdrant.RetrievedPoint) error {
		p := payload(point.GetPayload())
		a := byID[p.text(fieldArticle)]
		if a == nil || p.number(fieldRevision) != a.Revision || int(p.number(fieldIndex)) >= a.Sections {
			stale = append(stale, point.GetId())
			return nil
		}
		have[a.ID]++
		if p.text(fieldStory) != a.StoryID || !slices.Equal(p.texts(fieldTopics), a.TopicIDs) {
			refile[a.ID] = &Assignment{ArticleID: a.ID, StoryID: a.StoryID, TopicIDs: a.TopicIDs}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Sections += len(stale)
	if err := s.removeAll(ctx, s.names.sections, stale); err != nil {
		return err
	}
	if len(refile) > 0 {
		r.SectionsTo += len(refile)
		if err := s.fileSections(ctx, slices.Sorted(maps.Keys(refile)), refile); err != nil {
			return err
		}
	}
	var damaged []string
	for _, a := range articles {
		if have[a.ID] < a.Sections {
			damaged = append(damaged, a.ID)
		}
	}
	return s.markDamaged(ctx, damaged, r)
}

// markDamaged blanks the content hash of articles that lack sections, so that the next ingest does not take them for
// unchanged. The commit protocol never leaves such an article; a server that lost a write it had confirmed does.
func (s *Store) markDamaged(ctx context.Context, ids []string, r *Report) error {
	if len(ids) == 0 {
		return nil
	}
	r.Damaged += len(ids)
	s.log.Error("articles lack sections that were confirmed as stored; ingest them again", "articles", ids)
	fields, err := toPayload(map[string]any{fieldHash: ""})
	if err != nil {
		return err
	}
	return s.conn.set(ctx, s.names.articles, []setPayload{{fields, hasIDs(ids, articlePoint)}})
}

// removeOrphans deletes the sections of articles that do not exist, a page at a time.
func (s *Store) removeOrphans(ctx context.Context, r *Report) error {
	var page []*qdrant.RetrievedPoint
	flush := func() error {
		ids := make([]string, len(page))
		for i, p := range page {
			ids[i] = payload(p.GetPayload()).text(fieldArticle)
		}
		exists := map[string]bool{}
		err := s.read(ctx, ids, []string{fieldArticle}, func(p payload) { exists[p.text(fieldArticle)] = true })
		if err != nil {
			return err
		}
		var orphans []*qdrant.PointId
		for i, p := range page {
			if !exists[ids[i]] {
				orphans = append(orphans, p.GetId())
			}
		}
		page = page[:0]
		r.Sections += len(orphans)
		return s.removeAll(ctx, s.names.sections, orphans)
	}
	err := s.scan(ctx, s.names.sections, nil, []string{fieldArticle}, WithNothing, func(p *qdrant.RetrievedPoint) error {
		page = append(page, p)
		if len(page) == pageBare {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return err
}
