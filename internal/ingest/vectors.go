package ingest

import (
	"context"
	"fmt"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/store"
)

// A text is embedded once: what is stored says which text each of its vectors was made of, and the store keeps the vectors
// of texts that were taken out of it. So an edit costs what it changed, and an article that was deleted and comes again
// costs nothing. Where the store fails to say what it has, texts are embedded: that is never wrong.

// needed are the texts that a batch has to have vectors of, each once.
type needed struct {
	keys  []string
	texts map[string]string // by key
}

func (n *needed) add(key, text string) {
	if _, ok := n.texts[key]; !ok {
		n.keys, n.texts[key] = append(n.keys, key), text
	}
}

// sectionText is what is embedded for a section of an article.
func sectionText(a *article.Article, s store.Section) string {
	return article.EmbedText(a.Title, article.Section{Heading: s.Heading, Text: s.Text})
}

// embed fills in the vectors of a batch: those that the store has, and those of the other texts with one call of the
// embedder.
func (r *run) embed(ctx context.Context, b *batch) error {
	need := needed{texts: make(map[string]string)}
	for _, w := range b.items {
		if !w.toWrite() {
			continue
		}
		need.add(w.puts.Vectors.DenseOf, w.lead)
		for _, s := range w.puts.Sections {
			need.add(s.DenseOf, sectionText(&w.a, s))
		}
	}
	if len(need.keys) == 0 {
		return nil
	}
	vectors := r.reuse(ctx, b, need)
	b.reused = len(vectors)
	var missing, texts []string
	for _, key := range need.keys {
		if vectors[key] == nil {
			missing, texts = append(missing, key), append(texts, need.texts[key])
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
	for _, w := range b.items {
		if !w.toWrite() {
			continue
		}
		w.puts.Vectors.Dense = vectors[w.puts.Vectors.DenseOf]
		for i := range w.puts.Sections {
			w.puts.Sections[i].Dense = vectors[w.puts.Sections[i].DenseOf]
		}
	}
	return ctx.Err()
}

// reuse returns the vectors of needed texts that the store has: in the revisions that the batch replaces, whose vectors it
// also notes, or kept.
func (r *run) reuse(ctx context.Context, b *batch, need needed) map[string][]float32 {
	found := make(map[string][]float32)
	var updated []string
	for _, w := range b.items {
		if w.report.Outcome == Updated {
			updated = append(updated, w.report.ID)
		}
	}
	replaced, err := r.vectorsOf(ctx, updated)
	if err != nil {
		r.cfg.Logger.WarnContext(ctx, "the vectors of articles that changed cannot be read; their texts are embedded again", "articles", len(updated), "error", err)
	}
	for _, w := range b.items {
		w.replaced = replaced[w.report.ID]
		for key, v := range w.replaced {
			if _, ok := need.texts[key]; ok {
				found[key] = v
			}
		}
	}
	var open []string
	for _, key := range need.keys {
		if found[key] == nil {
			open = append(open, key)
		}
	}
	if len(open) == 0 {
		return found
	}
	kept, err := r.cfg.Store.KeptVectors(ctx, open)
	if err != nil {
		r.cfg.Logger.WarnContext(ctx, "kept vectors cannot be read; the texts are embedded again", "texts", len(open), "error", err)
	}
	for key, v := range kept {
		found[key] = v
	}
	return found
}

// vectorsOf returns the vectors of stored articles and their sections, by article and the key of the text each was made
// of. Vectors whose text is not known are left out.
func (p *Pipeline) vectorsOf(ctx context.Context, ids []string) (map[string]map[string][]float32, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	articles, err := p.cfg.Store.Get(ctx, ids, store.WithDense)
	if err != nil {
		return nil, err
	}
	sections, err := p.cfg.Store.Sections(ctx, ids, true)
	if err != nil {
		return nil, err
	}
	dimensions := p.cfg.Embedder.Space().Dimensions
	out := make(map[string]map[string][]float32, len(ids))
	for _, a := range articles {
		if a == nil {
			continue
		}
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

// keep puts vectors of texts that are about to be stored no more where they are found when the texts come again. A failure
// costs an embedding then, so it stops nothing now.
func (p *Pipeline) keep(ctx context.Context, vectors map[string][]float32) {
	if len(vectors) == 0 {
		return
	}
	if err := p.cfg.Store.KeepVectors(ctx, vectors); err != nil {
		p.cfg.Logger.WarnContext(ctx, "vectors of texts that are replaced or deleted were not kept", "texts", len(vectors), "error", err)
	}
}

// dropped are the vectors of the replaced revisions of some articles whose texts are in none of the new ones.
func dropped(written []*work) map[string][]float32 {
	out := make(map[string][]float32)
	for _, w := range written {
		for key, v := range w.replaced {
			out[key] = v
		}
	}
	for _, w := range written {
		delete(out, w.puts.Vectors.DenseOf)
		for _, s := range w.puts.Sections {
			delete(out, s.DenseOf)
		}
	}
	return out
}
