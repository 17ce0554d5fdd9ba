package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
)

// mergePlan merges the story "old" of a0 and a1, in the topic "t0", into a new one of a0, a1 and a2
// in the topic "t1".
func mergePlan() *Plan {
	merged := story("old", 0)
	merged.MergedInto = "new"
	described := story("new", 3)
	described.Title, described.TopicID = "New", "t1"
	in := news.Membership{StoryID: "new", TopicID: "t1", Probability: .75}
	isCopy := in
	isCopy.CopyOf = "a0"
	theme := Topic{Topic: news.Topic{ID: "h1", Title: "Theme", Level: news.LevelTheme, Stories: 2, Articles: 5}}
	return &Plan{
		Topics:     []Topic{topic("t1"), theme},
		NewStories: []Story{story("new", 0)},
		Memberships: []Membership{{ArticleID: "a0", Membership: in}, {ArticleID: "a1", Membership: isCopy},
			{ArticleID: "a2", Membership: news.Membership{StoryID: "new", ThemeID: "h1"}}},
		Stories:        []Story{merged, described},
		DeletedStories: []string{"unused"},
		DeletedTopics:  []string{"t0"},
		Events: []news.LedgerEvent{{Kind: news.Created, ID: "new"},
			{Kind: news.Merged, ID: "new", ArticleIDs: []string{"a0", "a1"}, OtherIDs: []string{"old"}},
			{Kind: news.Renamed, ID: "new", Title: "New"}},
	}
}

// beforeMerge stores what mergePlan changes.
func beforeMerge(t *testing.T, s *Store) {
	t.Helper()
	m := newMaker(80)
	mustPut(t, s, m.put("a0", 1, 2), m.put("a1", 1, 1), m.put("a2", 1, 1))
	in := news.Membership{StoryID: "old", TopicID: "t0"}
	mustApply(t, s, &Plan{Topics: []Topic{topic("t0")}, NewStories: []Story{story("old", 2), story("unused", 0)},
		Memberships: []Membership{{ArticleID: "a0", Membership: in}, {ArticleID: "a1", Membership: in}}})
}

// filingPlan is mergePlan as a decision about the stored revisions.
func filingPlan(t *testing.T, s *Store) *Plan {
	t.Helper()
	p := mergePlan()
	for i := range p.Memberships {
		p.Memberships[i].Revision = mustGet(t, s, p.Memberships[i].ArticleID).Revision
	}
	return p
}

