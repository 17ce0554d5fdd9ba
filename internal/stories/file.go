package stories

import (
	"context"
	"fmt"
	"math"
	"slices"

	"throughline/cluster"
	"throughline/internal/corpus"
	"throughline/internal/store"
)

// File decides for articles that were just committed which story each belongs to, in the order given, and writes that
// and the ledger. Ids that are not stored are skipped. An article that was filed before stays where it still belongs.
// After an error some may be filed; filing all again is safe.
func (e *Engine) File(ctx context.Context, articleIDs []string) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.settle(ctx); err != nil {
		return err
	}
	for _, id := range articleIDs {
		// One by one: filing one article may file others.
		found, err := e.cfg.Store.Get(ctx, []string{id}, store.WithVectors)
		if err != nil {
			return err
		}
		if found[0] == nil {
			continue
		}
		if err := e.file(ctx, found[0]); err != nil {
			return fmt.Errorf("filing %s: %w", id, err)
		}
	}
	return nil
}

func (e *Engine) file(ctx context.Context, a *store.Stored) error {
	d, err := e.decide(ctx, corpus.Profile(a), a.Article.ID)
	if err != nil {
		return err
	}
	m := e.newMove()
	from := a.Article.StoryID
	target := d.story
	if d.partner != nil {
		target = e.cfg.NewID("story")
	}
	if from != "" && from != target {
		if err := m.take(ctx, from, a.Article.ID); err != nil {
			return err
		}
	}
	switch {
	case d.story != "":
		err = m.add(ctx, target, a, d)
	case d.partner != nil:
		err = m.found(ctx, target, a, d)
	default:
		m.place(&a.Article, store.Assignment{ArticleID: a.Article.ID, TopicIDs: a.Article.TopicIDs})
	}
	if err != nil {
		return err
	}
	return e.commit(ctx, m.finish())
}

// Forget takes an article that was deleted from the store out of its story. Of its copies in the story another becomes the
// original.
func (e *Engine) Forget(ctx context.Context, removed store.Article) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if !e.settled {
		return e.settle(ctx) // which finds that the article is gone
	}
	// It may have been filed again after the caller read it and before this had the lock.
	story := removed.StoryID
	for _, filed := range []map[string]string{e.filedBefore, e.filed} {
		if id, ok := filed[removed.ID]; ok {
			story = id
		}
		delete(filed, removed.ID)
	}
	if story == "" {
		return nil
	}
	m := e.newMove()
	if err := m.take(ctx, story, removed.ID); err != nil {
		return err
	}
	return e.commit(ctx, m.finish())
}

// move is an operation on the few stories that an article leaves and joins.
type move struct {
	*Engine
	before, after standing
	stories       map[string]*store.Story // as stored; those that are new are missing
	change        change
}

func (e *Engine) newMove() *move {
	return &move{Engine: e, before: make(standing), after: make(standing), stories: make(map[string]*store.Story)}
}

// load reads a story and its articles but one. A story that is not live gives nil.
func (m *move) load(ctx context.Context, id, but string) (*store.Story, []*store.Stored, error) {
	found, err := m.cfg.Store.GetStories(ctx, []string{id}, store.WithDense)
	if err != nil || found[0] == nil || found[0].MergedInto != "" {
		return nil, nil, err
	}
	members, err := m.members(ctx, id, but, math.MaxInt)
	if err != nil {
		return nil, nil, err
	}
	m.stories[id] = found[0]
	m.before[id] = list(found[0].Title, idsOf(members)...)
	return found[0], members, nil
}

func idsOf(members []*store.Stored) []string {
	ids := make([]string, len(members))
	for i, s := range members {
		ids[i] = s.Article.ID
	}
	return ids
}

// take takes an article out of a story. A story needs two: with one article left it ends, and that one is a one-off.
func (m *move) take(ctx context.Context, id, articleID string) error {
	story, members, err := m.load(ctx, id, articleID)
	if err != nil || story == nil {
		return err
	}
	if story.Articles == len(members) { // it does not count the article any more
		delete(m.before, id)
		return nil
	}
	m.before[id].members[articleID] = true
	if len(members) < 2 {
		for _, s := range members {
			m.place(&s.Article, store.Assignment{ArticleID: s.Article.ID, TopicIDs: s.Article.TopicIDs})
		}
		return nil
	}
	was := assignments(members)
	mendCopies(articles(members))
	m.replace(was, members)
	m.become(*story, members)
	return nil
}

