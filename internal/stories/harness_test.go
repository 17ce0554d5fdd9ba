package stories

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/state"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byWords is a model that looks at words alone: articles that share more than a third of them, by
// weight, are one story, whatever the corpus looks like.
func byWords() *score.Model {
	m := *score.Default()
	m.Intercept, m.Undated, m.Days = -7, 0, nil
	m.Dense, m.Lead, m.Names = score.Term{}, score.Term{}, score.Term{}
	m.Lexical, m.Length = score.Term{Weight: 20}, score.Length{}
	m.Threshold = score.ThresholdRule{Square: -1000}
	return &m
}

// harness is an engine on a store in memory. Articles are put by it, as ingest would.
type harness struct {
	storetest.T
	*Engine
	server   *storetest.Server
	faults   *storetest.Faults
	store    *store.Store
	states   *state.Owner
	embedder embed.Embedder
	model    *score.Model
	ids      int
	now      time.Time
	later    atomic.Int64  // nanoseconds that have passed; leases are renewed meanwhile
	removed  *store.Stored // the last that was dropped
}

func newHarness(t storetest.T, embedder embed.Embedder, model *score.Model) *harness {
	t.Helper()
	h := &harness{T: t, server: storetest.NewServer(t, ""), faults: &storetest.Faults{}, embedder: embedder, model: model, now: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.restart()
	return h
}

func setUp(t storetest.T) *harness { return newHarness(t, &embedtest.Hashed{}, byWords()) }

func (h *harness) clock() time.Time { return h.now.Add(time.Duration(h.later.Load())) }

// pass lets time pass.
func (h *harness) pass(d time.Duration) { h.later.Add(int64(d)) }

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// restart makes everything anew, as a new process does after the last one died.
func (h *harness) restart() {
	h.Helper()
	h.pass(time.Hour)
	h.store = h.server.Open(h, storetest.Options{Space: h.embedder.Space(), Now: h.clock, Faults: h.faults})
	log := slog.New(slog.DiscardHandler)
	var err error
	h.states, err = state.New(state.Config{Store: h.store, Model: h.model, Background: score.DefaultBackground(), Embedder: h.embedder, Logger: log, Now: h.clock, Workers: 1})
	h.must(err)
	h.must(h.states.Load(context.Background()))
	h.Engine, err = New(Config{
		Articles: h.store, Stories: h.store, Writer: h.store, States: h.states, Embedder: h.embedder, Logger: log, Now: h.clock,
		NewID: func(kind string) string { h.ids++; return fmt.Sprintf("%s-%03d", kind, h.ids) }, Workers: 1,
	})
	h.must(err)
}

// repairs brings what is stored into a consistent state, as the next operation would.
func (h *harness) repairs() {
	h.Helper()
	unlock, err := h.write(context.Background())
	h.must(err)
	unlock()
}

// told writes an article in the words of an event: eleven of twelve are the event's, so any two
// share most of them. Parts that are the same modulo twelve are near-copies.
func told(event string, part int) string {
	var words []string
	for i := range 24 {
		if i%12 == part%12 {
			words = append(words, fmt.Sprintf("%saside%dpart%d", event, i, part))
		} else {
			words = append(words, fmt.Sprintf("%sword%d", event, i))
		}
	}
	shuffle(words, event, part%12)
	return strings.Join(words, " ")
}

// shuffle puts words into an order of their own, which is the same for the same writer: two reports
// in the same order of words are one text.
func shuffle(words []string, event string, writer int) {
	f := fnv.New64a()
	f.Write([]byte(event))
	rand.New(rand.NewPCG(f.Sum64(), uint64(writer))).Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
}

// on is an article on an event.
func (h *harness) on(id, event string) news.Article {
	return news.Article{ID: id, Title: "On the " + event, Source: "Outlet " + id[:1], Published: h.now}
}

// put stores an article that tells of an event, replacing it if it is there.
func (h *harness) put(id, event string, part int) {
	h.Helper()
	h.putArticle(h.on(id, event), told(event, part))
}

func (h *harness) putArticle(a news.Article, text string) {
	h.Helper()
	h.putAll([]news.Article{a}, []string{text})
}

func (h *harness) putAll(articles []news.Article, texts []string) {
	h.Helper()
	ctx := context.Background()
	vectors, err := h.embedder.Embed(ctx, embed.Document, texts)
	h.must(err)
	puts, ids := make([]store.Put, len(articles)), make([]string, len(articles))
	for i, a := range articles {
		lex := lexical.Analyze("", texts[i])
		a.ContentHash = texts[i]
		puts[i] = store.Put{
			Article: a, Vectors: store.Vectors{Dense: vectors[i], Lex: lex},
			Sections: []store.Section{{Section: news.Section{Text: texts[i]}, Dense: vectors[i], Lexical: lex.Full}},
		}
		ids[i] = a.ID
	}
	before, err := h.store.Get(ctx, ids, store.WithVectors)
	h.must(err)
	h.must(errors.Join(h.store.Put(ctx, puts)...))
	for i, put := range puts {
		h.states.Add(&store.Stored{Article: put.Article, Vectors: put.Vectors})
		if before[i] != nil {
			h.states.Remove(before[i])
		}
	}
}

// drop deletes an article from the store and returns it, for forget.
func (h *harness) drop(id string) *store.Stored {
	h.Helper()
	found, err := h.store.Get(context.Background(), []string{id}, store.WithVectors)
	h.must(err)
	h.must(h.store.Delete(context.Background(), id))
	h.states.Remove(found[0])
	h.removed = found[0]
	return h.removed
}

// delete deletes an article.
func (h *harness) delete(id string) error {
	return h.Delete(context.Background(), id, func() (*store.Stored, error) { return h.drop(id), nil })
}

// forget takes an article that was dropped out of its story.
func (h *harness) forget(removed *store.Stored) error {
	return h.Delete(context.Background(), removed.Article.ID, func() (*store.Stored, error) { return removed, nil })
}

func (h *harness) file(ids ...string) {
	h.Helper()
	h.must(h.tryFile(ids...))
}

func (h *harness) tryFile(ids ...string) error { return h.File(context.Background(), ids) }

func (h *harness) recluster() Summary {
	h.Helper()
	s, err := h.tryRecluster()
	h.must(err)
	return s
}

func (h *harness) tryRecluster() (Summary, error) {
	a, err := h.Recluster(context.Background(), ReclusterOptions{}, nil)
	if err != nil {
		return Summary{}, err
	}
	return a.Summary, nil
}

// writes counts the requests that write while do runs.
func (h *harness) writes(do func()) int {
	h.faults.FailFrom(0, storetest.Writes, false, nil)
	do()
	return h.faults.Stop()
}

func (h *harness) article(id string) news.Article {
	h.Helper()
	found, err := h.store.Get(context.Background(), []string{id}, store.WithNothing)
	h.must(err)
	if found[0] == nil {
		h.Fatalf("%s is not stored", id)
	}
	return found[0].Article
}

// together checks that the articles are in one story, and returns its id.
func (h *harness) together(ids ...string) string {
	h.Helper()
	story := h.article(ids[0]).StoryID
	for _, id := range ids {
		if got := h.article(id).StoryID; got == "" || got != story {
			h.Fatalf("%s is in story %q, %s in %q", id, got, ids[0], story)
		}
	}
	return story
}

func (h *harness) events() []news.LedgerEvent {
	h.Helper()
	events, err := h.store.Events(context.Background(), 0, store.MaxLimit)
	h.must(err)
	return events
}

// kinds lists the events of stories after a sequence number as "kind story".
func (h *harness) kinds(after int) []string {
	h.Helper()
	var out []string
	for _, e := range h.events()[after:] {
		if e.Level == "" {
			out = append(out, string(e.Kind)+" "+e.ID)
		}
	}
	return out
}

// check checks all that must hold between operations: what articles, stories and topics say of each
// other, and that the ledger tells one history that ends at what is stored.
func (h *harness) check() {
	h.Helper()
	ctx := context.Background()
	articles := make(map[string]news.Article)
	members := make(map[string][]*store.Stored)
	h.must(h.store.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		articles[s.Article.ID] = s.Article
		if id := s.Article.StoryID; id != "" {
			members[id] = append(members[id], s)
		}
		return nil
	}))
	topics := make(map[string]news.Level)
	stored, merged := newLedger(), make(map[string]string)
	h.must(h.store.ScanTopics(ctx, news.TopicFilter{Merged: true}, store.WithNothing, func(t *store.Topic) error {
		if t.MergedInto != "" {
			merged[t.ID] = t.MergedInto
			return nil
		}
		topics[t.ID] = t.Level
		stored[t.Level][t.ID] = entryOf(t.Title)
		return nil
	}))
	h.must(h.store.ScanStories(ctx, news.StoryFilter{Merged: true}, store.WithDense, func(s *store.Story) error {
		if s.MergedInto != "" {
			merged[s.ID] = s.MergedInto
			return nil
		}
		in := members[s.ID]
		slices.SortFunc(in, byArticleID)
		stored[""][s.ID] = entryOf(s.Title, idsOf(in)...)
		if len(in) < 2 || s.Articles != len(in) {
			h.Errorf("story %s says %d articles and has %d", s.ID, s.Articles, len(in))
			return nil
		}
		want := store.Story{Story: news.Story{ID: s.ID, Keywords: s.Keywords, TopicID: s.TopicID, ThemeID: s.ThemeID, Version: s.Version}}
		want.Title, want.Naming, want.Representative = s.Title, s.Naming, s.Representative
		describe(&want, in)
		// A story describes what an article said when it was filed last.
		pending := func(m *store.Stored) bool { return m.Article.FiledRevision != m.Article.Revision }
		if changedStory(s, &want) && !slices.ContainsFunc(in, pending) {
			h.Errorf("story %s is described as %+v, its articles give %+v", s.ID, *s, want)
		}
		if topic := s.TopicID; topic != "" && topics[topic] != news.LevelTopic || s.ThemeID != "" && topics[s.ThemeID] != news.LevelTheme {
			h.Errorf("story %s has topic %q and theme %q, of %v", s.ID, topic, s.ThemeID, topics)
		}
		return nil
	}))
	for id, a := range articles {
		if _, ok := stored[""][a.StoryID]; a.StoryID != "" && !ok {
			h.Errorf("%s is in story %q, which does not live", id, a.StoryID)
		}
		if a.StoryID == "" && (a.CopyOf != "" || a.Probability != 0) {
			h.Errorf("%s is in no story, but a copy of %q, probability %v", id, a.CopyOf, a.Probability)
		}
		if of, ok := articles[a.CopyOf]; a.CopyOf != "" && (!ok || of.StoryID != a.StoryID || of.CopyOf != "") {
			h.Errorf("%s is a copy of %q: %+v", id, a.CopyOf, of)
		}
		if a.TopicID != "" && topics[a.TopicID] != news.LevelTopic || a.ThemeID != "" && topics[a.ThemeID] != news.LevelTheme {
			h.Errorf("%s has topic %q and theme %q, of %v", id, a.TopicID, a.ThemeID, topics)
		}
	}
	h.checkLedger(stored, merged)
	h.checkMemory(articles, members)
}