func TestPlanString(t *testing.T) {
	p := mergePlan()
	p.Memberships[0].Revision = 7
	want := `topic t1 "": 0 stories, 0 articles
theme h1 "Theme": 2 stories, 5 articles
new story new "": 0 articles
article a0: story new, topic t1, theme -, copy of -, probability 0.75, filed
article a1: story new, topic t1, theme -, copy of a0, probability 0.75
article a2: story new, topic -, theme h1, copy of -, probability 0.00
story old: merged into new
story new "New": 3 articles
delete story unused
delete topic t0
ledger: created new
ledger: merged new a0 a1 old
ledger: renamed new
`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(p.String(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if empty := new(Plan); empty.String() != "" || !empty.Empty() || p.Empty() {
		t.Errorf("empty plan %q, Empty is %v for it and %v for another", empty.String(), empty.Empty(), p.Empty())
	}
	// Empty knows every part.
	for _, p := range []Plan{{Topics: p.Topics}, {NewStories: p.NewStories}, {Memberships: p.Memberships}, {Stories: p.Stories},
		{DeletedStories: p.DeletedStories}, {DeletedTopics: p.DeletedTopics}, {Events: p.Events}} {
		if p.Empty() || p.String() == "" {
			t.Errorf("empty: %v, printed as %q", p.Empty(), p.String())
		}
	}
}

// writesOf returns what an interceptor sees of writes: method and collection, without the prefix.
func writesOf(e *env) (*[]string, grpc.UnaryClientInterceptor) {
	var mu sync.Mutex
	seen := &[]string{}
	return seen, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		name := method[strings.LastIndex(method, "/")+1:]
		if to, ok := req.(interface{ GetCollectionName() string }); ok && slices.Contains([]string{"Upsert", "UpdateBatch", "Delete"}, name) {
			mu.Lock()
			*seen = append(*seen, name+" "+strings.TrimPrefix(to.GetCollectionName(), e.prefix+"_"))
			mu.Unlock()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

func TestApplyOrder(t *testing.T) {
	e := embeddedEnv(t)
	writes, look := writesOf(e)
	s := e.open(t, look)
	beforeMerge(t, s)
	*writes = nil
	mustApply(t, s, &Plan{})
	if len(*writes) != 0 {
		t.Errorf("an empty plan writes %q", *writes)
	}
	want := []string{"Upsert topics", "Upsert stories", "UpdateBatch sections", "UpdateBatch articles", "Upsert stories",
		"Delete stories", "Delete topics", "Upsert ledger"}
	mustApply(t, s, mergePlan())
	if diff := cmp.Diff(want, *writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	*writes = nil
	mustApply(t, s, filingPlan(t, s))
	if diff := cmp.Diff(append(want, "UpdateBatch articles"), *writes); diff != "" {
		t.Errorf("writes of a plan that files articles (-want +got):\n%s", diff)
	}
}

// checkMerged fails the test unless mergePlan was applied as a whole, and once.
func checkMerged(t *testing.T, s *Store) {
	t.Helper()
	want := mergePlan()
	for _, m := range want.Memberships {
		if a := mustGet(t, s, m.ArticleID); a.Membership != m.Membership {
			t.Errorf("%s is filed as %+v, want %+v", a.ID, a.Membership, m.Membership)
		}
	}
	for _, id := range []string{"new", "old"} { // the old one leads to the new one
		if got := sectionsOf(t, s, news.Filter{StoryIDs: []string{id}}); got != 4 {
			t.Errorf("%d sections of story %s, want 4", got, id)
		}
	}
	stories, err := s.Stories(t.Context(), []string{"new", "old", "unused"}, WithNothing)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*Story{&want.Stories[1], &want.Stories[0], nil}, stories); diff != "" {
		t.Errorf("stories (-want +got):\n%s", diff)
	}
	topics, err := s.Topics(t.Context(), []string{"t1", "h1", "t0"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*Topic{&want.Topics[0], &want.Topics[1], nil}, topics); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
	events, err := s.Events(t.Context(), 0, MaxLimit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Events {
		want.Events[i].Sequence = int64(i + 1)
		if i < len(events) {
			want.Events[i].Time = events[i].Time
		}
	}
	if diff := cmp.Diff(want.Events, events); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

// TestFailedApplyIsRepeated fails one write of a plan. Wherever that is, every article names a
// story and topics that exist, the ledger lists nothing that was not done, and no article is filed
// before all is written. The same plan again completes it.
func TestFailedApplyIsRepeated(t *testing.T) {
	eachFault(t, false, func(t *testing.T, e *env, f *faults, arm func()) bool {
		s := e.open(t, f.intercept)
		beforeMerge(t, s)
		p := filingPlan(t, s)
		arm()
		failed := s.Apply(t.Context(), p)
		hit := f.disarm()
		if (failed != nil) != hit || s.Clean() == hit {
			t.Errorf("fault met: %v, error: %v, clean: %v", hit, failed, s.Clean())
		}
		checkNames(t, s)
		if events, err := s.Events(t.Context(), 0, 10); err != nil {
			t.Error(err)
		} else if filed := mustGet(t, s, "a1").FiledRevision != 0; len(events) > 0 || filed {
			checkMerged(t, s)
		}
		if hit {
			mustApply(t, s, p)
			if s.Clean() {
				t.Error("clean after a failure that was not repaired")
			}
		}
		checkMerged(t, s)
		checkPending(t, s, []string{"a0", "a1", "a2"})
		checkWhole(t, s)
		return hit
	})
}

// checkNames fails the test unless every article names a story and topics that are stored.
func checkNames(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Scan(t.Context(), news.Filter{}, WithNothing, func(st *Stored) error {
		a := st.Article
		if stories, err := s.Stories(t.Context(), []string{a.StoryID}, WithNothing); err != nil || a.StoryID != "" && stories[0] == nil {
			t.Errorf("%s names the story %q, which is not stored, %v", a.ID, a.StoryID, err)
		}
		topics, err := s.Topics(t.Context(), a.TopicIDs())
		if err != nil || slices.Contains(topics, nil) {
			t.Errorf("%s names topics %q, of which one is not stored, %v", a.ID, a.TopicIDs(), err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestInvalidPlans: a plan with one invalid part writes none of the others, and leaves the store
// clean.
func TestInvalidPlans(t *testing.T) {
	e := embeddedEnv(t)
	writes, look := writesOf(e)
	s := e.open(t, look)
	beforeMerge(t, s)
	mustApply(t, s, &Plan{Events: []news.LedgerEvent{{Kind: news.Created, ID: "old"}}})
	badSparse := vector.Sparse{Terms: []uint32{1}}
	of := func(spoil func(*Story)) func(*Plan) {
		return func(p *Plan) {
			s := story("s", 1)
			spoil(&s)
			p.Stories = append(p.Stories, s)
		}
	}
	topicOf := func(spoil func(*Topic)) func(*Plan) {
		return func(p *Plan) {
			t := topic("t")
			spoil(&t)
			p.Topics = append(p.Topics, t)
		}
	}
	event := func(spoil func(*news.LedgerEvent)) func(*Plan) {
		return func(p *Plan) {
			e := news.LedgerEvent{ID: "s", Kind: news.Joined}
			spoil(&e)
			p.Events = append(p.Events, e)
		}
	}
	filed := func(m Membership) func(*Plan) {
		return func(p *Plan) { p.Memberships = append(p.Memberships, m) }
	}
	*writes = nil
	for _, c := range []struct {
		field string
		spoil func(*Plan)
	}{
		{"id", func(p *Plan) { p.NewStories[0].ID = "" }},
		{"id", of(func(s *Story) { s.ID = strings.Repeat("x", MaxID+1) })},
		{"title", of(func(s *Story) { s.Title = "\xff" })},
		{"keywords[0]", of(func(s *Story) { s.Keywords = []string{"\xff"} })},
		{"sources[0]", of(func(s *Story) { s.Sources = []string{"\xff"} })},
		{"representative", of(func(s *Story) { s.Representative = "\xff" })},
		{"topic_id", of(func(s *Story) { s.TopicID = "\xff" })},
		{"theme_id", of(func(s *Story) { s.ThemeID = "\xff" })},
		{"merged_into", of(func(s *Story) { s.MergedInto = s.ID })},
		{"articles", of(func(s *Story) { s.Articles = -1 })},
		{"independent_reports", of(func(s *Story) { s.IndependentReports = -1 })},
		{"title_model", of(func(s *Story) { s.TitleModel = "\xff" })},
		{"title_articles[0]", of(func(s *Story) { s.TitleArticles = []string{""} })},
		{"title_key", of(func(s *Story) { s.TitleKey = "\xff" })},
		{"dense", of(func(s *Story) { s.Dense = make([]float32, testDim-1) })},
		{"full", of(func(s *Story) { s.Lex = lexical.Vectors{Full: badSparse} })},
		{"lead", of(func(s *Story) { s.Lex = lexical.Vectors{Lead: badSparse} })},
		{"names", of(func(s *Story) { s.Lex = lexical.Vectors{Names: badSparse} })},
		{"level", topicOf(func(t *Topic) { t.Level = "other" })},
		{"id", topicOf(func(t *Topic) { t.ID = "" })},
		{"title", topicOf(func(t *Topic) { t.Title = "\xff" })},
		{"keywords[0]", topicOf(func(t *Topic) { t.Keywords = []string{"\xff"} })},
		{"parent_id", topicOf(func(t *Topic) { t.ParentID = t.ID })},
		{"merged_into", topicOf(func(t *Topic) { t.MergedInto = t.ID })},
		{"representative", topicOf(func(t *Topic) { t.Representative = "\xff" })},
		{"dense", topicOf(func(t *Topic) { t.Dense = []float32{1} })},
		{"article_id", filed(Membership{})},
		{"story_id", filed(Membership{ArticleID: "a0", Membership: news.Membership{StoryID: "\xff"}})},
		{"topic_id", filed(Membership{ArticleID: "a0", Membership: news.Membership{TopicID: "\xff"}})},
		{"theme_id", filed(Membership{ArticleID: "a0", Membership: news.Membership{ThemeID: "\xff"}})},
		{"copy_of", filed(Membership{ArticleID: "a0", Membership: news.Membership{CopyOf: "\xff"}})},
		{"probability", filed(Membership{ArticleID: "a0", Membership: news.Membership{Probability: -1}})},
		{"id", event(func(e *news.LedgerEvent) { e.ID = "" })},
		{"level", event(func(e *news.LedgerEvent) { e.Level = "other" })},
		{"kind", event(func(e *news.LedgerEvent) { e.Kind = "exploded" })},
		{"article_ids[0]", event(func(e *news.LedgerEvent) { e.ArticleIDs = []string{""} })},
		{"other_ids[0]", event(func(e *news.LedgerEvent) { e.OtherIDs = []string{"\xff"} })},
		{"title", event(func(e *news.LedgerEvent) { e.Title = "\xff" })},
		{"sequence", event(func(e *news.LedgerEvent) { e.Sequence = -1 })},
		{"sequence", event(func(e *news.LedgerEvent) { e.Sequence = 2 })}, // the ledger has one
	} {
		p := mergePlan()
		c.spoil(p)
		err := s.Apply(t.Context(), p)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", c.field, err)
		}
		if p.Events[0].Sequence != 0 {
			t.Errorf("%s: an event got the number %d", c.field, p.Events[0].Sequence)
		}
	}
	if len(*writes) != 0 || !s.Clean() {
		t.Errorf("invalid plans wrote %q; clean: %v", *writes, s.Clean())
	}
}

func TestMemberships(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(55)
		var items []Put
		for i := range 30 {
			items = append(items, m.put(fmt.Sprintf("a%02d", i), 1, 2))
		}
		mustPut(t, s, items...)
		var all []Membership
		want := map[string]news.Membership{}
		for i, p := range items {
			to := news.Membership{StoryID: fmt.Sprintf("s%d", i%4), TopicID: fmt.Sprintf("t%d", i%2), ThemeID: "h", Probability: float64(i) / 64}
			if i%6 == 0 {
				to = news.Membership{CopyOf: "a01"}
			}
			all, want[p.Article.ID] = append(all, Membership{ArticleID: p.Article.ID, Membership: to}), to
		}
		last := news.Membership{StoryID: "last"}
		all = append(all, Membership{ArticleID: "not stored", Membership: last}, Membership{ArticleID: "a00", Membership: last})
		want["a00"] = last
		mustApply(t, s, &Plan{Memberships: all})
		check := func() {
			t.Helper()
			if err := s.Scan(t.Context(), news.Filter{}, WithNothing, func(st *Stored) error {
				if a := st.Article; a.Membership != want[a.ID] || a.Title != a.ID+" v1" {
					t.Errorf("%q is filed as %+v, want %+v", a.Title, a.Membership, want[a.ID])
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for _, story := range []string{"s0", "s1", "s2", "s3", "last"} {
				n := 0
				for _, m := range want {
					if m.StoryID == story {
						n += 2
					}
				}
				if got := sectionsOf(t, s, news.Filter{StoryIDs: []string{story}}); got != n {
					t.Errorf("%d sections of %s, want %d", got, story, n)
				}
			}
		}
		check()
		if counts, err := s.Counts(t.Context()); err != nil || counts != (Counts{Articles: 30, Pending: 30, Sections: 60}) {
			t.Errorf("memberships made points, or filed without a revision: %+v, %v", counts, err)
		}
		// Replacing a membership takes back what the new one does not have.
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "a01"}}})
		want["a01"] = news.Membership{}
		check()
	})
}

// checkPending fails the test unless these articles are pending, in every way in which that can be
// read.
func checkPending(t *testing.T, s *Store, ids []string, pending ...string) {
	t.Helper()
	known, err := s.Known(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := s.List(t.Context(), news.Filter{Pending: true}, 100, "")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, a := range list {
		listed[a.ID] = true
	}
	for _, id := range ids {
		want := slices.Contains(pending, id)
		a := mustGet(t, s, id)
		if known[id].Pending != want || listed[id] != want || (a.FiledRevision < a.Revision) != want {
			t.Errorf("%s is pending: %v by Known, %v by List, filed for revision %d of %d; want %v", id, known[id].Pending, listed[id], a.FiledRevision, a.Revision, want)
		}
	}
	if counts, err := s.Counts(t.Context()); err != nil || counts.Pending != int64(len(pending)) {
		t.Errorf("%d are pending, %v, want %d", counts.Pending, err, len(pending))
	}
}

func TestPending(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(57)
		ids := []string{"a", "b", "c"}
		mustPut(t, s, m.put("a", 1, 2), m.put("b", 1, 1), m.put("c", 1, 0))
		checkPending(t, s, ids, "a", "b", "c")
		first := mustGet(t, s, "a").Revision
		in, out := news.Membership{StoryID: "s"}, news.Membership{StoryID: "other"}

		// Filed for the stored revision, as the member of a story and as a one-off.
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "a", Revision: first, Membership: in}, {ArticleID: "b", Revision: first}}})
		checkPending(t, s, ids, "c")
		// Without a revision the membership changes and filing does not.
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "a", Membership: out}, {ArticleID: "c", Membership: out}}})
		checkPending(t, s, ids, "c")
		if a, c := mustGet(t, s, "a"), mustGet(t, s, "c"); a.Membership != out || c.Membership != out {
			t.Errorf("filed as %+v and %+v, want %+v", a.Membership, c.Membership, out)
		}
		// Decided for a revision that was replaced since: nothing of the article changes, its
		// sections neither.
		mustPut(t, s, m.put("a", 2, 2))
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "a", Revision: first, Membership: in}}})
		checkPending(t, s, ids, "a", "c")
		if a, n := mustGet(t, s, "a"), sectionsOf(t, s, news.Filter{StoryIDs: []string{"other"}}); a.Membership != out || n != 2 {
			t.Errorf("filed as %+v, with %d sections, by a decision about another revision", a.Membership, n)
		}
		// Pending is stored with the article.
		s.Close()
		s = e.open(t)
		checkPending(t, s, ids, "a", "c")
		mustApply(t, s, &Plan{Memberships: []Membership{{ArticleID: "a", Revision: mustGet(t, s, "a").Revision, Membership: in}}})
		checkPending(t, s, ids, "c")
		if n := sectionsOf(t, s, news.Filter{StoryIDs: []string{"s"}}); n != 2 {
			t.Errorf("%d sections are filed, want 2", n)
		}
	})
}

