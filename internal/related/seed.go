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
	"throughline/internal/chunk"
	"throughline/internal/features"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// seed is a resolved seed or query: what candidates are found with and compared with.
type seed struct {
	state *score.State // the State that everything is scored with
	// items are the things that the question consists of: one article, text, story or query, or
	// each liked article. A candidate is scored by the item that it is closest to.
	items []queryItem
	// disliked are the disliked articles.
	disliked []*score.Weighted
	exclude  []string      // ids of the articles of the seed
	query    bool          // from Search; there is no seed article
	terms    vector.Sparse // of a query
}

// queryItem is one thing that a seed consists of.
type queryItem struct {
	dense   []float32     // of the article, story or text as a whole
	lexical vector.Sparse // its words, without weights of the corpus
	// articles are what candidates are compared with: one article or text, or articles of a story.
	articles []*score.Weighted
	members  []string // of a story: the ids of articles
	// part is the section that a seed is limited to. Results are ordered by it; their probability
	// and relation are those of the whole article.
	part *score.Weighted
	// first and last are the time of publication; of a story, its span. Zero: unknown.
	first, last time.Time
	// storyID and topicID are its membership; empty: none.
	storyID, topicID string
	two              bool   // the story has two articles
	copyGroup        string // of a stored article
	// sections, with vectors, are compared for evidence. Their indices are those of the sections of
	// the seed. An item without sections has one with the index noSection, which stands for the
	// whole item.
	sections []store.Section
	searched int // number of sections, the first ones, that queries are made of
}

// maxSearched is the number of sections of a seed that queries are made of. News states what
// matters first.
const maxSearched = 8

// noSection is the index of the section that stands for a whole item.
const noSection = -1

// newItem returns an item with these features and words, and with itself as its only section.
func newItem(st *score.State, f *score.Features, words vector.Sparse) queryItem {
	return queryItem{
		dense: f.Dense, lexical: words, articles: []*score.Weighted{st.Weigh(f)},
		sections: []store.Section{{Index: noSection, Dense: f.Dense, Lexical: words}},
	}
}

// search gives an item its sections, if there are any, and makes queries of the first ones.
func (it *queryItem) search(own []store.Section) {
	if len(own) > 0 {
		it.sections, it.searched = own, min(len(own), maxSearched)
	}
}

// resolve reads or embeds what a seed consists of.
func (e *Engine) resolve(ctx context.Context, q Seed) (s *seed, err error) {
	switch {
	case q.ArticleID != "":
		s, err = e.resolveArticle(ctx, q)
	case q.StoryID != "":
		return e.resolveStory(ctx, q.StoryID)
	case len(q.Liked) > 0:
		s, err = e.resolveLiked(ctx, q.Liked, q.Disliked)
	default:
		s, err = e.resolveDraft(ctx, *q.Draft)
	}
	if err != nil {
		return nil, err
	}
	return s, e.countStories(ctx, s.items)
}

