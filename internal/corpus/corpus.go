// Package corpus holds what an article is made into on its way from text to scoring, so that a stored article, a draft and
// a seed given by text are treated alike: how long its sections may be, and the form in which internal/evidence compares
// what internal/store keeps. It also reads the picture of the whole corpus that scoring needs at start.
package corpus

import (
	"context"
	"fmt"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

// Profile is a stored article as scoring sees it. It shares the slices of s.
func Profile(s *store.Stored) *evidence.Profile {
	return &evidence.Profile{
		ID:    s.Article.ID,
		Dense: s.Vectors.Dense,
		Lex: lexical.Vectors{Full: s.Vectors.Full, Lead: s.Vectors.Lead, Names: s.Vectors.Names, Words: s.Article.Words,
			Shingles: s.Vectors.Shingles},
		Published: s.Article.Published,
		Source:    s.Article.Source,
	}
}

// Scanner is what Load needs of a store.
type Scanner interface {
	Scan(ctx context.Context, with store.With, fn func(*store.Stored) error) error
}

// Load reads document frequencies and background of everything that is stored: one pass, one page in memory at a time.
func Load(ctx context.Context, from Scanner) (*evidence.Corpus, error) {
	c := evidence.NewCorpus()
	err := from.Scan(ctx, store.WithVectors, func(s *store.Stored) error {
		c.Add(Profile(s))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the stored corpus: %w", err)
	}
	return c, nil
}

// minSectionWords is the length under which a section joins its neighbour: shorter ones carry no matter of their own.
const minSectionWords = 8

// SectionLimit is how long the sections of an article may be, so that title, heading and text fit the embedder's model.
func SectionLimit(e embed.Embedder) article.Limit {
	count := embed.Counter(e)
	return article.Limit{Tokens: e.Space().TextTokens(count), Count: count, MinWords: minSectionWords}
}
