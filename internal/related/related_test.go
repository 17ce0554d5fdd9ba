package related

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// fill stores what the tests below ask about: a report on a flood and a dam, what was written about
// either, and others.
func (h *harness) fill() {
	h.Helper()
	at := func(id, source, story string, days int) news.Article {
		return news.Article{ID: id, Title: "About " + id, Source: source, Published: h.now.AddDate(0, 0, days), Membership: news.Membership{StoryID: story}}
	}
	h.put(at("seed", "Post", "flood", -10), words("flood", 0, 30), words("dam", 0, 30))
	h.put(at("angle", "Times", "flood", -10), words("flood", 3, 27), words("dam", 5, 25), words("rain", 0, 20))
	h.put(at("later", "times", "flood", -2), words("flood", 2, 28), words("repair", 0, 14))
	h.put(at("dam", "Post", "", -10), words("dam", 0, 28), words("concrete", 0, 12))
	h.put(at("other", "Herald", "vote", -10), words("vote", 0, 40))
	wire := at("copy", "Herald", "flood", -9)
	wire.CopyOf = "seed"
	h.put(wire, words("flood", 0, 30), words("dam", 0, 30))
	undated := at("undated", "", "flood", 0)
	undated.Published = time.Time{}
	h.put(undated, words("flood", 6, 24), words("dam", 15, 15), words("mud", 0, 12))
}

func TestRelated(t *testing.T) {
	h := setUp(t)
	h.fill()
	section := func(n int) *int { return &n }
	seed := Seed{ArticleID: "seed"}
	for _, c := range []struct {
		name string
		req  Request
		want []string
	}{
		{"an article", Request{Seed: seed}, []string{"angle", "undated", "later", "dam"}},
		{"its second section", Request{Seed: Seed{ArticleID: "seed", Section: section(1)}}, []string{"dam", "angle", "undated", "later"}},
		{"with copies", Request{Seed: seed, ListOptions: ListOptions{IncludeCopies: true}}, []string{"copy", "angle", "undated", "later", "dam"}},
		{"copies only", Request{Seed: seed, Relations: []score.Relation{score.RelationCopy}}, []string{"copy"}},
		{"of a copy", Request{Seed: Seed{ArticleID: "copy"}}, []string{"angle", "undated", "later", "dam"}},
		{"follow-ups only", Request{Seed: seed, Relations: []score.Relation{score.RelationFollowUp}}, []string{"later"}},
		{"surely the same", Request{Seed: seed, MinProbability: 0.9}, []string{"angle", "undated", "later"}},
		{"two", Request{Seed: seed, ListOptions: ListOptions{Limit: 2}}, []string{"angle", "undated"}},
		{"articles excluded", Request{Seed: seed, ListOptions: ListOptions{ExcludeArticles: []string{"undated", "none"}}}, []string{"angle", "later", "dam"}},
		{"stories excluded", Request{Seed: seed, ListOptions: ListOptions{ExcludeStories: []string{"flood"}}}, []string{"dam"}},
		{"filtered", Request{Seed: seed, ListOptions: ListOptions{Filter: news.Filter{Sources: []string{"Post"}, ExcludeArticleIDs: []string{"x"}}}}, []string{"dam"}},
		{"published then", Request{Seed: seed, ListOptions: ListOptions{Filter: news.Filter{After: h.now.AddDate(0, 0, -5)}}}, []string{"later"}},
		{"one of a source, whatever its case", Request{Seed: seed, ListOptions: ListOptions{MaxPerSource: 1}}, []string{"angle", "undated", "dam"}},
		{"one of a story; one-offs are not counted", Request{Seed: seed, ListOptions: ListOptions{MaxPerStory: 1}}, []string{"angle", "dam"}},
		{"the newest first", Request{Seed: seed, ListOptions: ListOptions{HalfLife: 24 * time.Hour}}, []string{"undated", "later", "angle", "dam"}},
		{"a text", Request{Seed: Seed{Draft: draft(words("flood", 0, 26) + " " + words("boat", 0, 20))}}, []string{"later", "copy", "angle", "undated"}},
		{"a text that is stored", Request{Seed: Seed{Draft: draft(words("flood", 0, 30) + "\n\n" + words("dam", 0, 30))}}, []string{"angle", "undated", "later", "dam"}},
		{"a text that is stored, with copies", Request{Seed: Seed{Draft: draft(words("vote", 0, 40))}, ListOptions: ListOptions{IncludeCopies: true}}, []string{"other"}},
		{"a text on nothing", Request{Seed: Seed{Draft: draft("Something else")}}, nil},
		{"an article with nothing like it", Request{Seed: Seed{ArticleID: "other"}, MinProbability: 0.1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.related(c.req)
			if !slices.Equal(idsOf(got), c.want) {
				for _, r := range got {
					t.Logf("%s %.3f %.3f %s", r.Article.ID, r.Score, r.Probability, r.Relation)
				}
				t.Errorf("got %q, want %q", idsOf(got), c.want)
			}
			for i, r := range got {
				if i > 0 && r.Score > got[i-1].Score || r.Score < 0 || r.Score > 1 || r.Probability < 0 || r.Probability > 1 {
					t.Errorf("%s: score %v after %v, probability %v", r.Article.ID, r.Score, got[max(i-1, 0)].Score, r.Probability)
				}
			}
		})
	}
}