// TestStoredBeforePending: articles of a program that did not record filing are not pending until
// they are put again.
func TestStoredBeforePending(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(58)
		old := m.put("old", 1, 0)
		old.Article.Revision = 5
		point, err := encodeArticle(&old.Article, &old.Vectors)
		if err == nil {
			delete(point.Payload, fieldFiled)
		}
		upsertPoint(t, s, s.names.articles, point, err)
		mustPut(t, s, m.put("new", 1, 0))
		checkPending(t, s, []string{"old", "new"}, "new")
		mustPut(t, s, m.put("old", 2, 0))
		checkPending(t, s, []string{"old", "new"}, "new", "old")
	})
}

// TestPutAndApplyTakeTurns holds a put between reading what is stored and writing. A plan that
// comes meanwhile waits, so that the put does not write back a membership that it had read. What
// was decided for the revision before is not applied then.
func TestPutAndApplyTakeTurns(t *testing.T) {
	for _, decided := range []bool{false, true} {
		t.Run(fmt.Sprintf("for a revision %v", decided), func(t *testing.T) {
			e := embeddedEnv(t)
			var armed atomic.Bool
			reached, release := make(chan struct{}), make(chan struct{})
			s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				if _, ok := req.(*qdrant.UpsertPoints); ok && armed.CompareAndSwap(true, false) {
					close(reached)
					<-release
				}
				return invoke(ctx, method, req, reply, cc, opts...)
			})
			m := newMaker(25)
			mustPut(t, s, m.put("a", 1, 1))
			filed := Membership{ArticleID: "a", Membership: news.Membership{StoryID: "s"}}
			want := filed.Membership
			if decided {
				filed.Revision, want = mustGet(t, s, "a").Revision, news.Membership{}
			}
			armed.Store(true)
			again := m.put("a", 2, 1)
			var wait sync.WaitGroup
			wait.Go(func() {
				if err := s.Put(t.Context(), []Put{again})[0]; err != nil {
					t.Error(err)
				}
			})
			<-reached
			applied := make(chan struct{})
			wait.Go(func() {
				defer close(applied)
				if err := s.Apply(t.Context(), &Plan{Memberships: []Membership{filed}}); err != nil {
					t.Error(err)
				}
			})
			select { // it waits for the put; if it did not, it would be done soon
			case <-applied:
				t.Error("a plan did not wait for a put of the article")
			case <-time.After(50 * time.Millisecond):
			}
			close(release)
			wait.Wait()
			if a := mustGet(t, s, "a"); a.Membership != want || a.Title != "a v2" {
				t.Errorf("%q is filed as %+v, want %+v", a.Title, a.Membership, want)
			}
			if n := sectionsOf(t, s, news.Filter{StoryIDs: []string{"s"}}); (n == 1) != (want.StoryID == "s") {
				t.Errorf("%d sections are filed", n)
			}
			checkPending(t, s, []string{"a"}, "a")
		})
	}
}

