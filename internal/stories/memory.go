package stories

import (
	"container/list"
	"context"
	"slices"

	"throughline/internal/score"
	"throughline/internal/store"
)

// source reads articles with vectors.
type source interface {
	// get returns the articles that are stored, in the order of ids.
	get(ctx context.Context, ids []string) ([]*store.Stored, error)
	// members returns articles of a story as store.Members does.
	members(ctx context.Context, storyID, but string, n int) ([]*store.Stored, error)
}

// stored reads from the store.
type stored struct{ Articles }

func (s stored) get(ctx context.Context, ids []string) ([]*store.Stored, error) {
	found, err := s.Get(ctx, ids, store.WithVectors)
	return slices.DeleteFunc(found, func(a *store.Stored) bool { return a == nil }), err
}

func (s stored) members(ctx context.Context, storyID, but string, n int) ([]*store.Stored, error) {
	return store.Members(ctx, s.Articles, storyID, but, n)
}

// mostRemembered is the most articles that a memory holds. With 384 dimensions and 150 words each
// takes about 10 kB.
const mostRemembered = 6000

// mostListed is the number of articles on the lists of stories from which new lists are begun. An
// id takes some 200 bytes.
const mostListed = 200_000

// memory is a source that remembers what it has read, because filing compares neighbours again and
// again, and reading an article costs more than comparing it. Only the writer has one. It uses it
// under the lock of writers and notes what every plan changes, so that it answers as the store
// would. Of an article whose new revision is stored and not filed yet it has the earlier one.
type memory struct {
	stored
	most     int
	articles map[string]*list.Element // of *store.Stored
	recent   *list.List               // the same, last used first
	lists    map[string][]string      // the articles of a story in the order of a scan
	in       map[string]string        // the story on whose list an article is
	from     Stories
	stories  map[string]*store.Story    // with dense vectors; nil: not stored
	weighted map[string]*score.Weighted // the articles by id, weighted by state; some are missing
	state    *score.State
}

func newMemory(articles Articles, from Stories, most int) *memory {
	m := &memory{stored: stored{articles}, from: from, most: most}
	m.clear()
	return m
}

// clear forgets everything.
func (m *memory) clear() {
	m.articles, m.recent = make(map[string]*list.Element), list.New()
	m.lists, m.in = make(map[string][]string), make(map[string]string)
	m.stories = make(map[string]*store.Story)
	m.weighted = make(map[string]*score.Weighted)
}

// comparer returns a comparer of the articles that are remembered.
func (m *memory) comparer(st *score.State) *comparer {
	if m.state != st {
		m.state, m.weighted = st, make(map[string]*score.Weighted, len(m.weighted))
	}
	return &comparer{st, m.weighted}
}

// trim forgets what was used least, down to its limits. What has not been written yet must be
// remembered, so it is for between two plans that are written.
func (m *memory) trim() {
	for m.recent.Len() > m.most {
		m.drop(m.recent.Back())
	}
	if len(m.in) > mostListed {
		m.lists, m.in = make(map[string][]string), make(map[string]string)
	}
	if len(m.stories) > m.most/4 {
		clear(m.stories)
	}
}

// story returns a story, nil if it is not stored.
func (m *memory) story(ctx context.Context, id string) (*store.Story, error) {
	if s, known := m.stories[id]; known {
		return s, nil
	}
	found, err := m.from.Stories(ctx, []string{id}, store.WithDense)
	if err != nil {
		return nil, err
	}
	m.stories[id] = found[0]
	return found[0], nil
}

func (m *memory) get(ctx context.Context, ids []string) ([]*store.Stored, error) {
	found := make(map[string]*store.Stored, len(ids))
	var missing []string
	for _, id := range ids {
		if at := m.articles[id]; at != nil {
			m.recent.MoveToFront(at)
			found[id] = at.Value.(*store.Stored)
		} else {
			missing = append(missing, id)
		}
	}
	read, err := m.stored.get(ctx, missing)
	if err != nil {
		return nil, err
	}
	for _, a := range read {
		found[a.Article.ID] = a
		m.remember(a)
	}
	var out []*store.Stored
	for _, id := range ids {
		if found[id] != nil {
			out = append(out, found[id])
		}
	}
	return out, nil
}

