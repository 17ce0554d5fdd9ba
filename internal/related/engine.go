package related

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"throughline/embed"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// Store is what coverage reads; see internal/store for the contract of each method.
type Store interface {
	Get(ctx context.Context, ids []string, with store.With) ([]*store.Stored, error)
	Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]store.Section, error)
	Query(ctx context.Context, queries []store.Query) ([][]store.Hit, error)
	Story(ctx context.Context, id string) (*store.Story, error)
	GetStories(ctx context.Context, ids []string, with store.With) ([]*store.Story, error)
}

// Config is what an Engine is made of; every field is needed.
type Config struct {
	Store    Store
	Embedder embed.Embedder
	Corpus   *evidence.Corpus
	Model    *evidence.Model
	Logger   *slog.Logger
	Now      func() time.Time
	// Ready, when not nil, is called before articles are compared, and sees to it that Corpus knows where stories end. It must be cheap when it does.
	Ready func(ctx context.Context) error
}

// Engine answers questions. It is safe for concurrent use.
type Engine struct{ cfg Config }

// New makes an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Store == nil || cfg.Embedder == nil || cfg.Corpus == nil || cfg.Model == nil || cfg.Logger == nil || cfg.Now == nil {
		return nil, errors.New("related: every field of Config but Ready is needed")
	}
	return &Engine{cfg: cfg}, nil
}

// Related ranks what else was written about the seed, best first. An unknown seed is a *store.NotFoundError, a request
// that cannot be meant a *FieldError, a seed without words ErrNoVectors.
func (e *Engine) Related(ctx context.Context, req Request) (*List, error) {
	if err := validate(req); err != nil {
		return nil, err
	}
	if e.cfg.Ready != nil {
		if err := e.cfg.Ready(ctx); ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil { // what is related can be ranked all the same
			e.cfg.Logger.WarnContext(ctx, "probabilities are those of a corpus that shows nothing yet", "why", err)
		}
	}
	s, err := e.resolve(ctx, req.Seed)
	if err != nil {
		return nil, err
	}
	found, _, partial, err := e.gather(ctx, s, req.Shape)
	if err != nil {
		return nil, err
	}
	e.score(s, found)
	return e.list(s, shape(found, s, req, e.cfg.Now()), req.Explain, partial), nil
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
	found, byWords, partial, err := e.gather(ctx, s, req.Shape)
	if err != nil {
		return nil, err
	}
	if err := e.scoreQuery(ctx, s, found, byWords); err != nil {
		return nil, err
	}
	return e.list(s, shape(found, s, asked, e.cfg.Now()), req.Explain, partial), nil
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
	case !req.Published.IsZero() && req.Text == "":
		return &FieldError{"published_time", "belongs to a seed given by text"}
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
// change any more; Page looks at the sections of what it returns when it is called. It keeps no vectors but those of the
// seed's sections, so that many lists can be kept.
type List struct {
	engine  *Engine
	seeds   [][]store.Section // by stem
	ranked  []ranked
	explain bool
	query   bool // a search
	partial bool
}

// ranked is a result without its evidence.
type ranked struct {
	Result
	signals evidence.Signals
	near    int // the stem it was judged by
}

func (e *Engine) list(s *seed, found []candidate, explain, partial bool) *List {
	l := &List{engine: e, explain: explain, query: s.query, partial: partial, ranked: make([]ranked, len(found))}
	for _, st := range s.stems {
		l.seeds = append(l.seeds, st.sections)
	}
	for i, c := range found {
		l.ranked[i] = ranked{
			Result: Result{
				Article: c.stored.Article, Score: c.score, Probability: c.probability, Relation: c.relation, CopyOf: c.stored.Article.CopyOf,
			},
			signals: c.signals, near: c.near,
		}
	}
	return l
}

// Len is how many results there are.
func (l *List) Len() int { return len(l.ranked) }

// Partial says that part of the store did not answer: what is listed is right, something may be missing.
func (l *List) Partial() bool { return l.partial }

// Page returns at most n results from offset on, with their evidence. An article that was deleted since has none.
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
	sections, err := l.engine.cfg.Store.Sections(ctx, ids, true)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(page))
	for i, c := range page {
		r := c.Result
		r.Evidence = pairs(l.seeds[c.near], sections[ids[i]])
		if l.explain {
			r.Signals, r.Contributions = l.engine.explain(c, l.query)
			if len(r.Evidence) > 0 {
				r.Signals["section"] = r.Evidence[0].Similarity
			}
		}
		results[i] = r
	}
	return results, nil
}

// explain gives the signals the names they have in the API. Days are left out when a time is unknown, and what compares two
// articles when there is only a query.
func (e *Engine) explain(c ranked, query bool) (signals, contributions map[string]float64) {
	s := c.signals
	signals = map[string]float64{
		"dense": s.Dense, "centred": s.Centred, "section": s.Section, "lexical": s.Lexical, "lead": s.Lead, "names": s.Names,
		"length": s.Length, "background": s.Background,
	}
	if query {
		return signals, nil
	}
	signals["verbatim"], signals["logit"], signals["relatedness"] = s.Verbatim, e.cfg.Model.Logit(s), relatedness(s)
	signals["cut"] = e.cut()
	if s.Dated {
		signals["days_apart"] = s.Days
	}
	return signals, e.cfg.Model.Contributions(s)
}
