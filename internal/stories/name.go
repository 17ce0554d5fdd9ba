package stories

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/internal/news"
	"throughline/internal/store"
	"throughline/internal/titles"
)

// Namer writes titles of stories and topics. *titles.Client implements it and documents the
// methods.
type Namer interface {
	Model() string
	// Key identifies a question. Subjects with the same key get the same title.
	Key(titles.Subject) string
	Title(context.Context, titles.Subject) (titles.Title, error)
}

// Named counts the stories and topics of one round of naming.
type Named struct {
	Titled int // have a new title of the model
	Failed int // keep their title, because the model gave no answer or an unusable one
}

const (
	// nameBatch is the number of questions that are asked before the titles are stored.
	nameBatch = 32
	// nameWidth is the number of questions that are asked at a time; the client of the model may
	// allow fewer.
	nameWidth = 8
	// nameFailures is the number of consecutive failures after which a round ends, because the
	// endpoint seems to be down.
	nameFailures = 3
)

// naming holds the answers of earlier rounds of this process.
type naming struct {
	busy     chan struct{}           // holds one value during a round, which owns the other fields
	examined map[string]int64        // story or topic id -> version that needs no new title
	answers  map[string]titles.Title // by key; asked for again if a story is split and merged back
	refused  map[string]bool         // keys of questions with an unusable answer
}

// maxAnswers is the number of answers, and of refusals, above which naming forgets all of them.
const maxAnswers = 20_000

// Name asks a language model for the titles of stories and topics whose articles have changed since
// they got their title. One that fails keeps its title. Only errors of the store and of ctx are
// returned. Other calls may run at the same time; a story that changes meanwhile is named in the
// next round.
func (e *Engine) Name(ctx context.Context, namer Namer) (Named, error) {
	n := &e.naming
	select {
	case n.busy <- struct{}{}:
		defer func() { <-n.busy }()
	case <-ctx.Done():
		return Named{}, ctx.Err()
	}
	if n.answers == nil || len(n.answers) > maxAnswers || len(n.refused) > maxAnswers {
		n.answers, n.refused = make(map[string]titles.Title), make(map[string]bool)
	}
	unlock, err := e.write(ctx) // repairs what an interrupted round has left
	if err != nil {
		return Named{}, err
	}
	unlock()
	r := &round{engine: e, namer: namer}
	if err := r.find(ctx); err != nil {
		return Named{}, err
	}
	var named Named
	var firstErr error
	for batch := range slices.Chunk(r.todo, nameBatch) {
		err := r.ask(ctx, batch)
		if ctx.Err() != nil {
			return named, ctx.Err()
		}
		titled, failed, storeErr := r.write(ctx, batch)
		named.Titled += titled
		named.Failed += failed
		for i := range batch {
			if firstErr == nil {
				firstErr = batch[i].err
			}
		}
		if storeErr != nil {
			return named, storeErr
		}
		if err != nil { // the endpoint is down
			break
		}
	}
	if firstErr != nil {
		e.cfg.Logger.WarnContext(ctx, "some stories and topics keep the titles of their articles", "model", namer.Model(), "failed", named.Failed, "error", firstErr)
	}
	return named, nil
}

// round is one run of Name.
type round struct {
	engine *Engine
	namer  Namer
	todo   []question
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
	refused bool // the model gave an unusable answer
}

