package stories

import (
	"slices"
	"strings"

	"throughline/cluster"
	"throughline/internal/news"
	"throughline/internal/store"
)

// Surroundings are the stored stories that an article may leave or join.
type Surroundings struct {
	Stories map[string]*store.Story    // by id; deleted ones are missing
	Members map[string][]*store.Stored // all articles of each story, without the article to file, ordered by id
	Texts   map[string]string          // beginnings of the two articles of a new story, by article id
}

// PlanFiling plans to file an article as its match says. Filed again, it keeps its story unless the
// match names another or none.
func PlanFiling(arrival *store.Stored, m Match, s Surroundings, newID func(kind string) string) *store.Plan {
	f := newFiling(s)
	a := clone(arrival)
	target, from := m.storyID, a.Article.StoryID
	if m.partner != nil {
		target = newID("story")
	}
	if from != "" && from != target {
		f.takeOut(from, a.Article.ID)
	}
	switch {
	case target == "":
		a.Article.Membership = news.Membership{TopicID: a.Article.TopicID, ThemeID: a.Article.ThemeID}
	case m.partner != nil:
		f.create(target, a, m)
	default:
		f.add(target, a, m)
	}
	f.decide(arrival, a)
	return f.finish()
}

// PlanRemoval plans to take a deleted article out of its story. If it was the original of copies,
// another of them becomes the original.
func PlanRemoval(articleID, storyID string, s Surroundings) *store.Plan {
	f := newFiling(s)
	f.takeOut(storyID, articleID)
	return f.finish()
}

// filing is the work of one call of PlanFiling or PlanRemoval: it plans the few stories that an
// article leaves and joins.
type filing struct {
	Surroundings
	before, after snapshot
	plan          store.Plan
}

func newFiling(s Surroundings) *filing {
	return &filing{Surroundings: s, before: make(snapshot), after: make(snapshot)}
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

// story returns a story and its articles; nil if it was deleted or merged.
func (f *filing) story(id string) (*store.Story, []*store.Stored) {
	story := f.Stories[id]
	if story == nil || story.MergedInto != "" {
		return nil, nil
	}
	f.before[id] = entryOf(story.Title, idsOf(f.Members[id])...)
	return story, f.Members[id]
}

// takeOut takes an article out of a story. A story with one article left ends, and that article
// becomes a one-off.
func (f *filing) takeOut(id, articleID string) {
	story, members := f.story(id)
	if story == nil {
		return
	}
	if story.Articles == len(members) { // it does not contain the article any more
		delete(f.before, id)
		return
	}
	f.before[id].members[articleID] = true
	now := clones(members)
	if len(now) < 2 {
		for _, s := range now {
			s.Article.Membership = news.Membership{TopicID: s.Article.TopicID, ThemeID: s.Article.ThemeID}
		}
	} else {
		reassignOriginals(articles(now))
		f.describe(*story, now)
	}
	f.move(members, now)
}

// add puts an article into a story, or decides about it again if it is there.
func (f *filing) add(id string, a *store.Stored, m Match) {
	story, members := f.story(id)
	if story == nil { // the story ended after the match
		a.Article.Membership = news.Membership{TopicID: a.Article.TopicID, ThemeID: a.Article.ThemeID}
		return
	}
	if a.Article.StoryID == id {
		f.before[id].members[a.Article.ID] = true
	}
	f.join(*story, members, a, m)
}

// create makes a story of two one-offs.
func (f *filing) create(id string, a *store.Stored, m Match) {
	p := &m.partner.Article
	story := store.Story{Story: news.Story{ID: id, TopicID: p.TopicID, ThemeID: p.ThemeID}}
	documents := []cluster.Document{document(p, f.Texts[p.ID]), document(&a.Article, f.Texts[a.Article.ID])}
	story.Keywords = cluster.Keywords([][]cluster.Document{documents}, keywordOptions)[0]
	f.join(story, []*store.Stored{m.partner}, a, m)
}

// join makes an article a member of a story and of the copy group of the members that it is a copy
// of.
func (f *filing) join(story store.Story, members []*store.Stored, a *store.Stored, m Match) {
	others := clones(members)
	reassignOriginals(articles(others)) // its text may have changed, so its copies get another original
	a.Article.CopyOf = ""
	all := append(slices.Clone(others), a)
	slices.SortFunc(all, byArticleID)
	groups := make(map[string]bool)
	for _, s := range all {
		if s == a || s.Article.StoryID != story.ID {
			s.Article.StoryID, s.Article.Probability = story.ID, m.probability
			s.Article.TopicID, s.Article.ThemeID = story.TopicID, story.ThemeID
		}
		if slices.Contains(m.copies, s.Article.ID) {
			groups[s.Article.CopyGroup()] = true
		}
	}
	if len(groups) > 0 {
		var group []*news.Article
		for _, s := range all {
			if s == a || groups[s.Article.CopyGroup()] {
				group = append(group, &s.Article)
			}
		}
		markCopies(group)
	}
	f.move(members, others)
	f.describe(story, all)
}

// decide plans the membership of the article. With its revision, the article is not pending any
// more.
func (f *filing) decide(was, now *store.Stored) {
	if was.Article.Membership != now.Article.Membership || was.Article.FiledRevision != was.Article.Revision {
		f.plan.Memberships = append(f.plan.Memberships, store.Membership{
			ArticleID: now.Article.ID, Revision: was.Article.Revision, Membership: now.Article.Membership})
	}
}

// move plans the changed memberships of other articles.
func (f *filing) move(was, now []*store.Stored) {
	for i, s := range now {
		if was[i].Article.Membership != s.Article.Membership {
			f.plan.Memberships = append(f.plan.Memberships, store.Membership{ArticleID: s.Article.ID, Membership: s.Article.Membership})
		}
	}
}

// describe plans a story with its new members.
func (f *filing) describe(story store.Story, members []*store.Stored) {
	before := f.Stories[story.ID]
	describe(&story, members)
	f.after[story.ID] = entryOf(story.Title, idsOf(members)...)
	switch {
	case before == nil:
		story.Version = 1
		f.plan.NewStories = append(f.plan.NewStories, story)
	case changedStory(before, &story) || len(f.after[story.ID].without(f.before[story.ID])) > 0:
		story.Version++
		f.plan.Stories = append(f.plan.Stories, story)
	}
}

// finish completes the plan with the stories that ended and the events.
func (f *filing) finish() *store.Plan {
	l := trace(f.before, f.after)
	l.end(&f.plan, f.Stories)
	f.plan.Events = l.events(f.before, f.after)
	return &f.plan
}
