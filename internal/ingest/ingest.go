// Package ingest is the way in: read articles are cut into sections, embedded, committed to the store and filed into
// stories.
//
// It knows the order of these steps, how much is in flight at once, and what happened to every item. Three stages run at
// the same time (prepare, embed, commit), each holding one batch, joined by channels without slack: memory is bounded by
// the batch size whatever is read, and the vectors of one batch are computed while the one before it is written.
//
// An article whose content hash is stored already makes no embedding call and no write, and of one that changed only the
// texts that changed are embedded, see vectors.go. A stop (ctx) lets the batch that is being committed finish or fail as a
// whole; since the store shows an article only once it is complete, whole articles are all that a stop can leave.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// Store is what ingest needs of the store; see internal/store for the contract of each method.
type Store interface {
	Known(ctx context.Context, ids []string) (map[string]store.Known, error)
	Put(ctx context.Context, puts []store.Put) []error
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	Delete(ctx context.Context, id string) error
	KeptVectors(ctx context.Context, keys []string) (map[string][]float32, error)
	KeepVectors(ctx context.Context, vectors map[string][]float32) error
}

// Filer decides which story a committed article belongs to.
type Filer interface {
	File(ctx context.Context, articleIDs []string) error
	Forget(ctx context.Context, removed store.Article) error
}

// Config is what a Pipeline is made of. Store, Embedder, Corpus, Logger and Now are needed.
type Config struct {
	Store    Store
	Embedder embed.Embedder
	Corpus   *evidence.Corpus
	Filer    Filer // nil: articles are not filed
	Logger   *slog.Logger
	Now      func() time.Time
	// BatchSections is about how many sections travel together; a batch holds whole articles. 0: 96, about two seconds of
	// the built-in model's work, so that a stop is quick and a commit is worth its fsync.
	BatchSections int
}

// Outcome is what became of one item.
type Outcome int

// Outcomes.
const (
	New Outcome = iota + 1
	Updated
	Unchanged
	Rejected
)

func (o Outcome) String() string {
	switch o {
	case New:
		return "new"
	case Updated:
		return "updated"
	case Unchanged:
		return "unchanged"
	case Rejected:
		return "rejected"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// Report says what became of one item. A rejected one names why; ID is empty when the item had none yet.
type Report struct {
	Item     int // position in the input, from 0
	ID       string
	Origin   article.Origin
	Outcome  Outcome
	Sections int
	Err      error // of a rejected item
}

// Summary counts the outcomes of a run.
type Summary struct {
	New, Updated, Unchanged, Sections int
	// Embedded is how many texts were embedded: leads and sections, each once where it occurs several times in a batch.
	// Reused is how many more the store had the vectors of.
	Embedded, Reused int
	Rejected         []Report
	Took             time.Duration
}

// Items is how many items the run has seen.
func (s Summary) Items() int { return s.New + s.Updated + s.Unchanged + len(s.Rejected) }

// Options of one run.
type Options struct {
	// File asks for filing after each commit. A batch job that rebuilds all stories afterwards leaves it out.
	File bool
	// Each is called once per item when its fate is known, in input order, never concurrently. It is not called for items that
	// an error of the run leaves undecided. May be nil.
	Each func(Report)
}

// ErrNotFiled wraps a failure of filing: the article is stored and acknowledged, its story is decided by the next batch run.
var ErrNotFiled = errors.New("stored, but not filed into a story")

// Pipeline takes articles in. It is safe for concurrent use; runs of the same article are ordered by its id.
type Pipeline struct {
	cfg     Config
	limit   article.Limit
	pending *claims
}

// NewPipeline makes a pipeline. The embedder's space decides how long a section may be.
func NewPipeline(cfg Config) (*Pipeline, error) {
	if cfg.Store == nil || cfg.Embedder == nil || cfg.Corpus == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("ingest: Config needs Store, Embedder, Corpus, Logger and Now")
	}
	if cfg.BatchSections <= 0 {
		cfg.BatchSections = 96
	}
	return &Pipeline{cfg: cfg, limit: corpus.SectionLimit(cfg.Embedder), pending: newClaims()}, nil
}

// Put takes one article in and files it. The article need not be finished (article.Finish); an invalid one is an error.
func (p *Pipeline) Put(ctx context.Context, a article.Article) (Report, error) {
	one := func(yield func(article.Article, error) bool) { yield(a, nil) }
	var report Report
	_, err := p.Run(ctx, one, Options{File: p.cfg.Filer != nil, Each: func(r Report) { report = r }})
	if report.Outcome == Rejected {
		return report, report.Err
	}
	return report, err
}

// Delete removes an article and takes it out of its story. An unknown id is store.ErrNotFound.
func (p *Pipeline) Delete(ctx context.Context, id string) error {
	release, err := p.pending.claim(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	found, err := p.cfg.Store.Get(ctx, []string{id}, store.WithVectors)
	if err != nil {
		return err
	}
	// Kept before it is deleted: a stop between the two leaves a vector twice, and the other way round none.
	if len(found) > 0 && found[0] != nil {
		vectors, err := p.vectorsOf(ctx, []string{id})
		if err != nil {
			p.cfg.Logger.WarnContext(ctx, "the vectors of an article cannot be read; they are deleted with it", "article", id, "error", err)
		}
		p.keep(ctx, vectors[id])
	}
	if err := p.cfg.Store.Delete(ctx, id); err != nil {
		return err
	}
	if len(found) == 0 || found[0] == nil {
		return nil
	}
	p.cfg.Corpus.Remove(corpus.Profile(found[0]))
	if p.cfg.Filer == nil {
		return nil
	}
	if err := p.cfg.Filer.Forget(ctx, found[0].Article); err != nil {
		return fmt.Errorf("%s is deleted, but its story still counts it: %w", id, err)
	}
	return nil
}

// Run takes all items in. A rejected item is counted and does not stop the run; an error of the store or the embedder
// does, after which the summary still holds for what was committed.
func (p *Pipeline) Run(ctx context.Context, items iter.Seq2[article.Article, error], opts Options) (Summary, error) {
	started := p.cfg.Now()
	r := &run{Pipeline: p, opts: opts}
	err := r.run(ctx, items)
	r.summary.Took = p.cfg.Now().Sub(started)
	return r.summary, err
}
