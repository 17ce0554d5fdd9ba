package calibrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/evaluate"
	"throughline/internal/news"
	"throughline/internal/score"
)

// ReadNews returns the features of the articles of a file that count for what is usual in news.
func ReadNews(ctx context.Context, name string, items iter.Seq2[evaluate.Labelled, error], embedder embed.Embedder) ([]score.Features, error) {
	var articles []news.Article
	for item, err := range items {
		switch {
		case err == nil:
			articles = append(articles, item.Valid.Article())
		case ctx.Err() != nil:
			return nil, err
		} // an article that cannot be read says nothing
	}
	if len(articles) == 0 {
		return nil, fmt.Errorf("%s: %w", name, errNoArticle)
	}
	slices.SortFunc(articles, func(a, b news.Article) int { return strings.Compare(a.ID, b.ID) })
	fs := make([]score.Features, 0, len(articles))
	for batch := range slices.Chunk(articles, embedBatch) {
		texts := make([]string, len(batch))
		for i := range batch {
			texts[i] = chunk.LeadText(batch[i])
		}
		vectors, err := embedder.Embed(ctx, embed.Document, texts)
		if err != nil {
			return nil, fmt.Errorf("%s: vectors: %w", name, err)
		}
		for i := range batch {
			fs = append(fs, score.FeaturesOf(&batch[i], vectors[i]))
		}
	}
	return independent(fs), nil
}

// errNoArticle is the error of a file without an article that can be read.
var errNoArticle = errors.New("no article that can be read")

// sameNews is the cosine from which two articles count once for what is usual: they may be about
// one event, whose words are not usual. Half of the pairs of one event have more, and hardly any
// others.
const sameNews = 0.6

// independent returns the articles that are not near an earlier one.
func independent(fs []score.Features) []score.Features {
	var out []score.Features
	for i := range fs {
		near := func(f score.Features) bool { return float64(vector.Dot(f.Dense, fs[i].Dense)) >= sameNews }
		if !slices.ContainsFunc(out, near) {
			out = append(out, fs[i])
		}
	}
	return out
}
