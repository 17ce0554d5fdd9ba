package state

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"throughline/embed"
)

// usualTexts holds the beginnings of the sample articles of this project, one on a line. The test
// TestUsualTexts compares it with them, and writes it with -update.
//
//go:embed usual.txt
var usualTexts string

// UsualVector returns the mean vector of general news in an embedding space: what any two articles
// have in common there. score.Background has it for the space of the model only.
func UsualVector(ctx context.Context, embedder embed.Embedder) ([]float32, error) {
	texts := strings.Split(strings.TrimSpace(usualTexts), "\n")
	vectors, err := embedder.Embed(ctx, embed.Document, texts)
	if err != nil {
		return nil, fmt.Errorf("embedding general news: %w", err)
	}
	mean := make([]float32, embedder.Space().Dimensions)
	for _, v := range vectors {
		for i, x := range v {
			mean[i] += x / float32(len(vectors))
		}
	}
	return mean, nil
}

// measureUsual measures the mean vector of general news if the embedder is not of the space of the
// model and it is not known yet. Until that succeeds, the mean of the corpus stands for it.
func (o *Owner) measureUsual(ctx context.Context) {
	o.mu.Lock()
	known := o.known.Usual != nil
	o.mu.Unlock()
	if known || o.cfg.Reference == nil {
		return
	}
	mean, err := UsualVector(ctx, o.cfg.Embedder)
	if err != nil {
		if ctx.Err() == nil {
			o.cfg.Logger.WarnContext(ctx, "cannot measure what is usual in the embedding space; trying again when the corpus has grown", "error", err)
		}
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known.Usual = mean
}
