package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/news"
)

func TestRoundTrip(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(1)
		full := m.put("a/1", 1, 3)
		full.Article.Membership = news.Membership{StoryID: "s", TopicID: "t", ThemeID: "u", CopyOf: "other", Probability: .25}
		full.Article.TitleDerived, full.Article.DateOnly = true, true
		full.Article.Ingested = time.Date(2024, 3, 30, 1, 2, 3, 4e6, time.UTC)
		full.Article.FiledRevision = 1 // of the reader's choice, as are Revision, SectionCount and Words
		bare := Put{Article: news.Article{ID: "b"}, Vectors: Vectors{Dense: m.unit()}}
		e.advance(1234567 * time.Nanosecond) // times are stored to the millisecond
		items := []Put{full, bare}
		mustPut(t, s, items...)

		got, err := s.Get(t.Context(), []string{"b", "nothing", "a/1", "", "b"}, WithVectors)
		if err != nil {
			t.Fatal(err)
		}
		if got[1] != nil || got[3] != nil || got[0] == nil || got[0] != got[4] {
			t.Fatalf("wrong entries: %v", got)
		}
		want := full.Article
		want.SectionCount, want.Revision, want.FiledRevision, want.Words = 3, got[2].Article.Revision, 0, 101
		if diff := cmp.Diff(want, got[2].Article); diff != "" {
			t.Errorf("article (-want +got):\n%s", diff)
		}
		for i, stored := range []*Stored{got[2], got[0]} {
			if diff := cmp.Diff(stored.Article, items[i].Article); diff != "" {
				t.Errorf("Put did not write back what it stored (-stored +written back):\n%s", diff)
			}
		}
		if diff := cmp.Diff(full.Vectors, got[2].Vectors, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("vectors (-want +got):\n%s", diff)
		}
		wantBare := news.Article{ID: "b", Record: news.Record{Revision: got[0].Article.Revision, Ingested: e.clock().Truncate(time.Millisecond)}}
		if diff := cmp.Diff(wantBare, got[0].Article); diff != "" {
			t.Errorf("bare article (-want +got):\n%s", diff)
		}
		if !got[0].Article.Published.IsZero() {
			t.Error("an unknown time came back known")
		}

		for _, vectors := range []bool{false, true} {
			sections, err := s.Sections(t.Context(), []string{"a/1", "b", "nothing", "a/1"}, vectors)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(full.Sections)
			for i := range want {
				want[i].ArticleID = "a/1"
				if !vectors {
					want[i].Dense, want[i].Lexical = nil, vector.Sparse{}
				}
			}
			if diff := cmp.Diff(map[string][]Section{"a/1": want, "b": {}}, sections, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
				t.Errorf("sections (-want +got):\n%s", diff)
			}
		}

		only, err := s.Get(t.Context(), []string{"a/1"}, WithDense|WithNames)
		if err != nil {
			t.Fatal(err)
		}
		if v := only[0].Vectors; v.Dense == nil || v.Lex.Names.Terms == nil || v.Lex.Full.Terms != nil || v.Lex.Lead.Terms != nil {
			t.Errorf("read other vectors than asked for: %+v", v)
		}
		counts, err := s.Counts(t.Context())
		if err != nil || counts != (Counts{Articles: 2, Pending: 2, Sections: 3}) {
			t.Errorf("counts %+v, %v", counts, err)
		}
	})
}

func TestPutAgainReplaces(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(2)
		mustPut(t, s, m.put("a", 1, 5))
		known, err := s.Known(t.Context(), []string{"a", "b"})
		if err != nil || len(known) != 1 || known["a"] != (Known{Hash: "a v1", Pending: true}) {
			t.Fatalf("known: %+v, %v", known, err)
		}
		before := mustGet(t, s, "a")
		mustPut(t, s, m.put("a", 2, 2))
		a := mustGet(t, s, "a")
		if a.Title != "a v2" || a.SectionCount != 2 || a.Revision <= before.Revision {
			t.Errorf("not replaced: %+v", a)
		}
		counts, err := s.Counts(t.Context())
		if err != nil || counts.Sections != 2 {
			t.Errorf("older sections remain: %+v, %v", counts, err)
		}
		sections, err := s.Sections(t.Context(), []string{"a"}, false)
		if err != nil || len(sections["a"]) != 2 || sections["a"][1].Text != "a v2 section 1" {
			t.Errorf("sections %+v, %v", sections, err)
		}
	})
}

