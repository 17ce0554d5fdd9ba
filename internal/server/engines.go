package server

import (
	"context"
	"iter"

	"throughline/internal/article"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// Reader reads what is stored. store.Store is one; its contract for each method holds here.
type Reader interface {
	// Get returns the articles in the order of ids, nil for those not stored.
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	// Sections returns the sections of each article in order of index.
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	// List pages through the articles that pass the filter, in a fixed order; the empty cursor is the first page, and the
	// last one.
	List(ctx context.Context, filter store.Filter, limit int, cursor string) ([]store.Article, string, error)
}

// Writer takes articles in. ingest.Pipeline is one. It is safe for concurrent use.
type Writer interface {
	// Run takes all items in and reports the fate of each, in input order, through opts.Each. Its error is of the store or
	// the embedder; the reports given until then hold.
	Run(ctx context.Context, items iter.Seq2[article.Article, error], opts ingest.Options) (ingest.Summary, error)
	// Delete removes an article. An unknown id is store.ErrNotFound.
	Delete(ctx context.Context, id string) error
}

// Ranking is a ranked answer, best first, that does not change any more. *related.List is one.
type Ranking interface {
	Len() int
	// Partial says that part of the store did not answer.
	Partial() bool
	// Page returns at most n results from offset on.
	Page(ctx context.Context, offset, n int) ([]related.Result, error)
}

// Coverage ranks what was written about something.
type Coverage interface {
	Related(ctx context.Context, request related.Request) (Ranking, error)
	Search(ctx context.Context, request related.SearchRequest) (Ranking, error)
}

// EngineCoverage is the coverage engine as Coverage.
type EngineCoverage struct{ Engine *related.Engine }

// Related implements Coverage.
func (e EngineCoverage) Related(ctx context.Context, request related.Request) (Ranking, error) {
	list, err := e.Engine.Related(ctx, request)
	if err != nil {
		return nil, err // not a Ranking that holds a nil list
	}
	return list, nil
}

// Search implements Coverage.
func (e EngineCoverage) Search(ctx context.Context, request related.SearchRequest) (Ranking, error) {
	list, err := e.Engine.Search(ctx, request)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Stories keeps stories, topics and the ledger. *stories.Engine is one; its contract for each method holds here.
type Stories interface {
	List(ctx context.Context, request stories.ListRequest) ([]store.Story, error)
	// Get returns a story; an id that was merged away gives the story it is part of now.
	Get(ctx context.Context, id string, maxArticles int) (*stories.Detail, error)
	Topics(ctx context.Context, request stories.TopicsRequest) ([]store.Topic, error)
	Topic(ctx context.Context, id string, maxStories int) (*stories.TopicDetail, error)
	Find(ctx context.Context, draft stories.Draft, n int) (*stories.Found, error)
	// Watch calls fn for every event after the cursor, then for new ones, until ctx ends.
	Watch(ctx context.Context, request stories.WatchRequest, fn func(store.Event) error) error
	// Recluster runs until it is done or ctx is.
	Recluster(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (stories.Summary, error)
}
