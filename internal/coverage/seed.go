package coverage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/points"
)

// seed is what candidates are gathered by and compared with.
type seed struct {
	// stems are what the question consists of: one article, text, story or query, or each liked article. A candidate is
	// judged by the stem it is closest to.
	stems []stem
	// against are the disliked articles.
	against []*evidence.Weighed
	// sections, with vectors, are what evidence is looked for with. Their indices are those of the seed article.
	sections []points.Section
	exclude  []string // articles that the question is made of
	query    bool     // a search: there is no seed article
	terms    vector.Sparse
}

// stem is one thing to be near to.
type stem struct {
	dense     []float32     // article-level query vector
	lexical   vector.Sparse // raw weights
	weighed   *evidence.Weighed
	published time.Time
	copyRoot  string // copy group of a stored article: the id of its original, or its own
}

// maxSeedSections bounds how many sections of a long seed are searched with. The first ones are taken: news says what
// matters first.
const maxSeedSections = 8

// resolve reads or embeds what a seed names.
func (e *Engine) resolve(ctx context.Context, q Seed) (*seed, error) {
	switch {
	case q.ArticleID != "":
		return e.resolveArticle(ctx, q)
	case q.StoryID != "":
		return e.resolveStory(ctx, q.StoryID)
	case len(q.Liked) > 0:
		return e.resolveLiked(ctx, q.Liked, q.Disliked)
	default:
		return e.resolveText(ctx, q)
	}
}

func (e *Engine) stemOf(s *points.Stored) stem {
	root := s.Article.CopyOf
	if root == "" {
		root = s.Article.ID
	}
	return stem{
		dense: s.Vectors.Dense, lexical: s.Vectors.Full, weighed: e.cfg.Corpus.Weigh(corpus.Profile(s)),
		published: s.Article.Published, copyRoot: root,
	}
}

func (e *Engine) resolveArticle(ctx context.Context, q Seed) (*seed, error) {
	found, err := e.stored(ctx, []string{q.ArticleID})
	if err != nil {
		return nil, err
	}
	sections, err := e.cfg.Store.Sections(ctx, []string{q.ArticleID}, true)
	if err != nil {
		return nil, err
	}
	own := sections[q.ArticleID]
	st := e.stemOf(found[0])
	if q.Section != nil {
		if *q.Section < 0 || *q.Section >= len(own) {
			return nil, &FieldError{"section", fmt.Sprintf("article %q has sections 0 to %d", q.ArticleID, len(own)-1)}
		}
		one := own[*q.Section]
		own = []points.Section{one}
		st.dense, st.lexical = one.Dense, one.Lexical
		st.weighed = e.cfg.Corpus.Weigh(&evidence.Profile{
			ID: q.ArticleID, Dense: one.Dense, Lex: lexical.Analyze(one.Heading, one.Text), Published: st.published,
		})
	}
	return &seed{stems: []stem{st}, sections: head(own), exclude: []string{q.ArticleID}}, nil
}

func head(sections []points.Section) []points.Section {
	return sections[:min(len(sections), maxSeedSections)]
}

// stored returns the articles or says which one is unknown.
func (e *Engine) stored(ctx context.Context, ids []string) ([]*points.Stored, error) {
	found, err := e.cfg.Store.Get(ctx, ids, points.WithVectors)
	if err != nil {
		return nil, err
	}
	for i, s := range found {
		if s == nil {
			return nil, &points.NotFoundError{Kind: "article", ID: ids[i]}
		}
	}
	return found, nil
}

func (e *Engine) resolveStory(ctx context.Context, id string) (*seed, error) {
	current, err := e.cfg.Store.Story(ctx, id) // of a merged id: the story it is part of
	if err != nil {
		return nil, err
	}
	found, err := e.cfg.Store.GetStories(ctx, []string{current.ID}, points.WithVectors)
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, &points.NotFoundError{Kind: "story", ID: id}
	}
	story := found[0]
	dense := append([]float32(nil), story.Dense...)
	if !vector.Normalize(dense) {
		return nil, ErrNoVectors
	}
	// The mean of the members speaks for the story. It is as long as text gets, and has no one time.
	profile := &evidence.Profile{
		ID: story.ID, Dense: dense,
		Lex: lexical.Vectors{Full: story.Full, Lead: story.Lead, Names: story.Names, Words: fullText},
	}
	sections, err := e.cfg.Store.Sections(ctx, []string{story.Representative}, true)
	if err != nil {
		return nil, err
	}
	st := stem{dense: dense, lexical: story.Full, weighed: e.cfg.Corpus.Weigh(profile), published: story.Last}
	return &seed{stems: []stem{st}, sections: head(sections[story.Representative])}, nil
}

// fullText is a number of words that counts as a full text.
const fullText = 1000

func (e *Engine) resolveLiked(ctx context.Context, liked, disliked []string) (*seed, error) {
	all := append(append([]string(nil), liked...), disliked...)
	found, err := e.stored(ctx, all)
	if err != nil {
		return nil, err
	}
	s := &seed{exclude: all}
	for i, f := range found {
		st := e.stemOf(f)
		if i < len(liked) {
			s.stems = append(s.stems, st)
		} else {
			s.against = append(s.against, st.weighed)
		}
	}
	return s, nil
}

func (e *Engine) resolveText(ctx context.Context, q Seed) (*seed, error) {
	a := article.Article{Title: q.Title, Published: q.Published, Sections: article.ParseText(q.Text)}
	if err := article.Finish(&a); err != nil {
		return nil, &FieldError{"text", err.Error()}
	}
	sections := article.Split(a, corpus.SectionLimit(e.cfg.Embedder))
	sections = sections[:min(len(sections), maxSeedSections)]
	texts := []string{article.LeadText(a)}
	for _, s := range sections {
		texts = append(texts, article.EmbedText(a.Title, s))
	}
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Document, texts)
	if err != nil {
		return nil, fmt.Errorf("embedding the seed: %w", err)
	}
	lex := lexical.Analyze(a.Title, a.Text())
	if len(lex.Full.Terms) == 0 && strings.TrimSpace(q.Text) == "" {
		return nil, ErrNoVectors
	}
	profile := &evidence.Profile{Dense: vectors[0], Lex: lex, Published: q.Published}
	out := &seed{stems: []stem{{dense: vectors[0], lexical: lex.Full, weighed: e.cfg.Corpus.Weigh(profile), published: q.Published}}}
	for i, s := range sections {
		out.sections = append(out.sections, points.Section{Index: i, Heading: s.Heading, Text: s.Text, Dense: vectors[1+i]})
	}
	return out, nil
}

func (e *Engine) resolveQuery(ctx context.Context, query string) (*seed, error) {
	terms := lexical.QueryTerms(query)
	if len(terms.Terms) == 0 && strings.TrimSpace(query) == "" {
		return nil, ErrNoVectors
	}
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Query, []string{query})
	if err != nil {
		return nil, fmt.Errorf("embedding the query: %w", err)
	}
	profile := &evidence.Profile{Dense: vectors[0], Lex: lexical.Analyze("", query)}
	return &seed{
		stems:    []stem{{dense: vectors[0], lexical: terms, weighed: e.cfg.Corpus.Weigh(profile)}},
		sections: []points.Section{{Index: noSection, Text: query, Dense: vectors[0], Lexical: terms}},
		query:    true,
		terms:    terms,
	}, nil
}

// noSection is the index of a seed that has no sections.
const noSection = -1
