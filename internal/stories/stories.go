// Package stories answers "what is everybody writing about?".
//
// It files arriving articles into stories, reclusters everything that is stored, keeps story ids
// through every change, and records each change in the ledger. Ids are carried over by largest
// overlap, are never reused, and resolve for ever after a merge. The package does not know how two
// articles are compared (internal/score), where stories end (internal/hierarchy), or how a story is
// shown.
//
// Every decision is a pure function of what was read, and returns a store.Plan: [PlanFiling] and
// [PlanRemoval] for one article, [PlanArrangement] for everything, [PlanRepair] after an
// interrupted write. The [Engine] reads, makes the plan, and applies it; a dry run makes a plan and
// does not apply it.
//
// The memberships of the articles are authoritative; the ledger and the descriptions of stories
// follow from them. Whether an article is pending is stored with it, so a process that starts finds
// the pending ones.
package stories

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"throughline/embed"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// Articles reads articles; see internal/store for the contract of each method.
type Articles interface {
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	Query(ctx context.Context, queries []store.Query) ([][]store.Hit, error)
	Scan(ctx context.Context, filter news.Filter, with store.With, fn func(*store.Stored) error) error
	Counts(ctx context.Context) (store.Counts, error)
}

// Stories reads stories, topics and the ledger; see internal/store for the contract of each method.
type Stories interface {
	Stories(ctx context.Context, ids []string, with store.With) ([]*store.Story, error)
	ScanStories(ctx context.Context, filter news.StoryFilter, with store.With, fn func(*store.Story) error) error
	Topics(ctx context.Context, ids []string) ([]*store.Topic, error)
	ScanTopics(ctx context.Context, filter news.TopicFilter, with store.With, fn func(*store.Topic) error) error
	Events(ctx context.Context, after int64, limit int) ([]news.LedgerEvent, error)
}

// Writer applies plans, and reports whether the last one was applied completely; see
// internal/store.
type Writer interface {
	Apply(ctx context.Context, plan *store.Plan) error
	Clean() bool
	SetClean(clean bool)
	RepairSections(ctx context.Context) (store.SectionRepair, error)
	Outdated() bool
	MarkCurrent(ctx context.Context) error
}

// States owns the State; *state.Owner implements it and documents the methods.
type States interface {
	Current() *score.State
	Publish() *score.State
	MeasureSpace(ctx context.Context) error
	CheckThreshold(ctx context.Context, st *score.State, logit float64) error
	Extent() store.Extent
	Adopt(found score.Arranged, at store.Extent)
	Arranged() (found score.Arranged, all bool)
}

// Config has the parts of an Engine. Every field but Writer, Workers and Target is required.
type Config struct {
	Articles Articles
	Stories  Stories
	Writer   Writer // nil: the engine is read-only
	States   States
	Embedder embed.Embedder // for drafts
	Logger   *slog.Logger
	NewID    func(kind string) string // returns a new id; kind is "story", "topic" or "theme"
	Now      func() time.Time         // measures durations and the age of pending articles
	Workers  int                      // cores for reclustering; 0: all
	Target   score.Target             // where stories should end
}

// Engine maintains the stories of a store. It is safe for concurrent use: reads go on while one
// call files or reclusters. It is the only writer of stories, which the lease of the store
// guarantees.
type Engine struct {
	cfg Config

	writing   chan struct{} // holds one value while a call reads, plans and applies
	arranging chan struct{} // holds one value while Recluster makes an arrangement and applies it

	mu         sync.Mutex
	changed    chan struct{}             // closed and replaced when events are appended to the ledger
	arrived    chan struct{}             // has one value after filing has failed
	requests   []*filingRequest          // in the queue; the first may be taken
	queued     map[string]*filingRequest // the last one of each article in the queue
	since      *changes                  // what changed since the arrangement that is being made read the store; nil: none is
	unarranged unarranged

	life   context.Context // of filing in the background
	end    context.CancelFunc
	filing sync.WaitGroup

	memory *memory // used under the lock of writers
	naming naming
}

// New makes an engine. Close it.
func New(cfg Config) (*Engine, error) {
	if cfg.Articles == nil || cfg.Stories == nil || cfg.States == nil || cfg.Embedder == nil || cfg.Logger == nil || cfg.NewID == nil || cfg.Now == nil {
		return nil, errors.New("stories: Config needs Articles, Stories, States, Embedder, Logger, NewID and Now")
	}
	life, end := context.WithCancel(context.Background())
	return &Engine{
		cfg: cfg, writing: make(chan struct{}, 1), arranging: make(chan struct{}, 1), changed: make(chan struct{}), arrived: make(chan struct{}, 1),
		life: life, end: end, queued: make(map[string]*filingRequest),
		memory: newMemory(cfg.Articles, cfg.Stories, mostRemembered), naming: naming{busy: make(chan struct{}, 1)},
	}, nil
}

// write waits for the lock of writers and takes it. It repairs the store first if the last write
// was interrupted. Without a Writer it returns store.ErrReadOnly.
func (e *Engine) write(ctx context.Context) (unlock func(), err error) {
	if e.cfg.Writer == nil {
		return nil, store.ErrReadOnly
	}
	select {
	case e.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	unlock = func() { <-e.writing }
	if e.cfg.Writer.Clean() {
		return unlock, nil
	}
	e.memory.clear()
	if err := e.repair(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// apply writes a plan and wakes the watchers. Cancelling ctx does not interrupt it: time limits of
// the store bound the writes, and half of a plan would have to be repaired.
func (e *Engine) apply(ctx context.Context, plan *store.Plan) error {
	if err := e.commit(ctx, plan); err != nil {
		return err
	}
	e.memory.applied(plan)
	return nil
}

// commit is apply of a plan that the memory has already.
func (e *Engine) commit(ctx context.Context, plan *store.Plan) error {
	if plan.Empty() {
		return nil
	}
	e.note(plan) // even a part of it may be written
	if err := e.cfg.Writer.Apply(context.WithoutCancel(ctx), plan); err != nil {
		return err
	}
	if len(plan.Events) > 0 {
		e.mu.Lock()
		defer e.mu.Unlock()
		close(e.changed)
		e.changed = make(chan struct{})
	}
	return nil
}

// ledgerChanged returns a channel that is closed when events are appended to the ledger.
func (e *Engine) ledgerChanged() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}