// countStories sets queryItem.two of articles and texts. A story has no use for it.
func (e *Engine) countStories(ctx context.Context, items []queryItem) error {
	var ids []string
	for _, it := range items {
		if it.members == nil && it.storyID != "" && !slices.Contains(ids, it.storyID) {
			ids = append(ids, it.storyID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := e.cfg.Store.Stories(ctx, ids, store.WithNothing)
	if err != nil {
		return err
	}
	for i := range items {
		if at := slices.Index(ids, items[i].storyID); at >= 0 && found[at] != nil {
			items[i].two = found[at].Articles == 2
		}
	}
	return nil
}

func itemOf(a *features.Article) queryItem {
	words := a.Vectors.Lex.Full
	it := queryItem{
		dense: a.Vectors.Dense, lexical: words, articles: []*score.Weighted{a.Weighted},
		sections: []store.Section{{Index: noSection, Dense: a.Vectors.Dense, Lexical: words}},
	}
	it.first, it.last = a.Fields.Published, a.Fields.Published
	it.file(a)
	return it
}

// file gives an item the membership of an article.
func (it *queryItem) file(a *features.Article) {
	it.copyGroup, it.storyID, it.topicID = a.CopyGroup(), a.StoryID, a.TopicID
}

func (e *Engine) resolveArticle(ctx context.Context, q Seed) (*seed, error) {
	current, ids := e.cfg.States.Current(), []string{q.ArticleID}
	found, err := e.stored(ctx, current, ids)
	if err != nil {
		return nil, err
	}
	read := e.cfg.Store.SectionVectors
	if q.Section != nil { // the text of the section is compared too
		read = func(ctx context.Context, ids []string) (map[string][]store.Section, error) {
			return e.cfg.Store.Sections(ctx, ids, true)
		}
	}
	sections, err := read(ctx, ids)
	if err != nil {
		return nil, err
	}
	own := sections[q.ArticleID]
	it := itemOf(found[0])
	if q.Section != nil {
		at := slices.IndexFunc(own, func(s store.Section) bool { return s.Index == *q.Section })
		if len(own) == 0 {
			return nil, &FieldError{"section", fmt.Sprintf("article %q has no sections", q.ArticleID)}
		}
		if at < 0 {
			return nil, &FieldError{"section", fmt.Sprintf("article %q has sections 0 to %d", q.ArticleID, own[len(own)-1].Index)}
		}
		own = own[at : at+1]
		one := own[0]
		it.dense, it.lexical = one.Dense, one.Lexical
		f := score.FeaturesOf(&news.Article{ID: q.ArticleID, Title: one.Heading, Published: it.first, Sections: []news.Section{{Text: one.Text}}}, one.Dense)
		it.part = current.Weigh(&f)
	}
	it.search(own)
	return &seed{state: current, items: []queryItem{it}, exclude: []string{q.ArticleID}}, nil
}

// stored returns articles, or a *store.NotFoundError for the first unknown id.
func (e *Engine) stored(ctx context.Context, st *score.State, ids []string) ([]*features.Article, error) {
	found, err := e.cfg.Features.Read(ctx, st, ids, nil)
	if err != nil {
		return nil, err
	}
	for i, a := range found {
		if a == nil {
			return nil, &store.NotFoundError{Kind: "article", ID: ids[i]}
		}
	}
	return found, nil
}

func (e *Engine) resolveStory(ctx context.Context, id string) (*seed, error) {
	story, err := store.ResolveStory(ctx, e.cfg.Store, id, store.WithVectors)
	if err != nil {
		return nil, err
	}
	dense := slices.Clone(story.Dense)
	if !vector.Normalize(dense) {
		return nil, ErrNoVectors
	}
	members, err := store.Members(ctx, e.cfg.Store, story.ID, "", store.MaxSampled)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, ErrNoVectors
	}
	// Candidates are found by the mean of the members and compared with each of them, as filing
	// does. Compared with the mean, as if it were one article, too much would be alike: it has the
	// words of all members.
	current := e.cfg.States.Current()
	it := newItem(current, &score.Features{Dense: dense}, story.Lex.Full)
	it.articles = nil
	for _, m := range members {
		f := m.Features()
		it.articles, it.members = append(it.articles, current.Weigh(&f)), append(it.members, f.ID)
	}
	it.first, it.last, it.storyID, it.topicID = story.First, story.Last, story.ID, story.TopicID
	sections, err := e.cfg.Store.Sections(ctx, []string{story.Representative}, true)
	if err != nil {
		return nil, err
	}
	it.search(sections[story.Representative])
	return &seed{state: current, items: []queryItem{it}}, nil
}

// resolveLiked makes an item of every liked article. Their sections are not read: with many
// articles that would be most of the work, and readers like an article for its main subject.
func (e *Engine) resolveLiked(ctx context.Context, liked, disliked []string) (*seed, error) {
	liked = distinct(liked)
	all := slices.Concat(liked, distinct(disliked))
	s := &seed{state: e.cfg.States.Current(), exclude: all}
	found, err := e.stored(ctx, s.state, all)
	if err != nil {
		return nil, err
	}
	for i, a := range found {
		it := itemOf(a)
		if i < len(liked) {
			s.items = append(s.items, it)
		} else {
			s.disliked = append(s.disliked, it.articles...)
		}
	}
	return s, nil
}

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// hasWord reports whether a text has a letter or digit.
func hasWord(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

func (e *Engine) resolveDraft(ctx context.Context, draft news.Valid) (*seed, error) {
	a := draft.Article()
	if !hasWord(a.Title) && !hasWord(a.Text()) {
		return nil, ErrNoVectors
	}
	sections := chunk.Split(a, chunk.LimitFor(e.cfg.Embedder))
	sections = sections[:min(len(sections), maxSearched)] // each costs an embedding
	texts := []string{chunk.LeadText(a)}
	for _, s := range sections {
		texts = append(texts, chunk.EmbedText(a.Title, s))
	}
	vectors, err := e.cfg.Embedder.Embed(ctx, embed.Document, texts)
	if err != nil {
		return nil, fmt.Errorf("embedding the seed: %w", err)
	}
	current, f := e.cfg.States.Current(), score.FeaturesOf(&a, vectors[0])
	it := newItem(current, &f, f.Lex.Full)
	it.first, it.last = a.Published, a.Published
	if err := e.identify(ctx, current, &it); err != nil {
		return nil, err
	}
	own := make([]store.Section, len(sections))
	for i, s := range sections {
		own[i] = store.Section{Index: i, Section: s, Dense: vectors[1+i], Lexical: lexical.QueryTerms(s.Heading + "\n" + s.Text)}
	}
	it.search(own)
	return &seed{state: current, items: []queryItem{it}}, nil
}

// nearTexts is the number of articles, by vector and by words each, among which the stored article
// is looked for that a draft is a copy of. A copy is nearer than other reports.
const nearTexts = 10

// identify gives a draft that is a copy of a stored article the membership of that article: it
// would be filed with it. If the two are one text, and the draft has no date or the same,
// candidates are compared with the stored article instead, so layout and title do not matter.
func (e *Engine) identify(ctx context.Context, st *score.State, it *queryItem) error {
	queries := []store.Query{{Of: store.Articles, Dense: it.dense, Limit: nearTexts}}
	if len(it.lexical.Terms) > 0 {
		queries = append(queries, store.Query{Of: store.Articles, Sparse: it.lexical, Limit: nearTexts})
	}
	hits, marks, err := e.cfg.Store.QueryMarks(ctx, queries)
	if err != nil {
		return err
	}
	near, err := e.cfg.Features.Read(ctx, st, interleave(hits...), marks)
	if err != nil {
		return err
	}
	var best *features.Article
	bestShare, same := 0.0, false
	for _, a := range near {
		if a == nil {
			continue // deleted since the query
		}
		signals := score.Compare(it.articles[0], a.Weighted)
		share, one := score.SameWords(it.articles[0], a.Weighted)
		one = one && (it.first.IsZero() || signals.Dated && signals.Days == 0)
		if (one || signals.Copy) && (best == nil || one && !same || one == same && share > bestShare) {
			best, bestShare, same = a, share, one
		}
	}
	if best == nil {
		return nil
	}
	it.file(best)
	if same {
		stored := itemOf(best)
		it.articles, it.first, it.last = stored.articles, stored.first, stored.last
	}
	return nil
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
	current := e.cfg.States.Current()
	f := score.Features{Dense: vectors[0], Lex: lexical.Analyze("", query)}
	it := newItem(current, &f, terms)
	it.searched = 1
	return &seed{state: current, items: []queryItem{it}, query: true, terms: terms}, nil
}
