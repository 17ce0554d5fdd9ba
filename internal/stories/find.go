package stories

import (
	"context"
	"fmt"

	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// Fit is a story that a draft may belong to.
type Fit struct {
	Story       news.Story
	Probability float64 // that the draft is about the event of the story, 0 to 1
}

// Found is the answer of Find.
type Found struct {
	StoryID string // the story that the draft would be filed in; empty if it would be a one-off or start a new story
	Fits    []Fit  // the stories that fit best, best first
	State   int64  // version of the State that the probabilities come from
}

// Find finds the story that a draft would be filed in, and at most n stories that fit it best. It
// stores nothing.
func (e *Engine) Find(ctx context.Context, draft news.Valid, n int) (*Found, error) {
	a := draft.Article()
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Document, []string{chunk.LeadText(a)})
	if err != nil {
		return nil, fmt.Errorf("embedding the draft: %w", err)
	}
	st, f := e.cfg.States.Current(), score.FeaturesOf(&a, vectors[0])
	from := stored{e.cfg.Articles}
	seed := &store.Stored{Article: a, Vectors: store.Vectors{Dense: f.Dense, Lex: f.Lex}}
	seed.Article.ID = "" // a draft is not stored, so a stored article with its id must be compared too
	near, _, err := e.near(ctx, from, []*store.Stored{seed})
	if err != nil {
		return nil, err
	}
	c := &comparer{st, make(map[string]*score.Weighted)}
	around := aroundOf(c, seed, c.neighbors(seed, near[0]), near[0])
	g, err := groupNear(ctx, from, c, seed, around)
	if err != nil {
		return nil, err
	}
	fits, err := fitsNear(ctx, from, c, seed, around)
	if err != nil {
		return nil, err
	}
	found := &Found{StoryID: g.storyID, State: st.Version}
	closest := fits[:min(len(fits), max(n, 0))]
	ids := make([]string, len(closest))
	for i, fit := range closest {
		ids[i] = fit.storyID
	}
	list, err := e.cfg.Stories.Stories(ctx, ids, store.WithNothing)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		if s != nil {
			found.Fits = append(found.Fits, Fit{Story: s.Story, Probability: st.MembershipProbability(closest[i].logit)})
		}
	}
	return found, nil
}