// checkMemory checks that filing remembers what is stored.
func (h *harness) checkMemory(articles map[string]news.Article, members map[string][]*store.Stored) {
	h.Helper()
	for id, at := range h.memory.articles {
		got, want := at.Value.(*store.Stored).Article, articles[id]
		if got.Revision != want.Revision && want.FiledRevision != want.Revision {
			continue // the new revision is pending
		}
		if got.Membership != want.Membership || got.Revision != want.Revision || got.FiledRevision != want.FiledRevision {
			h.Errorf("remembered is %+v, stored %+v", got, want)
		}
	}
	for id, got := range h.memory.stories {
		want, err := h.store.Stories(context.Background(), []string{id}, store.WithDense)
		h.must(err)
		if (got == nil) != (want[0] == nil) || got != nil && (got.Version != want[0].Version || changedStory(got, want[0])) {
			h.Errorf("remembered is story %+v, stored %+v", got, want[0])
		}
	}
	for id, list := range h.memory.lists {
		want := idsOf(members[id])
		slices.SortFunc(want, store.ScanOrder)
		if !slices.Equal(list, want) {
			h.Errorf("remembered of story %s are %v, stored %v", id, list, want)
		}
	}
}

func (h *harness) checkLedger(stored map[news.Level]snapshot, merged map[string]string) {
	h.Helper()
	tells, into, deleted := newLedger(), make(map[string]string), make(map[string]bool)
	for i, e := range h.events() {
		if e.Sequence != int64(i+1) {
			h.Errorf("event %d has number %d", i, e.Sequence)
		}
		if _, ended := into[e.ID]; ended || deleted[e.ID] {
			h.Errorf("event %d, %s, is about %s, which had ended", i, e.Kind, e.ID)
		}
		if e.Kind == news.Created && tells[e.Level][e.ID].members != nil {
			h.Errorf("event %d: %s is created again", i, e.ID)
		}
		for _, id := range e.ArticleIDs {
			if in := tells[e.Level][e.ID].members[id]; in != (e.Kind == news.Left) {
				h.Errorf("event %d: %s %s %s, where it was: %v", i, id, e.Kind, e.ID, in)
			}
		}
		tells[e.Level].applyEvent(e)
		if id := twice(tells[""]); id != "" {
			h.Errorf("event %d: %s is in two stories", i, id)
		}
		for _, id := range e.OtherIDs {
			if e.Kind == news.Merged {
				into[id] = e.ID
			}
		}
		if e.Kind == news.Deleted {
			deleted[e.ID] = true
		}
	}
	if !sameLedger(tells, stored) {
		h.Errorf("the ledger tells %v, stored is %v", tells, stored)
	}
	if !maps.Equal(into, merged) {
		h.Errorf("the ledger tells of merges %v, stored are %v", into, merged)
	}
	for id := range into {
		// Where a chain of merges ends is a story that lives, or one that was deleted.
		at := id
		for into[at] != "" {
			at = into[at]
		}
		got, err := h.resolve(id)
		switch {
		case deleted[at]:
			if !errors.Is(err, store.ErrNotFound) {
				h.Errorf("%s leads to %s, which was deleted: %v", id, at, err)
			}
		case err != nil || got != at:
			h.Errorf("%s gives %q, %v; the ledger leads to %s", id, got, err, at)
		}
	}
}

// resolve returns what the id of a story, topic or theme leads to.
func (h *harness) resolve(id string) (string, error) {
	s, err := store.ResolveStory(context.Background(), h.store, id, store.WithNothing)
	if err == nil {
		return s.ID, nil
	}
	t, err := store.ResolveTopic(context.Background(), h.store, id)
	if err != nil {
		return "", err
	}
	return t.ID, nil
}

func newLedger() map[news.Level]snapshot {
	return map[news.Level]snapshot{"": {}, news.LevelTopic: {}, news.LevelTheme: {}}
}

func sameLedger(a, b map[news.Level]snapshot) bool {
	return maps.EqualFunc(a, b, func(a, b snapshot) bool {
		return maps.EqualFunc(a, b, func(a, b entry) bool { return a.title == b.title && maps.Equal(a.members, b.members) })
	})
}
