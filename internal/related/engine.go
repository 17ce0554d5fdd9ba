package related

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/embed"
	"throughline/internal/features"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// Store is the part of the store that related coverage reads; see internal/store for the contract
// of each method.
type Store interface {
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	SectionVectors(ctx context.Context, articleIDs []string) (map[string][]store.Section, error)
	QueryMarks(ctx context.Context, queries []store.Query) ([][]store.Hit, map[string]*store.Mark, error)
	Stories(ctx context.Context, ids []string, with store.With) ([]*store.Story, error)
	Scan(ctx context.Context, filter news.Filter, with store.With, fn func(*store.Stored) error) error
}

// States has the current State; *state.Owner implements it.
type States interface {
	Current() *score.State
}

// Config has the parts of an Engine; every field is required.
type Config struct {
	Store    Store
	Features *features.Cache // of the articles of Store
	States   States
	Embedder embed.Embedder
	Logger   *slog.Logger
	Now      func() time.Time
}

// Engine answers questions for related coverage and searches. It is safe for concurrent use.
type Engine struct{ cfg Config }

// New makes an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Features == nil || cfg.States == nil || cfg.Embedder == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("related: Config needs Store, Features, States, Embedder, Logger and Now")
	}
	return &Engine{cfg: cfg}, nil
}

// Related ranks the articles that are related to the seed, best first. An unknown seed is a
// *store.NotFoundError, an invalid request a *FieldError, and a seed without words ErrNoVectors.
func (e *Engine) Related(ctx context.Context, req Request) (*List, error) {
	if err := validate(req); err != nil {
		return nil, err
	}
	s, err := e.resolve(ctx, req.Seed)
	if err != nil {
		return nil, err
	}
	found, _, partial, err := e.gather(ctx, s, req.ListOptions)
	if err != nil {
		return nil, err
	}
	for i := range found {
		s.scoreCandidate(&found[i])
	}
	return e.list(s, rerank(found, s, req, e.cfg.Now()), req.Explain, partial), nil
}

// Search ranks articles by how well they match the meaning and the words of a query, best first. An
// invalid request is a *FieldError, and a query without words ErrNoVectors.
func (e *Engine) Search(ctx context.Context, req SearchRequest) (*List, error) {
	asked := Request{ListOptions: req.ListOptions}
	if err := validateOptions(asked); err != nil {
		return nil, err
	}
	s, err := e.resolveQuery(ctx, req.Query)
	if err != nil {
		return nil, err
	}
	found, byWords, partial, err := e.gather(ctx, s, req.ListOptions)
	if err != nil {
		return nil, err
	}
	if err := e.scoreQuery(ctx, s, found, byWords); err != nil {
		return nil, err
	}
	return e.list(s, rerank(found, s, asked, e.cfg.Now()), req.Explain, partial), nil
}

func validate(req Request) error {
	seeds := 0
	for _, given := range []bool{req.ArticleID != "", req.Draft != nil, req.StoryID != "", len(req.Liked) > 0} {
		if given {
			seeds++
		}
	}
	switch {
	case seeds != 1:
		return &FieldError{"article_id", "give exactly one of article_id, text, story_id and liked_article_ids"}
	case req.Section != nil && req.ArticleID == "":
		return &FieldError{"section", "belongs to a seed given by article_id"}
	case len(req.Disliked) > 0 && len(req.Liked) == 0:
		return &FieldError{"disliked_article_ids", "need liked_article_ids"}
	case !(req.MinProbability >= 0 && req.MinProbability <= 1):
		return &FieldError{"min_probability", "must be between 0 and 1"}
	}
	return validateOptions(req)
}

func validateOptions(req Request) error {
	switch {
	case !(req.Diversity >= 0 && req.Diversity <= 1):
		return &FieldError{"diversity", "must be between 0 and 1"}
	case req.HalfLife < 0:
		return &FieldError{"half_life", "must be positive"}
	case req.MaxPerSource < 0:
		return &FieldError{"max_per_source", "must not be negative"}
	case req.MaxPerStory < 0:
		return &FieldError{"max_per_story", "must not be negative"}
	}
	return nil
}