func TestRelations(t *testing.T) {
	h := setUp(t)
	h.fill()
	relations := func(req Request) map[string]score.Relation {
		out := make(map[string]score.Relation)
		for _, r := range h.related(req) {
			out[r.Article.ID] = r.Relation
		}
		return out
	}
	got := relations(Request{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{IncludeCopies: true}})
	for id, want := range map[string]score.Relation{
		"copy": score.RelationCopy, "angle": score.RelationSameStory, "later": score.RelationFollowUp, "undated": score.RelationSameStory,
	} {
		if got[id] != want {
			t.Errorf("%s is %s, want %s", id, got[id], want)
		}
	}
	// Copies that are marked are copies, whatever became of their texts; and the copies of a copy.
	h.put(news.Article{ID: "edited", Title: "Edited", Membership: news.Membership{CopyOf: "seed"}}, words("flood", 10, 20), words("dam", 9, 21), words("edit", 0, 30))
	if got := relations(Request{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{IncludeCopies: true}}); got["edited"] != score.RelationCopy {
		t.Errorf("a marked copy is %s", got["edited"])
	}
	text := Seed{Draft: draft(words("flood", 0, 30) + "\n\n" + words("dam", 0, 30))}
	if got := relations(Request{Seed: text, ListOptions: ListOptions{IncludeCopies: true}}); got["edited"] != score.RelationCopy || got["seed"] != score.RelationCopy {
		t.Errorf("of its text, the seed is %s and its edited copy %s", got["seed"], got["edited"])
	}
	liked := relations(Request{Seed: Seed{Liked: []string{"dam", "seed"}}, ListOptions: ListOptions{IncludeCopies: true}})
	if liked["copy"] != score.RelationCopy || liked["edited"] != score.RelationCopy {
		t.Errorf("of a liked article: %v", liked)
	}
	for id := range relations(Request{Seed: Seed{Liked: []string{"dam", "seed"}}}) {
		if id == "copy" || id == "edited" {
			t.Errorf("%s was not asked for", id)
		}
	}
}

// Copies of each other are shown once, the best of them.
func TestCopiesOfEachOther(t *testing.T) {
	h := setUp(t)
	h.put(news.Article{ID: "seed", Title: "Seed"}, words("flood", 0, 40))
	h.put(news.Article{ID: "a", Title: "A", Membership: news.Membership{CopyOf: "b"}}, words("flood", 10, 40))
	h.put(news.Article{ID: "b", Title: "B"}, words("flood", 10, 40)+" "+words("more", 0, 4))
	h.put(news.Article{ID: "c", Title: "C", Membership: news.Membership{CopyOf: "gone"}}, words("flood", 12, 40))
	h.put(news.Article{ID: "d", Title: "D", Membership: news.Membership{CopyOf: "gone"}}, words("flood", 13, 40))
	if got := idsOf(h.related(Request{Seed: Seed{ArticleID: "seed"}})); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("got %q", got)
	}
	if got := idsOf(h.related(Request{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{IncludeCopies: true}})); len(got) != 4 {
		t.Errorf("with copies %q", got)
	}
	found, err := h.Search(context.Background(), SearchRequest{Query: words("flood", 20, 3)})
	h.must(err)
	if got := idsOf(h.page(found)); len(got) != 3 {
		t.Errorf("a search shows %q", got)
	}
}

