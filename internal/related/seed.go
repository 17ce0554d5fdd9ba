package related

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

// seed is what candidates are gathered by and compared with.
type seed struct {
	// stems are what the question consists of: one article, text, story or query, or each liked article. A candidate is
	// judged by the stem it is closest to.
	stems []stem
	// against are the disliked articles.
	against []*evidence.Weighed
	exclude []string // articles that the question is made of
	query   bool     // a search: there is no seed article
	terms   vector.Sparse
}

// stem is one thing to be near to.
type stem struct {
	dense   []float32     // article-level query vector
	lexical vector.Sparse // raw weights
	weighed *evidence.Weighed
	// first and last are when it was published; of a story, its span. Zero: unknown.
	first, last time.Time
	// storyID and topicID are where it is filed; empty: nowhere.
	storyID, topicID string
	story            bool   // a whole story: the text of one article within it is no copy of it
	copyRoot         string // copy group of a stored article: the id of its original, or its own
	// sections, with vectors, are what evidence is looked for with. Their indices are those of the seed's sections. A stem
	// without sections of its own has one with the index noSection, which stands for all of it.
	sections []store.Section
	searched int // how many of the sections are searched with, the first ones
}

// maxSearched bounds how many sections of a long seed are searched with: news says what matters first.
const maxSearched = 8

// noSection is the index of what stands for a seed as a whole.
const noSection = -1

// whole is a stem as one section.
func whole(dense []float32, words vector.Sparse) []store.Section {
	return []store.Section{{Index: noSection, Dense: dense, Lexical: words}}
}

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

func (e *Engine) stemOf(s *store.Stored) stem {
	st := stem{
		dense: s.Vectors.Dense, lexical: s.Vectors.Full, weighed: e.cfg.Corpus.Weigh(corpus.Profile(s)),
		first: s.Article.Published, last: s.Article.Published, copyRoot: copyRoot(&s.Article), storyID: s.Article.StoryID,
		sections: whole(s.Vectors.Dense, s.Vectors.Full),
	}
	if len(s.Article.TopicIDs) > 0 {
		st.topicID = s.Article.TopicIDs[0]
	}
	return st
}

// copyRoot is what the articles of a copy group have in common: the id of the original.
func copyRoot(a *store.Article) string {
	if a.CopyOf != "" {
		return a.CopyOf
	}
	return a.ID
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
		at := slices.IndexFunc(own, func(s store.Section) bool { return s.Index == *q.Section })
		switch {
		case at >= 0:
		case len(own) == 0:
			return nil, &FieldError{"section", fmt.Sprintf("article %q has no sections", q.ArticleID)}
		default:
			return nil, &FieldError{"section", fmt.Sprintf("article %q has sections 0 to %d", q.ArticleID, own[len(own)-1].Index)}
		}
		one := own[at]
		own = []store.Section{one}
		st.dense, st.lexical = one.Dense, one.Lexical
		st.storyID, st.topicID = "", "" // that is where the article belongs, whatever the section is about
		st.weighed = e.cfg.Corpus.Weigh(&evidence.Profile{
			ID: q.ArticleID, Dense: one.Dense, Lex: lexical.Analyze(one.Heading, one.Text), Published: st.first,
		})
	}
	if len(own) > 0 {
		st.sections, st.searched = own, min(len(own), maxSearched)
	}
	return &seed{stems: []stem{st}, exclude: []string{q.ArticleID}}, nil
}

// stored returns the articles or says which one is unknown.
func (e *Engine) stored(ctx context.Context, ids []string) ([]*store.Stored, error) {
	found, err := e.cfg.Store.Get(ctx, ids, store.WithVectors)
	if err != nil {
		return nil, err
	}
	for i, s := range found {
		if s == nil {
			return nil, &store.NotFoundError{Kind: "article", ID: ids[i]}
		}
	}
	return found, nil
}

