package stories

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/internal/news"
	"throughline/internal/store"
)

// Window bounds the articles that KeepArranged arranges. A store with no more than Most articles is
// arranged whole. Of a larger one, the stories with an article of the last Age are, and of these
// articles the newest Most. An article is as old as its publication, an undated one as its arrival.
type Window struct {
	Most int
	Age  time.Duration
}

// DefaultWindow is about what an arrangement can have of a machine with two cores and 4 GB.
var DefaultWindow = Window{Most: 50_000, Age: 30 * 24 * time.Hour}

// aged is an article of a large store.
type aged struct {
	id      string
	at      time.Time
	storyID string
}

// latest returns the articles in the window, and the time from which they are. Articles of the
// future, whose dates are wrong, do not move it. In a store of old articles it counts from the
// newest.
func (w Window) latest(now time.Time, all []aged) (in []aged, since time.Time) {
	for _, a := range all {
		if !a.at.After(now) && a.at.After(since) {
			since = a.at
		}
	}
	since = since.Add(-w.Age)
	in = slices.DeleteFunc(slices.Clone(all), func(a aged) bool { return a.at.Before(since) })
	if len(in) > w.Most {
		slices.SortFunc(in, func(a, b aged) int { return cmp.Or(b.at.Compare(a.at), strings.Compare(a.id, b.id)) })
		in = in[:w.Most]
		since = in[w.Most-1].at
	}
	return in, since
}

// withStories returns the ids of some articles and of all in their stories.
func withStories(some, all []aged) map[string]bool {
	stories, in := make(map[string]bool), make(map[string]bool)
	for _, a := range some {
		stories[cmp.Or(a.storyID, a.id)] = true
	}
	for _, a := range all {
		if stories[cmp.Or(a.storyID, a.id)] {
			in[a.id] = true
		}
	}
	return in
}

// windowInventory reads what lies in a window.
func (e *Engine) windowInventory(ctx context.Context, w Window) (*Inventory, error) {
	inv := &Inventory{Stories: make(map[string]*store.Story), Outside: make(map[string]Outside)}
	var all []aged
	names := make(map[string]string) // each id of a story or topic once
	one := func(id string) string {
		if _, ok := names[id]; !ok {
			names[id] = id
		}
		return names[id]
	}
	err := e.cfg.Articles.Scan(ctx, news.Filter{}, store.WithNothing, func(s *store.Stored) error {
		a := &s.Article
		at := a.Published
		if at.IsZero() {
			at = a.Ingested
		}
		all = append(all, aged{a.ID, at, one(a.StoryID)})
		inv.Outside[a.ID] = Outside{one(a.StoryID), one(a.TopicID), one(a.ThemeID), a.Published}
		return nil
	})
	if err != nil {
		return nil, err
	}
	latest, since := w.latest(e.cfg.Now(), all)
	inv.Since = since
	ids := slices.Sorted(maps.Keys(withStories(latest, all)))
	storyIDs := make(map[string]bool)
	for page := range slices.Chunk(ids, storyPage) {
		found, err := stored{e.cfg.Articles}.get(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			delete(inv.Outside, a.Article.ID)
			storyIDs[a.Article.StoryID] = true
		}
		inv.Articles = append(inv.Articles, found...)
	}
	err = e.cfg.Stories.ScanStories(ctx, news.StoryFilter{}, store.WithDense, func(s *store.Story) error {
		if storyIDs[s.ID] {
			inv.Stories[s.ID] = s
		}
		return nil
	})
	return inv, err
}

// complete adds the stories outside of the window that some articles are in now, whole: an
// arrangement must have all articles of a story or none. changed has the articles that have changed
// since the inventory was read, nil for those deleted.
func (e *Engine) complete(ctx context.Context, inv *Inventory, changed map[string]*store.Stored) error {
	counts := make(map[string]int) // articles at hand of each story
	for _, a := range inv.Articles {
		if _, ok := changed[a.Article.ID]; !ok {
			counts[a.Article.StoryID]++
		}
	}
	for _, a := range changed {
		if a != nil {
			counts[a.Article.StoryID]++
		}
	}
	for id := range inv.Stories {
		counts[id] += 0
	}
	delete(counts, "")
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		story := inv.Stories[id]
		if story == nil {
			found, err := e.cfg.Stories.Stories(ctx, []string{id}, store.WithDense)
			if err != nil {
				return err
			}
			if story = found[0]; story == nil || story.MergedInto != "" {
				continue
			}
			inv.Stories[id] = story
		}
		if story.Articles == counts[id] {
			continue
		}
		members, err := store.Members(ctx, e.cfg.Articles, id, "", 0)
		if err != nil {
			return err
		}
		for _, m := range members {
			changed[m.Article.ID] = m
		}
	}
	for id := range changed {
		delete(inv.Outside, id)
	}
	return nil
}
