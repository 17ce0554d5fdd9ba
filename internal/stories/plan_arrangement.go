package stories

import (
	"maps"
	"slices"
	"time"

	"throughline/cluster"
	"throughline/internal/hierarchy"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// Inventory is everything in the store that an arrangement replaces.
type Inventory struct {
	Articles []*store.Stored         // with vectors, ordered by id
	Stories  map[string]*store.Story // by id, with dense vectors, without merged ones
	Topics   map[string]*store.Topic // topics and themes by id, with dense vectors
	// Outside has the articles that are not arranged, by id; nil: all are. They keep their topics.
	Outside map[string]Outside
	Since   time.Time // see Window
}

// Outside is an article that is not arranged.
type Outside struct {
	StoryID, TopicID, ThemeID string
	Published                 time.Time
}

// outside counts the articles of topics and themes that are not arranged.
func (inv *Inventory) outside() map[string]*news.Topic {
	counts, stories := make(map[string]*news.Topic), make(map[[2]string]bool)
	for _, a := range inv.Outside {
		for _, id := range []string{a.TopicID, a.ThemeID} {
			if id == "" {
				continue
			}
			t := counts[id]
			if t == nil {
				t = &news.Topic{}
				counts[id] = t
			}
			t.Articles++
			if in := [2]string{id, a.StoryID}; a.StoryID != "" && !stories[in] {
				stories[in] = true
				t.Stories++
			}
			widen(t, a.Published, a.Published)
		}
	}
	return counts
}

// widen extends the time that a topic covers. Zero times are unknown.
func widen(t *news.Topic, first, last time.Time) {
	if !first.IsZero() && (t.First.IsZero() || first.Before(t.First)) {
		t.First = first
	}
	if last.After(t.Last) {
		t.Last = last
	}
}

// Summary counts what an arrangement found and changes.
type Summary struct {
	Articles, Stories, Topics, Themes int
	OneOffs                           int // articles in no story
	Largest                           int // number of articles of the largest story
	Created, Merged, Split, Renamed   int // stories
	Deleted, Moved                    int // stories of which no article is in a story any more; articles whose story changed
	Took                              time.Duration
	Since                             time.Time       // see Window; zero: all articles were arranged
	Target                            score.Target    // asked for
	Threshold                         score.Threshold // found for it
}

// Arrangement is the plan that reclustering makes, with its outcome.
type Arrangement struct {
	Plan    store.Plan
	Summary Summary
	// Memberships has all articles, changed or not, ordered by id. Stories and Topics, with themes,
	// are all of theirs.
	Memberships []store.Membership
	Stories     []news.Story
	Topics      []news.Topic
	// TopicStrengths of the same articles, see hierarchy.TopicStrengths; nil: not asked for.
	TopicStrengths []float32
}

// ArrangementTexts returns the ids of the articles whose beginnings PlanArrangement needs for
// keywords.
func ArrangementTexts(inv *Inventory, h *hierarchy.Hierarchy) []string {
	wanted := make(map[string]bool)
	want := func(labels []int32, n int) {
		for _, indices := range keywordSample(byLabel(labels), n) {
			for _, i := range indices {
				wanted[inv.Articles[i].Article.ID] = true
			}
		}
	}
	want(h.Story, storyArticles)
	want(h.Topic, topicArticles)
	return slices.Sorted(maps.Keys(wanted))
}

// PlanArrangement turns a hierarchy, whose labels are in the order of inv.Articles, into stories,
// topics and themes with ids, and plans the changes to what is stored. texts has the beginnings of
// the articles of ArrangementTexts, by article id. Every article is filed afterwards. If nothing
// has changed since the last arrangement, the plan is empty.
func PlanArrangement(inv *Inventory, h *hierarchy.Hierarchy, texts map[string]string, newID func(kind string) string) *Arrangement {
	p := &arranging{Inventory: inv, h: h, texts: texts, newID: newID, now: clones(inv.Articles), beyond: inv.outside()}
	p.arrangeStories()
	p.arrangeTopics()
	p.compare()
	return &p.out
}

// arranging is the work of one call of PlanArrangement.
type arranging struct {
	*Inventory
	h     *hierarchy.Hierarchy
	texts map[string]string
	newID func(kind string) string

	now     []*store.Stored // the articles with their new memberships, in the order of Inventory
	stories []store.Story   // in the order of the hierarchy's labels
	topics  []store.Topic
	before  snapshot
	after   snapshot
	beyond  map[string]*news.Topic // see Inventory.outside
	out     Arrangement
}

func (p *arranging) arrangeStories() {
	titles := make(map[string]string, len(p.Stories))
	for id, s := range p.Stories {
		titles[id] = s.Title
	}
	p.before, p.after = snapshotOf(titles, "", p.Articles), make(snapshot)
	for id, e := range p.before {
		e.lead = p.Stories[id].Representative
		p.before[id] = e
	}
	members := byLabel(p.h.Story)
	groups := make([]group, len(members))
	for g, indices := range members {
		groups[g] = idsOf(p.chosen(indices))
	}
	ids := carryIDs(p.before, groups, func() string { return p.newID("story") })
	for _, a := range p.now {
		a.Article.Membership = news.Membership{}
	}
	for _, indices := range byLabel(p.h.Copy) {
		markCopies(articles(p.chosen(indices)))
	}
	words := StoryKeywords(members, p.document)
	sum := &p.out.Summary
	sum.Since = p.Since
	sum.Articles, sum.Stories, sum.OneOffs = len(p.now), len(members), len(p.now)
	for g, indices := range members {
		story := store.Story{Story: news.Story{ID: ids[g], Keywords: words[g]}}
		if old := p.Stories[story.ID]; old != nil {
			story.Title, story.Naming, story.Representative = old.Title, old.Naming, old.Representative
		}
		for _, i := range indices {
			p.now[i].Article.StoryID, p.now[i].Article.Probability = ids[g], float64(p.h.Membership[i])
		}
		describe(&story, p.chosen(indices))
		p.stories = append(p.stories, story)
		p.after[ids[g]] = entryOf(story.Title, groups[g]...)
		sum.Largest = max(sum.Largest, len(indices))
		sum.OneOffs -= len(indices)
	}
}

// document returns what keywords are made of, of the article with an index.
func (p *arranging) document(i int) cluster.Document {
	a := &p.now[i].Article
	return document(a, p.texts[a.ID])
}

// chosen returns the articles with these indices, with their new memberships.
func (p *arranging) chosen(indices []int) []*store.Stored {
	out := make([]*store.Stored, len(indices))
	for k, i := range indices {
		out[k] = p.now[i]
	}
	return out
}

// compare plans the writes: what differs from what is stored.
func (p *arranging) compare() {
	plan := &p.out.Plan
	for _, s := range p.stories {
		if old := p.Stories[s.ID]; old == nil {
			s.Version = 1
			plan.NewStories = append(plan.NewStories, s)
		} else {
			s.Version = old.Version
			moved := len(p.before[s.ID].without(p.after[s.ID]))+len(p.after[s.ID].without(p.before[s.ID])) > 0
			if moved || changedStory(old, &s) {
				s.Version++
				plan.Stories = append(plan.Stories, s)
			}
		}
		p.out.Stories = append(p.out.Stories, s.Story)
	}
	p.addOutside()
	for _, t := range p.topics {
		old := p.Topics[t.ID]
		if old == nil {
			t.Version = 1
		} else if t.Version = old.Version; changedTopic(old, &t) {
			t.Version++
		}
		p.out.Topics = append(p.out.Topics, t.Topic)
		if old == nil || t.Version != old.Version {
			plan.Topics = append(plan.Topics, t)
		}
	}
	for i, a := range p.now {
		was := &p.Articles[i].Article
		m := store.Membership{ArticleID: a.Article.ID, Membership: a.Article.Membership}
		p.out.Memberships = append(p.out.Memberships, m)
		if was.FiledRevision != was.Revision {
			m.Revision = was.Revision
		} else if was.Membership == a.Article.Membership {
			continue
		}
		plan.Memberships = append(plan.Memberships, m)
		if was.StoryID != a.Article.StoryID {
			p.out.Summary.Moved++
		}
	}
	l := trace(p.before, p.after)
	l.end(plan, p.Stories)
	plan.Events = l.events(p.before, p.after)
	p.out.Summary.count(plan.Events)
	p.compareTopics(news.LevelTheme)
	p.compareTopics(news.LevelTopic)
	because(plan.Events, news.Arranged, "")
}

// compareTopics plans what becomes of topics or themes that end, and the events.
func (p *arranging) compareTopics(level news.Level) {
	titles, plan := make(map[string]string), &p.out.Plan
	for _, t := range p.topics {
		if t.Level == level {
			titles[t.ID] = t.Title
		}
	}
	before, after := p.topicsBefore(level), snapshotOf(titles, level, p.now)
	l := trace(before, after)
	for _, id := range slices.Sorted(maps.Keys(l.into)) {
		if heir := l.into[id]; heir == "" {
			plan.DeletedTopics = append(plan.DeletedTopics, id)
		} else {
			plan.Topics = append(plan.Topics, store.Topic{Topic: news.Topic{
				ID: id, Level: level, Title: p.Topics[id].Title, MergedInto: heir, Version: p.Topics[id].Version + 1}})
		}
	}
	plan.Events = append(plan.Events, l.topicEvents(level, before, after)...)
}

// topicsBefore returns the topics or themes that are stored.
func (p *arranging) topicsBefore(level news.Level) snapshot {
	titles := make(map[string]string)
	for id, t := range p.Topics {
		if t.Level == level {
			titles[id] = t.Title
		}
	}
	return snapshotOf(titles, level, p.Articles)
}

// addOutside adds the articles that are not arranged to their topics, and the topics that have no
// others.
func (p *arranging) addOutside() {
	here := make(map[string]bool)
	for i := range p.topics {
		t := &p.topics[i]
		here[t.ID] = true
		if o := p.beyond[t.ID]; o != nil {
			t.Articles, t.Stories = t.Articles+o.Articles, t.Stories+o.Stories
			widen(&t.Topic, o.First, o.Last)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.beyond)) {
		if old := p.Topics[id]; old != nil && !here[id] {
			t, o := *old, p.beyond[id]
			t.Articles, t.Stories, t.First, t.Last = o.Articles, o.Stories, o.First, o.Last
			p.topics = append(p.topics, t)
		}
	}
}

// count adds the events to the numbers of stories that changed.
func (s *Summary) count(events []news.LedgerEvent) {
	for _, e := range events {
		switch e.Kind {
		case news.Created:
			s.Created++
		case news.Split:
			s.Split += len(e.OtherIDs)
		case news.Merged:
			s.Merged += len(e.OtherIDs)
		case news.Renamed:
			s.Renamed++
		case news.Deleted:
			s.Deleted++
		}
	}
}

// byLabel returns the indices of the members of each label, by label. A label of -1 means no group.
// Labels count from 0 in the order of their first members.
func byLabel(labels []int32) [][]int {
	var groups [][]int
	for i, l := range labels {
		if l < 0 {
			continue
		}
		for int(l) >= len(groups) {
			groups = append(groups, nil)
		}
		groups[l] = append(groups[l], i)
	}
	return groups
}

// arrangeTopics makes topics and themes, with the old ids that they overlap most with, and sets the
// topic and theme of every article and story. The stories must have been described.
func (p *arranging) arrangeTopics() {
	topics, themes := byLabel(p.h.Topic), byLabel(p.h.Theme)
	topicIDs, themeIDs := p.carryTopics(topics, news.LevelTopic), p.carryTopics(themes, news.LevelTheme)
	topicWords, themeWords := TopicKeywords(topics, p.h.Theme, p.document)
	for i, a := range p.now {
		if l := p.h.Topic[i]; l >= 0 {
			a.Article.TopicID = topicIDs[l]
		}
		if l := p.h.Theme[i]; l >= 0 {
			a.Article.ThemeID = themeIDs[l]
		}
		if g := p.h.Story[i]; g >= 0 {
			p.stories[g].TopicID, p.stories[g].ThemeID = a.Article.TopicID, a.Article.ThemeID
		}
	}
	for t, indices := range themes {
		p.topics = append(p.topics, p.topic(themeIDs[t], news.LevelTheme, "", themeWords[t], indices))
	}
	for t, indices := range topics {
		p.topics = append(p.topics, p.topic(topicIDs[t], news.LevelTopic, p.now[indices[0]].Article.ThemeID, topicWords[t], indices))
	}
	p.out.Summary.Topics, p.out.Summary.Themes = len(topics), len(themes)
}

// carryTopics returns the ids of topics or themes; see carryIDs.
func (p *arranging) carryTopics(groups [][]int, level news.Level) []string {
	now := make([]group, len(groups))
	for g, indices := range groups {
		now[g] = idsOf(p.chosen(indices))
	}
	return carryIDs(p.topicsBefore(level), now, func() string { return p.newID(string(level)) })
}

func (p *arranging) topic(id string, level news.Level, parent string, words []string, indices []int) store.Topic {
	members := p.chosen(indices)
	t := store.Topic{Topic: news.Topic{ID: id, Level: level, ParentID: parent, Keywords: words, Articles: len(indices)}, Dense: meanDense(members)}
	t.First, t.Last = span(members)
	sizes := make(map[int32]int)
	for _, i := range indices {
		if g := p.h.Story[i]; g >= 0 {
			sizes[g]++
		}
	}
	t.Stories = len(sizes)
	largest := 0
	for _, g := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[g] > largest {
			largest, t.Representative = sizes[g], p.stories[g].ID
		}
	}
	if old := p.Topics[id]; old != nil {
		if titleHolds(old.Naming, members) {
			t.Title, t.Naming = old.Title, old.Naming
			return t
		}
		t.Naming = withoutTitle(old.Naming)
	}
	if t.Title = TopicTitle(words); t.Title == "" {
		t.Title = representative(members, t.Dense, "").Article.Title
	}
	return t
}
