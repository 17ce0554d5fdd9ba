package stories

import (
	"context"
	"maps"
	"slices"
	"time"

	"throughline/internal/hierarchy"
	"throughline/internal/store"
)

// changes has the ids of what was written or deleted since some moment.
type changes struct{ articles, stories, topics map[string]bool }

func newChanges() *changes {
	return &changes{make(map[string]bool), make(map[string]bool), make(map[string]bool)}
}

// note adds what a plan changes.
func (c *changes) note(p *store.Plan) {
	for _, m := range p.Memberships {
		c.articles[m.ArticleID] = true
	}
	for _, list := range [][]store.Story{p.NewStories, p.Stories} {
		for i := range list {
			c.stories[list[i].ID] = true
		}
	}
	for _, id := range p.DeletedStories {
		c.stories[id] = true
	}
	for i := range p.Topics {
		c.topics[p.Topics[i].ID] = true
	}
	for _, id := range p.DeletedTopics {
		c.topics[id] = true
	}
}

// beginArranging begins to list what changes while an arrangement is made. It waits for the lock of
// writers: a plan that is being written would be neither on the list nor wholly in what is read.
func (e *Engine) beginArranging(ctx context.Context) error {
	unlock, err := e.write(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.since, e.unarranged.articles = newChanges(), 0
	return nil
}

// endArranging ends the list. What is on it has not been arranged.
func (e *Engine) endArranging(took time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.since = nil
	e.unarranged.end(e.cfg.Now(), took, err)
	if err != nil {
		e.unarranged.articles++
	}
}

// note lists what a plan changes for the arrangement that is being made.
func (e *Engine) note(p *store.Plan) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.since != nil {
		e.since.note(p)
	}
}

// noteArticle lists an article that was filed or deleted for the arrangement that is being made and
// for the next one.
func (e *Engine) noteArticle(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.since != nil {
		e.since.articles[id] = true
	}
	e.unarranged.articles++
	e.unarranged.last = e.cfg.Now()
}

