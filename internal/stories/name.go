package stories

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/internal/store"
	"throughline/internal/titles"
)

// Namer writes titles. *titles.Client is one; its contract for each method holds here.
type Namer interface {
	Model() string
	// Key identifies a question: subjects with the same key have the same title.
	Key(titles.Subject) string
	Title(context.Context, titles.Subject) (titles.Title, error)
}

// Named is what a round of naming did, in stories and topics.
type Named struct {
	Titled int // have a title of the model now
	Failed int // keep the one they had: the model did not answer, or not as it should
}

const (
	// nameBatch is how many are asked for before their titles are written.
	nameBatch = 32
	// nameWidth is how many questions are asked at a time; the model's client may allow fewer.
	nameWidth = 8
	// nameFailures in a row end a round: the endpoint is down.
	nameFailures = 3
)

// naming remembers what need not be asked again in this process.
type naming struct {
	mu       sync.Mutex              // held during a round
	examined map[string]int64        // id of a story or topic -> version that has its title
	answers  map[string]titles.Title // by key; for what comes to be again, as when a story is split and merged
	refused  map[string]bool         // keys of questions that the model has no good answer to
}

// maxAnswers bounds what naming remembers of each kind.
const maxAnswers = 20_000

// Name gives stories and topics titles that a model writes, where what they consist of has changed since they got theirs.
// What fails keeps its title, and nothing else fails with it: the error is of the store or the context alone. It may run
// beside everything else; a story that changes meanwhile is left to the next round.
func (e *Engine) Name(ctx context.Context, namer Namer) (Named, error) {
	n := &e.naming
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.answers == nil || len(n.answers) > maxAnswers || len(n.refused) > maxAnswers {
		n.answers, n.refused = make(map[string]titles.Title), make(map[string]bool)
	}
	if err := e.Settle(ctx); err != nil { // or what an earlier round did not get to tell would not be told
		return Named{}, err
	}
	r := &round{Engine: e, namer: namer}
	if err := r.find(ctx); err != nil {
		return Named{}, err
	}
	var named Named
	var first error
	for batch := range slices.Chunk(r.todo, nameBatch) {
		err := r.ask(ctx, batch)
		if ctx.Err() != nil {
			return named, ctx.Err()
		}
		titled, failed, store := r.write(ctx, batch)
		named.Titled += titled
		named.Failed += failed
		for i := range batch {
			if first == nil {
				first = batch[i].err
			}
		}
		if store != nil {
			return named, store
		}
		if err != nil { // the endpoint is down
			break
		}
	}
	if first != nil {
		e.cfg.Logger.WarnContext(ctx, "some stories and topics keep the titles of their articles", "model", namer.Model(), "failed", named.Failed, "first", first)
	}
	return named, nil
}

// round is one run of Name.
type round struct {
	*Engine
	namer Namer
	todo  []question
}

// question is a story or topic that needs a title.
type question struct {
	id      string
	topic   bool
	version int64
	subject titles.Subject
	key     string
	title   titles.Title
	err     error
	done    bool // title is set
	refused bool // there was an answer, and it is no title
}

