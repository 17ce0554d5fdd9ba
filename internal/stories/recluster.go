package stories

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/points"
)

// ReclusterOptions of one run.
type ReclusterOptions struct {
	DryRun bool // compute and report, change nothing
	Topics int  // how many topics to make; 0: as many as the articles show
}

// Summary is what a run found and changed.
type Summary struct {
	Articles, Stories, Topics, Themes int
	OneOffs                           int // articles in no story
	Largest                           int // articles of the largest story
	Created, Merged, Split, Renamed   int // stories
	Deleted, Moved                    int // stories without an article left; articles filed elsewhere
	Took                              time.Duration
}

// Progress is told what a run is doing and how much of the whole is done, 0..1. It is called from one goroutine.
type Progress func(stage string, done float64)

// run is one reclustering.
type run struct {
	*Engine
	opts     ReclusterOptions
	articles []*points.Stored // ordered by id
	ladder   *evidence.Ladder
	summary  Summary

	oldStories map[string]*points.Story
	oldTopics  map[string]*points.Topic
	texts      map[string]string // beginnings of articles, as far as they were read
	now        assignments
}

// assignments is where every article belongs after a run.
type assignments struct {
	stories []points.Story
	topics  []points.Topic
	of      map[string]points.Assignment // by article id; an article without an entry is in no story
	events  []points.Event
	dropped []string // topics
	ended   []points.Story
	deleted []string // stories
}

// Recluster arranges everything that is stored anew and reconciles the outcome with what was there. Articles that are
// stored while it runs are filed on their own and seen by the next run.
func (e *Engine) Recluster(ctx context.Context, opts ReclusterOptions, progress Progress) (Summary, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	if progress == nil {
		progress = func(string, float64) {}
	}
	started := e.cfg.Now()
	r := &run{Engine: e, opts: opts}
	err := r.run(ctx, progress)
	r.summary.Took = e.cfg.Now().Sub(started)
	return r.summary, err
}

func (r *run) run(ctx context.Context, progress Progress) error {
	progress("reading", 0)
	if err := r.read(ctx); err != nil {
		return fmt.Errorf("reading what is stored: %w", err)
	}
	progress("comparing", 0.1)
	profiles := make([]evidence.Profile, len(r.articles))
	for i, a := range r.articles {
		profiles[i] = *corpus.Profile(a)
	}
	var err error
	if r.ladder, err = r.cfg.Model.Ladder(ctx, r.cfg.Corpus, profiles, evidence.LadderOptions{Workers: r.cfg.Workers, Topics: r.opts.Topics}); err != nil {
		return fmt.Errorf("clustering %d articles: %w", len(profiles), err)
	}
	r.setCut(r.ladder.Cut.Logit)
	progress("naming", 0.7)
	if err := r.arrange(ctx); err != nil {
		return fmt.Errorf("naming stories and topics: %w", err)
	}
	if r.opts.DryRun {
		progress("done", 1)
		return nil
	}
	progress("writing", 0.8)
	if err := r.write(ctx); err != nil {
		return fmt.Errorf("writing stories back: %w", err)
	}
	progress("done", 1)
	return nil
}