// TestPutKeepsMembership: a put changes the membership only when it has one of its own, and filing
// is pending in both cases.
func TestPutKeepsMembership(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(2)
		mustPut(t, s, m.put("a", 1, 2))
		filed := news.Membership{StoryID: "s", TopicID: "t", ThemeID: "h", CopyOf: "o", Probability: .5}
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "a", Revision: mustGet(t, s, "a").Revision, Membership: filed}}})
		own := m.put("a", 3, 1)
		own.Article.Membership = news.Membership{StoryID: "other"}
		for _, c := range []struct {
			put  Put
			want news.Membership
		}{{m.put("a", 2, 2), filed}, {own, own.Article.Membership}} {
			mustPut(t, s, c.put)
			a := mustGet(t, s, "a")
			if a.Membership != c.want || a.FiledRevision != 0 {
				t.Errorf("%s: filed as %+v for the revision %d, want %+v for none", a.Title, a.Membership, a.FiledRevision, c.want)
			}
			if n := sectionsOf(t, s, news.Filter{StoryIDs: []string{c.want.StoryID}}); n != a.SectionCount {
				t.Errorf("%s: %d sections are found by the story, want %d", a.Title, n, a.SectionCount)
			}
		}
	})
}

func TestPutSameIDTwiceInOneCall(t *testing.T) {
	s := embeddedEnv(t).open(t)
	m := newMaker(3)
	items := []Put{m.put("a", 1, 4), m.put("b", 1, 1), m.put("a", 2, 1), m.put("a", 3, 2)}
	mustPut(t, s, items...)
	if a := mustGet(t, s, "a"); a.Title != "a v3" {
		t.Fatalf("the last one does not win: %+v", a)
	}
	if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{Articles: 2, Pending: 2, Sections: 3}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

func TestManyArticlesAndSections(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(4)
		var items []Put
		for i := range 2*maxPutArticles + 3 {
			items = append(items, m.put(fmt.Sprintf("a%03d", i), i, i%4))
		}
		items = append(items, m.put("long", 1, maxBatchPoints*2+1))
		mustPut(t, s, items...)

		seen := map[string]int{}
		if err := s.Scan(t.Context(), news.Filter{}, WithVectors, func(st *Stored) error { seen[st.Article.ID]++; return nil }); err != nil {
			t.Fatal(err)
		}
		var listed []string
		cursor, pages := "", 0
		for {
			page, next, err := s.List(t.Context(), news.Filter{}, 100, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > 100 {
				t.Fatalf("page of %d", len(page))
			}
			for _, a := range page {
				listed = append(listed, a.ID)
			}
			pages++
			if cursor = next; next == "" {
				break
			}
		}
		slices.Sort(listed)
		for _, it := range items {
			if seen[it.Article.ID] != 1 {
				t.Errorf("scan saw %q %d times", it.Article.ID, seen[it.Article.ID])
			}
		}
		if len(listed) != len(items) || len(slices.Compact(listed)) != len(items) || pages != 6 {
			t.Errorf("listed %d of %d articles in %d pages", len(listed), len(items), pages)
		}
		all := make([]string, len(items))
		for i := range items {
			all[i] = items[i].Article.ID
		}
		sections, err := s.Sections(t.Context(), all, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			got := sections[it.Article.ID]
			if len(got) != len(it.Sections) {
				t.Errorf("%q: %d sections of %d", it.Article.ID, len(got), len(it.Sections))
			}
			for i, sec := range got {
				if sec.Index != i || sec.Text != it.Sections[i].Text {
					t.Errorf("%q: section %d is %+v", it.Article.ID, i, sec)
				}
			}
		}
	})
}

