package ingest

import (
	"context"
	"fmt"

	"throughline/internal/chunk"
	"throughline/internal/news"
)

// outlet is what a run knows of a source.
type outlet struct {
	stored []news.Article // some that the store had when the run met the source
	read   []news.Article // the first ones of the run
}

// analyse analyses the articles of a batch that are to be written. What is the furniture of an
// outlet follows from some of its stored articles and the first ones of the run, those of this
// batch included.
func (r *run) analyse(ctx context.Context, b *batch) error {
	for _, w := range b.writes {
		if w.whole.Source == "" {
			continue
		}
		o := r.outlets[w.whole.Source]
		if o == nil {
			o = new(outlet)
			var err error
			if o.stored, err = r.storedOf(ctx, w.whole.Source); err != nil {
				return fmt.Errorf("reading articles of %s: %w", w.whole.Source, err)
			}
			r.outlets[w.whole.Source] = o
		}
		if len(o.read) < chunk.FurnitureSample {
			o.read = append(o.read, w.whole)
		}
	}
	known := make(map[string]chunk.Furniture)
	for _, w := range b.writes {
		source := w.whole.Source
		furniture, ok := known[source]
		if o := r.outlets[source]; !ok && o != nil {
			furniture = chunk.FurnitureOf(append(o.read[:len(o.read):len(o.read)], o.stored...))
			known[source] = furniture
		}
		w.analyse(furniture, r.cfg.EmbedWhole)
	}
	return nil
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
