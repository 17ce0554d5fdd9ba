// Package ingest takes articles into a store. It splits them into sections, embeds these, commits
// them, and has the articles filed into stories in the background.
//
// Three stages run at the same time (prepare, embed, commit), each with one batch, joined by
// unbuffered channels. So memory is bounded by the batch size, and one batch is embedded while the
// batch before it is written.
//
// An article whose content hash is stored already needs no embedding and no write. Of a changed
// article only the changed texts are embedded; see vectors.go. Cancelling ctx lets the current
// commit finish or fail as a whole. The store shows only complete articles, so a stop never leaves
// a part of one visible.
package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"time"

	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/news"
	"throughline/internal/store"
)

// Store is the part of the store that ingest needs; see internal/store for the contract of each
// method.
type Store interface {
	Known(ctx context.Context, ids []string) (map[string]store.Known, error)
	Put(ctx context.Context, puts []store.Put) []error
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	Delete(ctx context.Context, id string) error
	CachedEmbeddings(ctx context.Context, keys []string) (map[string][]float32, error)
	CacheEmbeddings(ctx context.Context, vectors map[string][]float32) error
}

// Lister lists stored articles; see the method of store.Store.
type Lister interface {
	List(ctx context.Context, filter news.Filter, limit int, cursor string) ([]news.Article, string, error)
}

// Filer decides which story an article belongs to; *stories.Engine implements it.
type Filer interface {
	// Room waits until few enough articles wait to be filed.
	Room(ctx context.Context) error
	// Enqueue has articles that were just committed filed in the background, in the order of calls.
	// filed waits for that, or until ctx ends. After an error the articles that are not filed stay
	// pending, and the filer retries by itself.
	Enqueue(articleIDs []string) (filed func(ctx context.Context) error)
	// Delete takes an article out of its story. erase deletes it from the store and returns what
	// was stored, nil if nothing was. With an error the article may be gone or not.
	Delete(ctx context.Context, id string, erase func() (*store.Stored, error)) error
}

// States keeps the statistics of the stored articles; *state.Owner implements it.
type States interface {
	Add(s *store.Stored)
	Remove(s *store.Stored)
}

// Config has the parts of a Pipeline. Store, Lister, Embedder, States, Logger and Now are required.
type Config struct {
	Store    Store
	Lister   Lister // of the articles of Store, to know the furniture of their outlets
	Embedder embed.Embedder
	States   States
	Filer    Filer // nil: articles stay pending
	Logger   *slog.Logger
	Now      func() time.Time
	// BatchSections is the approximate number of sections in a batch, which holds whole articles.
	// 0: 96, about two seconds of the built-in model, so that a stop is quick and a commit is worth
	// its fsync.
	BatchSections int
	// EmbedWhole embeds texts with the furniture of their outlet, for an Embedder that has vectors
	// of whole texts only.
	EmbedWhole bool
}

// Outcome is the result for one item.
type Outcome int

// Outcomes.
const (
	New Outcome = iota + 1
	Updated
	Unchanged
	Rejected
)

func (o Outcome) String() string {
	names := map[Outcome]string{New: "new", Updated: "updated", Unchanged: "unchanged", Rejected: "rejected"}
	return cmp.Or(names[o], fmt.Sprintf("outcome %d", int(o)))
}

// Report is the result for one item, with the error of a rejected one.
type Report struct {
	Item     int    // position in the input, from 0
	ID       string // empty if a rejected item had none yet
	Origin   news.Origin
	Outcome  Outcome
	Sections int
	Err      error // why the item was rejected
}

// Summary counts the outcomes of a run.
type Summary struct {
	New, Updated, Unchanged, Sections int
	// Embedded is the number of embedded texts (leads and sections; a text that occurs several
	// times in a batch counts once). Reused is the number of further texts whose vectors the store
	// had.
	Embedded, Reused int
	Rejected         []Report
	Took             time.Duration
}

// Count counts the result for one item.
func (s *Summary) Count(r Report) {
	switch r.Outcome {
	case New:
		s.New++
		s.Sections += r.Sections
	case Updated:
		s.Updated++
		s.Sections += r.Sections
	case Unchanged:
		s.Unchanged++
	default:
		s.Rejected = append(s.Rejected, r)
	}
}