// TestScansStop: an error of the callback ends a scan and comes back, but for ErrStop.
func TestScansStop(t *testing.T) {
	s := embeddedEnv(t).open(t)
	m := newMaker(4)
	mustPut(t, s, m.put("a", 1, 0), m.put("b", 1, 0))
	mustApply(t, s, &Plan{NewStories: []Story{story("a", 1), story("b", 1)}, Topics: []Topic{topic("a"), topic("b")}})
	failure := errors.New("failure")
	for _, c := range []struct{ returned, want error }{{failure, failure}, {ErrStop, nil}, {fmt.Errorf("enough: %w", ErrStop), nil}} {
		n := 0
		for name, err := range map[string]error{
			"articles": s.Scan(t.Context(), news.Filter{}, WithNothing, func(*Stored) error { n++; return c.returned }),
			"stories":  s.ScanStories(t.Context(), news.StoryFilter{}, WithNothing, func(*Story) error { n++; return c.returned }),
			"topics":   s.ScanTopics(t.Context(), news.TopicFilter{}, WithNothing, func(*Topic) error { n++; return c.returned }),
		} {
			if err != c.want {
				t.Errorf("%s: after %v: %v", name, c.returned, err)
			}
		}
		if n != 3 {
			t.Errorf("after %v: %d calls of three scans", c.returned, n)
		}
	}
}

func TestDelete(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(5)
		mustPut(t, s, m.put("a", 1, 3), m.put("b", 1, 2))
		before := mustGet(t, s, "a").Revision
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		var missing *NotFoundError
		if err := s.Delete(t.Context(), "a"); !errors.As(err, &missing) || missing.ID != "a" || missing.Kind != "article" {
			t.Errorf("second delete: %v", err)
		}
		if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{Articles: 1, Pending: 1, Sections: 2}) {
			t.Errorf("counts %+v, %v", counts, err)
		}
		if sections, err := s.Sections(t.Context(), []string{"a"}, false); err != nil || len(sections) != 0 {
			t.Errorf("sections of a deleted article: %v, %v", sections, err)
		}
		mustPut(t, s, m.put("a", 2, 1))
		if after := mustGet(t, s, "a").Revision; after <= before {
			t.Errorf("the revision does not grow: %d after %d", after, before)
		}
	})
}

// TestExtent: no two states of the articles have the same extent.
func TestExtent(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(5)
		seen := map[Extent]string{}
		for _, step := range []struct {
			what string
			do   func() error
			n    int64
		}{
			{"empty", func() error { return nil }, 0},
			{"put a", func() error { return s.Put(t.Context(), []Put{m.put("a", 1, 1)})[0] }, 1},
			{"put b", func() error { return s.Put(t.Context(), []Put{m.put("b", 1, 1)})[0] }, 2},
			{"put a again", func() error { return s.Put(t.Context(), []Put{m.put("a", 2, 1)})[0] }, 2},
			{"delete a", func() error { return s.Delete(t.Context(), "a") }, 1},
			{"put c", func() error { return s.Put(t.Context(), []Put{m.put("c", 1, 1)})[0] }, 2},
			{"reopen and put c again", func() error {
				s.Close()
				s = e.open(t)
				return s.Put(t.Context(), []Put{m.put("c", 2, 1)})[0]
			}, 2},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
			extent, err := s.Extent(t.Context())
			if err != nil || extent.Articles != step.n {
				t.Errorf("%s: %+v, %v, want %d articles", step.what, extent, err, step.n)
			}
			if earlier, ok := seen[extent]; ok {
				t.Errorf("%s: the extent is that after %q", step.what, earlier)
			}
			seen[extent] = step.what
		}
		before, err := s.Extent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, s, &Plan{NewStories: []Story{story("s", 1)}, Memberships: []Membership{{ArticleID: "c", Membership: news.Membership{StoryID: "s"}}}})
		if after, err := s.Extent(t.Context()); err != nil || after != before {
			t.Errorf("a plan changes the extent: %+v, %v", after, err)
		}
	})
}