func TestStorySeed(t *testing.T) {
	h := setUp(t)
	ctx := context.Background()
	day := func(d int) time.Time { return h.now.AddDate(0, 0, d) }
	var members []*store.Stored
	put := func(id string, published time.Time, story string, texts ...string) {
		h.put(news.Article{ID: id, Title: "T", Published: published, Membership: news.Membership{StoryID: story}}, texts...)
		found, err := h.store.Get(ctx, []string{id}, store.WithVectors)
		h.must(err)
		if story != "" {
			members = append(members, found[0])
		}
	}
	put("first", day(-20), "s", words("flood", 0, 40))
	put("last", day(-10), "s", words("flood", 5, 40))
	put("before", day(-40), "", words("flood", 2, 40))
	put("inside", day(-15), "", words("flood", 3, 40))
	put("after", day(0), "", words("flood", 4, 40))
	put("undated", time.Time{}, "", words("flood", 4, 40))
	put("short", day(-12), "", words("flood", 10, 25))

	story := store.Story{Story: news.Story{ID: "s", Title: "Flood", Articles: 2, First: day(-20), Last: day(-10), Representative: "last"}}
	story.Dense = make([]float32, dims)
	for _, m := range members {
		for i, x := range m.Vectors.Dense {
			story.Dense[i] += x / 2
		}
	}
	story.Lex.Full = members[0].Vectors.Lex.Full // enough of a mean for here
	merged := store.Story{Story: news.Story{ID: "old", MergedInto: "s"}}
	h.must(h.store.Apply(ctx, &store.Plan{Stories: []store.Story{story, merged, {Story: news.Story{ID: "bare", Title: "Without vectors"}}}}))
	if _, err := h.Related(ctx, Request{Seed: Seed{StoryID: "bare"}}); !errors.Is(err, ErrNoVectors) {
		t.Errorf("a story without vectors: %v", err)
	}

	got := h.related(Request{Seed: Seed{StoryID: "old"}, ListOptions: ListOptions{ExcludeStories: []string{"s"}}})
	relation := make(map[string]score.Relation)
	for _, r := range got {
		relation[r.Article.ID] = r.Relation
		if len(r.Evidence) == 0 || r.Evidence[0].SeedSection != 0 {
			t.Errorf("%s: evidence %+v", r.Article.ID, r.Evidence)
		}
	}
	want := map[string]score.Relation{
		// Its own words are all among those of the story, and yet none of these is a copy of it.
		"inside": score.RelationSameStory, "short": score.RelationSameStory, "undated": score.RelationSameStory,
		"before": score.RelationSameStory, "after": score.RelationFollowUp,
	}
	for id, r := range want {
		if relation[id] != r {
			t.Errorf("%s is %s, want %s", id, relation[id], r)
		}
	}
	if len(h.related(Request{Seed: Seed{StoryID: "s"}})) != 7 {
		t.Error("the articles of the story are not among what is related to it")
	}
	for _, r := range h.related(Request{Seed: Seed{StoryID: "s"}, ListOptions: ListOptions{Explain: true}}) {
		days, dated := r.Signals["days_apart"]
		if wants := map[string]float64{"before": 20, "inside": 0, "first": 0, "last": 0, "after": 10, "short": 0}; dated != (r.Article.ID != "undated") || days != wants[r.Article.ID] {
			t.Errorf("%s is %v days from the story, known: %v", r.Article.ID, days, dated)
		}
	}
}

