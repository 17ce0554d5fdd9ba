package server

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/ingest"
	"throughline/internal/related"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// day is a fixed time of publication.
func day(n int) time.Time { return time.Date(2024, 3, n, 0, 0, 0, 0, time.UTC) }

// memory is a store, a pipeline and the engines over one map, as simple as they can be and still behave: what was put can
// be read, listed, ranked and deleted. fail, when set, decides which operation fails and how.
type memory struct {
	mu       sync.Mutex
	articles map[string]store.Article
	sections map[string][]store.Section
	stories  map[string]store.Story
	topics   map[string]store.Topic
	events   []store.Event
	fail     func(op string) error
	ran      int // how many times Run was called

	grown chan struct{} // closed and replaced when the ledger grows

	recluster func(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (stories.Summary, error)
}

func newMemory() *memory {
	return &memory{
		articles: map[string]store.Article{}, sections: map[string][]store.Section{},
		stories: map[string]store.Story{}, topics: map[string]store.Topic{}, grown: make(chan struct{}),
	}
}

func (m *memory) check(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.fail != nil {
		return m.fail(op)
	}
	return nil
}

func (m *memory) Run(ctx context.Context, items iter.Seq2[article.Article, error], opts ingest.Options) (ingest.Summary, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ran++
	i := 0
	for a := range items {
		r := ingest.Report{Item: i, ID: a.ID}
		i++
		if err := article.Finish(&a); err != nil {
			r.Outcome, r.Err = ingest.Rejected, err
			opts.Each(r)
			continue
		}
		if err := m.check(ctx, "put"); err != nil {
			return ingest.Summary{}, err
		}
		r.ID = a.ID
		before, known := m.articles[a.ID]
		switch {
		case !known:
			r.Outcome = ingest.New
		case before.Hash == a.Hash():
			r.Outcome = ingest.Unchanged
		default:
			r.Outcome = ingest.Updated
		}
		if r.Outcome != ingest.Unchanged {
			m.articles[a.ID] = store.Article{
				ID: a.ID, Title: a.Title, TitleDerived: a.TitleDerived, URL: a.URL, Source: a.Source, Language: a.Language,
				Authors: a.Authors, Published: a.Published, DateOnly: a.DateOnly, Sections: len(a.Sections), Hash: a.Hash(),
				Words: len(strings.Fields(a.Text())), Revision: before.Revision + 1, Ingested: day(30), StoryID: before.StoryID,
			}
			m.sections[a.ID] = nil
			for n, s := range a.Sections {
				m.sections[a.ID] = append(m.sections[a.ID], store.Section{ArticleID: a.ID, Index: n, Heading: s.Heading, Text: s.Text})
			}
		}
		opts.Each(r)
	}
	return ingest.Summary{}, m.check(ctx, "file")
}

func (m *memory) Delete(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.articles[id]; !ok {
		return &store.NotFoundError{Kind: "article", ID: id}
	}
	delete(m.articles, id)
	delete(m.sections, id)
	return m.check(ctx, "delete")
}

func (m *memory) Get(ctx context.Context, ids []string, _ store.With) ([]*store.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*store.Stored, len(ids))
	for i, id := range ids {
		if a, ok := m.articles[id]; ok {
			out[i] = &store.Stored{Article: a}
		}
	}
	return out, m.check(ctx, "get")
}

func (m *memory) Sections(ctx context.Context, ids []string, _ bool) (map[string][]store.Section, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]store.Section{}
	for _, id := range ids {
		out[id] = m.sections[id]
	}
	return out, m.check(ctx, "sections")
}

func (m *memory) sorted() []store.Article {
	var all []store.Article
	for _, a := range m.articles {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b store.Article) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func passes(f store.Filter, a store.Article) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return in(f.Sources, a.Source) && in(f.StoryIDs, a.StoryID) && in(f.Languages, a.Language) &&
		!slices.Contains(f.ExcludeSources, a.Source) &&
		(f.After.IsZero() || !a.Published.Before(f.After)) && (f.Before.IsZero() || a.Published.Before(f.Before))
}

func (m *memory) List(ctx context.Context, f store.Filter, limit int, cursor string) ([]store.Article, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Article
	for _, a := range m.sorted() {
		if a.ID <= cursor || !passes(f, a) {
			continue
		}
		if len(out) == limit {
			return out, out[limit-1].ID, m.check(ctx, "list")
		}
		out = append(out, a)
	}
	return out, "", m.check(ctx, "list")
}

