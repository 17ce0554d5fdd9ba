package stories

import (
	"context"
	"fmt"
	"strings"
	"time"

	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

// Draft is an article that is not stored.
type Draft struct {
	Title, Text, Source string
	Published           time.Time
}

// Match is a story that a draft comes close to.
type Match struct {
	Story       store.Story // without vectors
	Probability float64     // that the draft is about it
}

// Found is the answer for a draft.
type Found struct {
	StoryID string // the story it would be filed in; empty when it would stand alone
	Matches []Match
}

// Find says which story a draft would be filed in, with at most n stories that come closest, best first. It stores
// nothing. A draft that cannot be an article is an *article.ItemError.
func (e *Engine) Find(ctx context.Context, draft Draft, n int) (*Found, error) {
	a := article.Article{Title: draft.Title, Source: draft.Source, Published: draft.Published, Sections: article.ParseText(draft.Text)}
	if err := article.Finish(&a); err != nil {
		return nil, err
	}
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Document, []string{article.LeadText(a)})
	if err != nil {
		return nil, fmt.Errorf("embedding the draft: %w", err)
	}
	profile := &evidence.Profile{Dense: vectors[0], Lex: lexical.Analyze(a.Title, a.Text()), Published: a.Published, Source: strings.TrimSpace(a.Source)}
	d, err := e.decide(ctx, profile, "")
	if err != nil {
		return nil, err
	}
	found := &Found{StoryID: d.story}
	verdicts := d.verdicts[:min(len(d.verdicts), max(n, 0))]
	ids := make([]string, len(verdicts))
	for i, v := range verdicts {
		ids[i] = v.story
	}
	list, err := e.cfg.Store.GetStories(ctx, ids, store.WithNothing)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		if s != nil {
			found.Matches = append(found.Matches, Match{Story: *s, Probability: e.cfg.Model.Belonging(verdicts[i].logit, d.cut)})
		}
	}
	return found, nil
}
