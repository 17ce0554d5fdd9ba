package evaluate

import (
	"context"
	"errors"
	"iter"

	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// System is the system to evaluate. It is empty at first.
type System interface {
	// Ingest stores articles and calls each with the outcome of every item. It returns when no call
	// is in flight.
	Ingest(ctx context.Context, items iter.Seq2[news.Valid, error], each func(ingest.Report)) (ingest.Summary, error)
	// File clusters all stored articles and returns the place of each. An empty story or topic
	// means none.
	File(ctx context.Context) (map[string]Place, error)
	// Related ranks the related coverage of an article. It must be safe for concurrent use.
	Related(ctx context.Context, id string) (List, error)
}

// Place holds the ids of the story and the topic of an article.
type Place struct{ Story, Topic string }

// List reads a ranked list of articles in pages, because showing an article costs time.
// It returns at most n results, from offset on.
type List func(ctx context.Context, offset, n int) ([]Hit, error)

// Hit is one result of a list, with the probability that it is of the same story as the article
// asked about.
type Hit struct {
	ID          string
	Probability float64
}

// Engines is the product as a System. All fields are required and share one store.
type Engines struct {
	Pipeline *ingest.Pipeline
	Ranking  *related.Engine
	Stories  *stories.Engine
	Store    *store.Store
}

// Ingest stores articles without filing them. File files all of them at once, as the program does
// after a large ingest.
func (e Engines) Ingest(ctx context.Context, items iter.Seq2[news.Valid, error], each func(ingest.Report)) (ingest.Summary, error) {
	return e.Pipeline.Run(ctx, items, ingest.Options{Each: each})
}

// File reclusters the store.
func (e Engines) File(ctx context.Context) (map[string]Place, error) {
	if _, err := e.Stories.Recluster(ctx, stories.ReclusterOptions{}, nil); err != nil {
		return nil, err
	}
	places, _, err := e.places(ctx)
	return places, err
}

// Related asks with default settings, but includes copies: a copy is coverage of the same story.
func (e Engines) Related(ctx context.Context, id string) (List, error) {
	found, err := e.Ranking.Related(ctx, related.Request{
		Seed: related.Seed{ArticleID: id}, ListOptions: related.ListOptions{IncludeCopies: true},
	})
	if err != nil {
		return nil, err
	}
	if found.Partial() {
		return nil, errors.New("part of the store did not answer")
	}
	return func(ctx context.Context, offset, n int) ([]Hit, error) {
		page, err := found.Page(ctx, offset, n)
		hits := make([]Hit, len(page))
		for i, result := range page {
			hits[i] = Hit{result.Article.ID, result.Probability}
		}
		return hits, err
	}, nil
}
