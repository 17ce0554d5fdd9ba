package stories

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"throughline/cluster/vector"
	"throughline/internal/hierarchy"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/store"
)

// world is what is stored, in maps: plans are applied to it without any store.
type world struct {
	articles map[string]*store.Stored
	stories  map[string]*store.Story
	topics   map[string]*store.Topic
	ledger   map[news.Level]snapshot
	ids      int
}

func newWorld() *world {
	return &world{articles: map[string]*store.Stored{}, stories: map[string]*store.Story{}, topics: map[string]*store.Topic{}, ledger: newLedger()}
}

func (w *world) newID(kind string) string {
	w.ids++
	return fmt.Sprintf("%s-%03d", kind, w.ids)
}

// put stores an article, or another revision of it.
func (w *world) put(id string, seed uint64) *store.Stored {
	r := rand.New(rand.NewPCG(seed, 1))
	v := make([]float32, 8)
	for d := range v {
		v[d] = float32(r.NormFloat64())
	}
	vector.Normalize(v)
	s := &store.Stored{Vectors: store.Vectors{Dense: v, Lex: lexical.Analyze("", fmt.Sprint("word", seed%7, " word", seed%5))}}
	s.Article = news.Article{ID: id, Title: fmt.Sprint("Title ", seed%9), Source: fmt.Sprint("Outlet ", seed%3)}
	if seed%4 > 0 {
		s.Article.Published = time.Date(2031, 5, 1+int(seed%20), 0, 0, 0, 0, time.UTC)
	}
	if old := w.articles[id]; old != nil {
		s.Article.Membership, s.Article.Revision = old.Article.Membership, old.Article.Revision
	}
	s.Article.Revision++
	w.articles[id] = s
	return s
}

// apply carries out the first steps of a plan, in the order of store.Apply.
func (w *world) apply(p *store.Plan, steps int) {
	for i, step := range []func(){
		func() {
			for _, t := range p.Topics {
				w.topics[t.ID] = &t
			}
		},
		func() {
			for _, s := range p.NewStories {
				w.stories[s.ID] = &s
			}
		},
		func() {
			for _, m := range p.Memberships {
				if a := w.articles[m.ArticleID]; a != nil && (m.Revision == 0 || m.Revision == a.Article.Revision) {
					c := clone(a)
					c.Article.Membership = m.Membership
					w.articles[m.ArticleID] = c
				}
			}
		},
		func() {
			for _, s := range p.Stories {
				w.stories[s.ID] = &s
			}
		},
		func() {
			for _, id := range p.DeletedStories {
				delete(w.stories, id)
			}
		},
		func() {
			for _, id := range p.DeletedTopics {
				delete(w.topics, id)
			}
		},
		func() {
			for _, e := range p.Events {
				w.ledger[e.Level].applyEvent(e)
			}
		},
		func() {
			for _, m := range p.Memberships {
				if a := w.articles[m.ArticleID]; a != nil && m.Revision == a.Article.Revision {
					c := clone(a)
					c.Article.FiledRevision = m.Revision
					w.articles[m.ArticleID] = c
				}
			}
		},
	} {
		if i < steps {
			step()
		}
	}
}

const allSteps = 8

func (w *world) sorted() []*store.Stored {
	return slices.SortedFunc(maps.Values(w.articles), byArticleID)
}

func (w *world) surroundings(but string, ids ...string) Surroundings {
	s := Surroundings{Stories: map[string]*store.Story{}, Members: map[string][]*store.Stored{}, Texts: map[string]string{}}
	for _, id := range ids {
		if w.stories[id] == nil || s.Stories[id] != nil {
			continue
		}
		s.Stories[id] = w.stories[id]
		for _, a := range w.sorted() {
			if a.Article.StoryID == id && a.Article.ID != but {
				s.Members[id] = append(s.Members[id], a)
			}
		}
	}
	return s
}

