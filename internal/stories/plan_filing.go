package stories

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"throughline/cluster"
	"throughline/internal/news"
	"throughline/internal/store"
)

// Surroundings are what is stored around an article that is filed or was deleted.
type Surroundings struct {
	Stories map[string]*store.Story    // by id; deleted ones are missing
	Members map[string][]*store.Stored // all articles of each story, without the article to file, ordered by id
	OneOffs []*store.Stored            // the other articles of the groups
	Texts   map[string]string          // beginnings of the articles that keywords of new stories are made of, by id
}

// PlanFiling plans to file an article: the stories around it become the groups of a Grouping. Ids
// carry over by largest overlap. An article whose group is the story that it is in keeps its
// probability, unless it is the one to file.
func PlanFiling(arrival *store.Stored, g *Grouping, s Surroundings, newID func(kind string) string) *store.Plan {
	f := newFiling(s, newID)
	a := f.take(arrival)
	f.contains(a.Article.StoryID, a.Article.ID)
	f.regroup(g, a)
	if a.Article.Membership != arrival.Article.Membership || arrival.Article.FiledRevision != arrival.Article.Revision {
		f.plan.Memberships = append(f.plan.Memberships, store.Membership{ArticleID: a.Article.ID, Revision: arrival.Article.Revision, Membership: a.Article.Membership})
	}
	return f.finish(news.Filed, arrival.Article.ID)
}

// PlanRemoval plans to take a deleted article out of its story. If it was the original of copies,
// another of them becomes the original. A story with one article left ends, and that article
// becomes a one-off.
func PlanRemoval(articleID, storyID string, s Surroundings) *store.Plan {
	f := newFiling(s, nil)
	if !f.contains(storyID, articleID) {
		return &f.plan
	}
	g := &Grouping{}
	if len(s.Members[storyID]) > 1 {
		g.Groups = []Group{{Stories: []string{storyID}}}
	}
	f.regroup(g, nil)
	return f.finish(news.Gone, articleID)
}

// filing is the work of one call of PlanFiling or PlanRemoval.
type filing struct {
	Surroundings
	newID         func(kind string) string
	before, after snapshot
	was, now      map[string]*store.Stored // the articles by id, and as they will be
	plan          store.Plan
}

func newFiling(s Surroundings, newID func(kind string) string) *filing {
	f := &filing{Surroundings: s, newID: newID, before: make(snapshot), after: make(snapshot), was: make(map[string]*store.Stored), now: make(map[string]*store.Stored)}
	for id, story := range s.Stories {
		if story == nil || story.MergedInto != "" {
			continue
		}
		before := entryOf(story.Title, idsOf(s.Members[id])...)
		before.lead = story.Representative
		f.before[id] = before
		for _, m := range s.Members[id] {
			f.take(m)
		}
	}
	for _, m := range s.OneOffs {
		f.take(m)
	}
	return f
}

// contains notes that a story has the article to file or the deleted one. It reports false if the
// story ended, or does not have it any more.
func (f *filing) contains(storyID, articleID string) bool {
	before, ok := f.before[storyID]
	if !ok || f.Stories[storyID].Articles == len(f.Members[storyID]) {
		return false
	}
	before.members[articleID] = true
	return true
}

// take returns an article that the plan may change.
func (f *filing) take(s *store.Stored) *store.Stored {
	c := clone(s)
	f.was[s.Article.ID], f.now[s.Article.ID] = s, c
	return c
}

// clone returns a copy of an article whose fields may be changed. It shares the vectors.
func clone(s *store.Stored) *store.Stored {
	c := *s
	return &c
}

func clones(list []*store.Stored) []*store.Stored {
	out := make([]*store.Stored, len(list))
	for i, s := range list {
		out[i] = clone(s)
	}
	return out
}

func idsOf(members []*store.Stored) []string {
	ids := make([]string, len(members))
	for i, s := range members {
		ids[i] = s.Article.ID
	}
	return ids
}

func articles(members []*store.Stored) []*news.Article {
	list := make([]*news.Article, len(members))
	for i, s := range members {
		list[i] = &s.Article
	}
	return list
}

func byArticleID(a, b *store.Stored) int { return strings.Compare(a.Article.ID, b.Article.ID) }

