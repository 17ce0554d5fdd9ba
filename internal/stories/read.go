package stories

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"throughline/internal/store"
)

// Order is an order of stories; equals are ordered by id.
type Order int

// Orders.
const (
	Latest  Order = iota // by latest publication, newest first; unknown times last
	Largest              // by number of articles
)

// ListRequest narrows a listing of stories. The zero value lists all, the latest first.
type ListRequest struct {
	TopicIDs      []string // topics or themes
	Sources       []string // stories that any of these covered, compared without regard to case
	After, Before time.Time
	MinArticles   int
	Order         Order
}

// List returns the stories that pass, in order, without vectors.
func (e *Engine) List(ctx context.Context, req ListRequest) ([]store.Story, error) {
	wanted := make(map[string]bool, len(req.Sources))
	for _, s := range req.Sources {
		wanted[strings.ToLower(s)] = true
	}
	filter := store.StoryFilter{TopicIDs: req.TopicIDs, After: req.After, Before: req.Before, MinArticles: req.MinArticles}
	var found []store.Story
	err := e.cfg.Store.ScanStories(ctx, filter, store.WithNothing, func(s *store.Story) error {
		covered := func(source string) bool { return wanted[strings.ToLower(source)] }
		if len(wanted) == 0 || slices.ContainsFunc(s.Sources, covered) {
			found = append(found, *s)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b store.Story) int {
		if req.Order == Largest {
			return cmp.Or(cmp.Compare(b.Articles, a.Articles), b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) // a zero time is before every other
	})
	return found, nil
}

// Detail is a story with its articles in order of publication; unknown times come last.
type Detail struct {
	Story     store.Story
	Articles  []store.Article
	Truncated bool // there are more articles
}

// Get returns a story with at most maxArticles of its articles. The id of a story that was merged into another gives that
// one. An unknown id is a *store.NotFoundError.
func (e *Engine) Get(ctx context.Context, id string, maxArticles int) (*Detail, error) {
	s, err := e.cfg.Store.Story(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &Detail{Story: *s}
	err = e.cfg.Store.ScanWhere(ctx, store.Filter{StoryIDs: []string{s.ID}}, store.WithNothing, func(a *store.Stored) error {
		d.Articles = append(d.Articles, a.Article)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(d.Articles, func(a, b store.Article) int {
		unknown := func(t time.Time) int {
			if t.IsZero() {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(unknown(a.Published), unknown(b.Published)), a.Published.Compare(b.Published), cmp.Compare(a.ID, b.ID))
	})
	if n := max(maxArticles, 0); len(d.Articles) > n {
		d.Articles, d.Truncated = d.Articles[:n], true
	}
	return d, nil
}

// TopicsRequest narrows a listing of topics. The zero value lists topics and themes.
type TopicsRequest struct {
	Level    store.Level
	ParentID string
}

// Topics returns the topics that pass, largest first, equals by id.
func (e *Engine) Topics(ctx context.Context, req TopicsRequest) ([]store.Topic, error) {
	var found []store.Topic
	filter := store.TopicFilter{Level: req.Level, ParentID: req.ParentID}
	err := e.cfg.Store.ScanTopics(ctx, filter, store.WithNothing, func(t *store.Topic) error {
		found = append(found, *t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b store.Topic) int {
		return cmp.Or(cmp.Compare(b.Articles, a.Articles), cmp.Compare(b.Stories, a.Stories), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

// TopicDetail is a topic with its stories, or a theme with its topics and their stories, largest first.
type TopicDetail struct {
	Topic     store.Topic
	Topics    []store.Topic
	Stories   []store.Story
	Truncated bool // there are more stories
}

// Topic returns a topic or theme with at most maxStories stories. An unknown id is a *store.NotFoundError.
func (e *Engine) Topic(ctx context.Context, id string, maxStories int) (*TopicDetail, error) {
	t, err := e.cfg.Store.Topic(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &TopicDetail{Topic: *t}
	if t.Level == store.LevelTheme {
		if d.Topics, err = e.Topics(ctx, TopicsRequest{Level: store.LevelTopic, ParentID: id}); err != nil {
			return nil, err
		}
	}
	if d.Stories, err = e.List(ctx, ListRequest{TopicIDs: []string{id}, Order: Largest}); err != nil {
		return nil, err
	}
	if n := max(maxStories, 0); len(d.Stories) > n {
		d.Stories, d.Truncated = d.Stories[:n], true
	}
	return d, nil
}