// check fails where what is stored does not fit together. Descriptions may lag behind where filing
// is pending.
func (w *world) check(t *rapid.T) {
	members := map[string][]*store.Stored{}
	for _, a := range w.sorted() {
		if id := a.Article.StoryID; id != "" {
			members[id] = append(members[id], a)
		}
		for _, id := range a.Article.TopicIDs() {
			if w.topics[id] == nil || w.topics[id].MergedInto != "" {
				t.Fatalf("%s names topic %s, which is stored as %+v", a.Article.ID, id, w.topics[id])
			}
		}
	}
	stored := newLedger()
	lives := stored[""]
	for id, topic := range w.topics {
		if topic.MergedInto == "" {
			stored[topic.Level][id] = entryOf(topic.Title)
		}
	}
	for id, s := range w.stories {
		if s.MergedInto != "" {
			if len(members[id]) > 0 {
				t.Fatalf("story %s was merged away and has articles", id)
			}
			continue
		}
		in := members[id]
		lives[id] = entryOf(s.Title, idsOf(in)...)
		if len(in) < 2 || s.Articles != len(in) || !lives[id].members[s.Representative] {
			t.Fatalf("story %s counts %d articles and has %d, its representative is %s", id, s.Articles, len(in), s.Representative)
		}
		reports, outlets := independent(articles(in))
		if s.IndependentReports != reports || s.IndependentSources != outlets {
			t.Fatalf("story %s counts %d reports of %d sources, it has %d of %d", id, s.IndependentReports, s.IndependentSources, reports, outlets)
		}
	}
	for id := range members {
		if w.stories[id] == nil {
			t.Fatalf("story %s has articles and is not stored", id)
		}
	}
	for _, a := range w.articles {
		of := w.articles[a.Article.CopyOf]
		if a.Article.CopyOf != "" && (of == nil || of.Article.StoryID != a.Article.StoryID || of.Article.CopyOf != "" || a.Article.StoryID == "") {
			t.Fatalf("%s is a copy of %s: %+v", a.Article.ID, a.Article.CopyOf, of)
		}
	}
	if !sameLedger(stored, w.ledger) {
		t.Fatalf("the ledger lists %v, stored is %v", w.ledger, stored)
	}
}

// anyGrouping draws what an arrival, some stories and some one-offs become: the plan must be right
// whatever the comparison says.
func (w *world) anyGrouping(t *rapid.T, arrival string) (*Grouping, Surroundings) {
	g := &Grouping{}
	if own := w.articles[arrival].Article.StoryID; own != "" {
		g.Stories = []string{own}
	}
	for _, id := range slices.Sorted(maps.Keys(w.stories)) {
		if w.stories[id].MergedInto == "" && !slices.Contains(g.Stories, id) && rapid.Bool().Draw(t, "near") {
			g.Stories = append(g.Stories, id)
		}
	}
	s := w.surroundings(arrival, g.Stories...)
	groups := make([]Group, 3)
	join := func(id string) {
		if to := rapid.IntRange(-1, len(groups)-1).Draw(t, "group"); to >= 0 {
			groups[to].Articles = append(groups[to].Articles, id)
			groups[to].Probability = append(groups[to].Probability, rapid.Float64Range(0, 1).Draw(t, "probability"))
		}
	}
	join(arrival)
	for _, id := range g.Stories {
		if len(s.Members[id]) > 1 && rapid.Bool().Draw(t, "whole") {
			to := rapid.IntRange(0, len(groups)-1).Draw(t, "group")
			groups[to].Stories = append(groups[to].Stories, id)
			continue
		}
		for _, m := range s.Members[id] {
			join(m.Article.ID)
		}
	}
	for _, a := range w.sorted() {
		id := a.Article.ID
		if id != arrival && a.Article.StoryID == "" && rapid.Bool().Draw(t, "near") {
			s.OneOffs = append(s.OneOffs, a)
			join(id)
		}
		if id != arrival && rapid.IntRange(0, 9).Draw(t, "copy") == 0 {
			g.Copies = append(g.Copies, id)
		}
	}
	for _, group := range groups {
		if len(group.Stories) > 0 || len(group.Articles) > 1 {
			g.Groups = append(g.Groups, group)
		}
	}
	if topic := rapid.SampledFrom(append(slices.Sorted(maps.Keys(w.topics)), "")).Draw(t, "topic"); topic != "" && w.topics[topic].Level == news.LevelTopic && w.topics[topic].MergedInto == "" {
		g.TopicID = topic
	}
	return g, s
}

