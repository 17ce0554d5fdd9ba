package stories

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"throughline/internal/store"
)

// Settle finishes what an interrupted operation left of stories, copies, topics and the ledger. File, Forget and Recluster do
// so by themselves before anything else; a server that calls it at start spares its first caller the wait.
func (e *Engine) Settle(ctx context.Context) error {
	unlock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return e.settle(ctx)
}

// settle brings what is stored into a consistent state and makes the ledger tell of it, after an operation that did not get
// to its end: in this process, or in the last one, which may have been killed. What the articles say is the truth;
// stories that lost their articles, descriptions that are out of date and the ledger follow from it. It must be called
// with the lock held, before anything is changed. When all is well it reads nothing, but for the first time: then it reads
// the ledger and the fields of all articles, which is less than the corpus takes to load at start.
func (e *Engine) settle(ctx context.Context) error {
	if e.settled {
		return nil
	}
	if err := e.tellRest(ctx); err != nil {
		return fmt.Errorf("completing the ledger: %w", err)
	}
	s := settling{Engine: e}
	if err := s.read(ctx); err != nil {
		return fmt.Errorf("reading what is stored: %w", err)
	}
	if err := s.repair(ctx); err != nil {
		return fmt.Errorf("settling stories: %w", err)
	}
	s.remember()
	if n := len(s.change.events); n > 0 {
		e.cfg.Logger.InfoContext(ctx, "the ledger did not tell of all that is stored; now it does", "events", n)
	}
	if err := e.commit(ctx, &s.change); err != nil {
		return fmt.Errorf("settling stories: %w", err)
	}
	return nil
}

// settling is one run of settle.
type settling struct {
	*Engine
	told     standing
	stories  map[string]*store.Story // those merged away too
	articles []*store.Article        // that are in a story or a copy
	members  map[string][]*store.Article
	topics   map[string]bool // stored
	named    map[string]bool // topics that an article names
	change   change
}

func (s *settling) read(ctx context.Context) error {
	var err error
	if s.told, err = s.replay(ctx); err != nil {
		return err
	}
	s.stories, s.members = make(map[string]*store.Story), make(map[string][]*store.Article)
	err = s.cfg.Store.ScanStories(ctx, store.StoryFilter{Merged: true}, store.WithNothing, func(story *store.Story) error {
		s.stories[story.ID] = story
		return nil
	})
	if err != nil {
		return err
	}
	s.topics, s.named = make(map[string]bool), make(map[string]bool)
	err = s.cfg.Store.ScanTopics(ctx, store.TopicFilter{}, store.WithNothing, func(t *store.Topic) error {
		s.topics[t.ID] = true
		return nil
	})
	if err != nil {
		return err
	}
	return s.cfg.Store.Scan(ctx, store.WithNothing, func(a *store.Stored) error {
		for _, id := range a.Article.TopicIDs {
			s.named[id] = true
		}
		if a.Article.StoryID != "" || a.Article.CopyOf != "" {
			s.articles = append(s.articles, &a.Article)
		}
		return nil
	})
}

