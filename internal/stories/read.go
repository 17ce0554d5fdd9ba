package stories

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
)

// Order is an order of stories. Equal stories are ordered by id.
type Order int

// Orders.
const (
	Latest  Order = iota // by latest publication, newest first; unknown times last
	Largest              // by number of articles
)

// ListRequest filters a list of stories. The zero value lists all of them, the latest first.
type ListRequest struct {
	TopicIDs      []string // topics or themes
	Sources       []string // stories with an article of one of these; case is ignored
	After, Before time.Time
	MinArticles   int
	Order         Order
}

// List returns the stories that pass the filter, in order.
func (e *Engine) List(ctx context.Context, req ListRequest) ([]news.Story, error) {
	wanted := make(map[string]bool, len(req.Sources))
	for _, s := range req.Sources {
		wanted[strings.ToLower(s)] = true
	}
	filter := news.StoryFilter{TopicIDs: req.TopicIDs, After: req.After, Before: req.Before, MinArticles: req.MinArticles}
	var found []news.Story
	err := e.cfg.Stories.ScanStories(ctx, filter, store.WithNothing, func(s *store.Story) error {
		covered := func(source string) bool { return wanted[strings.ToLower(source)] }
		if len(wanted) == 0 || slices.ContainsFunc(s.Sources, covered) {
			found = append(found, s.Story)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b news.Story) int {
		if req.Order == Largest {
			return cmp.Or(cmp.Compare(b.Articles, a.Articles), b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) // the zero time is before all others
	})
	return found, nil
}

// Detail is a story with its articles in order of publication, unknown times last.
type Detail struct {
	Story     news.Story
	Articles  []news.Article
	Truncated bool // the story has more articles
}

// Get returns a story with at most maxArticles of its articles. The id of a merged story returns
// the story it was merged into. An unknown id is a *store.NotFoundError.
func (e *Engine) Get(ctx context.Context, id string, maxArticles int) (*Detail, error) {
	s, err := store.ResolveStory(ctx, e.cfg.Stories, id, store.WithNothing)
	if err != nil {
		return nil, err
	}
	d := &Detail{Story: s.Story}
	err = e.cfg.Articles.Scan(ctx, news.Filter{StoryIDs: []string{s.ID}}, store.WithNothing, func(a *store.Stored) error {
		d.Articles = append(d.Articles, a.Article)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(d.Articles, func(a, b news.Article) int { return earlier(&a, &b) })
	if n := max(maxArticles, 0); len(d.Articles) > n {
		d.Articles, d.Truncated = d.Articles[:n], true
	}
	return d, nil
}

// TopicsRequest filters a list of topics. The zero value lists topics and themes.
type TopicsRequest struct {
	Level    news.Level
	ParentID string
}

// Topics returns the topics that pass the filter, largest first, equal ones by id.
func (e *Engine) Topics(ctx context.Context, req TopicsRequest) ([]news.Topic, error) {
	var found []news.Topic
	filter := news.TopicFilter{Level: req.Level, ParentID: req.ParentID}
	err := e.cfg.Stories.ScanTopics(ctx, filter, store.WithNothing, func(t *store.Topic) error {
		found = append(found, t.Topic)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b news.Topic) int {
		return cmp.Or(cmp.Compare(b.Articles, a.Articles), cmp.Compare(b.Stories, a.Stories), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

// TopicDetail is a topic with its stories, or a theme with its topics and their stories, largest
// first.
type TopicDetail struct {
	Topic     news.Topic
	Topics    []news.Topic
	Stories   []news.Story
	Truncated bool // the topic has more stories
}

// Topic returns a topic or theme with at most maxStories stories. The id of a merged topic returns
// the topic it was merged into. An unknown id is a *store.NotFoundError.
func (e *Engine) Topic(ctx context.Context, id string, maxStories int) (*TopicDetail, error) {
	t, err := store.ResolveTopic(ctx, e.cfg.Stories, id)
	if err != nil {
		return nil, err
	}
	d := &TopicDetail{Topic: t.Topic}
	if t.Level == news.LevelTheme {
		if d.Topics, err = e.Topics(ctx, TopicsRequest{Level: news.LevelTopic, ParentID: t.ID}); err != nil {
			return nil, err
		}
	}
	if d.Stories, err = e.List(ctx, ListRequest{TopicIDs: []string{t.ID}, Order: Largest}); err != nil {
		return nil, err
	}
	if n := max(maxStories, 0); len(d.Stories) > n {
		d.Stories, d.Truncated = d.Stories[:n], true
	}
	return d, nil
}
