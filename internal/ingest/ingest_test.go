package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/article"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hashed embeds words by hashing them: the same text gives the same vector, and shared words make vectors alike.
type hashed struct {
	mu     sync.Mutex
	texts  int
	seen   []string // all texts, in order
	failAt int      // the call that fails, from 1; 0: none
	calls  int
}

const dims = 16

func (h *hashed) Space() embed.Space {
	return embed.Space{Model: "hashed", Dimensions: dims, MaxTokens: 64}
}

var errEmbedding = errors.New("the endpoint is down")

func (h *hashed) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls++; h.calls == h.failAt {
		return nil, errEmbedding
	}
	h.texts += len(texts)
	h.seen = append(h.seen, texts...)
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

// filed remembers what was filed and forgotten.
type filed struct {
	ids, forgotten []string
	err            error
}

func (f *filed) File(_ context.Context, ids []string) error {
	f.ids = append(f.ids, ids...)
	return f.err
}

func (f *filed) Forget(_ context.Context, a store.Article) error {
	f.forgotten = append(f.forgotten, a.ID)
	return nil
}

type harness struct {
	*Pipeline
	conn     *store.Conn
	store    *store.Store
	embedder *hashed
	corpus   *evidence.Corpus
	filer    *filed
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	return openHarness(t, "")
}