// record writes to the ledger.
func (m *memory) record(e store.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Sequence = int64(len(m.events) + 1)
	m.events = append(m.events, e)
	close(m.grown)
	m.grown = make(chan struct{})
}

// library is the stories engine over a memory: of its own type, since both have a List.
type library struct{ *memory }

func (l library) List(ctx context.Context, r stories.ListRequest) ([]store.Story, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []store.Story
	for _, s := range l.stories { // in no order: the server must not lean on one
		fits := len(r.TopicIDs) == 0 || slices.Contains(r.TopicIDs, s.TopicID) || slices.Contains(r.TopicIDs, s.ThemeID)
		covered := len(r.Sources) == 0 || slices.ContainsFunc(s.Sources, func(v string) bool { return slices.Contains(r.Sources, v) })
		if s.MergedInto == "" && fits && covered && s.Articles >= r.MinArticles && (r.After.IsZero() || !s.Last.Before(r.After)) {
			out = append(out, s)
		}
	}
	return out, l.check(ctx, "stories")
}

func (l library) Get(ctx context.Context, id string, most int) (*stories.Detail, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.stories[id]
	for ok && s.MergedInto != "" {
		s, ok = l.stories[s.MergedInto]
	}
	if !ok {
		return nil, &store.NotFoundError{Kind: "story", ID: id}
	}
	d := &stories.Detail{Story: s}
	for _, a := range l.sorted() {
		if a.StoryID != s.ID {
			continue
		}
		if d.Truncated = len(d.Articles) == most; d.Truncated {
			break
		}
		d.Articles = append(d.Articles, a)
	}
	return d, l.check(ctx, "story")
}

func (l library) Topics(ctx context.Context, r stories.TopicsRequest) ([]store.Topic, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []store.Topic
	for _, t := range l.topics {
		if (r.Level == "" || t.Level == r.Level) && (r.ParentID == "" || t.ParentID == r.ParentID) {
			out = append(out, t)
		}
	}
	return out, l.check(ctx, "topics")
}

func (l library) Topic(ctx context.Context, id string, most int) (*stories.TopicDetail, error) {
	l.mu.Lock()
	t, ok := l.topics[id]
	l.mu.Unlock()
	if !ok {
		return nil, &store.NotFoundError{Kind: "topic", ID: id}
	}
	d := &stories.TopicDetail{Topic: t}
	var err error
	if t.Level == store.LevelTheme {
		if d.Topics, err = l.Topics(ctx, stories.TopicsRequest{ParentID: id}); err != nil {
			return nil, err
		}
	}
	if d.Stories, err = l.List(ctx, stories.ListRequest{TopicIDs: []string{id}}); err != nil {
		return nil, err
	}
	slices.SortFunc(d.Topics, func(a, b store.Topic) int { return cmp.Compare(b.Articles, a.Articles) })
	slices.SortFunc(d.Stories, func(a, b store.Story) int { return cmp.Compare(b.Articles, a.Articles) })
	if d.Truncated = len(d.Stories) > most; d.Truncated {
		d.Stories = d.Stories[:most]
	}
	return d, nil
}

func (l library) Find(ctx context.Context, d stories.Draft, n int) (*stories.Found, error) {
	a := article.Article{Title: d.Title, Published: d.Published, Sections: article.ParseText(d.Text)}
	if err := article.Finish(&a); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.stories {
		if d.Title != "" && s.Title == d.Title && n > 0 {
			return &stories.Found{StoryID: s.ID, Matches: []stories.Match{{Story: s, Probability: .9}}}, nil
		}
	}
	return &stories.Found{}, l.check(ctx, "find")
}

