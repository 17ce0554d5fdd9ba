package stories

import (
	"context"
	"maps"
	"slices"

	"throughline/internal/store"
)

// change is what one operation writes. The store has no transaction over several points, so the order matters: whatever
// was written when a process dies, every article names a story and topics that exist, and a story whose articles are not
// those that the ledger tells of is one that the operation touched. From that [Engine.settle] finds what is left to do:
//
//  1. topics and new stories, before any article names them;
//  2. the assignments of articles, which are the truth about membership;
//  3. stories described anew, those that ended, and topics that no article names any more;
//  4. the ledger, last: it tells what was done, not what was meant to be.
type change struct {
	topics   []store.Topic
	fresh    []store.Story
	assigned []store.Assignment
	updated  []store.Story
	ended    []store.Story // merged away
	deleted  []string      // stories
	dropped  []string      // topics
	events   []store.Event
}

// commit writes a change. A context that ends does not interrupt it: the writes are bounded by the store's own limits, and
// half of them help nobody. After an error the next operation settles what is stored first.
func (e *Engine) commit(ctx context.Context, c *change) error {
	ctx = context.WithoutCancel(ctx)
	e.settled = false
	for _, write := range []func() error{
		func() error { return e.cfg.Store.PutTopics(ctx, c.topics) },
		func() error { return e.cfg.Store.PutStories(ctx, c.fresh) },
		func() error { return e.assign(ctx, c.assigned) },
		func() error { return e.cfg.Store.PutStories(ctx, c.updated) },
		func() error { return e.cfg.Store.PutStories(ctx, c.ended) },
		func() error { return e.cfg.Store.DeleteStories(ctx, c.deleted) },
		func() error { return e.cfg.Store.DeleteTopics(ctx, c.dropped) },
		func() error { return e.record(ctx, c.events) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	e.settled = true
	return nil
}

// assign files articles and remembers where: see Engine.filed.
func (e *Engine) assign(ctx context.Context, assigned []store.Assignment) error {
	if err := e.cfg.Store.Assign(ctx, assigned); err != nil {
		return err
	}
	for _, a := range assigned {
		e.filed[a.ArticleID] = a.StoryID
	}
	return nil
}

// assignmentOf is how an article is filed now.
func assignmentOf(a *store.Article) store.Assignment {
	return store.Assignment{ArticleID: a.ID, StoryID: a.StoryID, TopicIDs: a.TopicIDs, CopyOf: a.CopyOf, Probability: a.Probability}
}

func sameAssignment(a, b store.Assignment) bool {
	return a.ArticleID == b.ArticleID && a.StoryID == b.StoryID && slices.Equal(a.TopicIDs, b.TopicIDs) && a.CopyOf == b.CopyOf &&
		a.Probability == b.Probability
}

// namedTopics is how a story's topic and theme are named by its articles; topicAndTheme is the reverse.
func namedTopics(topic, theme string) []string {
	return slices.DeleteFunc([]string{topic, theme}, func(id string) bool { return id == "" })
}

func topicAndTheme(ids []string) (topic, theme string) {
	ids = append(slices.Clone(ids), "", "")
	return ids[0], ids[1]
}

// end adds to a change what becomes of stories that are no more: those with an heir resolve to it for ever.
func (c *change) end(ended map[string]*store.Story, into map[string]string) {
	for _, id := range slices.Sorted(maps.Keys(into)) {
		story := ended[id]
		switch heir := into[id]; {
		case story == nil: // it is gone already
		case heir == "":
			c.deleted = append(c.deleted, id)
		default:
			c.ended = append(c.ended, store.Story{ID: id, Title: story.Title, MergedInto: heir, Version: story.Version + 1})
		}
	}
}
