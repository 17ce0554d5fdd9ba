package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"throughline/embed"
	"throughline/internal/store"
)

// A text is embedded once. What is stored names the text that each vector was made of, and the
// store caches the vectors of texts that were replaced or deleted. So an edit costs only what it
// changed, and an article that was deleted and comes again costs nothing. If vectors of sections or
// cached ones cannot be read, texts are embedded again, which is always right.

// embed sets the vectors of a batch: those that the store has, and the others with one call of the
// embedder.
func (r *run) embed(ctx context.Context, b *batch) error {
	var keys []string                 // of the texts that need vectors, each once
	needed := make(map[string]string) // these texts by key
	for _, w := range b.writes {
		w.each(func(key, text string, _ *[]float32) {
			if _, ok := needed[key]; !ok {
				keys, needed[key] = append(keys, key), text
			}
		})
	}
	if len(keys) == 0 {
		return nil
	}
	vectors, err := r.reuse(ctx, b, keys)
	if err != nil {
		return err
	}
	b.reused = len(vectors)
	var missing, texts []string
	for _, key := range keys {
		if vectors[key] == nil {
			missing, texts = append(missing, key), append(texts, needed[key])
		}
	}
	if len(texts) > 0 {
		made, err := r.cfg.Embedder.Embed(ctx, embed.Document, texts)
		if err != nil {
			return fmt.Errorf("embedding %d texts: %w", len(texts), err)
		}
		for i, key := range missing {
			vectors[key] = made[i]
		}
		b.embedded = len(texts)
	}
	for _, w := range b.writes {
		w.each(func(key, _ string, dense *[]float32) { *dense = vectors[key] })
	}
	return ctx.Err()
}

// reuse returns the vectors of the texts of these keys that the store has, by key: in the revisions
// that the batch replaces, or cached. It also sets old and replaced of changed articles.
func (r *run) reuse(ctx context.Context, b *batch, keys []string) (map[string][]float32, error) {
	found := make(map[string][]float32)
	var updated []*work
	var ids []string
	for _, w := range b.writes {
		if w.report.Outcome == Updated {
			updated, ids = append(updated, w), append(ids, w.report.ID)
		}
	}
	stored := make(map[string][]float32) // in the revisions that are replaced
	if len(updated) > 0 {
		old, err := r.cfg.Store.Get(ctx, ids, store.WithVectors)
		if err != nil {
			return nil, fmt.Errorf("reading %d changed articles: %w", len(ids), err)
		}
		replaced, err := r.vectorsOf(ctx, old)
		if err != nil {
			r.cfg.Logger.WarnContext(ctx, "cannot read the vectors of changed articles; embedding their texts again", "articles", len(ids), "error", err)
		}
		for i, w := range updated {
			w.old, w.replaced = old[i], replaced[w.report.ID]
			maps.Copy(stored, w.replaced)
		}
	}
	var missing []string
	for _, key := range keys {
		if v := stored[key]; v != nil {
			found[key] = v
		} else {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	cached, err := r.cfg.Store.CachedEmbeddings(ctx, missing)
	if err != nil {
		r.cfg.Logger.WarnContext(ctx, "cannot read cached embeddings; embedding the texts again", "texts", len(missing), "error", err)
	}
	maps.Copy(found, cached)
	return found, nil
}

// vectorsOf returns the vectors of stored articles and their sections, by article id and text key.
// Vectors whose text is unknown are left out.
func (p *Pipeline) vectorsOf(ctx context.Context, articles []*store.Stored) (map[string]map[string][]float32, error) {
	articles = slices.DeleteFunc(slices.Clone(articles), func(a *store.Stored) bool { return a == nil })
	ids := make([]string, len(articles))
	for i, a := range articles {
		ids[i] = a.Article.ID
	}
	sections, err := p.cfg.Store.Sections(ctx, ids, true)
	if err != nil {
		return nil, err
	}
	dimensions := p.cfg.Embedder.Space().Dimensions
	out := make(map[string]map[string][]float32, len(ids))
	for _, a := range articles {
		byKey := make(map[string][]float32)
		note := func(key string, v []float32) {
			if key != "" && len(v) == dimensions {
				byKey[key] = v
			}
		}
		note(a.Vectors.DenseOf, a.Vectors.Dense)
		for _, s := range sections[a.Article.ID] {
			note(s.DenseOf, s.Dense)
		}
		out[a.Article.ID] = byKey
	}
	return out, nil
}

// cache keeps the vectors of texts that are about to be replaced or deleted, for when the texts
// come again. A failure is only logged: it costs an embedding later.
func (p *Pipeline) cache(ctx context.Context, vectors map[string][]float32) {
	if len(vectors) == 0 {
		return
	}
	if err := p.cfg.Store.CacheEmbeddings(ctx, vectors); err != nil {
		p.cfg.Logger.WarnContext(ctx, "cannot cache the vectors of replaced or deleted texts", "texts", len(vectors), "error", err)
	}
}

// dropped returns the vectors of replaced revisions, by key, whose texts are in none of the new
// ones.
func dropped(written []*work) map[string][]float32 {
	out := make(map[string][]float32)
	for _, w := range written {
		maps.Copy(out, w.replaced)
	}
	for _, w := range written {
		w.each(func(key, _ string, _ *[]float32) { delete(out, key) })
	}
	return out
}