// TestClean: a store is clean unless the last writer did not close it, or a plan failed since the
// last repair.
func TestClean(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		f := &faults{}
		var s *Store
		step := func(what string, want bool) {
			t.Helper()
			if s.Clean() != want {
				t.Errorf("%s: clean %v, want %v", what, s.Clean(), want)
			}
		}
		reopen := func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			s = e.open(t, f.intercept)
		}
		p := &Plan{NewStories: []Story{story("s", 1)}}
		s = e.open(t, f.intercept)
		step("new", true)
		mustApply(t, s, p)
		reopen()
		step("closed and reopened", true)

		f.arm(0, false, false)
		if err := s.Apply(t.Context(), p); err == nil {
			t.Error("no failure")
		}
		f.disarm()
		step("after a failed plan", false)
		mustApply(t, s, p)
		step("after another plan", false)
		reopen()
		step("closed with a failure and reopened", false)
		reopen()
		step("reopened once more", false)
		s.SetClean(true)
		step("marked", true)
		reopen()
		step("marked and reopened", true)

		s.lease.stop() // a dead process renews nothing
		e.advance(2 * leaseTTL)
		s = e.open(t, f.intercept)
		step("after a process that died", false)
	})
}

// TestCleanOfPlansSideBySide: a plan that succeeds does not hide that another one failed meanwhile.
func TestCleanOfPlansSideBySide(t *testing.T) {
	e := embeddedEnv(t)
	reached, release := make(chan struct{}), make(chan struct{})
	s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if up, ok := req.(*qdrant.UpsertPoints); ok && strings.HasSuffix(up.GetCollectionName(), "_topics") {
			close(reached)
			<-release
		}
		if up, ok := req.(*qdrant.UpsertPoints); ok && strings.HasSuffix(up.GetCollectionName(), "_stories") {
			return errInjected
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := s.Apply(t.Context(), &Plan{Topics: []Topic{topic("t")}}); err != nil {
			t.Error(err)
		}
	})
	<-reached
	if err := s.Apply(t.Context(), &Plan{Stories: []Story{story("s", 1)}}); err == nil {
		t.Error("no failure")
	}
	close(release)
	wait.Wait()
	if s.Clean() {
		t.Error("clean after a failure")
	}
}

