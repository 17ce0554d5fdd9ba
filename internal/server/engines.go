package server

import (
	"context"
	"iter"

	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// Reader reads what is stored. *store.Store is one; its contract for each method holds here.
type Reader interface {
	// Get returns the articles in the order of ids, nil for those not stored.
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	// Sections returns the sections of each article in order of index.
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	// List pages through the articles that pass the filter, in a fixed order. The empty cursor asks
	// for the first page; an empty one comes back with the last.
	List(ctx context.Context, filter news.Filter, limit int, cursor string) ([]news.Article, string, error)
}

// Writer takes articles in. *ingest.Pipeline is one. It is safe for concurrent use.
type Writer interface {
	// Run takes all items in and reports what became of each, in input order, through opts.Each.
	// After an error of the store or the embedder the reports given until then hold.
	Run(ctx context.Context, items iter.Seq2[news.Valid, error], opts ingest.Options) (ingest.Summary, error)
	// Delete removes an article. An unknown id is store.ErrNotFound.
	Delete(ctx context.Context, id string) error
	// DeleteMatching removes the articles that a filter selects and returns their number. A dry run
	// only counts them.
	DeleteMatching(ctx context.Context, filter news.Filter, dryRun bool) (int, error)
}

// Related ranks what was written about something. *related.Engine is one.
type Related interface {
	Related(ctx context.Context, request related.Request) (*related.List, error)
	Search(ctx context.Context, request related.SearchRequest) (*related.List, error)
}

// Stories keeps stories, topics and the ledger. *stories.Engine is one; its contract for each
// method holds here.
type Stories interface {
	List(ctx context.Context, request stories.ListRequest) ([]news.Story, error)
	// Get returns a story; the id of a merged story gives the one that it is part of now.
	Get(ctx context.Context, id string, maxArticles int) (*stories.Detail, error)
	Topics(ctx context.Context, request stories.TopicsRequest) ([]news.Topic, error)
	Topic(ctx context.Context, id string, maxStories int) (*stories.TopicDetail, error)
	Find(ctx context.Context, draft news.Valid, n int) (*stories.Found, error)
	// Watch calls fn for every event after the cursor, then for new ones, until ctx ends.
	Watch(ctx context.Context, request stories.WatchRequest, fn func(news.LedgerEvent) error) error
	// Recluster runs until it is done or ctx ends.
	Recluster(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (*stories.Arrangement, error)
}