// anyHierarchy draws labels of so many articles that nest.
func anyHierarchy(t *rapid.T, n int) *hierarchy.Hierarchy {
	h := &hierarchy.Hierarchy{Copy: make([]int32, n), Story: make([]int32, n), Topic: make([]int32, n), Theme: make([]int32, n), Membership: make([]float32, n)}
	stories := rapid.IntRange(1, max(1, n/2)).Draw(t, "stories")
	for i := range n {
		h.Story[i] = int32(rapid.IntRange(-1, stories-1).Draw(t, "label"))
	}
	sizes := map[int32]int{}
	for _, l := range h.Story {
		sizes[l]++
	}
	for i, l := range h.Story {
		if h.Copy[i] = -1; l >= 0 && sizes[l] < 2 {
			h.Story[i] = -1
		} else if l >= 0 {
			h.Membership[i] = .5
			if rapid.IntRange(0, 3).Draw(t, "copied") == 0 {
				h.Copy[i] = l
			}
		}
		if h.Topic[i] = h.Story[i] % 2; h.Topic[i] >= 0 {
			h.Theme[i] = 0
		} else {
			h.Topic[i], h.Theme[i] = -1, -1
		}
	}
	for _, labels := range [][]int32{h.Copy, h.Story, h.Topic, h.Theme} {
		renumber(labels)
	}
	return h
}

// renumber numbers labels from 0 in the order of their first members, and drops those that occur
// once.
func renumber(labels []int32) {
	sizes, number := map[int32]int{}, map[int32]int32{-1: -1}
	for _, l := range labels {
		sizes[l]++
	}
	for i, l := range labels {
		if l >= 0 && sizes[l] < 2 {
			l = -1
		}
		if _, ok := number[l]; !ok {
			number[l] = int32(len(number) - 1)
		}
		labels[i] = number[l]
	}
}

// repair carries out what PlanRepair plans.
func (w *world) repair() {
	_, need := PlanRepair(w.remains(), nil)
	described := map[string][]*store.Stored{}
	for id, articleIDs := range need {
		for _, a := range articleIDs {
			described[id] = append(described[id], w.articles[a])
		}
	}
	plan, _ := PlanRepair(w.remains(), described)
	w.apply(plan, allSteps)
}

func (w *world) remains() *Remains {
	r := &Remains{Stories: maps.Clone(w.stories), Topics: maps.Clone(w.topics), Ledger: newLedger()}
	for level, entries := range w.ledger {
		for id, e := range entries {
			r.Ledger[level][id] = entryOf(e.title, e.sorted()...)
		}
	}
	for _, a := range w.sorted() {
		r.Articles = append(r.Articles, &clone(a).Article)
	}
	return r
}

