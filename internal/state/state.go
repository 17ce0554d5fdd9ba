// Package state owns what scoring depends on: one immutable score.State at a time.
//
// It loads the State at start, counts articles that are stored and deleted, calibrates in the
// background, saves the State in the store, and swaps it atomically. On a read-only server it
// follows the State that the writer saves. It does not know what a story is (internal/stories) or
// how two articles are compared (internal/score).
//
// A request calls [Owner.Current] and never waits: [Owner.Load] makes the first State before the
// server is ready, and [Owner.Run] makes the later ones in the background.
package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"throughline/embed"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// Store is what the owner needs of the store; see internal/store for the contract of each method.
type Store interface {
	Scan(ctx context.Context, filter news.Filter, with store.With, fn func(*store.Stored) error) error
	Stories(ctx context.Context, ids []string, with store.With) ([]*store.Story, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	Extent(ctx context.Context) (store.Extent, error)
	StateNumber(ctx context.Context) (int64, error)
	LoadState(ctx context.Context) (data []byte, number int64, err error)
	SaveState(ctx context.Context, data []byte) error
}

// Config is what an Owner is made of. Store, Model, Background, Embedder, Logger and Now are
// needed.
type Config struct {
	Store    Store
	Model    *score.Model
	Embedder embed.Embedder
	// Reference embeds in the space that the coefficients of Model are for; nil if Embedder does.
	Reference  embed.Embedder
	Background *score.Background // what is usual in general news
	ReadOnly   bool              // follow the State of the writer instead of making one
	Logger     *slog.Logger
	Now        func() time.Time
	Workers    int          // cores for calibration; 0: all
	Target     score.Target // where stories should end
}

const (
	// publishShare is the share of the counted articles that may be stored or deleted before new
	// statistics are published at once. Publishing copies the statistics, so the total cost stays
	// proportional to the number of changes.
	publishShare = 1. / 64
	// publishEvery is the interval at which fewer changes are published.
	publishEvery = time.Second
	// saveEvery is the interval at which a changed State is saved, and followEvery the one at which
	// a reader looks for a new one. A reader is behind the writer by their sum at most.
	saveEvery   = 10 * time.Second
	followEvery = 5 * time.Second
	// saveTimeout bounds the last save, in Close.
	saveTimeout = 10 * time.Second
	// unsavedVersions is more than the number of States that a process publishes between two saves.
	// One that dies has used versions that nobody knows.
	unsavedVersions = 1 << 20
)

// Owner holds the current State. It is safe for concurrent use.
type Owner struct {
	cfg     Config
	current atomic.Pointer[score.State] // nil before Load

	mu      sync.Mutex // guards the fields up to known
	builder *score.StatsBuilder
	changed int          // articles stored or deleted since the last State
	extent  store.Extent // what the builder counts
	known   calibration

	calibrating chan struct{} // holds one value during a calibration, which owns the next two fields
	halves      []halved      // the halves that the space was measured on
	retry       backoff

	saved   int64     // version of the State in the store; used by Run and Close
	savedAt time.Time // time of the last attempt to save; used by Run
	number  int64     // of the record that was read last
}

// calibration is the part of a State that is measured rather than counted.
type calibration struct {
	Scale   score.Scale
	ScaleAt int // number of articles when the scale was measured; 0: never
	// Usual is the mean vector of general news in an embedding space other than that of the model,
	// see UsualVector; nil: not measured.
	Usual []float32 `json:",omitempty"`
	score.Arranged
	ThresholdAt int // number of articles when the threshold was chosen; 0: it is the default of the model
	// ArrangedAt is the extent of the articles when all were arranged last; zero: never.
	ArrangedAt store.Extent
}

// target returns where stories should end.
func (c *calibration) target(cfg *Config) score.Target { return *cmp.Or(c.Asked, &cfg.Target) }

// New makes an owner without a State; call Load next.
func New(cfg Config) (*Owner, error) {
	if cfg.Store == nil || cfg.Model == nil || cfg.Background == nil || cfg.Embedder == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("state: Config needs Store, Model, Background, Embedder, Logger and Now")
	}
	return &Owner{
		cfg: cfg, builder: score.NewStatsBuilder(), calibrating: make(chan struct{}, 1),
		known: calibration{Arranged: score.Arranged{Threshold: cfg.Target.DefaultThreshold(cfg.Model)}},
	}, nil
}

