package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"throughline/internal/chunk"
	"throughline/internal/news"
)

const (
	// outletAge is the age at which the furniture of an outlet is found anew.
	outletAge = 10 * time.Minute
	// mostOutlets is the number of outlets whose furniture is remembered.
	mostOutlets = 1000
)

// outlets remembers the furniture of outlets, because single articles would pay for finding it each
// time. It is safe for concurrent use.
type outlets struct {
	mu sync.Mutex
	of map[string]*outlet // by source
}

// outlet is what is known of a source.
type outlet struct {
	stored    []news.Article // some that the store had when the source was met
	read      []news.Article // the first ones since
	since     time.Time
	furniture chunk.Furniture
}

// analyse analyses the articles of a batch that are to be written. What is the furniture of an
// outlet follows from some of its stored articles and the first ones that arrive, those of this
// batch included.
func (r *run) analyse(ctx context.Context, b *batch) error {
	furniture, err := r.furniture(ctx, b)
	if err != nil {
		return err
	}
	for _, w := range b.writes {
		w.analyse(furniture[w.whole.Source], r.cfg.EmbedWhole)
	}
	return nil
}

// furniture returns the furniture of the outlets of a batch, by source.
func (r *run) furniture(ctx context.Context, b *batch) (map[string]chunk.Furniture, error) {
	r.outlets.mu.Lock()
	defer r.outlets.mu.Unlock()
	now := r.cfg.Now()
	met, changed := make(map[string]*outlet), make(map[string]*outlet)
	for _, w := range b.writes {
		source := w.whole.Source
		if source == "" {
			continue
		}
		o := r.outlets.of[source]
		if o == nil || now.Sub(o.since) > outletAge {
			if len(r.outlets.of) >= mostOutlets {
				clear(r.outlets.of)
			}
			stored, err := r.storedOf(ctx, source)
			if err != nil {
				return nil, fmt.Errorf("reading articles of %s: %w", source, err)
			}
			o = &outlet{stored: stored, since: now}
			r.outlets.of[source] = o
		}
		if met[source] = o; len(o.read) < chunk.FurnitureSample {
			o.read = append(o.read, w.whole)
			changed[source] = o
		}
	}
	for _, o := range changed {
		o.furniture = chunk.FurnitureOf(append(o.read[:len(o.read):len(o.read)], o.stored...))
		if len(o.read) == chunk.FurnitureSample { // enough: their texts are not needed any more
			o.stored = nil
			clear(o.read)
		}
	}
	furniture := make(map[string]chunk.Furniture, len(met))
	for source, o := range met {
		furniture[source] = o.furniture
	}
	return furniture, nil
}

// storedOf returns some stored articles of a source.
func (r *run) storedOf(ctx context.Context, source string) ([]news.Article, error) {
	articles, _, err := r.cfg.Lister.List(ctx, news.Filter{Sources: []string{source}}, chunk.FurnitureSample, "")
	if err != nil || len(articles) == 0 {
		return nil, err
	}
	ids := make([]string, len(articles))
	for i := range articles {
		ids[i] = articles[i].ID
	}
	sections, err := r.cfg.Store.Sections(ctx, ids, false)
	if err != nil {
		return nil, err
	}
	for i := range articles {
		for _, s := range sections[articles[i].ID] {
			articles[i].Sections = append(articles[i].Sections, s.Section)
		}
	}
	return articles, nil
}