func (l library) Watch(ctx context.Context, r stories.WatchRequest, fn func(store.Event) error) error {
	for after := r.After; ; {
		l.mu.Lock()
		events, grown := slices.Clone(l.events), l.grown
		l.mu.Unlock()
		for _, e := range events {
			if e.Sequence <= after {
				continue
			}
			after = e.Sequence
			if len(r.StoryIDs) > 0 && !slices.Contains(r.StoryIDs, e.StoryID) {
				continue
			}
			if err := fn(e); err != nil {
				return err
			}
		}
		if r.StopAtEnd {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

func (l library) Recluster(ctx context.Context, opts stories.ReclusterOptions, progress stories.Progress) (stories.Summary, error) {
	return l.recluster(ctx, opts, progress)
}

// ranking is a list of results with their pages.
type ranking struct {
	results []related.Result
	partial bool
}

func (r ranking) Len() int      { return len(r.results) }
func (r ranking) Partial() bool { return r.partial }
func (r ranking) Page(ctx context.Context, offset, n int) ([]related.Result, error) {
	return r.results[offset : offset+n], ctx.Err()
}

// Related ranks every other article by the words its title shares with the seed's.
func (m *memory) Related(ctx context.Context, r related.Request) (Ranking, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "related"); err != nil {
		return nil, err
	}
	seed, ok := m.articles[r.ArticleID]
	if r.ArticleID != "" && !ok {
		return nil, &store.NotFoundError{Kind: "article", ID: r.ArticleID}
	}
	if len(r.Liked) > 0 {
		return nil, &related.FieldError{Field: "liked_article_ids", Reason: "is not supported yet"}
	}
	return m.rank(cmp.Or(seed.Title, r.Text), r.ArticleID, r.Shape), nil
}

func (m *memory) Search(ctx context.Context, r related.SearchRequest) (Ranking, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.TrimSpace(r.Query) == "" {
		return nil, related.ErrNoVectors
	}
	return m.rank(r.Query, "", r.Shape), m.check(ctx, "search")
}

func (m *memory) rank(text, except string, shape related.Shape) ranking {
	words := strings.Fields(strings.ToLower(text))
	var out ranking
	for _, a := range m.sorted() {
		shared := 0
		for _, w := range strings.Fields(strings.ToLower(a.Title)) {
			if slices.Contains(words, w) {
				shared++
			}
		}
		if a.ID == except || shared == 0 || !passes(shape.Filter, a) || slices.Contains(shape.ExcludeArticles, a.ID) {
			continue
		}
		result := related.Result{Article: a, Score: float64(shared), Probability: .5, Relation: evidence.RelationSameStory,
			Evidence: []related.Evidence{{SeedSection: -1, Section: 0, Snippet: a.Title, Similarity: 1}}}
		if except != "" {
			result.Evidence[0].SeedSection = 0
		}
		if shape.Explain {
			result.Signals = map[string]float64{"shared": float64(shared)}
		}
		out.results = append(out.results, result)
	}
	slices.SortStableFunc(out.results, func(a, b related.Result) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

func (m *memory) add(id, title, source, story string, published time.Time) {
	m.articles[id] = store.Article{ID: id, Title: title, Source: source, StoryID: story, Published: published, Revision: 1, Sections: 1}
	m.sections[id] = []store.Section{{ArticleID: id, Text: title + " in full."}}
}

func seeded() *memory {
	m := newMemory()
	for i := range 7 {
		m.add(fmt.Sprintf("a%d", i), "Fire in the concert hall", []string{"Herald", "Courier"}[i%2], "s1", day(1+i))
	}
	m.add("b0", "Election result contested", "Herald", "s2", day(3))
	m.add("c0", "A quiet day", "Herald", "", time.Time{})
	m.stories["s1"] = store.Story{ID: "s1", Title: "Fire in the concert hall", Articles: 7, First: day(1), Last: day(7), Sources: []string{"Herald", "Courier"}, TopicID: "t1", ThemeID: "h1"}
	m.stories["s2"] = store.Story{ID: "s2", Title: "Election", Articles: 2, First: day(3), Last: day(9), Sources: []string{"Herald"}, TopicID: "t2", ThemeID: "h1"}
	m.stories["s3"] = store.Story{ID: "s3", Title: "Undated", Articles: 3, Sources: []string{"Blog"}}
	m.stories["s0"] = store.Story{ID: "s0", MergedInto: "s1"}
	m.topics["t1"] = store.Topic{ID: "t1", Level: store.LevelTopic, ParentID: "h1", Stories: 1, Articles: 7}
	m.topics["t2"] = store.Topic{ID: "t2", Level: store.LevelTopic, ParentID: "h1", Stories: 1, Articles: 2}
	m.topics["h1"] = store.Topic{ID: "h1", Level: store.LevelTheme, Stories: 2, Articles: 9}
	return m
}