// catchUp brings an arrangement up to what is stored now. The caller holds the lock of writers.
func (e *Engine) catchUp(ctx context.Context, f *finding) error {
	e.mu.Lock()
	since := e.since
	e.since = newChanges()
	e.mu.Unlock()
	ids := slices.Sorted(maps.Keys(since.articles))
	read, err := e.cfg.Articles.Get(ctx, ids, store.WithVectors)
	if err != nil {
		return err
	}
	for page := range slices.Chunk(slices.Sorted(maps.Keys(since.stories)), storyPage) {
		found, err := e.cfg.Stories.Stories(ctx, page, store.WithDense)
		if err != nil {
			return err
		}
		for i, s := range found {
			known := f.Stories[page[i]] != nil || f.Outside == nil
			if delete(f.Stories, page[i]); s != nil && s.MergedInto == "" && known {
				f.Stories[s.ID] = s
			}
		}
	}
	for page := range slices.Chunk(slices.Sorted(maps.Keys(since.topics)), storyPage) {
		found, err := e.cfg.Stories.Topics(ctx, page)
		if err != nil {
			return err
		}
		for i, t := range found {
			if delete(f.Topics, page[i]); t != nil && t.MergedInto == "" {
				f.Topics[t.ID] = t
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	articles := make(map[string]*store.Stored, len(ids))
	for i, id := range ids {
		articles[id] = read[i]
	}
	if f.Outside != nil {
		if err := e.complete(ctx, f.Inventory, articles); err != nil {
			return err
		}
	}
	f.Articles, f.Hierarchy = caughtUp(f.Articles, f.Hierarchy, articles)
	return e.readTexts(ctx, f)
}

// storyPage is the number of stories or topics that are read at a time.
const storyPage = 256

// caughtUp returns the articles, ordered by id, and their hierarchy after some have changed since
// it was made: now has these as they are stored now, nil for those deleted. An article that was not
// there, or whose text has changed, goes where most articles of its story went, until all are
// arranged again. If these went nowhere, they are a story with it.
func caughtUp(articles []*store.Stored, h *hierarchy.Hierarchy, now map[string]*store.Stored) ([]*store.Stored, *hierarchy.Hierarchy) {
	c := catchingUp{next: int32(len(articles))}
	for i, a := range articles {
		p := place{a, true, h.Copy[i], h.Story[i], h.Topic[i], h.Theme[i], h.Membership[i]}
		if changed, ok := now[a.Article.ID]; ok {
			if changed == nil {
				continue
			}
			if p.Stored = changed; changed.Article.Revision != a.Article.Revision {
				p = place{changed, false, -1, -1, -1, -1, 0}
			}
		}
		c.places = append(c.places, p)
	}
	known := make(map[string]bool, len(articles))
	for _, a := range articles {
		known[a.Article.ID] = true
	}
	for id, a := range now {
		if a != nil && !known[id] {
			c.places = append(c.places, place{a, false, -1, -1, -1, -1, 0})
		}
	}
	slices.SortFunc(c.places, func(a, b place) int { return byArticleID(a.Stored, b.Stored) })
	c.follow()
	return c.result(h)
}

// place is an article with its labels.
type place struct {
	*store.Stored
	arranged                  bool
	copy, story, topic, theme int32
	membership                float32
}

type catchingUp struct {
	places []place
	next   int32 // label that is not used yet
}

func (c *catchingUp) newLabel() int32 {
	c.next++
	return c.next - 1
}

// follow labels the articles that are not arranged.
func (c *catchingUp) follow() {
	of, late := make(map[string][]*place), make(map[string]bool) // by story as stored
	for i := range c.places {
		p := &c.places[i]
		of[p.Article.StoryID] = append(of[p.Article.StoryID], p)
		if !p.arranged {
			late[p.Article.StoryID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(late)) {
		if id == "" {
			continue // stays a one-off
		}
		members := of[id]
		lead := mostFrequent(members)
		if lead == nil && len(members) > 1 {
			lead = &place{story: c.newLabel(), topic: -1, theme: -1}
		}
		for _, p := range members {
			if lead == nil || p.arranged && p.story >= 0 {
				continue
			}
			p.story, p.topic, p.theme, p.membership = lead.story, lead.topic, lead.theme, float32(p.Article.Probability)
		}
		c.copies(members)
	}
}

// mostFrequent returns a member of the story that most members went to, of equal ones the first;
// nil if all are one-offs.
func mostFrequent(members []*place) *place {
	counts := make(map[int32]int)
	for _, p := range members {
		counts[p.story]++
	}
	var best *place
	for _, p := range members {
		if p.story >= 0 && (best == nil || counts[p.story] > counts[best.story]) {
			best = p
		}
	}
	return best
}

// copies labels the articles that are not arranged like those of which they are stored as copies.
func (c *catchingUp) copies(members []*place) {
	type key struct {
		text  string
		story int32
	}
	groups := make(map[key][]*place)
	var order []key
	for _, p := range members {
		k := key{p.Article.CopyGroup(), p.story}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], p)
	}
	for _, k := range order {
		if k.story < 0 || len(groups[k]) < 2 {
			continue
		}
		label := int32(-1)
		for _, p := range groups[k] {
			label = max(label, p.copy)
		}
		if label < 0 {
			label = c.newLabel()
		}
		for _, p := range groups[k] {
			if p.copy < 0 {
				p.copy = label
			}
		}
	}
}

// result returns the articles and their labels, from 0 in the order of first members. Stories and
// copy groups of one article are none.
func (c *catchingUp) result(was *hierarchy.Hierarchy) ([]*store.Stored, *hierarchy.Hierarchy) {
	n := len(c.places)
	h := &hierarchy.Hierarchy{Threshold: was.Threshold, Templates: was.Templates, Membership: make([]float32, n),
		Copy: c.labels(2, func(p *place) *int32 { return &p.copy }), Story: c.labels(2, func(p *place) *int32 { return &p.story }),
		Topic: c.labels(1, func(p *place) *int32 { return &p.topic }), Theme: c.labels(1, func(p *place) *int32 { return &p.theme })}
	articles := make([]*store.Stored, n)
	for i := range c.places {
		if articles[i] = c.places[i].Stored; h.Story[i] >= 0 {
			h.Membership[i] = c.places[i].membership
		}
	}
	return articles, h
}

// labels renumbers the labels of one level, without groups of fewer than least articles.
func (c *catchingUp) labels(least int, of func(*place) *int32) []int32 {
	counts, number := make(map[int32]int), make(map[int32]int32)
	for i := range c.places {
		counts[*of(&c.places[i])]++
	}
	out := make([]int32, len(c.places))
	for i := range c.places {
		label := *of(&c.places[i])
		if out[i] = -1; label < 0 || counts[label] < least {
			continue
		}
		if _, ok := number[label]; !ok {
			number[label] = int32(len(number))
		}
		out[i] = number[label]
	}
	return out
}