func (m *memory) members(ctx context.Context, storyID, but string, n int) ([]*store.Stored, error) {
	ids, known := m.lists[storyID]
	if !known {
		all, err := m.stored.members(ctx, storyID, "", 0)
		if err != nil {
			return nil, err
		}
		ids = idsOf(all)
		slices.SortFunc(ids, store.ScanOrder)
		m.lists[storyID] = ids
		for _, a := range all {
			m.in[a.Article.ID] = storyID
			m.remember(a)
		}
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == but })
	if n > 0 {
		ids = ids[:min(n, len(ids))]
	}
	members, err := m.get(ctx, ids)
	slices.SortFunc(members, byArticleID)
	return members, err
}

// remember keeps an article as it is stored.
func (m *memory) remember(a *store.Stored) {
	delete(m.weighted, a.Article.ID) // its text may have changed
	if at := m.articles[a.Article.ID]; at != nil {
		at.Value = a
		m.recent.MoveToFront(at)
		return
	}
	m.articles[a.Article.ID] = m.recent.PushFront(a)
}

// forget forgets an article that was deleted.
func (m *memory) forget(id string) {
	m.refile(id, "")
	if at := m.articles[id]; at != nil {
		m.drop(at)
	}
}

// drop forgets an article until it is read again.
func (m *memory) drop(at *list.Element) {
	a := m.recent.Remove(at).(*store.Stored)
	delete(m.articles, a.Article.ID)
	delete(m.weighted, a.Article.ID)
}

// refile moves an article to the list of a story.
func (m *memory) refile(id, storyID string) {
	if was, ok := m.in[id]; ok {
		if was == storyID {
			return
		}
		if at, found := slices.BinarySearchFunc(m.lists[was], id, store.ScanOrder); found {
			m.lists[was] = slices.Delete(m.lists[was], at, at+1)
		}
		delete(m.in, id)
	}
	if ids, ok := m.lists[storyID]; ok {
		at, _ := slices.BinarySearchFunc(ids, id, store.ScanOrder)
		m.lists[storyID], m.in[id] = slices.Insert(ids, at, id), storyID
	}
}

// arrived notes an article as it is stored now.
func (m *memory) arrived(a *store.Stored) {
	m.remember(a)
	m.refile(a.Article.ID, a.Article.StoryID)
}

// applied notes what a plan has changed.
func (m *memory) applied(p *store.Plan) {
	for i := range p.NewStories {
		m.lists[p.NewStories[i].ID], m.stories[p.NewStories[i].ID] = nil, &p.NewStories[i]
	}
	for i := range p.Memberships {
		c := &p.Memberships[i]
		m.refile(c.ArticleID, c.StoryID)
		if at := m.articles[c.ArticleID]; at != nil {
			a := clone(at.Value.(*store.Stored))
			if c.Revision != 0 && c.Revision != a.Article.Revision { // its text has changed
				m.drop(at)
				continue
			}
			a.Article.Membership = c.Membership
			a.Article.FiledRevision = max(a.Article.FiledRevision, c.Revision)
			at.Value = a
		}
	}
	for i := range p.Stories {
		m.stories[p.Stories[i].ID] = &p.Stories[i]
		if p.Stories[i].MergedInto != "" {
			m.end(p.Stories[i].ID)
		}
	}
	for _, id := range p.DeletedStories {
		m.end(id)
		m.stories[id] = nil
	}
}

// end forgets the list of a story that has no articles any more.
func (m *memory) end(storyID string) {
	for _, id := range m.lists[storyID] {
		delete(m.in, id)
	}
	delete(m.lists, storyID)
}