// openHarness works on a file, or in memory only.
func openHarness(t *testing.T, path string) *harness {
	t.Helper()
	conn, err := store.Local(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	h := &harness{conn: conn, embedder: &hashed{}, corpus: evidence.NewCorpus(), filer: &filed{}}
	h.store, err = store.Open(t.Context(), conn, store.Config{
		Prefix: "test", Space: h.embedder.Space(), Chunker: article.Chunker, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Owner: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	h.Pipeline, err = NewPipeline(Config{
		Store: h.store, Embedder: h.embedder, Corpus: h.corpus, Filer: h.filer, Logger: slog.New(slog.DiscardHandler), Now: time.Now, BatchSections: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func piece(n, revision int) article.Article {
	sections := []article.Section{{Text: fmt.Sprintf("Council %d met on Monday to vote on budget number %d in its revision %d after a long debate.", n, n, revision)}}
	for s := range n % 3 {
		sections = append(sections, article.Section{
			Heading: fmt.Sprintf("Part %d", s), Text: fmt.Sprintf("Members of party %d said that the school in district %d must stay open for another year.", s, n),
		})
	}
	return article.Article{ID: fmt.Sprintf("a%03d", n), Title: fmt.Sprintf("Council %d votes", n), Source: "Test Wire", Sections: sections}
}

func sequence(items ...article.Article) iter.Seq2[article.Article, error] {
	return func(yield func(article.Article, error) bool) {
		for _, a := range items {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func many(n, revision int) []article.Article {
	all := make([]article.Article, n)
	for i := range all {
		all[i] = piece(i, revision)
	}
	return all
}

func TestRunStoresEverythingOnce(t *testing.T) {
	h := newHarness(t)
	var order []int
	summary, err := h.Run(t.Context(), sequence(many(40, 1)...), Options{File: true, Each: func(r Report) { order = append(order, r.Item) }})
	if err != nil {
		t.Fatal(err)
	}
	if summary.New != 40 || summary.Items() != 40 {
		t.Fatalf("summary %+v, want 40 new", summary)
	}
	for i, item := range order {
		if item != i {
			t.Fatalf("reports in order %v", order)
		}
	}
	if h.corpus.Len() != 40 {
		t.Errorf("the corpus counts %d articles", h.corpus.Len())
	}
	if len(h.filer.ids) != 40 {
		t.Errorf("%d articles filed", len(h.filer.ids))
	}
	sections, err := h.store.Sections(t.Context(), []string{"a005"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := sections["a005"]; len(got) != 3 || got[1].Heading != "Part 0" || len(got[2].Dense) != dims {
		t.Errorf("sections of a005: %+v", got)
	}

	texts := h.embedder.texts
	again, err := h.Run(t.Context(), sequence(many(40, 1)...), Options{File: true})
	if err != nil {
		t.Fatal(err)
	}
	if again.Unchanged != 40 || h.embedder.texts != texts || len(h.filer.ids) != 40 {
		t.Errorf("the same again: %+v, %d texts embedded, %d filed", again, h.embedder.texts-texts, len(h.filer.ids))
	}

	changed, err := h.Run(t.Context(), sequence(piece(3, 2), piece(4, 1)), Options{File: true})
	if err != nil {
		t.Fatal(err)
	}
	if changed.Updated != 1 || changed.Unchanged != 1 || h.corpus.Len() != 40 {
		t.Errorf("one changed: %+v, corpus %d", changed, h.corpus.Len())
	}
}

// The same id several times in one stream: the last one is what is stored, and each is answered.
func TestRunOrdersRevisionsOfOneArticle(t *testing.T) {
	h := newHarness(t)
	summary, err := h.Run(t.Context(), sequence(piece(1, 1), piece(1, 1), piece(1, 2), piece(2, 1), piece(1, 3)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if summary.New != 2 || summary.Unchanged != 1 || summary.Updated != 2 {
		t.Fatalf("summary %+v", summary)
	}
	sections, err := h.store.Sections(t.Context(), []string{"a001"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := sections["a001"][0].Text; !strings.Contains(got, "revision 3") {
		t.Errorf("stored: %s", got)
	}
}

func TestRunRejectsAndGoesOn(t *testing.T) {
	h := newHarness(t)
	empty := article.Article{ID: "empty"}
	future := piece(7, 1)
	future.Published = time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)
	items := func(yield func(article.Article, error) bool) {
		_ = yield(piece(1, 1), nil) &&
			yield(article.Article{}, &article.ItemError{Origin: article.Origin{Path: "x.jsonl", Line: 3}, Field: "title", Err: errors.New("broken")}) &&
			yield(empty, nil) && yield(future, nil) && yield(piece(2, 1), nil)
	}
	var fates []string
	summary, err := h.Run(t.Context(), items, Options{Each: func(r Report) { fates = append(fates, r.Outcome.String()) }})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(fates, " "); got != "new rejected rejected rejected new" {
		t.Fatalf("fates: %s", got)
	}
	if summary.Rejected[0].Origin.Line != 3 || summary.Rejected[0].Err == nil {
		t.Errorf("the rejected line: %+v", summary.Rejected[0])
	}
	var item *article.ItemError
	if !errors.As(summary.Rejected[2].Err, &item) || item.Field == "" {
		t.Errorf("the date in the year 30000: %v", summary.Rejected[2].Err)
	}
	if counts, err := h.store.Counts(t.Context()); err != nil || counts.Articles != 2 {
		t.Errorf("stored %+v, %v", counts, err)
	}
}

// Whichever call of the embedder fails, what was reported as stored is stored, whole, and a second run completes the rest.
func TestRunSurvivesAFailingEmbedder(t *testing.T) {
	for at := 1; at <= 6; at++ {
		h := newHarness(t)
		h.embedder.failAt = at
		acknowledged := make(map[string]bool)
		_, err := h.Run(t.Context(), sequence(many(30, 1)...), Options{Each: func(r Report) { acknowledged[r.ID] = true }})
		if !errors.Is(err, errEmbedding) {
			t.Fatalf("call %d fails: %v", at, err)
		}
		counts, err := h.store.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if int(counts.Articles) != len(acknowledged) {
			t.Errorf("call %d fails: %d stored, %d acknowledged", at, counts.Articles, len(acknowledged))
		}
		summary, err := h.Run(t.Context(), sequence(many(30, 1)...), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if summary.New+summary.Unchanged != 30 || summary.Unchanged != len(acknowledged) {
			t.Errorf("after call %d failed: %+v, want %d unchanged", at, summary, len(acknowledged))
		}
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	h := newHarness(t)
	ctx, cancel := context.WithCancel(t.Context())
	endless := func(yield func(article.Article, error) bool) {
		for i := 0; yield(piece(i, 1), nil); i++ {
		}
	}
	seen := 0
	_, err := h.Run(ctx, endless, Options{Each: func(Report) {
		if seen++; seen == 20 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, err := h.Put(t.Context(), piece(9999, 1)); err != nil {
		t.Errorf("an id is still claimed: %v", err)
	}
	if _, err := h.Run(t.Context(), sequence(many(200, 1)...), Options{}); err != nil {
		t.Errorf("an id is still claimed: %v", err)
	}
}

// Two streams that bring the same articles in different order neither block each other nor mix revisions.
func TestConcurrentRuns(t *testing.T) {
	h := newHarness(t)
	forward := many(60, 1)
	backward := make([]article.Article, 0, len(forward))
	for i := len(forward) - 1; i >= 0; i-- {
		backward = append(backward, piece(i, 2))
	}
	var wait sync.WaitGroup
	for _, items := range [][]article.Article{forward, backward} {
		wait.Go(func() {
			if _, err := h.Run(t.Context(), sequence(items...), Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if counts, err := h.store.Counts(t.Context()); err != nil || counts.Articles != 60 || h.corpus.Len() != 60 {
		t.Errorf("stored %+v, corpus %d, %v", counts, h.corpus.Len(), err)
	}
}

func TestDelete(t *testing.T) {
	h := newHarness(t)
	if _, err := h.Put(t.Context(), piece(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := h.Delete(t.Context(), "a001"); err != nil {
		t.Fatal(err)
	}
	if h.corpus.Len() != 0 || len(h.filer.forgotten) != 1 {
		t.Errorf("corpus %d, forgotten %v", h.corpus.Len(), h.filer.forgotten)
	}
	if err := h.Delete(t.Context(), "a001"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleting again: %v", err)
	}
}

func TestPutTellsWhatIsWrong(t *testing.T) {
	h := newHarness(t)
	report, err := h.Put(t.Context(), article.Article{ID: strings.Repeat("x", 600), Title: "Too long an id"})
	var item *article.ItemError
	if !errors.As(err, &item) || item.Field != "id" || report.Outcome != Rejected {
		t.Errorf("report %+v, error %v", report, err)
	}
	h.filer.err = errors.New("no")
	report, err = h.Put(t.Context(), piece(1, 1))
	if !errors.Is(err, ErrNotFiled) || report.Outcome != New {
		t.Errorf("filing fails: report %+v, error %v", report, err)
	}
}