func TestLiked(t *testing.T) {
	h := setUp(t)
	h.fill()
	h.put(news.Article{ID: "poll", Title: "Poll"}, words("vote", 5, 40))
	got := h.related(Request{Seed: Seed{Liked: []string{"seed", "other", "seed"}}})
	if ids := idsOf(got); slices.Contains(ids, "seed") || slices.Contains(ids, "other") || slices.Contains(ids, "copy") || !slices.Contains(ids, "poll") || !slices.Contains(ids, "angle") {
		t.Errorf("got %q", ids)
	}
	for _, r := range got {
		if len(r.Evidence) == 0 || r.Evidence[0].SeedSection != -1 || r.Evidence[0].Similarity <= 0 || r.Evidence[0].Snippet == "" {
			t.Errorf("%s: evidence %+v", r.Article.ID, r.Evidence)
		}
	}
	score := func(req Request) map[string]float64 {
		out := make(map[string]float64)
		for _, r := range h.related(req) {
			out[r.Article.ID] = r.Score
		}
		return out
	}
	plain := score(Request{Seed: Seed{Liked: []string{"seed", "other"}}})
	without := score(Request{Seed: Seed{Liked: []string{"seed", "other"}, Disliked: []string{"dam"}}})
	if without["angle"] >= plain["angle"] || without["poll"]/plain["poll"] < 0.8 {
		t.Errorf("plain %v, with a dislike %v", plain, without)
	}
	if _, ok := without["dam"]; ok {
		t.Error("the disliked article is a result")
	}
	// Disliking many things that have nothing to do with it takes nothing away.
	var disliked []string
	for i := range 30 {
		id := fmt.Sprint("dull", i)
		h.put(news.Article{ID: id, Title: "Dull"}, words(id, 0, 30))
		disliked = append(disliked, id)
	}
	plain = score(Request{Seed: Seed{Liked: []string{"seed", "other"}}})
	many := score(Request{Seed: Seed{Liked: []string{"seed", "other"}, Disliked: disliked}})
	for _, id := range []string{"angle", "later", "poll", "undated"} {
		if plain[id] == 0 || many[id] < 0.7*plain[id] {
			t.Errorf("%s scored %v, with thirty dislikes of other things %v", id, plain[id], many[id])
		}
	}
}

func TestEvidence(t *testing.T) {
	h := setUp(t)
	h.fill()
	byID := func(results []Result) map[string]Result {
		out := make(map[string]Result)
		for _, r := range results {
			out[r.Article.ID] = r
		}
		return out
	}
	got := byID(h.related(Request{Seed: Seed{ArticleID: "seed"}}))
	for id, want := range map[string][][2]int{ // {seed section, section} of the two best pairs
		"angle": {{0, 0}, {1, 1}}, "dam": {{1, 0}},
	} {
		for i, pair := range want {
			e := got[id].Evidence[i]
			if e.SeedSection != pair[0] || e.Section != pair[1] || e.Similarity <= 0.5 || e.Similarity > 1 || e.Snippet == "" {
				t.Errorf("%s: pair %d is %+v, want %v", id, i, e, pair)
			}
		}
	}
	if e := got["angle"].Evidence[1]; e.Heading != "Part 1" || !strings.HasPrefix(words("dam", 5, 25), e.Snippet) || e.Snippet == "" {
		t.Errorf("evidence %+v", e)
	}
	one := 1
	for _, r := range h.related(Request{Seed: Seed{ArticleID: "seed", Section: &one}, ListOptions: ListOptions{Explain: true}}) {
		for _, e := range r.Evidence {
			if e.SeedSection != 1 {
				t.Errorf("%s: the seed is section 1, the evidence %+v", r.Article.ID, e)
			}
		}
		if r.Signals["section"] != r.Evidence[0].Similarity {
			t.Errorf("%s: signal %v, evidence %v", r.Article.ID, r.Signals["section"], r.Evidence[0].Similarity)
		}
	}
	// A headline without text has no sections, and stands for itself.
	h.put(news.Article{ID: "headline", Title: words("flood", 0, 12)})
	head := h.related(Request{Seed: Seed{ArticleID: "headline"}})
	if len(head) == 0 || len(head[0].Evidence) == 0 || head[0].Evidence[0].SeedSection != -1 {
		t.Errorf("of a headline: %+v", head)
	}
	if r, ok := byID(h.related(Request{Seed: Seed{Draft: draft(words("flood", 0, 14))}}))["headline"]; !ok || len(r.Evidence) != 0 {
		t.Errorf("the headline as a result: %+v, %v", r, ok)
	}
}