// Items returns the number of items that the run has seen.
func (s Summary) Items() int { return s.New + s.Updated + s.Unchanged + len(s.Rejected) }

// Options of one run.
type Options struct {
	// File has the articles filed after each commit, which waits while too many wait for that. A
	// job that reclusters afterwards leaves it out.
	File bool
	// Wait is the time that the run waits at its end until all articles are filed, with File.
	Wait time.Duration
	// Each is called once per item when its result is known, in input order, never concurrently. It
	// is not called for items that are undecided because the run failed. It may be nil.
	Each func(Report)
}

// UntilFiled is an Options.Wait without a limit.
const UntilFiled time.Duration = math.MaxInt64

// ErrNotFiled wraps a failure of filing: the article is durable, stays pending, and is filed later.
var ErrNotFiled = errors.New("stored, but not filed into a story")

// Pipeline takes articles in. It is safe for concurrent use; writes of the same article are
// serialized by its id.
type Pipeline struct {
	cfg   Config
	limit chunk.Limit
	busy  keyLock // ids of articles that are being ingested or deleted

	outlets outlets
}

// NewPipeline makes a pipeline. The embedding space limits the length of a section.
func NewPipeline(cfg Config) (*Pipeline, error) {
	if cfg.Store == nil || cfg.Lister == nil || cfg.Embedder == nil || cfg.States == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("ingest: Config needs Store, Lister, Embedder, States, Logger and Now")
	}
	if cfg.BatchSections <= 0 {
		cfg.BatchSections = 96
	}
	return &Pipeline{cfg: cfg, limit: chunk.LimitFor(cfg.Embedder), busy: keyLock{held: make(map[string]chan struct{})}, outlets: outlets{of: make(map[string]*outlet)}}, nil
}

// Put takes one article in, and if there is a Filer waits until it is filed.
func (p *Pipeline) Put(ctx context.Context, a news.Valid) (Report, error) {
	one := func(yield func(news.Valid, error) bool) { yield(a, nil) }
	var report Report
	_, err := p.Run(ctx, one, Options{File: true, Wait: UntilFiled, Each: func(r Report) { report = r }})
	if report.Outcome == Rejected {
		return report, report.Err
	}
	return report, err
}

// Delete deletes an article and takes it out of its story. The error of an unknown id is
// store.ErrNotFound.
func (p *Pipeline) Delete(ctx context.Context, id string) error {
	if err := p.busy.lock(ctx, id); err != nil {
		return err
	}
	defer p.busy.unlock(id)
	if p.cfg.Filer == nil {
		_, err := p.erase(ctx, id)
		return err
	}
	return p.cfg.Filer.Delete(ctx, id, func() (*store.Stored, error) { return p.erase(ctx, id) })
}

// erase deletes an article from the store. Its embeddings are cached first: a crash between the two
// steps leaves a vector stored twice, while in the other order it would be lost.
func (p *Pipeline) erase(ctx context.Context, id string) (*store.Stored, error) {
	found, err := p.cfg.Store.Get(ctx, []string{id}, store.WithVectors)
	if err != nil {
		return nil, err
	}
	if found[0] != nil {
		vectors, err := p.vectorsOf(ctx, found)
		if err != nil {
			p.cfg.Logger.WarnContext(ctx, "cannot read the vectors of an article; they are not cached before it is deleted", "article", id, "error", err)
		}
		p.cache(ctx, vectors[id])
	}
	if err := p.cfg.Store.Delete(ctx, id); err != nil {
		return found[0], err
	}
	if found[0] != nil {
		p.cfg.States.Remove(found[0])
	}
	return found[0], nil
}

// Run takes all items in. A rejected item is counted and does not stop the run. An error of the
// store or the embedder stops it; the summary then counts what was committed. ErrNotFiled stops
// nothing: everything is stored.
func (p *Pipeline) Run(ctx context.Context, items iter.Seq2[news.Valid, error], opts Options) (Summary, error) {
	started := p.cfg.Now()
	r := &run{Pipeline: p, opts: opts}
	err := r.run(ctx, items)
	err = cmp.Or(err, r.waitFiled(ctx))
	r.summary.Took = p.cfg.Now().Sub(started)
	return r.summary, err
}