// find collects the questions: stories of two articles at least, and topics of two stories at
// least, that have changed since they were last examined.
func (r *round) find(ctx context.Context) error {
	inTopic := make(map[string][]store.Story) // by topic id and by theme id
	still := make(map[string]int64)           // the examined stories and topics that still exist
	isExamined := func(id string, version int64) bool {
		known, ok := r.engine.naming.examined[id]
		if ok = ok && known == version; ok {
			still[id] = version
		}
		return ok
	}
	var changed []store.Story
	err := r.engine.cfg.Stories.ScanStories(ctx, news.StoryFilter{}, store.WithNothing, func(s *store.Story) error {
		for _, id := range []string{s.TopicID, s.ThemeID} {
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
	if err := r.engine.cfg.Stories.ScanTopics(ctx, news.TopicFilter{}, store.WithNothing, func(t *store.Topic) error {
		if len(inTopic[t.ID]) >= 2 && !isExamined(t.ID, t.Version) {
			topics = append(topics, *t)
		}
		return nil
	}); err != nil {
		return err
	}
	slices.SortFunc(topics, func(a, b store.Topic) int { return cmp.Compare(a.ID, b.ID) })
	r.engine.naming.examined = still
	slices.SortFunc(changed, func(a, b store.Story) int { return cmp.Compare(a.ID, b.ID) })
	for page := range slices.Chunk(changed, textPage) {
		if err := r.findStories(ctx, page); err != nil {
			return err
		}
	}
	for page := range slices.Chunk(topics, textPage) {
		if err := r.findTopics(ctx, page, inTopic); err != nil {
			return err
		}
	}
	return nil
}

// findStories makes questions of the earliest articles of each story, without copies, so that the
// question stays the same when later articles join.
func (r *round) findStories(ctx context.Context, page []store.Story) error {
	ids := make([]string, len(page))
	for i, s := range page {
		ids[i] = s.ID
	}
	members := make(map[string][]*news.Article)
	err := r.engine.cfg.Articles.Scan(ctx, news.Filter{StoryIDs: ids}, store.WithNothing, func(a *store.Stored) error {
		if a.Article.CopyOf == "" {
			members[a.Article.StoryID] = append(members[a.Article.StoryID], &a.Article)
		}
		return nil
	})
	if err != nil {
		return err
	}
	shown := make([][]*news.Article, len(page))
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

// findTopics makes questions of the representatives of the largest stories of each topic.
func (r *round) findTopics(ctx context.Context, page []store.Topic, inTopic map[string][]store.Story) error {
	shown := make([][]*news.Article, len(page))
	for i, t := range page {
		stories := inTopic[t.ID]
		slices.SortFunc(stories, func(a, b store.Story) int {
			return cmp.Or(cmp.Compare(b.Articles, a.Articles), cmp.Compare(a.ID, b.ID))
		})
		var ids []string
		for _, s := range stories[:min(len(stories), titles.MaxArticles)] {
			ids = append(ids, s.Representative)
		}
		found, err := r.engine.cfg.Articles.Get(ctx, ids, store.WithNothing)
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

// subjects makes a subject of each list of articles; it reads their ledes.
func (r *round) subjects(ctx context.Context, kind titles.Kind, shown [][]*news.Article) ([]titles.Subject, error) {
	var ids []string
	for _, list := range shown {
		for _, a := range list {
			ids = append(ids, a.ID)
		}
	}
	ledes := make(map[string]string)
	for chunk := range slices.Chunk(ids, textPage) {
		sections, err := r.engine.cfg.Articles.Sections(ctx, chunk, false)
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

// add adds a question, unless its title is from the same question, or it has fewer than two texts:
// then the title of the article is right.
func (r *round) add(q question, was news.Naming) {
	q.key = r.namer.Key(q.subject)
	switch {
	case len(q.subject.Articles) < 2 || q.key == was.TitleKey:
		r.engine.naming.examined[q.id] = q.version
	default:
		q.title, q.done = r.engine.naming.answers[q.key]
		q.refused = r.engine.naming.refused[q.key]
		r.todo = append(r.todo, q)
	}
}

// ask asks the model the questions of a batch that have no answer yet. Its error means that the
// endpoint is down; errors of single questions are stored with them.
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
			q.err = err
			if err == nil {
				q.title, q.done, inARow = title, true, 0
			} else if _, q.refused = errors.AsType[*titles.ReplyError](err); q.refused {
				r.engine.naming.refused[q.key], inARow = true, 0
			} else if inARow++; inARow >= nameFailures {
				down = err
			}
			return nil
		})
	}
	_ = group.Wait() // always nil: errors are stored with the questions
	return down
}

// write stores the titles of a batch, and for unusable answers the key of the question. Stories and
// topics that have changed since they were read are skipped.
func (r *round) write(ctx context.Context, batch []question) (titled, failed int, err error) {
	var storyIDs []string
	asked := make(map[string]*question)
	for i := range batch {
		q := &batch[i]
		if q.done {
			r.engine.naming.answers[q.key] = q.title
		} else {
			failed++
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
	unlock, err := r.engine.write(ctx)
	if err != nil {
		return 0, failed, err
	}
	defer unlock()
	var plan store.Plan
	found, err := r.engine.cfg.Stories.Stories(ctx, storyIDs, store.WithVectors)
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
			plan.Events = append(plan.Events, news.LedgerEvent{Kind: news.Renamed, ID: s.ID, Title: s.Title, Cause: news.Retitled})
		}
		plan.Stories = append(plan.Stories, *s)
	}
	err = r.engine.cfg.Stories.ScanTopics(ctx, news.TopicFilter{}, store.WithDense, func(t *store.Topic) error {
		if q := asked[t.ID]; q != nil && q.topic && t.Version == q.version {
			was := t.Title
			r.title(q, &t.Title, &t.Naming, &t.Version)
			if t.Title != was {
				plan.Events = append(plan.Events, news.LedgerEvent{Kind: news.Renamed, Level: t.Level, ID: t.ID, Title: t.Title, Cause: news.Retitled})
			}
			plan.Topics = append(plan.Topics, *t)
		}
		return nil
	})
	if err != nil {
		return 0, failed, err
	}
	if err := r.engine.apply(ctx, &plan); err != nil {
		return 0, failed, err
	}
	for _, s := range plan.Stories {
		r.engine.naming.examined[s.ID] = s.Version
	}
	for _, t := range plan.Topics {
		r.engine.naming.examined[t.ID] = t.Version
	}
	for i := range batch {
		if q := &batch[i]; q.done && r.engine.naming.examined[q.id] > q.version {
			titled++
		}
	}
	return titled, failed, nil
}

// title sets the title of a story or topic. Without a usable answer only the key changes, which
// readers do not see, so the version stays.
func (r *round) title(q *question, title *string, n *news.Naming, version *int64) {
	n.TitleKey = q.key
	if !q.done {
		return
	}
	*title, n.TitleModel, n.TitleArticles = q.title.Text, r.namer.Model(), q.title.Articles
	*version++
}

// Pauses of KeepNaming.
const (
	nameQuiet = 5 * time.Second  // without changes, before a round
	nameRetry = 10 * time.Minute // between rounds when nothing changes
	// nameMaxChanges is the number of changes after which a round starts even without a quiet
	// period.
	nameMaxChanges = 100
)

// KeepNaming names stories and topics that change, until ctx ends. A round that fails is logged and
// retried.
func (e *Engine) KeepNaming(ctx context.Context, namer Namer) {
	e.keepNaming(ctx, namer, nameQuiet, nameRetry)
}

func (e *Engine) keepNaming(ctx context.Context, namer Namer, quiet, retry time.Duration) {
	for ctx.Err() == nil {
		changed := e.ledgerChanged() // before reading, so that no change is missed
		if _, err := e.Name(ctx, namer); err != nil && ctx.Err() == nil {
			e.cfg.Logger.WarnContext(ctx, "naming failed; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			e.untilQuiet(ctx, quiet)
		case <-time.After(retry):
		}
	}
}

// untilQuiet waits until nothing has changed for the given time, or nameMaxChanges changes have
// happened.
func (e *Engine) untilQuiet(ctx context.Context, quiet time.Duration) {
	for range nameMaxChanges {
		changed := e.ledgerChanged()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(quiet):
			return
		}
	}
}