func TestInvalidInputChangesNothing(t *testing.T) {
	s := embeddedEnv(t).open(t)
	m := newMaker(6)
	mustPut(t, s, m.put("kept", 1, 1))
	nan := m.unit()
	nan[2] = float32(nanValue())
	cases := []struct {
		field string
		spoil func(*Put)
	}{
		{"id", func(p *Put) { p.Article.ID = "" }},
		{"id", func(p *Put) { p.Article.ID = strings.Repeat("x", MaxID+1) }},
		{"id", func(p *Put) { p.Article.ID = "a\xff" }},
		{"title", func(p *Put) { p.Article.Title = "\xc3(" }},
		{"hash", func(p *Put) { p.Article.ContentHash = "\xff" }},
		{"authors[1]", func(p *Put) { p.Article.Authors = []string{"a", "\xff"} }},
		{"story_id", func(p *Put) { p.Article.StoryID = "\xff" }},
		{"topic_id", func(p *Put) { p.Article.TopicID = "\xff" }},
		{"theme_id", func(p *Put) { p.Article.ThemeID = "\xff" }},
		{"copy_of", func(p *Put) { p.Article.CopyOf = strings.Repeat("x", MaxID+1) }},
		{"probability", func(p *Put) { p.Article.Probability = nanValue() }},
		{"probability", func(p *Put) { p.Article.Probability = 1.5 }},
		{"vectors.dense", func(p *Put) { p.Vectors.Dense = nil }},
		{"vectors.dense", func(p *Put) { p.Vectors.Dense = make([]float32, testDim+1) }},
		{"vectors.dense", func(p *Put) { p.Vectors.Dense = nan }},
		{"vectors.dense", func(p *Put) { p.Vectors.Dense = make([]float32, testDim) }},
		{"vectors.full", func(p *Put) { p.Vectors.Lex.Full = vector.Sparse{Terms: []uint32{2, 1}, Weights: []float32{1, 1}} }},
		{"vectors.lead", func(p *Put) { p.Vectors.Lex.Lead = vector.Sparse{Terms: []uint32{1}} }},
		{"vectors.names", func(p *Put) {
			p.Vectors.Lex.Names = vector.Sparse{Terms: []uint32{1}, Weights: []float32{float32(nanValue())}}
		}},
		{"vectors.shingles", func(p *Put) { p.Vectors.Lex.Shingles = []uint32{2, 2} }},
		{"vectors.dense_of", func(p *Put) { p.Vectors.DenseOf = "\xff" }},
		{"sections[1].article_id", func(p *Put) { p.Sections[1].ArticleID = "another" }},
		{"sections[1].index", func(p *Put) { p.Sections[1].Index = 2 }},
		{"sections[0].heading", func(p *Put) { p.Sections[0].Heading = "\xff" }},
		{"sections[1].text", func(p *Put) { p.Sections[1].Text = "\xff" }},
		{"sections[0].dense", func(p *Put) { p.Sections[0].Dense = nan }},
		{"sections[1].dense_of", func(p *Put) { p.Sections[1].DenseOf = "\xff" }},
		{"sections[0].lexical", func(p *Put) {
			p.Sections[0].Lexical = vector.Sparse{Terms: []uint32{1, 1}, Weights: []float32{1, 1}}
		}},
	}
	for name := range new(news.Article).Texts() {
		cases = append(cases, struct {
			field string
			spoil func(*Put)
		}{name, func(p *Put) {
			for n, s := range p.Article.Texts() {
				if n == name {
					*s = "\xff"
				}
			}
		}})
	}
	for _, c := range cases {
		bad := m.put("bad", 1, 2)
		c.spoil(&bad)
		errs := s.Put(t.Context(), []Put{m.put("kept", 2, 1), bad, m.put("also", 1, 0)})
		var invalid *InvalidError
		if !errors.As(errs[1], &invalid) || invalid.Field != c.field || !errors.Is(errs[1], ErrInvalid) {
			t.Errorf("%s: got %v", c.field, errs[1])
		}
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("%s: the rest of the batch failed: %v", c.field, errs)
		}
	}
	if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{Articles: 2, Pending: 2, Sections: 1}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

func TestArbitraryIDs(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(7)
		ids := []string{" ", "\x00", "a\nb", "日本語", strings.Repeat("é", MaxID/2), "1", "01", "00000000-0000-0000-0000-000000000000", `"; drop`, "a 1 2"}
		var items []Put
		for _, id := range ids {
			items = append(items, m.put(id, 1, 1))
		}
		mustPut(t, s, items...)
		got, err := s.Get(t.Context(), ids, WithNothing)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if got[i] == nil || got[i].Article.ID != id {
				t.Errorf("%q: got %+v", id, got[i])
			}
		}
	})
}