func (e *Engine) resolveStory(ctx context.Context, id string) (*seed, error) {
	current, err := e.cfg.Store.Story(ctx, id) // of a merged id: the story it is part of
	if err != nil {
		return nil, err
	}
	found, err := e.cfg.Store.GetStories(ctx, []string{current.ID}, store.WithVectors)
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, &store.NotFoundError{Kind: "story", ID: id}
	}
	story := found[0]
	dense := slices.Clone(story.Dense)
	if !vector.Normalize(dense) {
		return nil, ErrNoVectors
	}
	// The mean of the members speaks for the story. It is as long as text gets, and score knows its span.
	profile := &evidence.Profile{
		ID: story.ID, Dense: dense,
		Lex: lexical.Vectors{Full: story.Full, Lead: story.Lead, Names: story.Names, Words: fullText},
	}
	st := stem{
		dense: dense, lexical: story.Full, weighed: e.cfg.Corpus.Weigh(profile), first: story.First, last: story.Last, story: true,
		storyID: story.ID, topicID: story.TopicID,
		sections: whole(dense, story.Full),
	}
	sections, err := e.cfg.Store.Sections(ctx, []string{story.Representative}, true)
	if err != nil {
		return nil, err
	}
	if own := sections[story.Representative]; len(own) > 0 {
		st.sections, st.searched = own, min(len(own), maxSearched)
	}
	return &seed{stems: []stem{st}}, nil
}

// fullText is a number of words that counts as a full text.
const fullText = 1000

// resolveLiked makes a stem of every liked article. Their sections are not read: with many of them that would be most of
// the work, and what readers like about an article is rarely its fourth section.
func (e *Engine) resolveLiked(ctx context.Context, liked, disliked []string) (*seed, error) {
	liked, disliked = distinct(liked), distinct(disliked)
	all := slices.Concat(liked, disliked)
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

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	var out []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// hasWord reports whether there is anything to compare in a text.
func hasWord(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

func (e *Engine) resolveText(ctx context.Context, q Seed) (*seed, error) {
	if !hasWord(q.Text) && !hasWord(q.Title) {
		return nil, ErrNoVectors
	}
	a := article.Article{Title: q.Title, Published: q.Published, Sections: article.ParseText(q.Text)}
	if err := article.Finish(&a); err != nil {
		return nil, &FieldError{"text", err.Error()}
	}
	sections := article.Split(a, corpus.SectionLimit(e.cfg.Embedder))
	sections = sections[:min(len(sections), maxSearched)] // each costs an embedding
	texts := []string{article.LeadText(a)}
	for _, s := range sections {
		texts = append(texts, article.EmbedText(a.Title, s))
	}
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Document, texts)
	if err != nil {
		return nil, fmt.Errorf("embedding the seed: %w", err)
	}
	lex := lexical.Analyze(a.Title, a.Text())
	profile := &evidence.Profile{Dense: vectors[0], Lex: lex, Published: a.Published}
	st := stem{
		dense: vectors[0], lexical: lex.Full, weighed: e.cfg.Corpus.Weigh(profile), first: a.Published, last: a.Published,
		sections: whole(vectors[0], lex.Full),
	}
	if len(sections) > 0 {
		st.sections, st.searched = nil, len(sections)
	}
	for i, s := range sections {
		st.sections = append(st.sections, store.Section{
			Index: i, Heading: s.Heading, Text: s.Text, Dense: vectors[1+i], Lexical: lexical.QueryTerms(s.Heading + "\n" + s.Text),
		})
	}
	return &seed{stems: []stem{st}}, nil
}

func (e *Engine) resolveQuery(ctx context.Context, query string) (*seed, error) {
	if !hasWord(query) {
		return nil, ErrNoVectors
	}
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Query, []string{query})
	if err != nil {
		return nil, fmt.Errorf("embedding the query: %w", err)
	}
	terms := lexical.QueryTerms(query)
	profile := &evidence.Profile{Dense: vectors[0], Lex: lexical.Analyze("", query)}
	st := stem{dense: vectors[0], lexical: terms, weighed: e.cfg.Corpus.Weigh(profile), sections: whole(vectors[0], terms), searched: 1}
	return &seed{stems: []stem{st}, query: true, terms: terms}, nil
}