// TestPlansKeepTheWorldWhole plans arrivals, removals and arrangements that draw what belongs
// together, applies them wholly or in part, and repairs after a part: everything fits together,
// nothing that was given is changed, and what is pending is filed in the end.
func TestPlansKeepTheWorldWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		for range rapid.IntRange(1, 25).Draw(t, "operations") {
			before := printed(w)
			var plan *store.Plan
			switch op := rapid.SampledFrom([]string{"put", "put", "put", "delete", "arrange"}).Draw(t, "operation"); op {
			case "put":
				id := fmt.Sprint("a", rapid.IntRange(0, 11).Draw(t, "article"))
				a := w.put(id, rapid.Uint64Range(0, 99).Draw(t, "text"))
				before = printed(w)
				g, s := w.anyGrouping(t, id)
				plan = PlanFiling(a, g, s, w.newID)
				if !slices.ContainsFunc(plan.Memberships, func(m store.Membership) bool { return m.ArticleID == id && m.Revision == a.Article.Revision }) {
					t.Fatalf("the plan does not file %s:\n%s", id, plan)
				}
			case "delete":
				if len(w.articles) == 0 {
					continue
				}
				a := rapid.SampledFrom(w.sorted()).Draw(t, "deleted")
				delete(w.articles, a.Article.ID)
				before = printed(w)
				plan = PlanRemoval(a.Article.ID, a.Article.StoryID, w.surroundings(a.Article.ID, a.Article.StoryID))
			case "arrange":
				inv := &Inventory{Articles: w.sorted(), Stories: map[string]*store.Story{}, Topics: maps.Clone(w.topics)}
				maps.DeleteFunc(inv.Topics, func(_ string, t *store.Topic) bool { return t.MergedInto != "" })
				for id, s := range w.stories {
					if s.MergedInto == "" {
						inv.Stories[id] = s
					}
				}
				h := anyHierarchy(t, len(inv.Articles))
				a := PlanArrangement(inv, h, nil, w.newID)
				plan = &a.Plan
				if len(a.Memberships) != len(inv.Articles) {
					t.Fatalf("%d memberships of %d articles", len(a.Memberships), len(inv.Articles))
				}
			}
			if after := printed(w); after != before {
				t.Fatalf("planning changed what it was given:\n%s\nnow\n%s", before, after)
			}
			if plan.Empty() != (plan.String() == "") {
				t.Fatalf("the plan prints as %q", plan)
			}
			if steps := rapid.IntRange(0, allSteps+3).Draw(t, "steps"); steps < allSteps {
				w.apply(plan, steps)
				w.repair()
				if again, _ := PlanRepair(w.remains(), nil); !again.Empty() {
					t.Fatalf("a repair leaves something to repair:\n%s", again)
				}
			} else {
				w.apply(plan, allSteps)
			}
			w.check(t)
		}
		for _, a := range w.sorted() { // whoever looks for what is pending finds it
			if a.Article.FiledRevision != a.Article.Revision {
				w.apply(PlanFiling(a, &Grouping{}, w.surroundings(a.Article.ID, a.Article.StoryID), w.newID), allSteps)
			}
		}
		w.check(t)
		for _, a := range w.articles {
			if a.Article.FiledRevision != a.Article.Revision {
				t.Fatalf("%s is still pending", a.Article.ID)
			}
		}
	})
}

// printed prints everything that is stored.
func printed(w *world) string {
	var b strings.Builder
	for _, a := range w.sorted() {
		fmt.Fprintf(&b, "%+v\n", a.Article)
	}
	for _, id := range slices.Sorted(maps.Keys(w.stories)) {
		fmt.Fprintf(&b, "%+v\n", *w.stories[id])
	}
	for _, id := range slices.Sorted(maps.Keys(w.topics)) {
		fmt.Fprintf(&b, "%+v\n", *w.topics[id])
	}
	return b.String()
}

// A plan reads like what it does.
func TestPlanOfAnArrival(t *testing.T) {
	w := newWorld()
	first, second := w.put("a", 1), w.put("b", 2)
	w.apply(PlanFiling(first, &Grouping{}, w.surroundings("a"), w.newID), allSteps)
	s := w.surroundings("b")
	s.OneOffs, s.Texts = []*store.Stored{w.articles["a"]}, map[string]string{"a": "Heron seen. Heron gone.", "b": "A heron."}
	g := &Grouping{Groups: []Group{{Articles: []string{"b", "a"}, Probability: []float64{.75, .75}}}, Copies: []string{"a"}}
	plan := PlanFiling(second, g, s, w.newID)
	const want = `topic topic-002 "Heron, Title": 1 stories, 2 articles
new story story-001 "Title 1": 2 articles
article b: story story-001, topic topic-002, theme -, copy of a, probability 0.75, filed
article a: story story-001, topic topic-002, theme -, copy of -, probability 0.75
ledger: created story-001 a b
ledger: created topic-002
`
	got := strings.Split(plan.String(), "\n")
	slices.Sort(got)
	wanted := strings.Split(want, "\n")
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("the plan is\n%s\nwant\n%s", plan, want)
	}
}