func TestPlansOneAfterTheOther(t *testing.T) {
	in := func(id, story string, revision int64) Membership {
		return Membership{ArticleID: id, Revision: revision, Membership: news.Membership{StoryID: story}}
	}
	p := Plan{NewStories: []Story{{Story: news.Story{ID: "s"}}}, Memberships: []Membership{in("a", "s", 3), in("b", "s", 0)},
		Events: []news.LedgerEvent{{Kind: news.Created, ID: "s"}}}
	p.Then(&Plan{Stories: []Story{{Story: news.Story{ID: "s"}}}, Memberships: []Membership{in("a", "t", 0), in("b", "t", 5), in("c", "t", 0)},
		DeletedStories: []string{"s"}, Events: []news.LedgerEvent{{Kind: news.Deleted, ID: "s"}}})
	want := Plan{NewStories: []Story{{Story: news.Story{ID: "s"}}}, Stories: []Story{{Story: news.Story{ID: "s"}}}, DeletedStories: []string{"s"},
		Memberships: []Membership{in("a", "s", 3), in("b", "s", 0), in("a", "t", 3), in("b", "t", 5), in("c", "t", 0)},
		Events:      []news.LedgerEvent{{Kind: news.Created, ID: "s"}, {Kind: news.Deleted, ID: "s"}}}
	if p.String() != want.String() || p.Memberships[2].Revision != 3 || p.Memberships[4].Revision != 0 {
		t.Errorf("got\n%swant\n%s", &p, &want)
	}
	empty := Plan{}
	if empty.Then(&Plan{}); !empty.Empty() {
		t.Errorf("two plans of nothing: %s", &empty)
	}
}
