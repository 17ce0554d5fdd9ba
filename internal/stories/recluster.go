package stories

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
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
	Deleted, Moved                    int // stories none of whose articles is in a story any more; articles filed elsewhere
	Took                              time.Duration
}

// Progress is told what a run is doing and how much of the whole is done, 0..1. It is called from one goroutine.
type Progress func(stage string, done float64)

// run is one reclustering.
type run struct {
	*Engine
	opts     ReclusterOptions
	articles []*store.Stored    // ordered by id; their assignments become the new ones
	was      []store.Assignment // how they were filed, in the same order
	ladder   *evidence.Ladder
	summary  Summary

	oldStories map[string]*store.Story
	oldTopics  map[string]*store.Topic
	texts      map[string]string // beginnings of articles, as far as they were read

	stories []store.Story // in the order of the ladder's labels
	topics  []store.Topic
	change  change
}

// Recluster arranges everything that is stored anew and reconciles the outcome with what was there. Articles that are
// stored while it runs are filed on their own and seen by the next run. When nothing has changed since the last run it
// writes nothing. A context that ends stops it until it begins to write.
func (e *Engine) Recluster(ctx context.Context, opts ReclusterOptions, progress Progress) (Summary, error) {
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
	if !r.opts.DryRun {
		unlock, err := r.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		if err := r.settle(ctx); err != nil {
			return err
		}
		r.filed, r.filedBefore = make(map[string]string), r.filed
	}
	if err := r.read(ctx); err != nil {
		return fmt.Errorf("reading what is stored: %w", err)
	}
	progress("comparing", 0.1)
	if _, err := r.scale(ctx); err != nil {
		return err
	}
	profiles := make([]evidence.Profile, len(r.articles))
	for i, a := range r.articles {
		profiles[i] = *corpus.Profile(a)
	}
	var err error
	if r.ladder, err = r.cfg.Model.Ladder(ctx, r.cfg.Corpus, profiles, evidence.LadderOptions{Workers: r.cfg.Workers, Topics: r.opts.Topics, Precision: r.cfg.Precision}); err != nil {
		return fmt.Errorf("clustering %d articles: %w", len(profiles), err)
	}
	if err := r.checkCut(r.ladder.Cut.Logit); err != nil {
		return err
	}
	progress("naming", 0.7)
	if err := r.arrange(ctx); err != nil {
		return fmt.Errorf("naming stories and topics: %w", err)
	}
	if r.opts.DryRun {
		progress("done", 1)
		return nil
	}
	progress("writing", 0.8)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.commit(ctx, &r.change); err != nil {
		return fmt.Errorf("writing stories back: %w", err)
	}
	r.setCut(r.ladder.Cut)
	progress("done", 1)
	return nil
}