func TestOpenRefusesAnotherSpace(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		mustPut(t, s, newMaker(8).put("a", 1, 1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		conn := e.connect(t)
		for name, change := range map[string]func(*Config){
			"model":      func(c *Config) { c.Space.Model = "other" },
			"dimensions": func(c *Config) { c.Space.Dimensions = 16 },
			"prefix":     func(c *Config) { c.Space.QueryPrefix = "query: " },
			"chunker":    func(c *Config) { c.Chunker = "2" },
		} {
			for _, readOnly := range []bool{false, true} {
				cfg := e.config()
				change(&cfg)
				cfg.ReadOnly = readOnly
				_, err := Open(t.Context(), conn, cfg)
				var mismatch *SpaceMismatchError
				if !errors.As(err, &mismatch) || mismatch.Stored != testSpace || mismatch.StoredChunker != "1" {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if text := err.Error(); !strings.Contains(text, "test with 8 dimensions") || !strings.Contains(text, "use that model") {
					t.Errorf("%s: the message does not say what is stored and what to do: %s", name, text)
				}
			}
		}
		longer := e.config()
		longer.Space.MaxTokens = 500 // a limit, not an identity
		s, err := Open(t.Context(), conn, longer)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got, err := s.Get(t.Context(), []string{"a"}, WithNothing); err != nil || got[0] == nil {
			t.Errorf("nothing may have changed: %v, %v", got, err)
		}
	})
}

func TestOpenRefusesForeignCollections(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		conn := e.connect(t)
		names := namesFor(e.prefix)
		// A collection under our physical name with vectors of another length.
		name := physical(names.articles, testSpace.Fingerprint(), "1")
		if err := conn.client.CreateCollection(t.Context(), schema[0].createRequest(name, testDim+1)); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), conn, e.config())
		var dimension *DimensionError
		if !errors.As(err, &dimension) || dimension.Stored != testDim+1 || dimension.Asked != testDim {
			t.Fatalf("got %v", err)
		}
		if err := conn.client.DeleteCollection(t.Context(), name); err != nil {
			t.Fatal(err)
		}

		// An alias at a collection of another space that holds something, while the description is
		// gone.
		other := physical(names.articles, "0123456789ab", "7")
		if err := conn.client.CreateCollection(t.Context(), schema[0].createRequest(other, testDim)); err != nil {
			t.Fatal(err)
		}
		if err := conn.client.CreateAlias(t.Context(), names.articles, other); err != nil {
			t.Fatal(err)
		}
		// Empty: left by a start that was cut short.
		s, err := Open(t.Context(), conn, e.config())
		if err != nil {
			t.Fatalf("an empty leftover is in the way: %v", err)
		}
		s.Close()
		if err := conn.client.CreateAlias(t.Context(), names.articles, other); err != nil {
			t.Fatal(err)
		}
		a := newMaker(9).put("x", 1, 0)
		point, err := encodeArticle(&a.Article, &a.Vectors)
		upsertPoint(t, &Store{conn: conn}, other, point, err)
		_, err = Open(t.Context(), conn, e.config())
		var mismatch *SpaceMismatchError
		if !errors.As(err, &mismatch) || mismatch.StoredFingerprint != "0123456789ab" || mismatch.StoredChunker != "7" {
			t.Errorf("got %v", err)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	conn := embeddedEnv(t).connect(t)
	good := Config{Prefix: "p", Space: testSpace}
	for field, change := range map[string]func(*Config){
		"prefix":           func(c *Config) { c.Prefix = "a b" },
		"chunker":          func(c *Config) { c.Chunker = "1_2" },
		"space.model":      func(c *Config) { c.Space = embed.Space{Dimensions: 3} },
		"space.dimensions": func(c *Config) { c.Space.Dimensions = 0 },
	} {
		cfg := good
		change(&cfg)
		_, err := Open(t.Context(), conn, cfg)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		reading := e.config()
		reading.ReadOnly = true
		if _, err := Open(t.Context(), e.connect(t), reading); !errors.Is(err, ErrNotFound) {
			t.Fatalf("a reader of nothing: %v", err)
		}
		w := e.open(t)
		m := newMaker(10)
		mustPut(t, w, m.put("a", 1, 1))
		r := e.openWith(t, reading) // beside the writer
		if got, err := r.Get(t.Context(), []string{"a"}, WithNothing); err != nil || got[0] == nil {
			t.Errorf("get: %v, %v", got, err)
		}
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{
			"put": r.Put(t.Context(), []Put{m.put("a", 2, 1)})[0], "delete": r.Delete(t.Context(), "a"),
			"apply": r.Apply(t.Context(), &Plan{}), "state": r.SaveState(t.Context(), []byte("x")), "mark current": r.MarkCurrent(t.Context()),
			"cache": r.CacheEmbeddings(t.Context(), map[string][]float32{TextKey("x"): m.unit()}),
		} {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.RepairSections(t.Context()); !errors.Is(err, ErrReadOnly) {
			t.Errorf("repair: %v", err)
		}
	})
}

