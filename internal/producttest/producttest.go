// Package producttest assembles all engines on a store in memory, for tests of packages that use
// them.
package producttest

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/features"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/state"
	"throughline/internal/store"
	"throughline/internal/storetest"
	"throughline/internal/stories"
)

// Options configure a Product. The zero value embeds by hashing words.
type Options struct {
	Embedder embed.Embedder
	Workers  int // cores for reclustering; 0: all
	Batch    int // ingest.Config.BatchSections
	Now      func() time.Time
	Faults   *storetest.Faults
	Path     string // of the file of the store; empty: in memory
	Unfiled  bool   // ingested articles stay pending
}

// Product is a store with everything that works on it. It is closed at the end of the test.
type Product struct {
	Store   *store.Store
	States  *state.Owner
	Stories *stories.Engine
	Related *related.Engine
	Ingest  *ingest.Pipeline
}

// New assembles a product.
func New(t storetest.T, o Options) *Product {
	t.Helper()
	if o.Embedder == nil {
		o.Embedder = &embedtest.Hashed{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	p := &Product{Store: storetest.Open(t, storetest.Options{Space: o.Embedder.Space(), Now: o.Now, Faults: o.Faults, Path: o.Path})}
	var err error
	p.States, err = state.New(state.Config{Store: p.Store, Model: score.Default(), Background: score.DefaultBackground(), Embedder: o.Embedder, Logger: log, Now: o.Now, Workers: o.Workers})
	must(err)
	must(p.States.Load(context.Background()))
	var ids atomic.Int64
	p.Stories, err = stories.New(stories.Config{
		Articles: p.Store, Stories: p.Store, Writer: p.Store, States: p.States, Embedder: o.Embedder, Logger: log, Now: o.Now, Workers: o.Workers,
		NewID: func(kind string) string { return fmt.Sprintf("%s-%d", kind, ids.Add(1)) },
	})
	must(err)
	t.Cleanup(p.Stories.Close)
	must(p.Stories.Start(context.Background()))
	p.Related, err = related.New(related.Config{Store: p.Store, Features: features.New(p.Store, 16<<20), States: p.States, Embedder: o.Embedder, Logger: log, Now: o.Now})
	must(err)
	cfg := ingest.Config{Store: p.Store, Lister: p.Store, Embedder: o.Embedder, States: p.States, Filer: p.Stories, Logger: log, Now: o.Now, BatchSections: o.Batch}
	if o.Unfiled {
		cfg.Filer = nil
	}
	p.Ingest, err = ingest.NewPipeline(cfg)
	must(err)
	return p
}

// Put takes articles in one by one, and files them unless Options.Unfiled is set.
func (p *Product) Put(t storetest.T, articles ...news.Article) {
	t.Helper()
	for _, a := range articles {
		if _, err := p.Ingest.Put(context.Background(), valid(t, a)); err != nil {
			t.Fatal(err)
		}
	}
}

// Arrange takes articles in as one batch and reclusters. topics is as in stories.ReclusterOptions.
func (p *Product) Arrange(t storetest.T, topics int, articles ...news.Article) {
	t.Helper()
	each := func(yield func(news.Valid, error) bool) {
		for _, a := range articles {
			if !yield(valid(t, a), nil) {
				return
			}
		}
	}
	if _, err := p.Ingest.Run(context.Background(), each, ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stories.Recluster(context.Background(), stories.ReclusterOptions{Topics: topics}, nil); err != nil {
		t.Fatal(err)
	}
}

func valid(t storetest.T, a news.Article) news.Valid {
	t.Helper()
	v, err := news.Validate(a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
