package related

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/features"
	"throughline/internal/formats"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byWords is a model that looks at words alone: of articles that share two of five, by weight, it
// says fifty-fifty.
func byWords() *score.Model {
	m := *score.Default()
	m.Intercept, m.Undated, m.Days = -4, 0, nil
	m.Dense, m.Lead, m.Names = score.Term{}, score.Term{}, score.Term{}
	m.Lexical, m.Length = score.Term{Weight: 10}, score.Length{}
	return &m
}

// fixed is a States with one State.
type fixed struct{ state *score.State }

func (f *fixed) Current() *score.State { return f.state }

// harness is an engine on a store in memory. Articles are put by it, as ingest would.
type harness struct {
	testing.TB
	*Engine
	store    *store.Store
	faulty   *faulty
	embedder embed.Embedder
	hashed   *embedtest.Hashed // the embedder of setUp
	states   *fixed
	stats    *score.StatsBuilder
	now      time.Time
}

// dims is large enough that the words of a test rarely share a dimension.
const dims = 384

func setUp(t testing.TB) *harness {
	t.Helper()
	hashed := &embedtest.Hashed{Dims: dims}
	h := &harness{TB: t, embedder: hashed, hashed: hashed, stats: score.NewStatsBuilder(), now: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.store = storetest.Open(t, storetest.Options{Space: hashed.Space(), Now: h.clock})
	h.faulty = &faulty{Store: h.store}
	h.states = &fixed{score.NewState(byWords(), h.stats.Stats(score.DefaultBackground()))}
	var err error
	h.Engine, err = New(Config{Store: h.faulty, Features: features.New(h.store, 1<<20), States: h.states, Embedder: hashed, Logger: slog.New(slog.DiscardHandler), Now: h.clock})
	h.must(err)
	return h
}

func (h *harness) clock() time.Time { return h.now }

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// publish makes a State of all that was put, after the last one, with what change makes of it.
func (h *harness) publish(change func(*score.State)) {
	next := *h.states.state
	next.Version++
	next.Stats = h.stats.Stats(score.DefaultBackground())
	change(&next)
	h.states.state = &next
}

// put stores an article whose sections are the texts given.
func (h *harness) put(a news.Article, texts ...string) {
	h.Helper()
	h.must(errors.Join(h.store.Put(context.Background(), []store.Put{h.prepare(a, texts...)})...))
	h.publish(func(*score.State) {})
}

// prepare makes what is stored of an article, and counts it.
func (h *harness) prepare(a news.Article, texts ...string) store.Put {
	h.Helper()
	lead := a.Title
	for i, text := range texts {
		section := news.Section{Text: text}
		if i == 0 {
			lead += " " + text
		} else {
			section.Heading = fmt.Sprint("Part ", i)
		}
		a.Sections = append(a.Sections, section)
	}
	vectors, err := h.embedder.Embed(context.Background(), embed.Document, append([]string{lead}, texts...))
	h.must(err)
	f := score.FeaturesOf(&a, vectors[0])
	h.stats.Add(&f)
	put := store.Put{Article: a, Vectors: store.Vectors{Dense: f.Dense, Lex: f.Lex}}
	for i, section := range a.Sections {
		put.Sections = append(put.Sections, store.Section{Index: i, Section: section, Dense: vectors[1+i], Lexical: lexical.QueryTerms(section.Text)})
	}
	return put
}

// draft is a seed given by text.
func draft(text string) *news.Valid {
	valid, err := news.Validate(news.Article{Sections: formats.ParseText(text)})
	if err != nil {
		panic(err) // the texts of the tests are valid
	}
	return &valid
}

// words writes n words of an event, from the k-th on: "flood3".
func words(event string, k, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(event, k+i)
	}
	// In an order of their own: two texts with the same words in the same order are one.
	f := fnv.New64a()
	f.Write([]byte(event))
	rand.New(rand.NewPCG(f.Sum64(), uint64(k)<<32|uint64(n))).Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return strings.Join(list, " ")
}

// related asks and returns all results.
func (h *harness) related(req Request) []Result {
	h.Helper()
	list, err := h.Related(context.Background(), req)
	h.must(err)
	return h.page(list)
}

func (h *harness) page(list *List) []Result {
	h.Helper()
	results, err := list.Page(context.Background(), 0, list.Len())
	h.must(err)
	if len(results) != list.Len() {
		h.Fatalf("%d results, Len is %d", len(results), list.Len())
	}
	return results
}

func idsOf(results []Result) []string {
	var ids []string
	for _, r := range results {
		ids = append(ids, r.Article.ID)
	}
	return ids
}

// faulty is a store that can be told to fail.
type faulty struct {
	Store
	mu       sync.Mutex
	sections error // of queries of sections
	articles error // of queries of articles
	reads    error // of Sections
}

func (f *faulty) QueryMarks(ctx context.Context, queries []store.Query) ([][]store.Hit, map[string]*store.Mark, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range queries {
		if err := map[store.Collection]error{store.Sections: f.sections, store.Articles: f.articles}[q.Of]; err != nil {
			return nil, nil, err
		}
	}
	return f.Store.QueryMarks(ctx, queries)
}

func (f *faulty) SectionVectors(ctx context.Context, ids []string) (map[string][]store.Section, error) {
	if f.reads != nil {
		return nil, f.reads
	}
	return f.Store.SectionVectors(ctx, ids)
}

func (f *faulty) Sections(ctx context.Context, ids []string, vectors bool) (map[string][]store.Section, error) {
	if f.reads != nil {
		return nil, f.reads
	}
	return f.Store.Sections(ctx, ids, vectors)
}
