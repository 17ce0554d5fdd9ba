// Package stories answers "what is everybody writing about?": it files arriving articles into stories, rebuilds the ladder
// of copy groups, stories, topics and themes over the whole store, keeps story ids through every change, and records each
// change in the ledger.
//
// It knows what to do with the outcome of a comparison or a clustering: ids carry over by largest overlap, ids are never
// reused, a merged id resolves for ever. It does not know how two articles are compared (internal/evidence), how clusters
// are cut (cluster), or how a story is shown.
//
// Two ways lead into a story. Filing decides at once where a new article belongs, from the articles nearest to it and the
// members of their stories. Reclustering decides for all articles together and reconciles: what it finds is the same
// whatever the order of arrival. Both hold the engine's lock, so the ledger tells one history.
//
// What the articles say about their stories is the truth; the ledger and the stories' descriptions follow from it. When an
// operation fails half way, or the process dies, the next one finds out what is left to do and does it first.
package stories

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"throughline/embed"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// Store is what stories need of the store; see internal/store for the contract of each method.
type Store interface {
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	Query(ctx context.Context, queries []store.Query) ([][]store.Hit, error)
	Scan(ctx context.Context, with store.With, fn func(*store.Stored) error) error
	ScanWhere(ctx context.Context, filter store.Filter, with store.With, fn func(*store.Stored) error) error
	Assign(ctx context.Context, assignments []store.Assignment) error

	PutStories(ctx context.Context, stories []store.Story) error
	Story(ctx context.Context, id string) (*store.Story, error)
	GetStories(ctx context.Context, ids []string, with store.With) ([]*store.Story, error)
	ScanStories(ctx context.Context, filter store.StoryFilter, with store.With, fn func(*store.Story) error) error
	DeleteStories(ctx context.Context, ids []string) error

	PutTopics(ctx context.Context, topics []store.Topic) error
	Topic(ctx context.Context, id string) (*store.Topic, error)
	ScanTopics(ctx context.Context, filter store.TopicFilter, with store.With, fn func(*store.Topic) error) error
	DeleteTopics(ctx context.Context, ids []string) error

	Scale(ctx context.Context) (*store.Scale, error)
	PutScale(ctx context.Context, scale store.Scale) error

	Append(ctx context.Context, events []store.Event) error
	Events(ctx context.Context, after int64, limit int) ([]store.Event, error)
}

// Config is what an Engine is made of. Every field but Reference, Workers and Precision is needed.
type Config struct {
	Store    Store
	Embedder embed.Embedder // for drafts
	// Reference embeds in the space that the model's coefficients are for, nil where Embedder does.
	Reference embed.Embedder
	Corpus    *evidence.Corpus
	Model     *evidence.Model
	Logger    *slog.Logger
	Now       func() time.Time
	NewID     func(kind string) string // a new id of a story, topic or theme; never the same twice
	Workers   int                      // cores for reclustering; 0: all
	// Precision is the share of pairs of one event wanted among the pairs of articles of one story; 0: see evidence.LadderOptions.
	Precision float64
}

// Engine keeps stories. It is safe for concurrent use: reading goes on while one call files or reclusters. It is the only
// one that changes stories in its store; the store's lease sees to that.
type Engine struct {
	cfg Config

	// writing holds one value while File, Forget or Recluster change stories; the fields below belong to who put it there.
	writing chan struct{}
	settled bool          // stories, articles and ledger agree
	untold  []store.Event // may be missing in the ledger
	// filed is where articles were filed since the last reclustering began, filedBefore the same of the span before that. A
	// caller of Forget may have read an article before it had to wait for a reclustering; not before two.
	filed, filedBefore map[string]string

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the ledger grows

	cutting cutState
	scaling scaling
	naming  naming
}

// New makes an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Embedder == nil || cfg.Corpus == nil || cfg.Model == nil || cfg.Logger == nil || cfg.Now == nil || cfg.NewID == nil {
		return nil, errors.New("stories: Config needs Store, Embedder, Corpus, Model, Logger, Now and NewID")
	}
	if !(cfg.Precision >= 0 && cfg.Precision < 1) {
		return nil, fmt.Errorf("stories: a precision of %v is not between 0 and 1", cfg.Precision)
	}
	return &Engine{
		cfg: cfg, writing: make(chan struct{}, 1), changed: make(chan struct{}),
		filed: make(map[string]string), filedBefore: make(map[string]string),
	}, nil
}

// lock waits until nobody else changes stories.
func (e *Engine) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case e.writing <- struct{}{}:
		return func() { <-e.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
