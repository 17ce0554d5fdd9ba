package stories

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"throughline/cluster"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/points"
)

const (
	// nearArticles is how many articles one query of filing looks at, by meaning and by words.
	nearArticles = 40
	// nearStories is how many stories are judged by their members.
	nearStories = 8
	// quorum is the share of a story's members that must agree. One link is never enough: single links chain stories into
	// one that swallows the corpus.
	quorum = 0.5
	// judges bounds how many members of a large story are asked, spread evenly over it.
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
	story       string         // the story to join; "" with a partner: a new one
	partner     *points.Stored // the one-off it makes a story with
	probability float64
	copyOf      string
	verdicts    []verdict // of the stories that were judged, best first
}

// File decides for articles that were just committed which story each belongs to, in the order given, and writes that
// and the ledger. Ids that are not stored are skipped. An article that was filed before stays where it still belongs.
func (e *Engine) File(ctx context.Context, articleIDs []string) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	found, err := e.cfg.Store.Get(ctx, articleIDs, points.WithVectors)
	if err != nil {
		return err
	}
	for _, a := range found {
		if a == nil {
			continue
		}
		if err := e.file(ctx, a); err != nil {
			return fmt.Errorf("filing %s: %w", a.Article.ID, err)
		}
	}
	return nil
}

func (e *Engine) file(ctx context.Context, a *points.Stored) error {
	d, err := e.decide(ctx, corpus.Profile(a), a.Article.ID)
	if err != nil {
		return err
	}
	if d.story != "" && d.story == a.Article.StoryID {
		return nil
	}
	var events []points.Event
	if before := a.Article.StoryID; before != "" {
		left, err := e.leave(ctx, before, a.Article.ID)
		if err != nil {
			return err
		}
		events = append(events, left...)
	}
	filed := points.Assignment{ArticleID: a.Article.ID, CopyOf: d.copyOf, Probability: d.probability}
	switch {
	case d.story != "":
		joined, err := e.join(ctx, d.story, a, filed)
		if err != nil {
			return err
		}
		events = append(events, joined...)
	case d.partner != nil:
		created, err := e.found(ctx, d.partner, a, filed)
		if err != nil {
			return err
		}
		events = append(events, created...)
	default:
		if err := e.cfg.Store.Assign(ctx, []points.Assignment{filed}); err != nil {
			return err
		}
	}
	return e.record(ctx, events)
}

// decide judges the stories and one-offs near an article. self is left out: an article is no evidence for itself.
func (e *Engine) decide(ctx context.Context, p *evidence.Profile, self string) (*decision, error) {
	near, err := e.near(ctx, p, self)
	if err != nil {
		return nil, err
	}
	w, cut := e.cfg.Corpus.Weigh(p), e.cut()
	d := &decision{}
	bestAlone, logits := math.Inf(-1), make(map[string]float64)
	for _, n := range near {
		s := evidence.Compare(w, e.cfg.Corpus.Weigh(corpus.Profile(n)))
		logit := e.cfg.Model.Logit(s)
		if d.copyOf == "" && evidence.IsCopy(s) {
			if d.copyOf = n.Article.CopyOf; d.copyOf == "" {
				d.copyOf = n.Article.ID
			}
		}
		if id := n.Article.StoryID; id != "" {
			if best, ok := logits[id]; !ok || logit > best {
				logits[id] = logit
			}
		} else if logit >= cut && logit > bestAlone {
			bestAlone, d.partner = logit, n
		}
	}
	if d.copyOf == self {
		d.copyOf = ""
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
	slices.SortStableFunc(d.verdicts, func(a, b verdict) int { return cmp.Compare(b.logit, a.logit) })
	for _, v := range d.verdicts {
		if v.logit >= cut && v.agree >= quorum && v.logit >= bestAlone {
			d.story, d.partner, d.probability = v.story, nil, probability(v.logit)
			return d, nil
		}
	}
	if d.partner != nil {
		d.probability = probability(bestAlone)
	}
	return d, nil
}

// probability is the logistic function.
func probability(logit float64) float64 { return 1 / (1 + math.Exp(-logit)) }

// near fetches the articles nearest to a profile, by meaning and by words, without self. Nearest first, each once.
func (e *Engine) near(ctx context.Context, p *evidence.Profile, self string) ([]*points.Stored, error) {
	filter := points.Filter{}
	if self != "" {
		filter.ExcludeArticleIDs = []string{self}
	}
	queries := []points.Query{{Of: points.Articles, Dense: p.Dense, Filter: filter, Limit: nearArticles}}
	if len(p.Lex.Full.Terms) > 0 {
		queries = append(queries, points.Query{Of: points.Articles, Sparse: p.Lex.Full, Using: points.Lexical, Filter: filter, Limit: nearArticles})
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
	found, err := e.cfg.Store.Get(ctx, ids, points.WithVectors)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(s *points.Stored) bool { return s == nil }), nil
}

// members fetches the articles of a story but one, ordered by id.
func (e *Engine) members(ctx context.Context, storyID, but string) ([]*points.Stored, error) {
	var members []*points.Stored
	err := e.cfg.Store.ScanWhere(ctx, points.Filter{StoryIDs: []string{storyID}}, points.WithVectors, func(s *points.Stored) error {
		if s.Article.ID != but {
			members = append(members, s)
		}
		return nil
	})
	slices.SortFunc(members, func(a, b *points.Stored) int { return compare(a.Article.ID, b.Article.ID) })
	return members, err
}

// ask lets the members of a story judge an article.
func (e *Engine) ask(ctx context.Context, w *evidence.Weighed, storyID, self string, cut float64) (verdict, error) {
	members, err := e.members(ctx, storyID, self)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{story: storyID}
	step := max(1, (len(members)+judges-1)/judges)
	for i := 0; i < len(members); i += step {
		logit := e.cfg.Model.Logit(evidence.Compare(w, e.cfg.Corpus.Weigh(corpus.Profile(members[i]))))
		v.logit += logit
		if logit >= cut {
			v.agree++
		}
		v.members++
	}
	if v.members > 0 {
		v.logit /= float64(v.members)
		v.agree /= float64(v.members)
	}
	return v, nil
}

// join adds an article to a story.
func (e *Engine) join(ctx context.Context, id string, a *points.Stored, filed points.Assignment) ([]points.Event, error) {
	found, err := e.cfg.Store.GetStories(ctx, []string{id}, points.WithNothing)
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, &points.NotFoundError{Kind: "story", ID: id}
	}
	story := *found[0]
	members, err := e.members(ctx, id, a.Article.ID)
	if err != nil {
		return nil, err
	}
	title := story.Title
	describe(&story, append(members, a))
	story.Version++
	filed.StoryID, filed.TopicIDs = id, nonEmpty(story.TopicID, story.ThemeID)
	if err := e.cfg.Store.PutStories(ctx, []points.Story{story}); err != nil {
		return nil, err
	}
	if err := e.cfg.Store.Assign(ctx, []points.Assignment{filed}); err != nil {
		return nil, err
	}
	events := []points.Event{{Kind: points.StoryJoined, StoryID: id, ArticleIDs: []string{a.Article.ID}}}
	if title != story.Title {
		events = append(events, points.Event{Kind: points.StoryRenamed, StoryID: id, Title: story.Title})
	}
	return events, nil
}

