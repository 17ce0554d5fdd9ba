package stories

import (
	"maps"
	"slices"
	"strings"

	"throughline/internal/news"
	"throughline/internal/store"
)

// Remains is everything in the store, of which an interrupted write may have left a part unwritten.
type Remains struct {
	Articles []*news.Article         // all articles, without vectors
	Stories  map[string]*store.Story // by id, without vectors, including merged ones
	Topics   map[string]*store.Topic // topics and themes by id, without vectors, including merged ones
	// Ledger has the stories that result from the ledger, and by level the topics and themes,
	// without members.
	Ledger map[news.Level]snapshot
}

// PlanRepair makes what is stored consistent. The memberships of the articles are authoritative.
// The articles of a merged story go to its heir. The articles of a story that does not exist, and
// the only article of a story, become one-offs. The articles of a merged topic go to its heir, and
// topics without articles are deleted. A copy gets an original in its own story. Then
// stories without articles, outdated descriptions and the ledger are brought in line.
//
// It is called twice. need has the stories that must be described again, with the ids of their
// articles; described has these articles with vectors, by story id. Stories that are not in
// described are not changed, so the first plan is incomplete.
func PlanRepair(r *Remains, described map[string][]*store.Stored) (plan *store.Plan, need map[string][]string) {
	p := &repairing{Remains: r, members: make(map[string][]*news.Article), named: make(map[string]bool), need: make(map[string][]string)}
	p.refile()
	p.describeStories(described)
	p.end()
	return &p.plan, p.need
}

// repairing is the work of one call of PlanRepair.
type repairing struct {
	*Remains
	members map[string][]*news.Article // of each story, with their new memberships, ordered by id
	named   map[string]bool            // topics and themes that an article belongs to
	after   snapshot
	need    map[string][]string
	plan    store.Plan
}

// heir returns the topic or theme that an id resolves to, following merges; the id itself if there
// is none.
func (p *repairing) heir(id string) string {
	at := id
	for range len(p.Topics) + 1 {
		topic := p.Topics[at]
		if topic == nil {
			return id
		}
		if topic.MergedInto == "" {
			return at
		}
		at = topic.MergedInto
	}
	return id
}

// live returns the story that an id resolves to, following merges; "" if there is none.
func (p *repairing) live(id string) string {
	for range len(p.Stories) + 1 {
		story := p.Stories[id]
		if story == nil {
			return ""
		}
		if story.MergedInto == "" {
			return id
		}
		id = story.MergedInto
	}
	return ""
}

// refile changes the memberships that are inconsistent.
func (p *repairing) refile() {
	now := make([]*news.Article, len(p.Articles))
	for i, was := range p.Articles {
		a := *was
		now[i] = &a
		a.TopicID, a.ThemeID = p.heir(a.TopicID), p.heir(a.ThemeID)
		p.named[a.TopicID], p.named[a.ThemeID] = true, true
		heir := p.live(a.StoryID)
		if heir != a.StoryID {
			if a.StoryID = heir; heir != "" {
				a.TopicID, a.ThemeID = p.heir(p.Stories[heir].TopicID), p.heir(p.Stories[heir].ThemeID)
			}
		}
		if heir != "" {
			p.members[heir] = append(p.members[heir], now[i])
		}
	}
	for id, members := range p.members {
		if len(members) < 2 {
			members[0].StoryID = ""
			delete(p.members, id)
			continue
		}
		slices.SortFunc(members, func(a, b *news.Article) int { return strings.Compare(a.ID, b.ID) })
		reassignOriginals(members)
	}
	for i, a := range now {
		if a.StoryID == "" {
			a.CopyOf, a.Probability = "", 0
		}
		if a.Membership != p.Articles[i].Membership {
			p.plan.Memberships = append(p.plan.Memberships, store.Membership{ArticleID: a.ID, Membership: a.Membership})
		}
	}
}

// describeStories describes the stories again whose articles are not those of the ledger, or whose
// counts, representative or topic are wrong.
func (p *repairing) describeStories(described map[string][]*store.Stored) {
	p.after = make(snapshot)
	for _, id := range slices.Sorted(maps.Keys(p.members)) {
		story, now := p.Stories[id], entryOf(p.Stories[id].Title)
		for _, a := range p.members[id] {
			now.members[a.ID] = true
		}
		p.after[id] = now
		was, listed := p.Ledger[""][id]
		topic, theme := p.topicOf(id)
		reports, outlets := independent(p.members[id])
		if listed && story.Articles == len(now.members) && story.IndependentReports == reports && story.IndependentSources == outlets &&
			now.members[story.Representative] && topic == story.TopicID && theme == story.ThemeID &&
			len(now.without(was)) == 0 && len(was.without(now)) == 0 {
			continue
		}
		p.need[id] = now.sorted()
		members := clones(described[id])
		if len(members) == 0 {
			continue
		}
		for _, m := range members { // with the memberships that refile has made
			at, found := slices.BinarySearchFunc(p.members[id], m.Article.ID, func(a *news.Article, id string) int { return strings.Compare(a.ID, id) })
			if found {
				m.Article.CopyOf = p.members[id][at].CopyOf
			}
		}
		next := *story
		describe(&next, members)
		next.TopicID, next.ThemeID = topic, theme
		next.Version++
		p.plan.Stories = append(p.plan.Stories, next)
		now.title = next.Title
		p.after[id] = now
	}
}

// topicOf returns the topic and theme of a story: its own if one of its articles has the same,
// otherwise those of its first article.
func (p *repairing) topicOf(id string) (topic, theme string) {
	story, members := p.Stories[id], p.members[id]
	for _, a := range members {
		if a.TopicID == story.TopicID && a.ThemeID == story.ThemeID {
			return a.TopicID, a.ThemeID
		}
	}
	return members[0].TopicID, members[0].ThemeID
}

// end plans the stories and topics that have no articles, and the events.
func (p *repairing) end() {
	for _, id := range slices.Sorted(maps.Keys(p.Stories)) {
		_, lives := p.after[id]
		_, listed := p.Ledger[""][id]
		if !lives && !listed && p.Stories[id].MergedInto == "" {
			p.plan.DeletedStories = append(p.plan.DeletedStories, id) // never in the ledger, so no client knows its id
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.Topics)) {
		if p.Topics[id].MergedInto == "" && !p.named[id] {
			p.plan.DeletedTopics = append(p.plan.DeletedTopics, id)
		}
	}
	l := trace(p.Ledger[""], p.after)
	ended := make(map[string]*store.Story)
	for id := range l.into {
		switch story := p.Stories[id]; {
		case story == nil:
			l.into[id] = ""
		case story.MergedInto != "": // a client may have followed the merge already, so it stays
			l.into[id] = story.MergedInto
		default:
			ended[id] = story
		}
	}
	l.end(&p.plan, ended)
	p.plan.Events = l.events(p.Ledger[""], p.after)
	p.endTopics(news.LevelTheme)
	p.endTopics(news.LevelTopic)
	because(p.plan.Events, news.Repaired, "")
}

// endTopics plans the events of topics or themes.
func (p *repairing) endTopics(level news.Level) {
	before, after := p.Ledger[level], make(snapshot)
	for id, t := range p.Topics {
		if t.Level == level && t.MergedInto == "" && p.named[id] {
			after[id] = entryOf(t.Title)
		}
	}
	l := trace(before, after)
	for id := range l.into {
		if heir := p.heir(id); p.named[heir] && heir != id {
			l.into[id] = heir
		}
	}
	p.plan.Events = append(p.plan.Events, l.topicEvents(level, before, after)...)
}
