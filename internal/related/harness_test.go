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
type hashed struct{ err error }

const dims = 384

func (hashed) Space() embed.Space {
	return embed.Space{Model: "hashed", Dimensions: dims, MaxTokens: 64}
}

func (h hashed) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	if h.err != nil {
		return nil, h.err
	}
	out := make([][]float32, len(texts))
	for i, text := range texts {
		v := make([]float32, dims)
		v[0] = 0.1
		for _, w := range strings.Fields(strings.ToLower(text)) {
			f := fnv.New32a()
			f.Write([]byte(strings.Trim(w, ".,")))
			v[f.Sum32()%dims]++
		}
		vector.Normalize(v)
		out[i] = v
	}
	return out, ctx.Err()
}

// byWords is a model that looks at words alone: of articles that share two of five, by weight, it says fifty-fifty.
func byWords() *evidence.Model {
	m := *evidence.Default()
	m.Intercept, m.Undated, m.Days = -4, 0, nil
	m.Dense, m.Lead, m.Names = evidence.Term{}, evidence.Term{}, evidence.Term{}
	m.Lexical, m.Length = evidence.Term{Weight: 10}, evidence.Length{}
	return &m
}

// harness is an engine on a store in memory. Articles are put by it, as ingest would.
type harness struct {
	testing.TB
	*Engine
	store    *store.Store
	faulty   *faulty
	embedder embed.Embedder
	corpus   *evidence.Corpus
	now      time.Time
}

func newHarness(t testing.TB, embedder embed.Embedder, model *evidence.Model) *harness {
	t.Helper()
	h := &harness{TB: t, embedder: embedder, corpus: evidence.NewCorpus(), now: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	conn, err := store.Local("", log)
	h.must(err)
	t.Cleanup(func() { conn.Close() })
	h.store, err = store.Open(context.Background(), conn, store.Config{
		Prefix: "test", Space: embedder.Space(), Chunker: article.Chunker, Logger: log, Now: h.clock, Owner: "test",
	})
	h.must(err)
	t.Cleanup(func() { h.store.Close() })
	h.faulty = &faulty{Store: h.store}
	h.Engine, err = New(Config{Store: h.faulty, Embedder: embedder, Corpus: h.corpus, Model: model, Logger: log, Now: h.clock})
	h.must(err)
	return h
}

func setUp(t testing.TB) *harness { return newHarness(t, hashed{}, byWords()) }

func (h *harness) clock() time.Time { return h.now }

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// put stores an article whose sections are the texts given.
func (h *harness) put(a store.Article, texts ...string) {
	h.Helper()
	h.must(errors.Join(h.store.Put(context.Background(), []store.Put{h.prepare(a, texts...)})...))
}

// prepare makes what is stored of an article, and adds it to the corpus.
func (h *harness) prepare(a store.Article, texts ...string) store.Put {
	h.Helper()
	lead := a.Title
	if len(texts) > 0 {
		lead += " " + texts[0]
	}
	vectors, err := h.embedder.Embed(context.Background(), embed.Document, append([]string{lead}, texts...))
	h.must(err)
	lex := lexical.Analyze(a.Title, strings.Join(texts, "\n\n"))
	a.Words = lex.Words
	put := store.Put{Article: a, Vectors: store.Vectors{Dense: vectors[0], Full: lex.Full, Lead: lex.Lead, Names: lex.Names, Shingles: lex.Shingles}}
	for i, text := range texts {
		heading := ""
		if i > 0 {
			heading = fmt.Sprint("Part ", i)
		}
		put.Sections = append(put.Sections, store.Section{Index: i, Heading: heading, Text: text, Dense: vectors[1+i], Lexical: lexical.QueryTerms(text)})
	}
	h.corpus.Add(corpus.Profile(&store.Stored{Article: a, Vectors: put.Vectors}))
	return put
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

func (f *faulty) Query(ctx context.Context, queries []store.Query) ([][]store.Hit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range queries {
		if err := map[store.Collection]error{store.Sections: f.sections, store.Articles: f.articles}[q.Of]; err != nil {
			return nil, err
		}
	}
	return f.Store.Query(ctx, queries)
}

func (f *faulty) Sections(ctx context.Context, ids []string, vectors bool) (map[string][]store.Section, error) {
	if f.reads != nil {
		return nil, f.reads
	}
	return f.Store.Sections(ctx, ids, vectors)
}