// found makes a story of two articles that were in none.
func (e *Engine) found(ctx context.Context, partner, a *points.Stored, filed points.Assignment) ([]points.Event, error) {
	story := points.Story{ID: e.cfg.NewID("story"), Version: 1}
	for _, id := range partner.Article.TopicIDs {
		t, err := e.cfg.Store.Topic(ctx, id)
		if err != nil {
			return nil, err
		}
		if t.Level == points.LevelTheme {
			story.ThemeID = id
		} else {
			story.TopicID = id
		}
	}
	describe(&story, []*points.Stored{partner, a})
	texts, err := e.cfg.Store.Sections(ctx, []string{partner.Article.ID, a.Article.ID}, false)
	if err != nil {
		return nil, err
	}
	documents := make([]cluster.Document, 0, 2)
	for _, m := range []*points.Stored{partner, a} {
		documents = append(documents, cluster.Document{Title: m.Article.Title, Text: beginning(texts[m.Article.ID])})
	}
	story.Keywords = cluster.Keywords([][]cluster.Document{documents}, keywordsEach)[0]
	filed.StoryID, filed.TopicIDs = story.ID, nonEmpty(story.TopicID, story.ThemeID)
	other := points.Assignment{
		ArticleID: partner.Article.ID, StoryID: story.ID, TopicIDs: filed.TopicIDs, CopyOf: partner.Article.CopyOf, Probability: filed.Probability,
	}
	if err := e.cfg.Store.PutStories(ctx, []points.Story{story}); err != nil {
		return nil, err
	}
	if err := e.cfg.Store.Assign(ctx, []points.Assignment{other, filed}); err != nil {
		return nil, err
	}
	ids := slices.Sorted(slices.Values([]string{partner.Article.ID, a.Article.ID}))
	return []points.Event{{Kind: points.StoryCreated, StoryID: story.ID, ArticleIDs: ids, Title: story.Title}}, nil
}

// leave takes an article out of a story. A story needs two: with one article left it ends, and that one is a one-off.
func (e *Engine) leave(ctx context.Context, id, articleID string) ([]points.Event, error) {
	found, err := e.cfg.Store.GetStories(ctx, []string{id}, points.WithNothing)
	if err != nil || found[0] == nil {
		return nil, err
	}
	members, err := e.members(ctx, id, articleID)
	if err != nil {
		return nil, err
	}
	events := []points.Event{{Kind: points.StoryLeft, StoryID: id, ArticleIDs: []string{articleID}}}
	if len(members) < 2 {
		var alone []points.Assignment
		for _, m := range members {
			alone = append(alone, points.Assignment{ArticleID: m.Article.ID, TopicIDs: m.Article.TopicIDs})
		}
		if err := e.cfg.Store.Assign(ctx, alone); err != nil {
			return nil, err
		}
		return append(events, points.Event{Kind: points.StoryDeleted, StoryID: id}), e.cfg.Store.DeleteStories(ctx, []string{id})
	}
	story := *found[0]
	title := story.Title
	describe(&story, members)
	story.Version++
	if title != story.Title {
		events = append(events, points.Event{Kind: points.StoryRenamed, StoryID: id, Title: story.Title})
	}
	return events, e.cfg.Store.PutStories(ctx, []points.Story{story})
}

// Forget takes an article that was deleted from the store out of its story. Copies of it lose their original until the
// next reclustering names another.
func (e *Engine) Forget(ctx context.Context, removed points.Article) error {
	if removed.StoryID == "" {
		return nil
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	events, err := e.leave(ctx, removed.StoryID, removed.ID)
	if err != nil {
		return err
	}
	return e.record(ctx, events)
}