// List is a ranking after exclusions, caps and diversification, best first; equal scores are
// ordered by article id, so that two runs agree. It does not change: Page only adds what it shows
// of the results that it returns. Of vectors it keeps only those of the sections of the seed, so
// that many lists can be cached.
type List struct {
	engine  *Engine
	state   int64             // version
	seeds   [][]store.Section // the sections of each query item
	ranked  []ranked
	partial bool
}

// ranked is a result without its evidence. Its Article is as it was when it was compared.
type ranked struct {
	Result
	item int // index of the query item that it is closest to
}

func (e *Engine) list(s *seed, found []candidate, explained, partial bool) *List {
	l := &List{engine: e, state: s.state.Version, partial: partial, ranked: make([]ranked, len(found))}
	for _, it := range s.items {
		l.seeds = append(l.seeds, it.sections)
	}
	for i, c := range found {
		article := *c.Fields
		article.Membership = c.Membership
		l.ranked[i] = ranked{Result{Article: article, Score: c.score, Probability: c.probability, Relation: c.relation}, c.item}
		if explained {
			l.ranked[i].Signals, l.ranked[i].Contributions = s.explain(&c)
		}
	}
	return l
}

// State returns the version of the State that scores and probabilities come from.
func (l *List) State() int64 { return l.state }

// Len returns the number of results.
func (l *List) Len() int { return len(l.ranked) }

// Partial reports whether a part of the store did not answer: the results are right, and some may
// be missing.
func (l *List) Partial() bool { return l.partial }

// Page returns at most n results from offset, which counts from 0, with their evidence and with
// their articles as they are stored now. An article that was deleted since has no evidence.
func (l *List) Page(ctx context.Context, offset, n int) ([]Result, error) {
	from := min(max(offset, 0), len(l.ranked))
	page := l.ranked[from:min(from+min(max(n, 0), len(l.ranked)), len(l.ranked))]
	if len(page) == 0 {
		return nil, nil
	}
	ids := make([]string, len(page))
	for i, c := range page {
		ids[i] = c.Article.ID
	}
	var articles []*store.Stored
	var sections map[string][]store.Section
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		articles, err = l.engine.cfg.Store.Get(ctx, ids, store.WithNothing)
		return err
	})
	g.Go(func() (err error) {
		sections, err = l.engine.cfg.Store.Sections(ctx, ids, true)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	results := make([]Result, len(page))
	for i, c := range page {
		r := c.Result
		if articles[i] != nil {
			r.Article = articles[i].Article
		}
		r.Evidence = pairs(l.seeds[c.item], sections[ids[i]])
		if r.Signals != nil && len(r.Evidence) > 0 {
			r.Signals = maps.Clone(r.Signals) // other pages share it
			r.Signals["section"] = r.Evidence[0].Similarity
		}
		results[i] = r
	}
	return results, nil
}

// explain returns the signals by their names in the API, and the contributions. days_apart is left
// out if a time is unknown. For a search it returns only the signals that a query has. If the seed
// is limited to a section, section_logit and relatedness, which the score follows, are of that
// section, and the others of the whole article.
func (s *seed) explain(c *candidate) (signals, contributions map[string]float64) {
	of := c.signals
	signals = map[string]float64{
		"dense": of.Dense, "centred": of.Centred, "section": of.Section, "lexical": of.Lexical, "lead": of.Lead, "names": of.Names,
		"length": min(of.Lengths[0], of.Lengths[1]), "background": of.Background,
	}
	if s.query {
		return signals, nil
	}
	signals["verbatim"], signals["logit"], signals["relatedness"] = of.Verbatim, c.logit, relatedness(c.ordered)
	signals["cut"] = s.state.Threshold.BreakEven
	if of.Dated {
		signals["days_apart"] = of.Days
	}
	it := &s.items[c.item]
	if it.part != nil {
		signals["section_logit"] = c.orderLogit
	}
	return signals, it.contributions(s.state, c)
}