// live follows an id that was merged away; "" when it leads nowhere.
func (s *settling) live(id string) string {
	for range len(s.stories) + 1 {
		story := s.stories[id]
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

func (s *settling) repair(ctx context.Context) error {
	was := make([]store.Assignment, len(s.articles))
	for i, a := range s.articles {
		was[i] = assignmentOf(a)
	}
	s.refile()
	for i, a := range s.articles {
		if now := assignmentOf(a); !sameAssignment(was[i], now) {
			s.change.assigned = append(s.change.assigned, now)
		}
	}
	after := make(standing)
	for id, members := range s.members {
		after[id] = list(s.stories[id].Title)
		for _, a := range members {
			after[id].members[a.ID] = true
		}
	}
	for id, story := range s.stories {
		_, lives := after[id]
		_, known := s.told[id]
		if !lives && !known && story.MergedInto == "" {
			s.change.deleted = append(s.change.deleted, id) // it was never told of, so nobody has its id
		}
	}
	slices.Sort(s.change.deleted)
	if err := s.describe(ctx, after); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(s.topics)) {
		if !s.named[id] {
			s.change.dropped = append(s.change.dropped, id)
		}
	}
	f := follow(s.told, after)
	ended := make(map[string]*store.Story)
	for id := range f.into {
		switch story := s.stories[id]; {
		case story == nil:
			f.into[id] = ""
		case story.MergedInto != "": // what is written stays: somebody may have followed it
			f.into[id] = story.MergedInto
		default:
			ended[id] = story
		}
	}
	s.change.end(ended, f.into)
	s.change.events = changes(s.told, after, f)
	return nil
}

// refile changes, in memory, the assignments that cannot stay: the articles of a story that was merged away go to its heir,
// those of one that does not exist and the last one of a story become one-offs, and a copy needs its original in the
// same story.
func (s *settling) refile() {
	for _, a := range s.articles {
		heir := s.live(a.StoryID)
		if heir != a.StoryID {
			a.StoryID = heir
			if heir != "" {
				a.TopicIDs = namedTopics(s.stories[heir].TopicID, s.stories[heir].ThemeID)
			}
		}
		if heir != "" {
			s.members[heir] = append(s.members[heir], a)
		}
	}
	for id, members := range s.members {
		if len(members) < 2 {
			members[0].StoryID = ""
			delete(s.members, id)
			continue
		}
		slices.SortFunc(members, func(a, b *store.Article) int { return compare(a.ID, b.ID) })
		mendCopies(members)
	}
	for _, a := range s.articles {
		if a.StoryID == "" {
			a.CopyOf, a.Probability = "", 0
		}
	}
}

// remember corrects what the engine believes about where it filed articles: an assignment that failed may have been done.
func (s *settling) remember() {
	now := make(map[string]string, len(s.articles))
	for _, a := range s.articles {
		now[a.ID] = a.StoryID
	}
	for _, filed := range []map[string]string{s.filed, s.filedBefore} {
		for id := range filed {
			filed[id] = now[id]
		}
	}
}

// describe describes the stories anew whose articles are not those that the ledger tells of, and those whose counts,
// representative or topic cannot be right; an earlier program did not count independent reports.
func (s *settling) describe(ctx context.Context, after standing) error {
	for _, id := range slices.Sorted(maps.Keys(after)) {
		story, now := s.stories[id], after[id]
		was, known := s.told[id]
		topic, theme := s.topicOf(id)
		reports, outlets := independent(s.members[id])
		if known && story.Articles == len(now.members) && story.IndependentReports == reports && story.IndependentSources == outlets && now.members[story.Representative] && topic == story.TopicID && theme == story.ThemeID &&
			len(now.without(was)) == 0 && len(was.without(now)) == 0 {
			continue
		}
		members, err := s.cfg.Store.Get(ctx, now.sorted(), store.WithVectors)
		if err != nil {
			return err
		}
		members = slices.DeleteFunc(members, func(m *store.Stored) bool { return m == nil }) // deleted just now
		if len(members) == 0 {
			continue
		}
		for _, m := range members { // as they are filed now; both lists are ordered by id
			at, _ := slices.BinarySearchFunc(s.members[id], m.Article.ID, func(a *store.Article, id string) int { return compare(a.ID, id) })
			m.Article.CopyOf = s.members[id][at].CopyOf
		}
		next := *story
		describe(&next, members)
		next.TopicID, next.ThemeID = topic, theme
		next.Version++
		s.change.updated = append(s.change.updated, next)
		now.title = next.Title
		after[id] = now
	}
	return nil
}

// topicOf is the topic and theme of a story: its own when an article of it agrees, else those of its first article.
func (s *settling) topicOf(id string) (topic, theme string) {
	story, members := s.stories[id], s.members[id]
	for _, a := range members {
		if topic, theme := topicAndTheme(a.TopicIDs); topic == story.TopicID && theme == story.ThemeID {
			return topic, theme
		}
	}
	return topicAndTheme(members[0].TopicIDs)
}
