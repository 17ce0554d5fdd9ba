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
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/lexical"
	"throughline/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hashed embeds words by hashing them: the same text gives the same vector, and shared words make vectors alike.
type hashed struct{}

const dims = 256

func (hashed) Space() embed.Space {
	return embed.Space{Model: "hashed", Dimensions: dims, MaxTokens: 64}
}

func (hashed) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v := make([]float32, dims)
		v[0] = 0.1
		for _, w := range strings.Fields(strings.ToLower(text)) {
			f := fnv.New32a()
			f.Write([]byte(w))
			v[f.Sum32()%dims]++
		}
		vector.Normalize(v)
		out[i] = v
	}
	return out, ctx.Err()
}

// byWords is a model that looks at words alone: articles that share more than a third of them, by weight, are one story.
func byWords() *evidence.Model {
	m := *evidence.Default()
	m.Intercept, m.Undated, m.Days = -7, 0, nil
	m.Dense, m.Lead, m.Names = evidence.Term{}, evidence.Term{}, evidence.Term{}
	m.Lexical, m.Length = evidence.Term{Weight: 20}, evidence.Length{}
	m.Cut.Base, m.Cut.Hold = 0, 1e6 // whatever the corpus looks like
	return &m
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// harness is an engine on a store in memory. Articles are put by it, as ingest would.
type harness struct {
	tester
	*Engine
	store    *store.Store
	faulty   *faulty
	embedder embed.Embedder
	model    *evidence.Model
	corpus   *evidence.Corpus
	ids      int
	now      time.Time
	// unfiled were put since they were last filed: their stories describe what they said before.
	unfiled map[string]bool
	removed store.Article // the last that was dropped
}

func newHarness(t tester, cleanup func(func()), embedder embed.Embedder, model *evidence.Model) *harness {
	t.Helper()
	h := &harness{tester: t, embedder: embedder, model: model, corpus: evidence.NewCorpus(), unfiled: make(map[string]bool), now: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	conn, err := store.Local("", log)
	h.must(err)
	cleanup(func() { conn.Close() })
	h.store, err = store.Open(context.Background(), conn, store.Config{
		Prefix: "test", Space: embedder.Space(), Chunker: article.Chunker, Logger: log, Now: h.clock, Owner: "test",
	})
	h.must(err)
	cleanup(func() { h.store.Close() })
	h.faulty = &faulty{Store: h.store}
	h.restart()
	return h
}

func setUp(t *testing.T) *harness { return newHarness(t, t.Cleanup, hashed{}, byWords()) }

func (h *harness) clock() time.Time { return h.now }

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// restart makes the engine anew, as a new process would.
func (h *harness) restart() {
	var err error
	h.Engine, err = New(Config{
		Store: h.faulty, Embedder: h.embedder, Corpus: h.corpus, Model: h.model, Logger: slog.New(slog.DiscardHandler), Now: h.clock,
		NewID: func(kind string) string { h.ids++; return fmt.Sprintf("%s-%03d", kind, h.ids) }, Workers: 1,
	})
	h.must(err)
}

// told writes an article in the words of an event: eleven of twelve are the event's, so any two share most of them. Parts
// that are the same modulo twelve are near-copies.
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

// shuffle puts words into an order of their own, which is the same for the same writer: two reports in the same order of words
// are one text.
func shuffle(words []string, event string, writer int) {
	f := fnv.New64a()
	f.Write([]byte(event))
	rand.New(rand.NewPCG(f.Sum64(), uint64(writer))).Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
}

// on is an article on an event.
func (h *harness) on(id, event string) store.Article {
	return store.Article{ID: id, Title: "On the " + event, Source: "Outlet " + id[:1], Published: h.now}
}

// put stores an article that tells of an event, replacing it if it is there.
func (h *harness) put(id, event string, part int) {
	h.Helper()
	h.putArticle(h.on(id, event), told(event, part))
}

func (h *harness) putArticle(a store.Article, text string) {
	h.Helper()
	h.putAll([]store.Article{a}, []string{text})
}

func (h *harness) putAll(articles []store.Article, texts []string) {
	h.Helper()
	ctx := context.Background()
	vectors, err := hashed{}.Embed(ctx, embed.Document, texts)
	h.must(err)
	puts, ids := make([]store.Put, len(articles)), make([]string, len(articles))
	for i, a := range articles {
		lex := lexical.Analyze("", texts[i])
		a.Words, a.Hash = lex.Words, texts[i]
		puts[i] = store.Put{
			Article: a, Vectors: store.Vectors{Dense: vectors[i], Full: lex.Full, Lead: lex.Lead, Names: lex.Names, Shingles: lex.Shingles},
			Sections: []store.Section{{Text: texts[i], Dense: vectors[i], Lexical: lex.Full}},
		}
		ids[i] = a.ID
	}
	before, err := h.store.Get(ctx, ids, store.WithVectors)
	h.must(err)
	h.must(errors.Join(h.store.Put(ctx, puts)...))
	for i, put := range puts {
		if before[i] != nil {
			h.corpus.Remove(corpus.Profile(before[i]))
		}
		h.corpus.Add(corpus.Profile(&store.Stored{Article: put.Article, Vectors: put.Vectors}))
		h.unfiled[ids[i]] = true
	}
}

// drop deletes an article from the store and returns it, for Forget.
func (h *harness) drop(id string) store.Article {
	h.Helper()
	found, err := h.store.Get(context.Background(), []string{id}, store.WithVectors)
	h.must(err)
	h.must(h.store.Delete(context.Background(), id))
	h.corpus.Remove(corpus.Profile(found[0]))
	delete(h.unfiled, id)
	h.removed = found[0].Article
	return h.removed
}

func (h *harness) file(ids ...string) {
	h.Helper()
	h.must(h.tryFile(ids...))
}

func (h *harness) tryFile(ids ...string) error {
	err := h.File(context.Background(), ids)
	for _, id := range ids {
		if err == nil {
			delete(h.unfiled, id)
		}
	}
	return err
}

func (h *harness) recluster() Summary {
	h.Helper()
	s, err := h.tryRecluster()
	h.must(err)
	return s
}

func (h *harness) tryRecluster() (Summary, error) {
	s, err := h.Recluster(context.Background(), ReclusterOptions{}, nil)
	if err == nil {
		clear(h.unfiled)
	}
	return s, err
}

func (h *harness) article(id string) store.Article {
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

func (h *harness) events() []store.Event {
	h.Helper()
	events, err := h.store.Events(context.Background(), 0, store.MaxLimit)
	h.must(err)
	return events
}

// kinds lists the events after a sequence number as "kind story".
func (h *harness) kinds(after int) []string {
	h.Helper()
	var out []string
	for _, e := range h.events()[after:] {
		out = append(out, string(e.Kind)+" "+e.StoryID)
	}
	return out
}

// check checks all that must hold between operations: what articles, stories and topics say of each other, and that the
// ledger tells one history that ends at what is stored.
func (h *harness) check() {
	h.Helper()
	ctx := context.Background()
	articles := make(map[string]store.Article)
	members := make(map[string][]*store.Stored)
	h.must(h.store.Scan(ctx, store.WithVectors, func(s *store.Stored) error {
		articles[s.Article.ID] = s.Article
		if id := s.Article.StoryID; id != "" {
			members[id] = append(members[id], s)
		}
		return nil
	}))
	topics := make(map[string]store.Level)
	h.must(h.store.ScanTopics(ctx, store.TopicFilter{}, store.WithNothing, func(t *store.Topic) error {
		topics[t.ID] = t.Level
		return nil
	}))
	stored, merged := make(standing), make(map[string]string)
	h.must(h.store.ScanStories(ctx, store.StoryFilter{Merged: true}, store.WithDense, func(s *store.Story) error {
		if s.MergedInto != "" {
			merged[s.ID] = s.MergedInto
			return nil
		}
		in := members[s.ID]
		slices.SortFunc(in, byID)
		stored[s.ID] = list(s.Title, idsOf(in)...)
		if len(in) < 2 || s.Articles != len(in) {
			h.Errorf("story %s says %d articles and has %d", s.ID, s.Articles, len(in))
			return nil
		}
		want := store.Story{ID: s.ID, Keywords: s.Keywords, TopicID: s.TopicID, ThemeID: s.ThemeID, Version: s.Version}
		want.Title, want.Naming = s.Title, s.Naming
		describe(&want, in)
		unfiled := func(m *store.Stored) bool { return h.unfiled[m.Article.ID] }
		if changedStory(s, &want) && !slices.ContainsFunc(in, unfiled) {
			h.Errorf("story %s is described as %+v, its articles give %+v", s.ID, *s, want)
		}
		if topic := s.TopicID; topic != "" && topics[topic] != store.LevelTopic || s.ThemeID != "" && topics[s.ThemeID] != store.LevelTheme {
			h.Errorf("story %s has topic %q and theme %q, of %v", s.ID, topic, s.ThemeID, topics)
		}
		return nil
	}))
	for id, a := range articles {
		if _, ok := stored[a.StoryID]; a.StoryID != "" && !ok {
			h.Errorf("%s is in story %q, which does not live", id, a.StoryID)
		}
		if a.StoryID == "" && (a.CopyOf != "" || a.Probability != 0) {
			h.Errorf("%s is in no story, but a copy of %q, probability %v", id, a.CopyOf, a.Probability)
		}
		if of, ok := articles[a.CopyOf]; a.CopyOf != "" && (!ok || of.StoryID != a.StoryID || of.CopyOf != "") {
			h.Errorf("%s is a copy of %q: %+v", id, a.CopyOf, of)
		}
		for _, topic := range a.TopicIDs {
			if topics[topic] == "" {
				h.Errorf("%s has topic %q, which is not stored", id, topic)
			}
		}
	}
	h.checkLedger(stored, merged)
}

func (h *harness) checkLedger(stored standing, merged map[string]string) {
	h.Helper()
	tells, into, deleted := make(standing), make(map[string]string), make(map[string]bool)
	for i, e := range h.events() {
		if e.Sequence != int64(i+1) {
			h.Errorf("event %d has number %d", i, e.Sequence)
		}
		if _, ended := into[e.StoryID]; ended || deleted[e.StoryID] {
			h.Errorf("event %d, %s, is about %s, which had ended", i, e.Kind, e.StoryID)
		}
		if e.Kind == store.StoryCreated && tells[e.StoryID].members != nil {
			h.Errorf("event %d: %s is created again", i, e.StoryID)
		}
		for _, id := range e.ArticleIDs {
			if in := tells[e.StoryID].members[id]; in != (e.Kind == store.StoryLeft) {
				h.Errorf("event %d: %s %s %s, where it was: %v", i, id, e.Kind, e.StoryID, in)
			}
		}
		tells.tell(e)
		if id := twice(tells); id != "" {
			h.Errorf("event %d: %s is in two stories", i, id)
		}
		for _, id := range e.OtherStoryIDs {
			if e.Kind == store.StoryMerged {
				into[id] = e.StoryID
			}
		}
		if e.Kind == store.StoryDeleted {
			deleted[e.StoryID] = true
		}
	}
	if !maps.EqualFunc(tells, stored, func(a, b listed) bool { return a.title == b.title && maps.Equal(a.members, b.members) }) {
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
		s, err := h.store.Story(context.Background(), id)
		switch {
		case deleted[at]:
			if !errors.Is(err, store.ErrNotFound) {
				h.Errorf("%s leads to %s, which was deleted: %v", id, at, err)
			}
		case err != nil || s.ID != at:
			h.Errorf("%s gives %+v, %v; the ledger leads to %s", id, s, err, at)
		}
	}
}

var errInjected = errors.New("the store failed, as it was told to")

// faulty is a store of which one write fails: the failAt-th from now on, and every later one, as if the process had died.
type faulty struct {
	Store
	mu     sync.Mutex
	failAt int  // 0: none
	late   bool // the write that fails is done all the same
	writes int  // since the last arm, those that write nothing left out
}

func (f *faulty) arm(failAt int, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt, f.late, f.writes = failAt, late, 0
}

func (f *faulty) write(n int, do func() error) error {
	if n == 0 {
		return do()
	}
	f.mu.Lock()
	f.writes++
	at, late, now := f.failAt, f.late, f.writes
	f.mu.Unlock()
	switch {
	case at == 0 || now < at:
		return do()
	case now == at && late:
		return errors.Join(do(), errInjected)
	}
	return errInjected
}

func (f *faulty) Assign(ctx context.Context, a []store.Assignment) error {
	return f.write(len(a), func() error { return f.Store.Assign(ctx, a) })
}

func (f *faulty) PutStories(ctx context.Context, s []store.Story) error {
	return f.write(len(s), func() error { return f.Store.PutStories(ctx, s) })
}

func (f *faulty) DeleteStories(ctx context.Context, ids []string) error {
	return f.write(len(ids), func() error { return f.Store.DeleteStories(ctx, ids) })
}

func (f *faulty) PutTopics(ctx context.Context, t []store.Topic) error {
	return f.write(len(t), func() error { return f.Store.PutTopics(ctx, t) })
}

func (f *faulty) DeleteTopics(ctx context.Context, ids []string) error {
	return f.write(len(ids), func() error { return f.Store.DeleteTopics(ctx, ids) })
}

func (f *faulty) Append(ctx context.Context, events []store.Event) error {
	return f.write(len(events), func() error { return f.Store.Append(ctx, events) })
}
