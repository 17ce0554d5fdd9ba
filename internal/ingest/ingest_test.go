package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/embed/embedtest"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
	"throughline/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dims = 16

var errEmbedding = errors.New("the endpoint is down")

// filer is a Filer that records what it was given. What it files, when somebody waits for it, is
// pending no more.
type filer struct {
	store          *store.Store
	mu             sync.Mutex
	filed, deleted []string
	err            error
	full           bool // for ever
	slow           bool // it never gets to filing
}

func (f *filer) Room(ctx context.Context) error {
	if f.full {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (f *filer) Enqueue(ids []string) func(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filed = append(f.filed, ids...)
	return func(ctx context.Context) error { return f.file(ctx, ids) }
}

func (f *filer) file(ctx context.Context, ids []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slow {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.err != nil {
		return f.err
	}
	found, err := f.store.Get(ctx, ids, store.WithNothing)
	if err != nil {
		return err
	}
	plan := &store.Plan{}
	for _, s := range found {
		plan.Memberships = append(plan.Memberships, store.Membership{ArticleID: s.Article.ID, Revision: s.Article.Revision})
	}
	return f.store.Apply(ctx, plan)
}

func (f *filer) Delete(_ context.Context, id string, erase func() (*store.Stored, error)) error {
	removed, err := erase()
	if err != nil || removed == nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted = append(f.deleted, fmt.Sprintf("%s at %d", id, removed.Article.Revision))
	return nil
}

// states is a States that counts as the owner of the State does.
type states struct {
	mu    sync.Mutex
	stats *score.StatsBuilder
	calls []string
}

func (s *states) Add(a *store.Stored)    { s.change("add", (*score.StatsBuilder).Add, a) }
func (s *states) Remove(a *store.Stored) { s.change("remove", (*score.StatsBuilder).Remove, a) }

func (s *states) change(what string, how func(*score.StatsBuilder, *score.Features), a *store.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := a.Features()
	how(s.stats, &f)
	s.calls = append(s.calls, fmt.Sprintf("%s %s at %d", what, a.Article.ID, a.Article.Revision))
}

type harness struct {
	*Pipeline
	store    *store.Store
	embedder *embedtest.Hashed
	states   *states
	filer    *filer
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	return openHarness(t, storetest.NewServer(t, ""))
}

// openHarness is a process that opens a store on the server.
func openHarness(t *testing.T, server *storetest.Server) *harness {
	t.Helper()
	h := &harness{embedder: &embedtest.Hashed{Dims: dims}, states: &states{stats: score.NewStatsBuilder()}}
	h.store = server.Open(t, storetest.Options{Space: h.embedder.Space()})
	h.filer = &filer{store: h.store}
	var err error
	h.Pipeline, err = NewPipeline(Config{
		Store: h.store, Lister: h.store, Embedder: h.embedder, States: h.states, Filer: h.filer, Logger: slog.New(slog.DiscardHandler), Now: time.Now, BatchSections: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// checkCounted compares what was counted with what is stored, to the last bit of the statistics.
func (h *harness) checkCounted(t *testing.T, articles int) {
	t.Helper()
	stored := score.NewStatsBuilder()
	if err := h.store.Scan(t.Context(), news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		f := s.Features()
		stored.Add(&f)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if stored.Articles() != articles || h.states.stats.Articles() != articles {
		t.Errorf("%d articles are stored and %d counted, want %d", stored.Articles(), h.states.stats.Articles(), articles)
	}
	if string(stored.AppendBinary(nil)) != string(h.states.stats.AppendBinary(nil)) {
		t.Error("the statistics are not those of what is stored")
	}
}

func valid(a news.Article) news.Valid {
	v, err := news.Validate(a)
	if err != nil {
		panic(err) // the articles of the tests are valid
	}
	return v
}

func piece(n, revision int) news.Article {
	sections := []news.Section{{Text: fmt.Sprintf("Council %d met on Monday to vote on budget number %d in its revision %d after a long debate.", n, n, revision)}}
	for s := range n % 3 {
		sections = append(sections, news.Section{
			Heading: fmt.Sprintf("Part %d", s), Text: fmt.Sprintf("Members of party %d said that the school in district %d must stay open for another year.", s, n),
		})
	}
	return news.Article{ID: fmt.Sprintf("a%03d", n), Title: fmt.Sprintf("Council %d votes", n), Source: "Test Wire", Sections: sections}
}

func sequence(items ...news.Article) iter.Seq2[news.Valid, error] {
	return func(yield func(news.Valid, error) bool) {
		for _, a := range items {
			if !yield(valid(a), nil) {
				return
			}
		}
	}
}

func many(n, revision int) []news.Article {
	all := make([]news.Article, n)
	for i := range all {
		all[i] = piece(i, revision)
	}
	return all
}

func TestRunStoresEverythingOnce(t *testing.T) {
	h := newHarness(t)
	var order []int
	summary, err := h.Run(t.Context(), sequence(many(40, 1)...), Options{File: true, Wait: UntilFiled, Each: func(r Report) { order = append(order, r.Item) }})
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
	h.checkCounted(t, 40)
	if len(h.filer.filed) != 40 {
		t.Errorf("%d articles filed", len(h.filer.filed))
	}
	sections, err := h.store.Sections(t.Context(), []string{"a005"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := sections["a005"]; len(got) != 3 || got[1].Heading != "Part 0" || len(got[2].Dense) != dims {
		t.Errorf("sections of a005: %+v", got)
	}

	texts := len(h.embedder.Texts())
	again, err := h.Run(t.Context(), sequence(many(40, 1)...), Options{File: true, Wait: UntilFiled})
	if err != nil {
		t.Fatal(err)
	}
	if again.Unchanged != 40 || len(h.embedder.Texts()) != texts || len(h.filer.filed) != 40 {
		t.Errorf("the same again: %+v, %d texts embedded, %d filed", again, len(h.embedder.Texts())-texts, len(h.filer.filed))
	}

	changed, err := h.Run(t.Context(), sequence(piece(3, 2), piece(4, 1)), Options{File: true, Wait: UntilFiled})
	if err != nil {
		t.Fatal(err)
	}
	if changed.Updated != 1 || changed.Unchanged != 1 || len(h.filer.filed) != 41 || h.filer.filed[40] != "a003" {
		t.Errorf("one changed: %+v, filed %v", changed, h.filer.filed[40:])
	}
	h.checkCounted(t, 40)
}

// TestFurnitureIsNotCompared ingests articles of an outlet that puts a notice under each: together,
// and one after the other. The notice is stored, and not in what is searched and compared, once the
// outlet is known.
func TestFurnitureIsNotCompared(t *testing.T) {
	const notice = "Subscribers of the Courier read every word of ours without any advertising."
	bodies := []string{
		"Otters were seen in the harbour for the first time since records began there.",
		"Carpenters rebuilt a windmill that had burned down during a thunderstorm.",
		"Tenants protested against the sale of their houses to a foreign pension fund.",
		"Astronomers photographed a comet that returns only every seven hundred years.",
		"Bakers raised the price of rye bread because flour became scarce this spring.",
	}
	var articles []news.Article
	for i, body := range bodies {
		articles = append(articles, news.Article{ID: fmt.Sprint("f", i), Title: strings.Join(strings.Fields(body)[:2], " "), Source: "Courier",
			Sections: []news.Section{{Text: body + "\n\n" + notice}}})
	}
	word := lexical.QueryTerms("subscribers").Terms[0]
	for name, c := range map[string]struct {
		runs [][]news.Article
		with int // first articles that are compared with their notice
	}{
		"together":      {[][]news.Article{articles}, 0},
		"one by one":    {[][]news.Article{articles[:1], articles[1:2], articles[2:3], articles[3:4], articles[4:]}, 2},
		"two, then all": {[][]news.Article{articles[:2], articles[2:]}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			for _, run := range c.runs {
				if _, err := h.Run(t.Context(), sequence(run...), Options{File: true, Wait: UntilFiled}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range articles {
				found, err := h.store.Get(t.Context(), []string{articles[i].ID}, store.WithVectors)
				if err != nil {
					t.Fatal(err)
				}
				sections, err := h.store.Sections(t.Context(), []string{articles[i].ID}, true)
				if err != nil {
					t.Fatal(err)
				}
				whole, searched := "", false
				for _, s := range sections[articles[i].ID] {
					whole += s.Text + "\n"
					searched = searched || slices.Contains(s.Lexical.Terms, word)
				}
				compared := slices.Contains(found[0].Vectors.Lex.Full.Terms, word)
				if compared != (i < c.with) || searched != compared || !strings.Contains(whole, notice) {
					t.Errorf("%s: the notice is compared: %v, searched: %v; its text is %q", articles[i].ID, compared, searched, whole)
				}
			}
			h.checkCounted(t, len(articles))
		})
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
	h.checkCounted(t, 2)
}

func TestRunRejectsAndGoesOn(t *testing.T) {
	h := newHarness(t)
	future := piece(7, 1)
	future.Published = time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)
	items := func(yield func(news.Valid, error) bool) {
		_ = yield(valid(piece(1, 1)), nil) &&
			yield(news.Valid{}, &news.ItemError{Origin: news.Origin{Path: "x.jsonl", Line: 3}, Field: "title", Err: errors.New("broken")}) &&
			yield(news.Validate(news.Article{ID: "empty"})) && yield(news.Validate(future)) && yield(valid(piece(2, 1)), nil)
	}
	var outcomes []string
	summary, err := h.Run(t.Context(), items, Options{Each: func(r Report) { outcomes = append(outcomes, r.Outcome.String()) }})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(outcomes, " "); got != "new rejected rejected rejected new" {
		t.Fatalf("outcomes: %s", got)
	}
	if summary.Rejected[0].Origin.Line != 3 || summary.Rejected[0].Err == nil {
		t.Errorf("the rejected line: %+v", summary.Rejected[0])
	}
	var item *news.ItemError
	if !errors.As(summary.Rejected[2].Err, &item) || item.Field == "" {
		t.Errorf("the date in the year 30000: %v", summary.Rejected[2].Err)
	}
	h.checkCounted(t, 2)
}

// Whichever call of the embedder fails, what was reported as stored is stored, whole, and a second
// run completes the rest.
func TestRunSurvivesAFailingEmbedder(t *testing.T) {
	for at := 1; at <= 6; at++ {
		h := newHarness(t)
		h.embedder.FailAt(at, errEmbedding)
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
		h.checkCounted(t, len(acknowledged))
		h.embedder.Fail(nil)
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
	endless := func(yield func(news.Valid, error) bool) {
		for i := 0; yield(valid(piece(i, 1)), nil); i++ {
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
	if _, err := h.Put(t.Context(), valid(piece(9999, 1))); err != nil {
		t.Errorf("an id is still locked: %v", err)
	}
	if _, err := h.Run(t.Context(), sequence(many(200, 1)...), Options{}); err != nil {
		t.Errorf("an id is still locked: %v", err)
	}
}

// Two streams that bring the same articles in different order neither block each other nor mix
// revisions.
func TestConcurrentRuns(t *testing.T) {
	h := newHarness(t)
	forward := many(60, 1)
	backward := make([]news.Article, 0, len(forward))
	for i := len(forward) - 1; i >= 0; i-- {
		backward = append(backward, piece(i, 2))
	}
	var wait sync.WaitGroup
	for _, items := range [][]news.Article{forward, backward} {
		wait.Go(func() {
			if _, err := h.Run(t.Context(), sequence(items...), Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	h.checkCounted(t, 60)
}

func TestDelete(t *testing.T) {
	h := newHarness(t)
	if _, err := h.Run(t.Context(), sequence(piece(1, 1), piece(2, 1)), Options{}); err != nil {
		t.Fatal(err)
	}
	found, err := h.store.Get(t.Context(), []string{"a001"}, store.WithNothing)
	if err != nil {
		t.Fatal(err)
	}
	h.states.calls = nil
	if err := h.Delete(t.Context(), "a001"); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("a001 at %d", found[0].Article.Revision)
	if !slices.Equal(h.filer.deleted, []string{at}) || !slices.Equal(h.states.calls, []string{"remove " + at}) {
		t.Errorf("deleted %v, counted %v; want %s", h.filer.deleted, h.states.calls, at)
	}
	h.checkCounted(t, 1)
	if err := h.Delete(t.Context(), "a001"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleting again: %v", err)
	}
	h.cfg.Filer = nil
	if err := h.Delete(t.Context(), "a002"); err != nil {
		t.Errorf("without a filer: %v", err)
	}
	h.checkCounted(t, 0)
}

func TestFilingIsTriedAgain(t *testing.T) {
	h := newHarness(t)
	h.filer.err = errors.New("no State yet")
	report, err := h.Put(t.Context(), valid(piece(1, 1)))
	if !errors.Is(err, ErrNotFiled) || !errors.Is(err, h.filer.err) || report.Outcome != New {
		t.Errorf("filing fails: report %+v, error %v", report, err)
	}
	h.filer.err = nil
	texts := len(h.embedder.Texts())
	for again, want := range []int{2, 2} { // while it is pending, and when it is filed
		report, err := h.Put(t.Context(), valid(piece(1, 1)))
		if err != nil || report.Outcome != Unchanged || len(h.filer.filed) != want {
			t.Errorf("time %d: report %+v, error %v, filed %v", again, report, err, h.filer.filed)
		}
	}
	if _, err := h.Run(t.Context(), sequence(piece(2, 1)), Options{}); err != nil || len(h.filer.filed) != 2 {
		t.Errorf("a run that files nothing filed %v, error %v", h.filer.filed[2:], err)
	}
	if _, err := h.Run(t.Context(), sequence(piece(2, 1), piece(1, 1)), Options{File: true, Wait: UntilFiled}); err != nil || !slices.Equal(h.filer.filed[2:], []string{"a002"}) {
		t.Errorf("the next run filed %v, error %v", h.filer.filed[2:], err)
	}
	if got := len(h.embedder.Texts()) - texts; got != 4 { // of a002: the lead and three sections
		t.Errorf("%d texts were embedded", got)
	}
	h.checkCounted(t, 2)
}

// A run ends when everything is stored and filed, or its patience is over. What is stored counts
// in any case, and is filed later.
func TestWaitForFiling(t *testing.T) {
	for _, c := range []struct {
		slow    bool
		wait    time.Duration
		give    time.Duration // until ctx ends
		pending int64
		err     error
	}{
		{wait: UntilFiled, give: time.Minute},
		{slow: true, wait: 0, give: time.Minute, pending: 3},
		{slow: true, wait: -time.Second, give: time.Minute, pending: 3},
		{slow: true, wait: 10 * time.Millisecond, give: time.Minute, pending: 3},
		{slow: true, wait: UntilFiled, give: 200 * time.Millisecond, pending: 3, err: context.DeadlineExceeded},
	} {
		h := newHarness(t)
		h.filer.slow = c.slow
		ctx, cancel := context.WithTimeout(t.Context(), c.give)
		summary, err := h.Run(ctx, sequence(many(3, 1)...), Options{File: true, Wait: c.wait})
		cancel()
		if !errors.Is(err, c.err) || summary.New != 3 || len(h.filer.filed) != 3 {
			t.Errorf("%+v: %+v, %v, to be filed %v", c, summary, err, h.filer.filed)
		}
		if counts, err := h.store.Counts(t.Context()); err != nil || counts.Pending != c.pending {
			t.Errorf("%+v: %+v, %v", c, counts, err)
		}
	}
}

// While too many articles wait to be filed nothing more is stored.
func TestNothingIsStoredWithoutRoom(t *testing.T) {
	h := newHarness(t)
	h.filer.full = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if summary, err := h.Run(ctx, sequence(many(3, 1)...), Options{File: true}); !errors.Is(err, context.DeadlineExceeded) || summary.Items() > 0 {
		t.Errorf("%+v, %v", summary, err)
	}
	h.checkCounted(t, 0)
	if summary, err := h.Run(t.Context(), sequence(many(3, 1)...), Options{}); err != nil || summary.New != 3 {
		t.Errorf("a run that files nothing: %+v, %v", summary, err)
	}
}

// What the store finds wrong with an article rejects it; the others of its batch are stored,
// counted and filed.
func TestTheStoreRejectsOne(t *testing.T) {
	h := newHarness(t)
	h.cfg.Store = &faulty{Store: h.store, refuse: "a001"}
	summary, err := h.Run(t.Context(), sequence(many(3, 1)...), Options{File: true, Wait: UntilFiled})
	if err != nil || summary.New != 2 || len(summary.Rejected) != 1 || summary.Rejected[0].ID != "a001" || !errors.Is(summary.Rejected[0].Err, store.ErrInvalid) {
		t.Errorf("summary %+v, error %v", summary, err)
	}
	if !slices.Equal(h.filer.filed, []string{"a000", "a002"}) {
		t.Errorf("filed %v", h.filer.filed)
	}
	h.checkCounted(t, 2)
	if report, err := h.Put(t.Context(), valid(piece(1, 1))); !errors.Is(err, store.ErrInvalid) || report.Outcome != Rejected {
		t.Errorf("report %+v, error %v", report, err)
	}
}