// add puts an article into a story, or looks at it again where it is.
func (m *move) add(ctx context.Context, id string, a *store.Stored, d *decision) error {
	story, members, err := m.load(ctx, id, a.Article.ID)
	if err != nil {
		return err
	}
	if story == nil {
		return &store.NotFoundError{Kind: "story", ID: id}
	}
	if a.Article.StoryID == id {
		m.before[id].members[a.Article.ID] = true
	}
	m.unite(*story, members, a, d)
	return nil
}

// found makes a story of two articles that were in none.
func (m *move) found(ctx context.Context, id string, a *store.Stored, d *decision) error {
	story := store.Story{ID: id}
	story.TopicID, story.ThemeID = topicAndTheme(d.partner.Article.TopicIDs)
	texts, err := m.cfg.Store.Sections(ctx, []string{d.partner.Article.ID, a.Article.ID}, false)
	if err != nil {
		return err
	}
	documents := make([]cluster.Document, 0, 2)
	for _, s := range []*store.Stored{d.partner, a} {
		documents = append(documents, document(&s.Article, beginning(texts[s.Article.ID])))
	}
	story.Keywords = cluster.KeywordsWith([][]cluster.Document{documents}, keywordOptions)[0]
	m.unite(story, []*store.Stored{d.partner}, a, d)
	return nil
}

// unite files an article with the members of a story, those that it is a copy of included.
func (m *move) unite(story store.Story, members []*store.Stored, a *store.Stored, d *decision) {
	all := append(members, a)
	slices.SortFunc(all, byID)
	was := assignments(all)
	a.Article.CopyOf = ""
	mendCopies(without(all, a)) // as if it had not been there: it may say something else now
	roots := make(map[string]bool)
	for _, s := range all {
		if s == a || s.Article.StoryID != story.ID {
			s.Article.StoryID, s.Article.TopicIDs, s.Article.Probability = story.ID, namedTopics(story.TopicID, story.ThemeID), d.probability
		}
		if slices.Contains(d.copies, s.Article.ID) {
			roots[copyRoot(&s.Article)] = true
		}
	}
	if len(roots) > 0 {
		var group []*store.Article
		for _, s := range all {
			if s == a || roots[copyRoot(&s.Article)] {
				group = append(group, &s.Article)
			}
		}
		markCopies(group)
	}
	m.replace(was, all)
	m.become(story, all)
}

func without(members []*store.Stored, a *store.Stored) []*store.Article {
	return slices.DeleteFunc(articles(members), func(other *store.Article) bool { return other == &a.Article })
}

func articles(members []*store.Stored) []*store.Article {
	list := make([]*store.Article, len(members))
	for i, s := range members {
		list[i] = &s.Article
	}
	return list
}

func assignments(members []*store.Stored) []store.Assignment {
	list := make([]store.Assignment, len(members))
	for i, s := range members {
		list[i] = assignmentOf(&s.Article)
	}
	return list
}

// replace writes the assignments of members that were changed in memory.
func (m *move) replace(was []store.Assignment, members []*store.Stored) {
	for i, s := range members {
		if now := assignmentOf(&s.Article); !sameAssignment(was[i], now) {
			m.change.assigned = append(m.change.assigned, now)
		}
	}
}

// place files one article, if that changes anything.
func (m *move) place(a *store.Article, filed store.Assignment) {
	if !sameAssignment(assignmentOf(a), filed) {
		m.change.assigned = append(m.change.assigned, filed)
	}
}

// become describes a story by the members it has now.
func (m *move) become(story store.Story, members []*store.Stored) {
	before := m.stories[story.ID]
	describe(&story, members)
	m.after[story.ID] = list(story.Title, idsOf(members)...)
	switch {
	case before == nil:
		story.Version = 1
		m.change.fresh = append(m.change.fresh, story)
	case changedStory(before, &story) || len(m.after[story.ID].without(m.before[story.ID])) > 0:
		story.Version++
		m.change.updated = append(m.change.updated, story)
	}
}

// finish completes the change: what became of stories that are no more, and the events.
func (m *move) finish() *change {
	f := follow(m.before, m.after)
	m.change.end(m.stories, f.into)
	m.change.events = changes(m.before, m.after, f)
	return &m.change
}