// regroup makes stories of groups; a is the arrival, nil if there is none. Articles in no group
// become one-offs.
func (f *filing) regroup(g *Grouping, a *store.Stored) {
	groups, probability := make([]group, len(g.Groups)), make(map[string]float64)
	left := maps.Clone(f.now)
	for i, part := range g.Groups {
		for k, id := range part.Articles {
			groups[i], probability[id] = append(groups[i], id), part.Probability[k]
		}
		for _, id := range part.Stories {
			groups[i] = append(groups[i], idsOf(f.Members[id])...)
		}
		slices.Sort(groups[i])
		for _, id := range groups[i] {
			delete(left, id)
		}
	}
	for i, id := range carryIDs(f.before, groups, func() string { return f.newID("story") }) {
		story := store.Story{Story: news.Story{ID: id}}
		if known := f.Stories[id]; known != nil && known.MergedInto == "" {
			story = *known
		} else {
			story.Keywords = f.keywords(groups[i])
		}
		members := make([]*store.Stored, len(groups[i]))
		for k, articleID := range groups[i] {
			members[k] = f.now[articleID]
		}
		f.place(&story, members, g, a)
		for _, m := range members {
			if m == a || m.Article.StoryID != id {
				m.Article.StoryID, m.Article.Probability = id, probability[m.Article.ID]
			}
			m.Article.TopicID, m.Article.ThemeID = story.TopicID, story.ThemeID
		}
		f.copies(members, g.Copies, a)
		f.describe(story, members)
	}
	for _, s := range left {
		was := &s.Article.Membership
		s.Article.Membership = news.Membership{TopicID: was.TopicID, ThemeID: was.ThemeID}
	}
	if a != nil && a.Article.StoryID == "" && g.TopicID != "" {
		a.Article.TopicID, a.Article.ThemeID = g.TopicID, g.ThemeID
	}
	for _, id := range slices.Sorted(maps.Keys(f.now)) {
		if s := f.now[id]; s != a && f.was[id].Article.Membership != s.Article.Membership {
			f.plan.Memberships = append(f.plan.Memberships, store.Membership{ArticleID: id, Membership: s.Article.Membership})
		}
	}
}

// keywords returns the keywords of a new story.
func (f *filing) keywords(ids []string) []string {
	var documents []cluster.Document
	for _, id := range ids {
		if text, ok := f.Texts[id]; ok {
			documents = append(documents, document(&f.now[id].Article, text))
		}
	}
	return cluster.Keywords([][]cluster.Document{documents}, keywordOptions)[0]
}

// place gives a story without a topic the one of most of its articles, or that of most of the
// articles near the arrival, or a new one.
func (f *filing) place(story *store.Story, members []*store.Stored, g *Grouping, a *store.Stored) {
	if story.TopicID != "" {
		return
	}
	counts := make(map[string]int)
	for _, m := range members {
		if id := m.Article.TopicID; id != "" && m != a {
			if counts[id]++; counts[id] > counts[story.TopicID] {
				story.TopicID, story.ThemeID = id, m.Article.ThemeID
			}
		}
	}
	if story.TopicID == "" {
		story.TopicID, story.ThemeID = g.TopicID, g.ThemeID
	}
}

// copies gives the copies of a story their originals. The arrival is in the copy group of the
// articles that have its text.
func (f *filing) copies(members []*store.Stored, ofArrival []string, a *store.Stored) {
	all := articles(members)
	if a != nil && slices.Contains(members, a) {
		a.Article.CopyOf = ""
		// The text of the arrival may have changed, so its copies get another original.
		reassignOriginals(slices.DeleteFunc(slices.Clone(all), func(m *news.Article) bool { return m == &a.Article }))
		groups := map[string]bool{}
		for _, m := range all {
			if slices.Contains(ofArrival, m.ID) {
				groups[m.CopyGroup()] = true
			}
		}
		if len(groups) > 0 {
			markCopies(slices.DeleteFunc(slices.Clone(all), func(m *news.Article) bool { return m != &a.Article && !groups[m.CopyGroup()] }))
		}
		return
	}
	reassignOriginals(all)
}

// describe plans a story with its new members.
func (f *filing) describe(story store.Story, members []*store.Stored) {
	before := f.Stories[story.ID]
	describe(&story, members)
	f.after[story.ID] = entryOf(story.Title, idsOf(members)...)
	switch {
	case before == nil:
		story.Version = 1
		if story.TopicID == "" {
			f.startTopic(&story, members)
		}
		f.plan.NewStories = append(f.plan.NewStories, story)
	case changedStory(before, &story) || !maps.Equal(f.after[story.ID].members, f.before[story.ID].members):
		story.Version++
		f.plan.Stories = append(f.plan.Stories, story)
	}
}

// startTopic puts a new story that is near no topic into a topic of its own.
func (f *filing) startTopic(story *store.Story, members []*store.Stored) {
	story.TopicID = f.newID(string(news.LevelTopic))
	for _, m := range members {
		m.Article.TopicID, m.Article.ThemeID = story.TopicID, ""
	}
	t := store.Topic{Topic: news.Topic{ID: story.TopicID, Level: news.LevelTopic, Keywords: story.Keywords, Title: cmp.Or(TopicTitle(story.Keywords), story.Title),
		Stories: 1, Articles: len(members), First: story.First, Last: story.Last, Representative: story.ID, Version: 1}, Dense: story.Dense}
	f.plan.Topics = append(f.plan.Topics, t)
}

// finish completes the plan with the stories that ended and the events.
func (f *filing) finish(cause news.Cause, articleID string) *store.Plan {
	l := trace(f.before, f.after)
	l.end(&f.plan, f.Stories)
	f.plan.Events = l.events(f.before, f.after)
	for _, t := range f.plan.Topics {
		f.plan.Events = append(f.plan.Events, news.LedgerEvent{Kind: news.Created, Level: t.Level, ID: t.ID, Title: t.Title})
	}
	because(f.plan.Events, cause, articleID)
	return &f.plan
}