func TestClosedStore(t *testing.T) {
	s := embeddedEnv(t).open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := s.Put(t.Context(), []Put{newMaker(1).put("a", 1, 1)})[0]; !errors.Is(err, ErrClosed) {
		t.Errorf("put: %v", err)
	}
	if err := s.Apply(t.Context(), &Plan{}); !errors.Is(err, ErrClosed) {
		t.Errorf("apply: %v", err)
	}
	if _, err := s.Get(t.Context(), []string{"a"}, WithNothing); !errors.Is(err, ErrClosed) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := s.LoadState(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("state: %v", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("ready: %v", err)
	}
}

func TestCancelledContext(t *testing.T) {
	s := embeddedEnv(t).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, []string{"a"}, WithNothing); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if err := s.Put(ctx, []Put{newMaker(1).put("a", 1, 1)})[0]; !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
}

func TestBadPages(t *testing.T) {
	s := embeddedEnv(t).open(t)
	for _, c := range []struct {
		limit  int
		cursor string
		field  string
	}{{0, "", "limit"}, {MaxLimit + 1, "", "limit"}, {1, "x", "cursor"}} {
		var invalid *InvalidError
		if _, _, err := s.List(t.Context(), news.Filter{}, c.limit, c.cursor); !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, _, err := s.List(t.Context(), news.Filter{Sources: []string{"\xff"}}, 1, ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("filter: %v", err)
	}
}

// TestOutdated: a store whose description names no layout is outdated until everything was
// clustered anew, whoever opens it meanwhile.
func TestOutdated(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		if s.Outdated() {
			t.Fatal("a new store is outdated")
		}
		meta := s.names.meta
		points, err := s.conn.get(t.Context(), meta, []*qdrant.PointId{qdrant.NewIDNum(spacePoint)}, nil, nil)
		if err != nil || len(points) != 1 || points[0].Payload[fieldLayout] == nil {
			t.Fatalf("description: %v, %v", points, err)
		}
		delete(points[0].Payload, fieldLayout)
		upsertPoint(t, s, meta, &qdrant.PointStruct{Id: points[0].Id, Payload: points[0].Payload, Vectors: encodeVectors(nil)}, nil)
		s.Close()

		e.open(t).Close()
		failing := false
		s = e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if failing {
				return errInjected
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		})
		reading := e.config()
		reading.ReadOnly = true
		if r := e.openWith(t, reading); !s.Outdated() || !r.Outdated() {
			t.Errorf("after two starts: outdated for the writer %v, for a reader %v", s.Outdated(), r.Outdated())
		}
		failing = true
		if err := s.MarkCurrent(t.Context()); err == nil || !s.Outdated() {
			t.Errorf("marking failed with %v, outdated: %v", err, s.Outdated())
		}
		failing = false
		if err := s.MarkCurrent(t.Context()); err != nil || s.Outdated() {
			t.Errorf("marked: outdated %v, %v", s.Outdated(), err)
		}
		s.Close()
		if s = e.open(t); s.Outdated() {
			t.Error("outdated again after a start")
		}
	})
}
