package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/points"
	"throughline/internal/qdrantlite"
	"throughline/internal/stories"
)

// arrangeStored arranges the store in this process, or, when that is taken, in the server that has it.
func (c *clusterCmd) arrangeStored(ctx context.Context, p *program) (*arrangement, error) {
	if c.Addr != "" {
		return c.arrangeRemote(ctx, p, c.Addr)
	}
	found, err := c.arrangeStore(ctx, p)
	if errors.Is(err, qdrantlite.ErrLocked) {
		if addr := runningServer(p.cli.Data); addr != "" {
			return c.arrangeRemote(ctx, p, addr)
		}
	}
	return found, err
}

// arrangeStore arranges everything that is stored anew. A dry run goes through every step but keeps what would be written
// to itself, so that it can tell the same as a real one.
func (c *clusterCmd) arrangeStore(ctx context.Context, p *program) (_ *arrangement, err error) {
	e, err := p.openEngine(ctx, !c.Apply)
	if errors.Is(err, points.ErrNotFound) {
		return nil, errNoStore // nothing was ever stored
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	if counts.Articles == 0 {
		return nil, errNoStore
	}
	engine, kept := e.stories, (*unwritten)(nil)
	if !c.Apply {
		kept = &unwritten{Store: e.store, filed: make(map[string]points.Assignment)}
		if engine, err = kept.engine(ctx, p, e); err != nil {
			return nil, err
		}
	}
	stage := p.stages()
	defer stage.done()
	summary, err := engine.Recluster(ctx, stories.ReclusterOptions{Topics: c.Topics}, stage.at)
	if err != nil {
		return nil, err
	}
	a, err := filedAs(ctx, e.store, kept)
	if err != nil {
		return nil, err
	}
	a.changes = &changes{
		Applied: c.Apply, Created: summary.Created, Merged: summary.Merged, Split: summary.Split, Renamed: summary.Renamed,
		Deleted: summary.Deleted, Moved: summary.Moved,
	}
	return a, nil
}

// unwritten is a store that reads the real one and keeps writes from it. Of what is written, it remembers where articles
// are filed.
type unwritten struct {
	stories.Store
	mu    sync.Mutex
	filed map[string]points.Assignment
}

// engine makes stories over it.
func (u *unwritten) engine(ctx context.Context, p *program, e *engine) (*stories.Engine, error) {
	known, err := corpus.Load(ctx, e.store)
	if err != nil {
		return nil, err
	}
	return stories.New(stories.Config{
		Store: u, Embedder: e.embedder, Corpus: known, Model: evidence.Default(), Logger: p.logger(), Now: time.Now, NewID: newID, Workers: p.cli.Workers,
	})
}

// Assign remembers.
func (u *unwritten) Assign(_ context.Context, assignments []points.Assignment) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range assignments {
		u.filed[a.ArticleID] = a
	}
	return nil
}

// The other writes are forgotten.

func (*unwritten) PutStories(context.Context, []points.Story) error { return nil }
func (*unwritten) DeleteStories(context.Context, []string) error    { return nil }
func (*unwritten) PutTopics(context.Context, []points.Topic) error  { return nil }
func (*unwritten) DeleteTopics(context.Context, []string) error     { return nil }
func (*unwritten) Append(context.Context, []points.Event) error     { return nil }

// filedAs reads where every article is filed, or would be, in the order of ids.
func filedAs(ctx context.Context, store *points.Store, kept *unwritten) (*arrangement, error) {
	var all []points.Assignment
	err := store.Scan(ctx, points.WithNothing, func(s *points.Stored) error {
		filed := points.Assignment{ArticleID: s.Article.ID, StoryID: s.Article.StoryID, TopicIDs: s.Article.TopicIDs}
		if kept != nil {
			if would, ok := kept.filed[s.Article.ID]; ok {
				filed = would
			}
		}
		all = append(all, filed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b points.Assignment) int { return cmp.Compare(a.ArticleID, b.ArticleID) })
	return arrangementOf(all), nil
}

// arrangementOf numbers stories, topics and themes in the order of their first articles.
func arrangementOf(all []points.Assignment) *arrangement {
	a := &arrangement{ids: []string{}}
	story, topic, theme := map[string]int32{}, map[string]int32{}, map[string]int32{}
	for _, filed := range all {
		a.ids = append(a.ids, filed.ArticleID)
		a.Story = append(a.Story, numbered(story, filed.StoryID))
		ids := append(slices.Clone(filed.TopicIDs), "", "") // the topic, then its theme
		a.Topic, a.Theme = append(a.Topic, numbered(topic, ids[0])), append(a.Theme, numbered(theme, ids[1]))
	}
	return a
}

// numbered gives ids numbers in the order they come, and -1 to the empty one.
func numbered(numbers map[string]int32, id string) int32 {
	if id == "" {
		return -1
	}
	n, ok := numbers[id]
	if !ok {
		n = int32(len(numbers))
		numbers[id] = n
	}
	return n
}
