package stories

import (
	"cmp"
	"maps"
	"slices"

	"throughline/internal/news"
	"throughline/internal/store"
)

// group is the ids of the articles of one story or topic.
type group []string

// carryIDs assigns ids to new groups by largest overlap: the old and the new group with the most
// articles in common are matched, then the next pair of which neither is matched. Of equal overlaps
// the one with the representative of the old group comes first, then they are ordered by old id and
// by the position of the new group. A group that is not matched gets a new id.
func carryIDs(old snapshot, groups []group, newID func() string) []string {
	was := old.places()
	type overlap struct {
		id    string
		group int
		size  int
		lead  int // 0: with the representative
	}
	var overlaps []overlap
	for g, members := range groups {
		counts, leads := make(map[string]int), make(map[string]bool)
		for _, a := range members {
			if id, ok := was[a]; ok {
				counts[id]++
				leads[id] = leads[id] || old[id].lead == a
			}
		}
		for id, n := range counts {
			o := overlap{id, g, n, 1}
			if leads[id] {
				o.lead = 0
			}
			overlaps = append(overlaps, o)
		}
	}
	slices.SortFunc(overlaps, func(a, b overlap) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.lead, b.lead), cmp.Compare(a.id, b.id), cmp.Compare(a.group, b.group))
	})
	ids, taken := make([]string, len(groups)), make(map[string]bool)
	for _, o := range overlaps {
		if ids[o.group] == "" && !taken[o.id] {
			ids[o.group], taken[o.id] = o.id, true
		}
	}
	for g := range ids {
		if ids[g] == "" {
			ids[g] = newID()
		}
	}
	return ids
}

// snapshot holds the stories, topics or themes at one time by id, with what the ledger records of
// each.
type snapshot map[string]entry

// entry is a story, topic or theme of a snapshot.
type entry struct {
	title   string
	members map[string]bool // ids of articles; may be empty, but is not nil
	lead    string          // id of the article that represents a story; the ledger does not record it
}

func entryOf(title string, members ...string) entry {
	e := entry{title: title, members: make(map[string]bool, len(members))}
	for _, id := range members {
		e.members[id] = true
	}
	return e
}

func (e entry) sorted() []string { return slices.Sorted(maps.Keys(e.members)) }