// TestProbabilitiesFollowTheThreshold asks the same twice, before and after a State with a lower
// threshold.
func TestProbabilitiesFollowTheThreshold(t *testing.T) {
	h := setUp(t)
	h.fill()
	ask := func() (*List, Result) {
		t.Helper()
		list, err := h.Related(context.Background(), Request{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{Explain: true}})
		h.must(err)
		return list, h.page(list)[0]
	}
	before, first := ask()
	threshold := h.states.state.Threshold.BreakEven
	h.publish(func(s *score.State) { s.Threshold.BreakEven = threshold - 3 })
	after, second := ask()
	if first.Article.ID != second.Article.ID || first.Signals["logit"] != second.Signals["logit"] {
		t.Fatalf("%s at %v, then %s at %v", first.Article.ID, first.Signals["logit"], second.Article.ID, second.Signals["logit"])
	}
	if first.Signals["cut"] != threshold || second.Signals["cut"] != threshold-3 || second.Probability <= first.Probability {
		t.Errorf("threshold %v and probability %v, then %v and %v", first.Signals["cut"], first.Probability, second.Signals["cut"], second.Probability)
	}
	if after.State() != before.State()+1 || after.State() != h.states.state.Version {
		t.Errorf("lists of the States %d and %d, the last one is %d", before.State(), after.State(), h.states.state.Version)
	}
}

// TestListKeepsItsState reads a page after another State was published, with other weights and
// statistics.
func TestListKeepsItsState(t *testing.T) {
	h := setUp(t)
	h.fill()
	for name, ask := range map[string]func() (*List, error){
		"related": func() (*List, error) {
			return h.Related(context.Background(), Request{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{Explain: true}})
		},
		"search": func() (*List, error) {
			return h.Search(context.Background(), SearchRequest{Query: "flood3 dam7", ListOptions: ListOptions{Explain: true}})
		},
	} {
		list, err := ask()
		h.must(err)
		version, was := list.State(), h.page(list)
		h.publish(func(s *score.State) {
			s.Model, s.Threshold.BreakEven = score.Default(), 7
			s.Stats = score.NewStatsBuilder().Stats(score.DefaultBackground())
		})
		if diff := cmp.Diff(was, h.page(list)); diff != "" || list.State() != version {
			t.Errorf("%s: a list of the State %d is one of %d after another was published (-was +now):\n%s", name, version, list.State(), diff)
		}
		again, err := ask()
		h.must(err)
		if cmp.Equal(was, h.page(again)) || again.State() != version+1 {
			t.Errorf("%s: asked again, the list is of the State %d and the same", name, again.State())
		}
		h.publish(func(s *score.State) { s.Model, s.Threshold = byWords(), byWords().DefaultThreshold() })
	}
}