// find lists what has changed since it got its title.
func (r *round) find(ctx context.Context) error {
	inTopic := make(map[string][]store.Story) // of topics and themes
	still := make(map[string]int64)           // of what is examined, what there still is
	isExamined := func(id string, version int64) bool {
		known, ok := r.naming.examined[id]
		if ok = ok && known == version; ok {
			still[id] = version
		}
		return ok
	}
	var changed []store.Story
	err := r.cfg.Store.ScanStories(ctx, store.StoryFilter{}, store.WithNothing, func(s *store.Story) error {
		for _, id := range namedTopics(s.TopicID, s.ThemeID) {
			inTopic[id] = append(inTopic[id], *s)
		}
		if s.Articles >= 2 && !isExamined(s.ID, s.Version) {
			changed = append(changed, *s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var topics []store.Topic
	if err := r.cfg.Store.ScanTopics(ctx, store.TopicFilter{}, store.WithNothing, func(t *store.Topic) error {
		if len(inTopic[t.ID]) >= 2 && !isExamined(t.ID, t.Version) {
			topics = append(topics, *t)
		}
		return nil
	}); err != nil {
		return err
	}
	slices.SortFunc(topics, func(a, b store.Topic) int { return cmp.Compare(a.ID, b.ID) })
	r.naming.examined = still
	slices.SortFunc(changed, func(a, b store.Story) int { return cmp.Compare(a.ID, b.ID) })
	for page := range slices.Chunk(changed, wordPage) {
		if err := r.findStories(ctx, page); err != nil {
			return err
		}
	}
	for page := range slices.Chunk(topics, wordPage) {
		if err := r.findTopics(ctx, page, inTopic); err != nil {
			return err
		}
	}
	return nil
}

// findStories asks about stories by their earliest texts, copies left out, so that the question stays when more are written.
func (r *round) findStories(ctx context.Context, page []store.Story) error {
	ids := make([]string, len(page))
	for i, s := range page {
		ids[i] = s.ID
	}
	members := make(map[string][]*store.Article)
	err := r.cfg.Store.ScanWhere(ctx, store.Filter{StoryIDs: ids}, store.WithNothing, func(a *store.Stored) error {
		if a.Article.CopyOf == "" {
			members[a.Article.StoryID] = append(members[a.Article.StoryID], &a.Article)
		}
		return nil
	})
	if err != nil {
		return err
	}
	shown := make([][]*store.Article, len(page))
	for i, s := range page {
		list := members[s.ID]
		slices.SortFunc(list, earlier)
		shown[i] = list[:min(len(list), titles.MaxArticles)]
	}
	subjects, err := r.subjects(ctx, titles.Story, shown)
	if err != nil {
		return err
	}
	for i, s := range page {
		r.add(question{id: s.ID, version: s.Version, subject: subjects[i]}, s.Naming)
	}
	return nil
}

// findTopics asks about topics by the articles that stand for their largest stories.
func (r *round) findTopics(ctx context.Context, page []store.Topic, inTopic map[string][]store.Story) error {
	shown := make([][]*store.Article, len(page))
	for i, t := range page {
		stories := inTopic[t.ID]
		slices.SortFunc(stories, func(a, b store.Story) int {
			return cmp.Or(cmp.Compare(b.Articles, a.Articles), cmp.Compare(a.ID, b.ID))
		})
		var ids []string
		for _, s := range stories[:min(len(stories), titles.MaxArticles)] {
			ids = append(ids, s.Representative)
		}
		found, err := r.cfg.Store.Get(ctx, ids, store.WithNothing)
		if err != nil {
			return err
		}
		for _, s := range found {
			if s != nil {
				shown[i] = append(shown[i], &s.Article)
			}
		}
	}
	subjects, err := r.subjects(ctx, titles.Topic, shown)
	if err != nil {
		return err
	}
	for i, t := range page {
		r.add(question{id: t.ID, topic: true, version: t.Version, subject: subjects[i]}, t.Naming)
	}
	return nil
}

// subjects reads the ledes of articles.
func (r *round) subjects(ctx context.Context, kind titles.Kind, shown [][]*store.Article) ([]titles.Subject, error) {
	var ids []string
	for _, list := range shown {
		for _, a := range list {
			ids = append(ids, a.ID)
		}
	}
	ledes := make(map[string]string)
	for chunk := range slices.Chunk(ids, wordPage) {
		sections, err := r.cfg.Store.Sections(ctx, chunk, false)
		if err != nil {
			return nil, err
		}
		for id, list := range sections {
			if len(list) > 0 {
				ledes[id] = list[0].Text
			}
		}
	}
	out := make([]titles.Subject, len(shown))
	for i, list := range shown {
		out[i].Kind = kind
		for _, a := range list {
			shown := titles.Article{ID: a.ID, Title: a.Title, Lede: ledes[a.ID]}
			if a.TitleDerived {
				shown.Title = "" // it is the beginning of the lede
			}
			out[i].Articles = append(out[i].Articles, shown)
		}
	}
	return out, nil
}

// add puts a question on the list, unless it was answered already, or there is one text alone, which has a title.
func (r *round) add(q question, was store.Naming) {
	q.key = r.namer.Key(q.subject)
	switch {
	case len(q.subject.Articles) < 2 || q.key == was.TitleKey:
		r.naming.examined[q.id] = q.version
	default:
		q.title, q.done = r.naming.answers[q.key]
		q.refused = r.naming.refused[q.key]
		r.todo = append(r.todo, q)
	}
}

// ask asks the questions that nobody has answered yet. Its error is of the endpoint, when it does not answer any more.
func (r *round) ask(ctx context.Context, batch []question) error {
	var mu sync.Mutex
	var down error
	inARow := 0
	var group errgroup.Group
	group.SetLimit(nameWidth)
	for i := range batch {
		q := &batch[i]
		if q.done || q.refused {
			continue
		}
		group.Go(func() error {
			mu.Lock()
			stop := down
			mu.Unlock()
			if stop != nil {
				q.err = stop
				return nil
			}
			title, err := r.namer.Title(ctx, q.subject)
			mu.Lock()
			defer mu.Unlock()
			var refused *titles.ReplyError
			switch {
			case err == nil:
				q.title, q.done, inARow = title, true, 0
				return nil
			case errors.As(err, &refused):
				r.naming.refused[q.key], q.refused = true, true
				inARow = 0
			default:
				if inARow++; inARow >= nameFailures {
					down = err
				}
			}
			q.err = err
			return nil
		})
	}
	_ = group.Wait() // no function returns an error: each is kept with its question
	return down
}

// write stores the titles that were found, and which questions have none. Stories and topics that have changed since they were
// read are left alone.
func (r *round) write(ctx context.Context, batch []question) (titled, failed int, err error) {
	var storyIDs []string
	asked := make(map[string]*question)
	for i := range batch {
		q := &batch[i]
		if !q.done {
			failed++
		}
		if q.done {
			r.naming.answers[q.key] = q.title
		}
		if q.done || q.refused {
			if asked[q.id] = q; !q.topic {
				storyIDs = append(storyIDs, q.id)
			}
		}
	}
	if len(asked) == 0 {
		return 0, failed, nil
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return 0, failed, err
	}
	defer unlock()
	if err := r.settle(ctx); err != nil {
		return 0, failed, err
	}
	var c change
	found, err := r.cfg.Store.GetStories(ctx, storyIDs, store.WithVectors)
	if err != nil {
		return 0, failed, err
	}
	for _, s := range found {
		if s == nil || s.MergedInto != "" || s.Version != asked[s.ID].version {
			continue
		}
		q, was := asked[s.ID], s.Title
		r.title(q, &s.Title, &s.Naming, &s.Version)
		if s.Title != was {
			c.events = append(c.events, store.Event{Kind: store.StoryRenamed, StoryID: s.ID, Title: s.Title})
		}
		c.updated = append(c.updated, *s)
	}
	err = r.cfg.Store.ScanTopics(ctx, store.TopicFilter{}, store.WithDense, func(t *store.Topic) error {
		if q := asked[t.ID]; q != nil && q.topic && t.Version == q.version {
			r.title(q, &t.Title, &t.Naming, &t.Version)
			c.topics = append(c.topics, *t)
		}
		return nil
	})
	if err != nil {
		return 0, failed, err
	}
	if err := r.commit(ctx, &c); err != nil {
		return 0, failed, err
	}
	for _, s := range c.updated {
		r.naming.examined[s.ID] = s.Version
	}
	for _, t := range c.topics {
		r.naming.examined[t.ID] = t.Version
	}
	for i := range batch {
		if q := &batch[i]; q.done && r.naming.examined[q.id] > q.version {
			titled++
		}
	}
	return titled, failed, nil
}

// title puts an answer into a story or topic. What has no title is not another version: readers see nothing of it.
func (r *round) title(q *question, title *string, n *store.Naming, version *int64) {
	n.TitleKey = q.key
	if !q.done {
		return
	}
	*title, n.TitleModel, n.TitleArticles = q.title.Text, r.namer.Model(), q.title.Articles
	*version++
}

// Pauses of KeepNaming.
const (
	nameQuiet = 5 * time.Second  // without a change, before what changed is named
	nameAgain = 10 * time.Minute // before what failed is tried again
	// nameRestless is after how many changes what never is quiet is named all the same.
	nameRestless = 100
)

// KeepNaming names what changes until ctx ends, which is no error. A round that fails is logged, and the next one does it.
func (e *Engine) KeepNaming(ctx context.Context, namer Namer) {
	e.keepNaming(ctx, namer, nameQuiet, nameAgain)
}

func (e *Engine) keepNaming(ctx context.Context, namer Namer, quiet, again time.Duration) {
	for ctx.Err() == nil {
		grown := e.grown() // before reading, so that nothing slips between
		if _, err := e.Name(ctx, namer); err != nil && ctx.Err() == nil {
			e.cfg.Logger.WarnContext(ctx, "naming stories", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-grown:
			e.untilQuiet(ctx, quiet)
		case <-time.After(again):
		}
	}
}

// untilQuiet waits until nothing has changed for a while, or for long.
func (e *Engine) untilQuiet(ctx context.Context, quiet time.Duration) {
	for range nameRestless {
		grown := e.grown()
		select {
		case <-ctx.Done():
			return
		case <-grown:
		case <-time.After(quiet):
			return
		}
	}
}