// without returns the members that other does not have, ordered.
func (e entry) without(other entry) []string {
	var ids []string
	for id := range e.members {
		if !other.members[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// snapshotOf returns the stories, topics or themes with these titles, by id, with their members
// among some articles.
func snapshotOf(titles map[string]string, level news.Level, articles []*store.Stored) snapshot {
	c := make(snapshot, len(titles))
	for id, title := range titles {
		c[id] = entryOf(title)
	}
	for _, a := range articles {
		id := a.Article.StoryID
		switch level {
		case news.LevelTopic:
			id = a.Article.TopicID
		case news.LevelTheme:
			id = a.Article.ThemeID
		}
		if at, ok := c[id]; ok {
			at.members[a.Article.ID] = true
		}
	}
	return c
}

// places returns the id of each article.
func (c snapshot) places() map[string]string {
	at := make(map[string]string)
	for id, e := range c {
		for a := range e.members {
			at[a] = id
		}
	}
	return at
}

// lineage records what became of stories, topics or themes between two snapshots.
type lineage struct {
	// into maps each story that ended to the story that has most of its articles now; "" if none
	// has any. Equal counts are ordered by id.
	into map[string]string
	// from maps a new story to the continuing story that most of its articles come from. It has no
	// entry if there is none.
	from map[string]string
}

// trace compares two snapshots.
func trace(before, after snapshot) lineage {
	l := lineage{into: make(map[string]string), from: make(map[string]string)}
	for id := range before {
		if _, lives := after[id]; !lives {
			l.into[id] = ""
		}
	}
	was := before.places()
	into, from := make(map[[2]string]int), make(map[[2]string]int) // {ended, heir} and {new, origin} -> articles
	for id, e := range after {
		_, old := before[id]
		for a := range e.members {
			origin, known := was[a]
			if !known {
				continue
			}
			if _, lives := after[origin]; !lives {
				into[[2]string{origin, id}]++
			} else if !old {
				from[[2]string{id, origin}]++
			}
		}
	}
	takeLargest(l.into, into)
	takeLargest(l.from, from)
	return l
}

// takeLargest sets to[a], unless it is set, to the b of the pair {a, b} with the largest count;
// equal counts are ordered by id.
func takeLargest(to map[string]string, counts map[[2]string]int) {
	for _, p := range slices.SortedFunc(maps.Keys(counts), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		to[p[0]] = cmp.Or(to[p[0]], p[1])
	}
}

// end adds the stories that ended to a plan. One with an heir is merged into it, and its id
// resolves to the heir for ever; the others are deleted.
func (l lineage) end(plan *store.Plan, ended map[string]*store.Story) {
	for _, id := range slices.Sorted(maps.Keys(l.into)) {
		story := ended[id]
		switch heir := l.into[id]; {
		case story == nil: // deleted already
		case heir == "":
			plan.DeletedStories = append(plan.DeletedStories, id)
		default:
			plan.Stories = append(plan.Stories, store.Story{Story: news.Story{ID: id, Title: story.Title, MergedInto: heir, Version: story.Version + 1}})
		}
	}
}

// The ledger records membership in stories by three kinds of events only: "created" and "joined"
// add articles to a story, and "left" removes them. Applying them in order gives the stored
// membership, and an article is in at most one story at any point, because the removals come first.
// "merged", "split", "deleted" and "renamed" record what became of ids and titles; the articles of
// a story that ends have left it before. Of topics and themes it records ids and titles only.

// events returns the events that lead from one snapshot to another, in the order of the ledger.
func (l lineage) events(before, after snapshot) []news.LedgerEvent {
	var events []news.LedgerEvent
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if left := before[id].without(after[id]); len(left) > 0 {
			events = append(events, news.LedgerEvent{Kind: news.Left, ID: id, ArticleIDs: left})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(after)) {
		now := after[id]
		was, old := before[id]
		if !old {
			events = append(events, news.LedgerEvent{Kind: news.Created, ID: id, ArticleIDs: now.sorted(), Title: now.title})
			if from := l.from[id]; from != "" {
				events = append(events, news.LedgerEvent{Kind: news.Split, ID: from, OtherIDs: []string{id}})
			}
			continue
		}
		if joined := now.without(was); len(joined) > 0 {
			events = append(events, news.LedgerEvent{Kind: news.Joined, ID: id, ArticleIDs: joined})
		}
		if now.title != was.title {
			events = append(events, news.LedgerEvent{Kind: news.Renamed, ID: id, Title: now.title})
		}
	}
	merged := make(map[string][]string)
	for _, id := range slices.Sorted(maps.Keys(l.into)) {
		if into := l.into[id]; into != "" {
			merged[into] = append(merged[into], id)
		} else {
			events = append(events, news.LedgerEvent{Kind: news.Deleted, ID: id})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(merged)) {
		events = append(events, news.LedgerEvent{Kind: news.Merged, ID: id, OtherIDs: merged[id]})
	}
	return events
}

// because sets the cause of events. articleID is the article that it is about; empty: none.
func because(events []news.LedgerEvent, cause news.Cause, articleID string) {
	for i := range events {
		events[i].Cause, events[i].CauseArticleID = cause, articleID
	}
}

// topicEvents returns the events of topics or themes that lead from one snapshot to another.
func (l lineage) topicEvents(level news.Level, before, after snapshot) []news.LedgerEvent {
	events := slices.DeleteFunc(l.events(before, after), func(e news.LedgerEvent) bool { return e.Kind == news.Left || e.Kind == news.Joined })
	for i := range events {
		events[i].Level, events[i].ArticleIDs = level, nil
	}
	return events
}

// applyEvent changes a snapshot as an event of the same level says.
func (c snapshot) applyEvent(e news.LedgerEvent) {
	switch e.Kind {
	case news.Created:
		c[e.ID] = entryOf(e.Title, e.ArticleIDs...)
	case news.Joined:
		at, ok := c[e.ID]
		if !ok {
			at = entryOf("")
			c[e.ID] = at
		}
		for _, id := range e.ArticleIDs {
			at.members[id] = true
		}
	case news.Left:
		for _, id := range e.ArticleIDs {
			delete(c[e.ID].members, id)
		}
	case news.Renamed:
		if at, ok := c[e.ID]; ok {
			at.title = e.Title
			c[e.ID] = at
		}
	case news.Merged:
		for _, id := range e.OtherIDs {
			delete(c, id)
		}
	case news.Deleted:
		delete(c, e.ID)
	}
}