func (r *run) read(ctx context.Context) error {
	err := r.cfg.Store.Scan(ctx, store.WithVectors, func(s *store.Stored) error {
		r.articles = append(r.articles, s)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(r.articles, byID)
	r.was = assignments(r.articles)
	r.oldStories, r.oldTopics = make(map[string]*store.Story), make(map[string]*store.Topic)
	if err := r.cfg.Store.ScanStories(ctx, store.StoryFilter{}, store.WithDense, func(s *store.Story) error {
		r.oldStories[s.ID] = s
		return nil
	}); err != nil {
		return err
	}
	return r.cfg.Store.ScanTopics(ctx, store.TopicFilter{}, store.WithDense, func(t *store.Topic) error {
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

// arrange turns the ladder's labels into stories, topics and themes with ids, into assignments, and into events.
func (r *run) arrange(ctx context.Context) error {
	before := make(standing)
	for id, s := range r.oldStories {
		before[id] = list(s.Title)
	}
	old := make(map[string]group)
	for _, a := range r.articles {
		if s, ok := before[a.Article.StoryID]; ok {
			s.members[a.Article.ID] = true
			old[a.Article.StoryID] = append(old[a.Article.StoryID], a.Article.ID)
		}
	}
	members := byLabel(r.ladder.Story)
	groups := make([]group, len(members))
	for g, indices := range members {
		groups[g] = r.ids(indices)
	}
	ids := carry(old, groups, func() string { return r.cfg.NewID("story") })

	r.fileCopies()
	words, err := r.keywords(ctx, members)
	if err != nil {
		return err
	}
	for _, a := range r.articles {
		a.Article.StoryID, a.Article.Probability = "", 0
	}
	after := make(standing)
	for g, indices := range members {
		story := store.Story{ID: ids[g], Keywords: words[g]}
		if old := r.oldStories[story.ID]; old != nil {
			story.Title, story.Naming = old.Title, old.Naming
		}
		for _, i := range indices {
			r.articles[i].Article.StoryID, r.articles[i].Article.Probability = ids[g], float64(r.ladder.Strength[i])
		}
		describe(&story, r.stored(indices))
		r.stories = append(r.stories, story)
		after[ids[g]] = list(story.Title, groups[g]...)
		r.summary.Largest = max(r.summary.Largest, len(indices))
		r.summary.OneOffs -= len(indices)
	}
	r.summary.Articles, r.summary.Stories = len(r.articles), len(members)
	r.summary.OneOffs += len(r.articles)
	if err := r.fileTopics(ctx); err != nil {
		return err
	}
	r.compare(before, after)
	return nil
}

// compare finds out what has to be written.
func (r *run) compare(before, after standing) {
	c := &r.change
	for _, s := range r.stories {
		old := r.oldStories[s.ID]
		if old == nil {
			s.Version = 1
			c.fresh = append(c.fresh, s)
			continue
		}
		moved := len(before[s.ID].without(after[s.ID]))+len(after[s.ID].without(before[s.ID])) > 0
		if moved || changedStory(old, &s) {
			s.Version = old.Version + 1
			c.updated = append(c.updated, s)
		}
	}
	for _, t := range r.topics {
		old := r.oldTopics[t.ID]
		delete(r.oldTopics, t.ID)
		if old == nil {
			t.Version = 1
		} else if t.Version = old.Version + 1; !changedTopic(old, &t) {
			continue
		}
		c.topics = append(c.topics, t)
	}
	for id := range r.oldTopics {
		c.dropped = append(c.dropped, id)
	}
	slices.Sort(c.dropped)
	for i, a := range r.articles {
		now := assignmentOf(&a.Article)
		if sameAssignment(r.was[i], now) {
			continue
		}
		c.assigned = append(c.assigned, now)
		if now.StoryID != r.was[i].StoryID {
			r.summary.Moved++
		}
	}
	f := follow(before, after)
	c.end(r.oldStories, f.into)
	c.events = changes(before, after, f)
	r.summary.count(c.events)
}

// count tells how many stories were created, and so on.
func (s *Summary) count(events []store.Event) {
	for _, e := range events {
		switch e.Kind {
		case store.StoryCreated:
			s.Created++
		case store.StorySplit:
			s.Split += len(e.OtherStoryIDs)
		case store.StoryMerged:
			s.Merged += len(e.OtherStoryIDs)
		case store.StoryRenamed:
			s.Renamed++
		case store.StoryDeleted:
			s.Deleted++
		}
	}
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

func (r *run) ids(indices []int) group { return idsOf(r.stored(indices)) }

func (r *run) stored(indices []int) []*store.Stored {
	s := make([]*store.Stored, len(indices))
	for k, i := range indices {
		s[k] = r.articles[i]
	}
	return s
}

// fileCopies names the original of each copy group.
func (r *run) fileCopies() {
	for _, a := range r.articles {
		a.Article.CopyOf = ""
	}
	for _, indices := range byLabel(r.ladder.Copy) {
		markCopies(articles(r.stored(indices)))
	}
}

// changedStory says whether what a reader sees of a story changed, or the mean of its articles.
func changedStory(a, b *store.Story) bool {
	return a.Title != b.Title || a.TopicID != b.TopicID || a.ThemeID != b.ThemeID || a.Representative != b.Representative ||
		a.Articles != b.Articles || a.IndependentReports != b.IndependentReports || a.IndependentSources != b.IndependentSources ||
		a.TitleKey != b.TitleKey || !slices.Equal(a.Keywords, b.Keywords) || !slices.Equal(a.Sources, b.Sources) ||
		!a.First.Equal(b.First) || !a.Last.Equal(b.Last) || apart(a.Dense, b.Dense)
}

func changedTopic(a, b *store.Topic) bool {
	return a.Title != b.Title || a.TitleKey != b.TitleKey || a.Articles != b.Articles || a.Stories != b.Stories || a.ParentID != b.ParentID ||
		a.Representative != b.Representative || !slices.Equal(a.Keywords, b.Keywords) ||
		!a.First.Equal(b.First) || !a.Last.Equal(b.Last) || apart(a.Dense, b.Dense)
}

// apart tells whether two vectors differ by more than a server may lose in keeping them.
func apart(a, b []float32) bool {
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-5 {
			return true
		}
	}
	return false
}