// What each signal gave sums to the log-odds that the score is made of.
func TestScoresExplainThemselves(t *testing.T) {
	h := setUp(t)
	h.publish(func(s *score.State) { s.Model, s.Threshold = score.Default(), score.Default().DefaultThreshold() }) // all signals
	h.fill()
	h.put(news.Article{ID: "copied", Title: "Copied", Published: h.now}, words("flood", 0, 30), words("dam", 0, 30))
	second := 1
	for _, seed := range []Seed{{ArticleID: "seed"}, {ArticleID: "seed", Section: &second}, {Draft: draft(words("flood", 0, 26))}, {Liked: []string{"seed", "other"}}} {
		results := h.related(Request{Seed: seed, ListOptions: ListOptions{Explain: true, IncludeCopies: true}})
		if len(results) == 0 {
			t.Fatalf("nothing is related to %+v", seed)
		}
		for _, r := range results {
			sum := 0.0
			for _, gave := range r.Contributions {
				sum += gave
			}
			logit := r.Signals["logit"]
			if math.Abs(sum-logit) > 1e-9 || r.Signals["cut"] != h.states.state.Threshold.BreakEven {
				t.Errorf("%s: %v sum to %v, the logit is %v; stories end at %v", r.Article.ID, r.Contributions, sum, logit, r.Signals["cut"])
			}
			if of, ok := r.Signals["section_logit"]; ok != (seed.Section != nil) {
				t.Errorf("%s: the log-odds of a section are given: %v", r.Article.ID, ok)
			} else if ok {
				logit = of // the order is that of the section
			}
			if score := (1-relatednessWeight)/(1+math.Exp(-logit/logitTemperature)) + relatednessWeight*r.Signals["relatedness"]; math.Abs(score-r.Score) > 1e-9 {
				t.Errorf("%s: the signals give a score of %v, not %v", r.Article.ID, score, r.Score)
			}
			if (r.Signals["verbatim"] > .9) != (r.Article.ID == "copied" || r.Article.ID == "copy") && seed.ArticleID != "" {
				t.Errorf("%s: %v of the seed's text", r.Article.ID, r.Signals["verbatim"])
			}
		}
	}
	for _, r := range h.related(Request{Seed: Seed{ArticleID: "seed"}}) {
		if r.Signals != nil || r.Contributions != nil {
			t.Errorf("%s explains itself unasked", r.Article.ID)
		}
	}
}

// With no article, with one, and with a seed that is alone, there is nothing, and that is no error.
func TestNothingToFind(t *testing.T) {
	h := setUp(t)
	empty := func(list *List, err error) {
		t.Helper()
		h.must(err)
		if list.Len() != 0 || list.Partial() {
			t.Errorf("%d results, partial %v", list.Len(), list.Partial())
		}
		if page, err := list.Page(context.Background(), 0, 10); err != nil || len(page) != 0 {
			t.Errorf("a page of %d, %v", len(page), err)
		}
	}
	ctx := context.Background()
	empty(h.Related(ctx, Request{Seed: Seed{Draft: draft("A text about floods")}}))
	empty(h.Search(ctx, SearchRequest{Query: "floods"}))
	h.put(news.Article{ID: "only", Title: "Only"}, words("flood", 0, 30))
	empty(h.Related(ctx, Request{Seed: Seed{ArticleID: "only"}}))
	empty(h.Related(ctx, Request{Seed: Seed{Liked: []string{"only"}}}))
}

func TestPages(t *testing.T) {
	h := setUp(t)
	h.fill()
	ctx := context.Background()
	list, err := h.Related(ctx, Request{Seed: Seed{ArticleID: "seed"}})
	h.must(err)
	all := h.page(list)
	for _, c := range []struct{ offset, n, from, to int }{
		{0, 2, 0, 2}, {2, 2, 2, 4}, {3, 5, 3, 4}, {4, 5, 4, 4}, {9, 1, 4, 4}, {-3, 1, 0, 1}, {1, 0, 1, 1}, {0, -1, 0, 0}, {1, math.MaxInt, 1, 4},
	} {
		page, err := list.Page(ctx, c.offset, c.n)
		if err != nil || !slices.Equal(idsOf(page), idsOf(all[c.from:c.to])) {
			t.Errorf("Page(%d, %d) = %q, %v", c.offset, c.n, idsOf(page), err)
		}
	}
	h.must(h.store.Delete(ctx, all[0].Article.ID))
	page, err := list.Page(ctx, 0, 2)
	if err != nil || !slices.Equal(idsOf(page), idsOf(all[:2])) || len(page[0].Evidence) != 0 || len(page[1].Evidence) == 0 {
		t.Errorf("after a deletion: %+v, %v", page, err)
	}
}

