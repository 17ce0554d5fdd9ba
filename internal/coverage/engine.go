package coverage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"throughline/embed"
	"throughline/internal/evidence"
	"throughline/internal/points"
)

// Store is what coverage reads; see internal/points for the contract of each method.
type Store interface {
	Get(ctx context.Context, ids []string, with points.With) ([]*points.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]points.Section, error)
	Query(ctx context.Context, queries []points.Query) ([][]points.Hit, error)
	Story(ctx context.Context, id string) (*points.Story, error)
	GetStories(ctx context.Context, ids []string, with points.With) ([]*points.Story, error)
}

// Config is what an Engine is made of; every field is needed.
type Config struct {
	Store    Store
	Embedder embed.Embedder
	Corpus   *evidence.Corpus
	Model    *evidence.Model
	Logger   *slog.Logger
	Now      func() time.Time
}

// Engine answers questions. It is safe for concurrent use.
type Engine struct{ cfg Config }

// New makes an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Embedder == nil || cfg.Corpus == nil || cfg.Model == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("coverage: every field of Config is needed")
	}
	return &Engine{cfg: cfg}, nil
}

// Related ranks what else was written about the seed, best first. An unknown seed is a *points.NotFoundError, a request
// that cannot be meant a *FieldError, a seed without words ErrNoVectors.
func (e *Engine) Related(ctx context.Context, req Request) (*List, error) {
	if err := validate(req); err != nil {
		return nil, err
	}
	s, err := e.resolve(ctx, req.Seed)
	if err != nil {
		return nil, err
	}
	found, partial, err := e.gather(ctx, s, req.Shape)
	if err != nil {
		return nil, err
	}
	for i := range found {
		e.score(s, &found[i])
	}
	ranked := shape(found, s, req, e.cfg.Now())
	return &List{engine: e, seed: s, ranked: ranked, explain: req.Explain, partial: partial}, nil
}

// Search ranks articles by how well they match the words of a query and what they mean. A query without a single word is
// ErrNoVectors.
func (e *Engine) Search(ctx context.Context, req SearchRequest) (*List, error) {
	asked := Request{Shape: req.Shape}
	if err := validateShape(asked); err != nil {
		return nil, err
	}
	s, err := e.resolveQuery(ctx, req.Query)
	if err != nil {
		return nil, err
	}
	found, partial, err := e.gather(ctx, s, req.Shape)
	if err != nil {
		return nil, err
	}
	if err := e.scoreQuery(ctx, s, found); err != nil {
		return nil, err
	}
	ranked := shape(found, s, asked, e.cfg.Now())
	return &List{engine: e, seed: s, ranked: ranked, explain: req.Explain, partial: partial}, nil
}

func validate(req Request) error {
	seeds := 0
	for _, given := range []bool{req.ArticleID != "", req.Text != "", req.StoryID != "", len(req.Liked) > 0} {
		if given {
			seeds++
		}
	}
	switch {
	case seeds != 1:
		return &FieldError{"article_id", "give exactly one of article_id, text, story_id and liked_article_ids"}
	case req.Title != "" && req.Text == "":
		return &FieldError{"title", "belongs to a seed given by text"}
	case req.Section != nil && req.ArticleID == "":
		return &FieldError{"section", "belongs to a seed given by article_id"}
	case len(req.Disliked) > 0 && len(req.Liked) == 0:
		return &FieldError{"disliked_article_ids", "need liked_article_ids"}
	case !(req.MinProbability >= 0 && req.MinProbability <= 1):
		return &FieldError{"min_probability", "must be between 0 and 1"}
	}
	return validateShape(req)
}

func validateShape(req Request) error {
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

// List is a ranked answer, best first; equal scores are ordered by article id, so two runs agree. The ranking does not
// change any more; Page looks at the sections of what it returns when it is called.
type List struct {
	engine  *Engine
	seed    *seed
	ranked  []candidate
	explain bool
	partial bool
}

// Len is how many results there are.
func (l *List) Len() int { return len(l.ranked) }

// Partial says that part of the store did not answer: what is listed is right, something may be missing.
func (l *List) Partial() bool { return l.partial }

// Page returns at most n results from offset on, with their evidence.
func (l *List) Page(ctx context.Context, offset, n int) ([]Result, error) {
	from := min(max(offset, 0), len(l.ranked))
	page := l.ranked[from:min(from+max(n, 0), len(l.ranked))]
	if len(page) == 0 {
		return nil, nil
	}
	ids := make([]string, len(page))
	for i, c := range page {
		ids[i] = c.stored.Article.ID
	}
	sections, err := l.engine.cfg.Store.Sections(ctx, ids, true)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(page))
	for i, c := range page {
		r := Result{
			Article: c.stored.Article, Score: c.score, Probability: c.probability, Relation: c.relation, CopyOf: c.copyOf,
			Evidence: pairs(l.seed, sections[ids[i]]),
		}
		if l.explain {
			signals := c.signals
			if len(r.Evidence) > 0 {
				signals.Section = r.Evidence[0].Similarity
			}
			r.Signals = named(signals)
		}
		results[i] = r
	}
	return results, nil
}

// named gives the signals the names they have in the API. Days are left out when a time is unknown.
func named(s evidence.Signals) map[string]float64 {
	m := map[string]float64{
		"dense": s.Dense, "centred": s.Centred, "section": s.Section, "lexical": s.Lexical, "lead": s.Lead, "names": s.Names,
		"length": s.Length, "background": s.Background,
	}
	if s.Dated {
		m["days_apart"] = s.Days
	}
	return m
}