// ErrNotLoaded reports that the owner has no State yet.
var ErrNotLoaded = errors.New("state: not loaded yet")

// Ready returns ErrNotLoaded until Load has made the first State.
func (o *Owner) Ready() error {
	if o.current.Load() == nil {
		return ErrNotLoaded
	}
	return nil
}

// Current returns the current State. It panics before Load has returned; nothing is served then.
func (o *Owner) Current() *score.State {
	if st := o.current.Load(); st != nil {
		return st
	}
	panic(ErrNotLoaded)
}

// Load makes the first State. A writer takes the one in the store if its extent matches the stored
// articles; otherwise it counts them, and calibrates if there are enough. A reader takes the record
// of the writer even if it is older than the articles, and leaves calibration to the writer. A
// record that cannot be decoded is logged and replaced.
func (o *Owner) Load(ctx context.Context) error {
	record, number, err := o.read(ctx)
	if err != nil {
		return err
	}
	o.number = number
	if record != nil {
		o.mu.Lock()
		if o.known = record.calibration; record.ThresholdAt == 0 && !o.cfg.ReadOnly {
			o.known.Threshold = o.known.target(&o.cfg).DefaultThreshold(o.cfg.Model) // an earlier process may have had another target
		}
		o.mu.Unlock()
	}
	if !o.cfg.ReadOnly {
		o.measureUsual(ctx)
	}
	if record != nil && !o.cfg.ReadOnly {
		extent, err := o.cfg.Store.Extent(ctx)
		if err != nil {
			return fmt.Errorf("reading the extent of the store: %w", err)
		}
		if extent != record.Extent {
			record.builder = nil // articles have changed since it was saved
		}
	}
	version := int64(1)
	if record != nil {
		version = record.Version
	}
	if record == nil || record.builder == nil {
		version += unsavedVersions
		if err := o.count(ctx); err != nil {
			return fmt.Errorf("counting the stored articles: %w", err)
		}
	} else {
		o.mu.Lock()
		o.builder, o.extent = record.builder, record.Extent
		o.mu.Unlock()
		o.saved = version
	}
	o.mu.Lock()
	o.publishLocked(version)
	o.mu.Unlock()
	if follows := o.cfg.ReadOnly && record != nil; !follows && o.due() {
		o.calibrate(ctx)
	}
	return ctx.Err()
}

// count computes the statistics of all stored articles in one pass, with one page of articles in
// memory.
func (o *Owner) count(ctx context.Context) error {
	b, extent := score.NewStatsBuilder(), store.Extent{}
	err := o.cfg.Store.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		f := s.Features()
		b.Add(&f)
		extent.Articles++
		extent.LastRevision = max(extent.LastRevision, s.Article.Revision)
		return nil
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.builder, o.extent = b, extent
	return err
}

// Add counts an article that was stored. s has all its vectors.
func (o *Owner) Add(s *store.Stored) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := s.Features()
	o.builder.Add(&f)
	o.extent.Articles++
	o.extent.LastRevision = max(o.extent.LastRevision, s.Article.Revision)
	o.changedLocked()
}

// Remove takes an article that was replaced or deleted out of the statistics. s is as it was
// counted by Add.
func (o *Owner) Remove(s *store.Stored) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := s.Features()
	o.builder.Remove(&f)
	o.extent.Articles--
	o.changedLocked()
}

func (o *Owner) changedLocked() {
	o.changed++
	if st := o.current.Load(); st != nil && float64(o.changed) >= publishShare*float64(st.Stats.Articles()) {
		o.publishLocked(st.Version + 1)
	}
}

// Publish makes a State that includes every counted article, and returns it. Without changes it
// returns the current one.
func (o *Owner) Publish() *score.State {
	o.mu.Lock()
	defer o.mu.Unlock()
	if st := o.Current(); o.changed == 0 {
		return st
	}
	return o.publishLocked(o.Current().Version + 1)
}