func TestFieldErrors(t *testing.T) {
	h := setUp(t)
	h.fill()
	section := func(n int) *int { return &n }
	seed := Seed{ArticleID: "seed"}
	for _, c := range []struct {
		field string
		req   Request
	}{
		{"article_id", Request{}},
		{"article_id", Request{Seed: Seed{ArticleID: "seed", Draft: draft("x")}}},
		{"article_id", Request{Seed: Seed{StoryID: "s", Liked: []string{"seed"}}}},
		{"section", Request{Seed: Seed{Draft: draft("x"), Section: section(0)}}},
		{"section", Request{Seed: Seed{ArticleID: "seed", Section: section(2)}}},
		{"section", Request{Seed: Seed{ArticleID: "seed", Section: section(-1)}}},
		{"disliked_article_ids", Request{Seed: Seed{ArticleID: "seed", Disliked: []string{"dam"}}}},
		{"min_probability", Request{Seed: seed, MinProbability: 1.1}},
		{"min_probability", Request{Seed: seed, MinProbability: math.NaN()}},
		{"diversity", Request{Seed: seed, ListOptions: ListOptions{Diversity: -0.1}}},
		{"diversity", Request{Seed: seed, ListOptions: ListOptions{Diversity: math.NaN()}}},
		{"half_life", Request{Seed: seed, ListOptions: ListOptions{HalfLife: -1}}},
		{"max_per_source", Request{Seed: seed, ListOptions: ListOptions{MaxPerSource: -1}}},
		{"max_per_story", Request{Seed: seed, ListOptions: ListOptions{MaxPerStory: -1}}},
	} {
		_, err := h.Related(context.Background(), c.req)
		var bad *FieldError
		if !errors.As(err, &bad) || bad.Field != c.field {
			t.Errorf("%+v: %v, want a complaint about %s", c.req, err, c.field)
		}
	}
	for name, seed := range map[string]Seed{
		"article": {ArticleID: "none"}, "story": {StoryID: "none"}, "liked": {Liked: []string{"seed", "none"}},
		"disliked": {Liked: []string{"seed"}, Disliked: []string{"none"}},
	} {
		var missing *store.NotFoundError
		if _, err := h.Related(context.Background(), Request{Seed: seed}); !errors.As(err, &missing) || missing.ID != "none" {
			t.Errorf("unknown %s: %v", name, err)
		}
	}
	for _, text := range []string{"?!", "…"} {
		if _, err := h.Related(context.Background(), Request{Seed: Seed{Draft: draft(text)}}); !errors.Is(err, ErrNoVectors) {
			t.Errorf("a text of %q: %v", text, err)
		}
		if _, err := h.Search(context.Background(), SearchRequest{Query: text}); !errors.Is(err, ErrNoVectors) {
			t.Errorf("a query of %q: %v", text, err)
		}
	}
	if _, err := h.Search(context.Background(), SearchRequest{Query: "flood1", ListOptions: ListOptions{Diversity: 2}}); err == nil {
		t.Error("a search takes a diversity of 2")
	}
}