func (r *run) read(ctx context.Context) error {
	err := r.cfg.Store.Scan(ctx, points.WithVectors, func(s *points.Stored) error {
		r.articles = append(r.articles, s)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(r.articles, func(a, b *points.Stored) int { return compare(a.Article.ID, b.Article.ID) })
	r.oldStories, r.oldTopics = make(map[string]*points.Story), make(map[string]*points.Topic)
	if err := r.cfg.Store.ScanStories(ctx, points.StoryFilter{}, points.WithNothing, func(s *points.Story) error {
		r.oldStories[s.ID] = s
		return nil
	}); err != nil {
		return err
	}
	return r.cfg.Store.ScanTopics(ctx, points.TopicFilter{}, points.WithNothing, func(t *points.Topic) error {
		r.oldTopics[t.ID] = t
		return nil
	})
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// arrange turns the ladder's labels into stories, topics and themes with ids, and into events.
func (r *run) arrange(ctx context.Context) error {
	members := byLabel(r.ladder.Story)
	r.markCopies()
	old := make(map[string]group)
	for _, a := range r.articles {
		if id := a.Article.StoryID; id != "" && r.oldStories[id] != nil {
			old[id] = append(old[id], a.Article.ID)
		}
	}
	for id := range r.oldStories { // a story whose articles are all deleted
		if _, ok := old[id]; !ok {
			old[id] = nil
		}
	}
	groups := make([]group, len(members))
	for g, indices := range members {
		groups[g] = r.ids(indices)
	}
	c := carry(old, groups, func() string { return r.cfg.NewID("story") })

	words, err := r.keywords(ctx, members)
	if err != nil {
		return err
	}
	storyOf := make([]int, len(r.articles)) // index of the story, -1 for none
	for i := range storyOf {
		storyOf[i] = -1
	}
	for g, indices := range members {
		story := points.Story{ID: c.ids[g], Keywords: words[g]}
		describe(&story, r.stored(indices))
		r.now.stories = append(r.now.stories, story)
		for _, i := range indices {
			storyOf[i] = g
		}
		r.summary.Largest = max(r.summary.Largest, len(indices))
		r.summary.OneOffs -= len(indices)
	}
	r.now.of = make(map[string]points.Assignment, len(r.articles))
	if err := r.arrangeTopics(ctx, storyOf); err != nil {
		return err
	}
	r.summary.Articles, r.summary.Stories = len(r.articles), len(members)
	r.summary.OneOffs += len(r.articles)
	r.tell(c, groups)
	return nil
}

// byLabel lists the members of each label, by label; -1 is none. Labels count from 0 in order of their first member.
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

func nonEmpty(values ...string) []string {
	return slices.DeleteFunc(values, func(v string) bool { return v == "" })
}

func (r *run) ids(indices []int) group {
	g := make(group, len(indices))
	for k, i := range indices {
		g[k] = r.articles[i].Article.ID
	}
	return g
}

func (r *run) stored(indices []int) []*points.Stored {
	s := make([]*points.Stored, len(indices))
	for k, i := range indices {
		s[k] = r.articles[i]
	}
	return s
}

// markCopies names the original of each copy group: its earliest article, equals by id, those without a known time last.
func (r *run) markCopies() {
	for _, a := range r.articles {
		a.Article.CopyOf = "" // write compares with what is stored then
	}
	for _, indices := range byLabel(r.ladder.Copy) {
		original := slices.MinFunc(indices, func(x, y int) int {
			a, b := r.articles[x].Article, r.articles[y].Article
			switch {
			case a.Published.IsZero() != b.Published.IsZero():
				if a.Published.IsZero() {
					return 1
				}
				return -1
			case !a.Published.Equal(b.Published):
				return a.Published.Compare(b.Published)
			}
			return compare(a.ID, b.ID)
		})
		for _, i := range indices {
			if i != original {
				r.articles[i].Article.CopyOf = r.articles[original].Article.ID
			}
		}
	}
}

// tell writes what happened to stories as events.
func (r *run) tell(c carried, groups []group) {
	title := func(g int) string { return r.now.stories[g].Title }
	mergedInto := make(map[string][]string)
	for id, into := range c.merged {
		mergedInto[into] = append(mergedInto[into], id)
	}
	for g, id := range c.ids {
		story := &r.now.stories[g]
		if c.fresh[g] {
			story.Version = 1
			r.summary.Created++
			r.now.events = append(r.now.events, points.Event{Kind: points.StoryCreated, StoryID: id, ArticleIDs: slices.Sorted(slices.Values(groups[g])), Title: title(g)})
			if from := c.from[g]; from != "" {
				r.summary.Split++
				r.now.events = append(r.now.events, points.Event{Kind: points.StorySplit, StoryID: from, OtherStoryIDs: []string{id}})
			}
		} else {
			before := r.oldStories[id]
			story.Version = before.Version
			joined, left := c.moved(id, groups[g])
			if len(joined) > 0 {
				r.now.events = append(r.now.events, points.Event{Kind: points.StoryJoined, StoryID: id, ArticleIDs: joined})
			}
			if len(left) > 0 {
				r.now.events = append(r.now.events, points.Event{Kind: points.StoryLeft, StoryID: id, ArticleIDs: left})
			}
			if before.Title != story.Title {
				r.summary.Renamed++
				r.now.events = append(r.now.events, points.Event{Kind: points.StoryRenamed, StoryID: id, Title: story.Title})
			}
			if changedStory(before, story) || len(joined)+len(left) > 0 {
				story.Version++
			}
		}
		if others := slices.Sorted(slices.Values(mergedInto[id])); len(others) > 0 {
			r.summary.Merged += len(others)
			r.now.events = append(r.now.events, points.Event{Kind: points.StoryMerged, StoryID: id, OtherStoryIDs: others})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.merged)) {
		ended := *r.oldStories[id]
		r.now.ended = append(r.now.ended, points.Story{ID: id, Title: ended.Title, MergedInto: c.merged[id], Version: ended.Version + 1})
	}
	for _, id := range c.gone {
		r.summary.Deleted++
		r.now.deleted = append(r.now.deleted, id)
		r.now.events = append(r.now.events, points.Event{Kind: points.StoryDeleted, StoryID: id})
	}
}

// changedStory says whether what a reader sees of a story changed.
func changedStory(a, b *points.Story) bool {
	return a.Title != b.Title || a.TopicID != b.TopicID || a.ThemeID != b.ThemeID || a.Representative != b.Representative ||
		!slices.Equal(a.Keywords, b.Keywords) || !slices.Equal(a.Sources, b.Sources) || !a.First.Equal(b.First) || !a.Last.Equal(b.Last)
}

// write stores the outcome: topics and stories first, so that no article names one that does not exist; then the articles,
// then what ended, then the ledger. Each step can be repeated, so a run after a crash completes it.
func (r *run) write(ctx context.Context) error {
	if err := r.cfg.Store.PutTopics(ctx, r.now.topics); err != nil {
		return err
	}
	var changed []points.Story
	for _, s := range r.now.stories {
		if before := r.oldStories[s.ID]; before == nil || before.Version != s.Version {
			changed = append(changed, s)
		}
	}
	if err := r.cfg.Store.PutStories(ctx, changed); err != nil {
		return err
	}
	var moved []points.Assignment
	err := r.cfg.Store.Scan(ctx, points.WithNothing, func(s *points.Stored) error {
		a, ok := r.now.of[s.Article.ID]
		if !ok {
			return nil // stored since the run began
		}
		if a.StoryID != s.Article.StoryID {
			r.summary.Moved++
		} else if slices.Equal(a.TopicIDs, s.Article.TopicIDs) && a.CopyOf == s.Article.CopyOf && a.Probability == s.Article.Probability {
			return nil
		}
		moved = append(moved, a)
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.cfg.Store.Assign(ctx, moved); err != nil {
		return err
	}
	if err := r.cfg.Store.PutStories(ctx, r.now.ended); err != nil {
		return err
	}
	if err := r.cfg.Store.DeleteStories(ctx, r.now.deleted); err != nil {
		return err
	}
	if err := r.cfg.Store.DeleteTopics(ctx, r.now.dropped); err != nil {
		return err
	}
	return r.record(ctx, r.now.events)
}