func (o *Owner) publishLocked(version int64) *score.State {
	background := o.cfg.Background
	if o.cfg.Reference != nil {
		background = background.In(o.known.Usual)
	}
	st := &score.State{Version: version, Model: o.cfg.Model, Stats: o.builder.Stats(background), Scale: o.known.Scale, Threshold: o.known.Threshold, Templates: o.known.Templates}
	o.current.Store(st)
	o.changed = 0
	return st
}

// adopt publishes a State with a changed calibration.
func (o *Owner) adopt(change func(*calibration)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.known)
	o.publishLocked(o.Current().Version + 1)
}

// Extent returns the extent of the articles that are counted.
func (o *Owner) Extent() store.Extent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.extent
}

// Adopt publishes a State with what an arrangement of all articles of an extent found.
func (o *Owner) Adopt(found score.Arranged, at store.Extent) {
	o.adopt(func(c *calibration) {
		c.Arranged, c.ThresholdAt, c.ArrangedAt = found, o.builder.Articles(), at
	})
}

// Arranged returns what the last arrangement was asked for and found, and whether it had all
// articles that are counted now.
func (o *Owner) Arranged() (found score.Arranged, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known.Arranged, o.known.ArrangedAt == o.extent
}

// Run publishes new statistics, calibrates when that is due, and saves the State, until ctx ends.
// On a read-only server it follows the State of the writer instead. Failures are logged and
// retried.
func (o *Owner) Run(ctx context.Context) {
	if o.cfg.ReadOnly {
		every(ctx, followEvery, func() {
			if err := o.follow(ctx); err != nil && ctx.Err() == nil {
				o.cfg.Logger.WarnContext(ctx, "cannot read the state of the writer; trying again", "error", err)
			}
		})
		return
	}
	o.savedAt = o.cfg.Now()
	every(ctx, publishEvery, func() { o.maintain(ctx) })
}

// maintain is one round of Run on a server that writes.
func (o *Owner) maintain(ctx context.Context) {
	o.Publish()
	if o.due() {
		o.calibrate(ctx)
	}
	if now := o.cfg.Now(); now.Sub(o.savedAt) >= saveEvery {
		o.savedAt = now
		if err := o.save(ctx); err != nil && ctx.Err() == nil {
			o.cfg.Logger.WarnContext(ctx, "cannot save the state; trying again", "error", err)
		}
	}
}

// every calls fn at an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fn()
		}
	}
}

// Close saves the State. Call it after Run has returned and before the store is closed.
func (o *Owner) Close() error {
	if o.cfg.ReadOnly || o.Ready() != nil {
		return nil
	}
	o.Publish()
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	if err := o.save(ctx); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return nil
}

// save saves the current State unless the store has it.
func (o *Owner) save(ctx context.Context) error {
	if o.Current().Version == o.saved {
		return nil
	}
	o.mu.Lock()
	r := record{calibration: o.known, Extent: o.extent, Version: o.Current().Version, builder: o.builder}
	data, err := r.encode(o.cfg.Model, o.cfg.Background)
	o.mu.Unlock()
	if err != nil {
		return err
	}
	if err := o.cfg.Store.SaveState(ctx, data); err != nil {
		return err
	}
	o.saved = r.Version
	return nil
}

// follow publishes the State of the writer if the store has a new one.
func (o *Owner) follow(ctx context.Context) error {
	number, err := o.cfg.Store.StateNumber(ctx)
	if err != nil || number == o.number {
		return err
	}
	r, number, err := o.read(ctx)
	if err != nil {
		return err
	}
	o.number = number
	if r == nil { // unusable; read has logged the reason
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known, o.builder = r.calibration, r.builder
	o.publishLocked(r.Version)
	return nil
}

// read reads the record in the store. It returns nil if there is none, or none that can be used.
func (o *Owner) read(ctx context.Context) (*record, int64, error) {
	data, number, err := o.cfg.Store.LoadState(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the stored state: %w", err)
	}
	if data == nil {
		return nil, number, nil
	}
	r, err := decodeRecord(data, o.cfg.Model, o.cfg.Background)
	if err != nil {
		o.cfg.Logger.WarnContext(ctx, "stored state unusable; calibrating again", "error", err)
		return nil, number, nil
	}
	return r, number, nil
}