// Part of the store being away makes an answer partial; what no answer can do without makes it
// fail.
func TestFailures(t *testing.T) {
	h := setUp(t)
	h.fill()
	ctx, boom := context.Background(), errors.New("boom")
	ask := func() (*List, error) { return h.Related(ctx, Request{Seed: Seed{ArticleID: "seed"}}) }
	full, err := ask()
	h.must(err)
	if full.Partial() {
		t.Error("all of the store answered, and the answer is partial")
	}
	for _, away := range []error{store.ErrUnavailable, store.ErrOverloaded} {
		h.faulty.sections = fmt.Errorf("asking: %w", away)
		list, err := ask()
		if err != nil || !list.Partial() || list.Len() != full.Len() {
			t.Errorf("%v: %v", away, err)
		}
		if list, err := h.Search(ctx, SearchRequest{Query: "flood1"}); err != nil || !list.Partial() || list.Len() == 0 {
			t.Errorf("search, %v: %v", away, err)
		}
	}
	h.faulty.sections = boom
	if _, err := ask(); !errors.Is(err, boom) {
		t.Errorf("sections fail: %v", err)
	}
	h.faulty.sections, h.faulty.articles = nil, store.ErrUnavailable
	if _, err := ask(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("articles are away: %v", err)
	}
	h.faulty.articles, h.faulty.reads = nil, boom
	if _, err := full.Page(ctx, 0, 1); !errors.Is(err, boom) {
		t.Errorf("a page without sections: %v", err)
	}
	if _, err := h.Search(ctx, SearchRequest{Query: "flood1"}); !errors.Is(err, boom) {
		t.Errorf("a search without sections: %v", err)
	}
	h.faulty.reads = nil
	h.hashed.Fail(boom)
	if _, err := h.Search(ctx, SearchRequest{Query: "flood1"}); !errors.Is(err, boom) {
		t.Errorf("the embedder fails: %v", err)
	}
	if _, err := h.Related(ctx, Request{Seed: Seed{Draft: draft("flood1")}}); !errors.Is(err, boom) {
		t.Errorf("the embedder fails: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.Related(ended, Request{Seed: Seed{ArticleID: "seed"}}); err == nil {
		t.Error("a context that has ended gives an answer")
	}
}

func TestSearch(t *testing.T) {
	h := setUp(t)
	h.fill()
	ask := func(query string, f ListOptions) []Result {
		t.Helper()
		list, err := h.Search(context.Background(), SearchRequest{Query: query, ListOptions: f})
		h.must(err)
		return h.page(list)
	}
	got := ask("rain3 rain4", ListOptions{Explain: true})
	if got[0].Article.ID != "angle" || got[0].Evidence[0].Section != 2 || got[0].Evidence[0].SeedSection != -1 || got[0].Signals["lexical"] != 1 {
		t.Errorf("rain: %+v", got[0])
	}
	for _, r := range got {
		if r.Probability != 0 || r.Relation != score.RelationNone {
			t.Errorf("%s has probability %v and relation %s in a search", r.Article.ID, r.Probability, r.Relation)
		}
	}
	if got := ask("concrete2 vote7", ListOptions{}); !slices.Contains([]string{"dam", "other"}, got[0].Article.ID) || !slices.Contains([]string{"dam", "other"}, got[1].Article.ID) {
		t.Errorf("two words: %q", idsOf(got))
	}
	if got := ask("vote1", ListOptions{ExcludeArticles: []string{"other"}}); slices.Contains(idsOf(got), "other") {
		t.Errorf("excluded: %q", idsOf(got))
	}
	// Words that nobody has written leave what they mean, and claim nothing.
	for _, r := range ask("zyzzyva quux", ListOptions{Explain: true}) {
		if r.Signals["lexical"] != 0 || r.Score > 0.5 {
			t.Errorf("unknown words find %s with %v: %v", r.Article.ID, r.Score, r.Signals)
		}
	}
	if got := ask("the of and", ListOptions{}); len(got) == 0 { // stop words have no terms, but a meaning
		t.Error("stop words find nothing at all")
	}
}

// A word deep in a long text is found by its section, though the article as a whole does not show
// it.
func TestSearchFindsSections(t *testing.T) {
	h := setUp(t)
	for i := range 90 { // enough to fill the lists of articles
		h.put(news.Article{ID: fmt.Sprintf("filler%02d", i), Title: "Filler needle"}, words(fmt.Sprint("filler", i), 0, 30))
	}
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = words(fmt.Sprint("long", i), 0, 30)
	}
	texts[17] += " needle compass lantern anchor"
	h.put(news.Article{ID: "long", Title: "Long"}, texts...)
	list, err := h.Search(context.Background(), SearchRequest{Query: "needle compass lantern anchor"})
	h.must(err)
	if got := h.page(list)[0]; got.Article.ID != "long" || !slices.ContainsFunc(got.Evidence, func(e Evidence) bool { return e.Section == 17 }) {
		t.Errorf("found %s, %+v", got.Article.ID, got.Evidence)
	}
}
