package stories

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

const (
	// nearArticles is how many articles one query of filing looks at, by meaning and by words.
	nearArticles = 40
	// nearStories is how many stories are judged by their members.
	nearStories = 8
	// quorum is the share of a story's members that must agree. One link is never enough: single links chain stories into
	// one that swallows the corpus.
	quorum = 0.5
	// judges bounds how many members of a large story are asked.
	judges = 64
)

// verdict is how one story takes an article.
type verdict struct {
	story   string
	logit   float64 // mean over the members asked
	agree   float64 // share of them that are for it
	members int
}

// decision is where an article belongs.
type decision struct {
	story       string        // the story to join; "" with a partner: a new one
	partner     *store.Stored // the one-off it makes a story with
	probability float64
	copies      []string  // articles nearby that have the same text, nearest first
	verdicts    []verdict // of the stories that were judged, best first
	cut         float64   // where stories end
}

// decide judges the stories and one-offs near an article. self is left out: an article is no evidence for itself.
func (e *Engine) decide(ctx context.Context, p *evidence.Profile, self string) (*decision, error) {
	ends, err := e.cut(ctx)
	if err != nil {
		return nil, err
	}
	cut := ends.Logit
	near, err := e.near(ctx, p, self)
	if err != nil {
		return nil, err
	}
	w := e.cfg.Corpus.Weigh(p)
	d := &decision{cut: ends.Even}
	bestAlone, logits := math.Inf(-1), make(map[string]float64)
	for _, n := range near {
		s := evidence.Compare(w, e.cfg.Corpus.Weigh(corpus.Profile(n)))
		logit := e.cfg.Model.Logit(s)
		if s.Copy {
			d.copies = append(d.copies, n.Article.ID)
		}
		if id := n.Article.StoryID; id != "" {
			if best, ok := logits[id]; !ok || logit > best {
				logits[id] = logit
			}
		} else if logit >= cut && logit > bestAlone {
			bestAlone, d.partner = logit, n
		}
	}
	order := make([]string, 0, len(logits))
	for id := range logits {
		order = append(order, id)
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) })
	for _, id := range order[:min(len(order), nearStories)] {
		v, err := e.ask(ctx, w, id, self, cut)
		if err != nil {
			return nil, err
		}
		if v.members > 0 {
			d.verdicts = append(d.verdicts, v)
		}
	}
	slices.SortFunc(d.verdicts, func(a, b verdict) int { return cmp.Or(cmp.Compare(b.logit, a.logit), cmp.Compare(a.story, b.story)) })
	// A story that takes the article comes before a one-off that is even nearer: that may be about the same event and only
	// wait to be filed, and linkage, which sees all, would join the two and then the story.
	for _, v := range d.verdicts {
		if v.logit >= cut && v.agree >= quorum {
			d.story, d.partner, d.probability = v.story, nil, e.cfg.Model.Belonging(v.logit, ends.Even)
			return d, nil
		}
	}
	if d.partner != nil {
		d.probability = e.cfg.Model.Belonging(bestAlone, ends.Even)
	}
	return d, nil
}

// near fetches the articles nearest to a profile, by meaning and by words, without self. Nearest first, each once.
func (e *Engine) near(ctx context.Context, p *evidence.Profile, self string) ([]*store.Stored, error) {
	filter := store.Filter{}
	if self != "" {
		filter.ExcludeArticleIDs = []string{self}
	}
	queries := []store.Query{{Of: store.Articles, Dense: p.Dense, Filter: filter, Limit: nearArticles}}
	if len(p.Lex.Full.Terms) > 0 {
		queries = append(queries, store.Query{Of: store.Articles, Sparse: p.Lex.Full, Using: store.Lexical, Filter: filter, Limit: nearArticles})
	}
	hits, err := e.cfg.Store.Query(ctx, queries)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, list := range hits {
		for _, h := range list {
			if !slices.Contains(ids, h.ArticleID) {
				ids = append(ids, h.ArticleID)
			}
		}
	}
	found, err := e.cfg.Store.Get(ctx, ids, store.WithVectors)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(s *store.Stored) bool { return s == nil }), nil
}

// errEnough ends a scan that has seen enough.
var errEnough = errors.New("enough")

// members fetches at most n articles of a story, ordered by id; those of a larger story are any n, but always the same.
func (e *Engine) members(ctx context.Context, storyID, but string, n int) ([]*store.Stored, error) {
	var members []*store.Stored
	err := e.cfg.Store.ScanWhere(ctx, store.Filter{StoryIDs: []string{storyID}}, store.WithVectors, func(s *store.Stored) error {
		if s.Article.ID != but {
			members = append(members, s)
		}
		if len(members) == n {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	slices.SortFunc(members, byID)
	return members, nil
}

func byID(a, b *store.Stored) int { return compare(a.Article.ID, b.Article.ID) }

// ask lets the members of a story judge an article.
func (e *Engine) ask(ctx context.Context, w *evidence.Weighed, storyID, self string, cut float64) (verdict, error) {
	members, err := e.members(ctx, storyID, self, judges)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{story: storyID, members: len(members)}
	for _, m := range members {
		logit := e.cfg.Model.Logit(evidence.Compare(w, e.cfg.Corpus.Weigh(corpus.Profile(m))))
		v.logit += logit / float64(len(members))
		if logit >= cut {
			v.agree += 1 / float64(len(members))
		}
	}
	return v, nil
}
