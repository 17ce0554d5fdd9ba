package related

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"throughline/cluster/vector"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// mixture stores articles on five events, from several outlets, some undated, some without text,
// some copies.
func (h *harness) mixture() (ids []string) {
	h.Helper()
	for i := range 40 {
		event := i * i % 5
		a := news.Article{
			ID: fmt.Sprintf("a%02d", i), Title: fmt.Sprint("On ", event), Source: []string{"", "Post", "post", "Times", "Herald"}[i*7%5],
			Published: h.now.AddDate(0, 0, -(i * 13 % 30)),
		}
		if i%4 > 0 {
			a.StoryID = fmt.Sprint("s", event)
		}
		if i%6 == 5 {
			a.Published = time.Time{}
		}
		if i%8 == 7 {
			a.CopyOf = fmt.Sprintf("a%02d", i-5)
		}
		var texts []string
		for s := range i % 4 {
			texts = append(texts, words(fmt.Sprint("event", event), i%7+10*s, 18)+". And "+words(fmt.Sprint("part", s), i%5, 9)+".")
		}
		h.put(a, texts...)
		ids = append(ids, a.ID)
	}
	return ids
}

// Whatever is asked: the list is in order and within the caps, holds what the filters let through
// and nothing twice, its probabilities are those of the model, its evidence is what it says, its
// pages make it up, and it is the same again.
func TestAnyRequest(t *testing.T) {
	h := setUp(t)
	ids := h.mixture()
	ctx := context.Background()
	features := make(map[string]*score.Features)
	articles := make(map[string]*news.Article)
	h.must(h.store.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		f := s.Features()
		features[s.Article.ID], articles[s.Article.ID] = &f, &s.Article
		return nil
	}))
	sections, err := h.store.Sections(ctx, ids, true)
	h.must(err)
	subset := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, 5, rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		req := Request{ListOptions: ListOptions{
			ExcludeArticles: subset.Draw(t, "exclude"),
			ExcludeStories:  rapid.SampledFrom([][]string{nil, nil, {"s1"}, {"s0", "s4"}}).Draw(t, "exclude stories"),
			MaxPerSource:    rapid.IntRange(0, 3).Draw(t, "per source"), MaxPerStory: rapid.IntRange(0, 3).Draw(t, "per story"),
			Diversity: rapid.SampledFrom([]float64{0, 0, 0.3, 1}).Draw(t, "diversity"),
			HalfLife:  time.Duration(rapid.SampledFrom([]int{0, 0, 1, 1000}).Draw(t, "half-life")) * time.Hour, IncludeCopies: rapid.Bool().Draw(t, "copies"),
			Explain: true, Limit: rapid.SampledFrom([]int{0, 1, 7, 1000}).Draw(t, "limit"),
		}}
		req.Filter.Sources = rapid.SampledFrom([][]string{nil, nil, {"Post", "post"}, {"Times"}}).Draw(t, "sources")
		if rapid.Bool().Draw(t, "recent") {
			req.Filter.After = h.now.AddDate(0, 0, -15)
		}
		search := rapid.Bool().Draw(t, "search")
		var list *List
		ask := func() *List {
			var err error
			if search {
				list, err = h.Search(ctx, SearchRequest{Query: "event1 event13 part2 unknown", ListOptions: req.ListOptions})
			} else {
				list, err = h.Related(ctx, req)
			}
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if !search {
			req.MinProbability = rapid.SampledFrom([]float64{0, 0, 0.2, 0.9}).Draw(t, "least probability")
			req.Relations = rapid.SampledFrom([][]score.Relation{nil, nil, {score.RelationCopy}, {score.RelationSameStory, score.RelationFollowUp}}).Draw(t, "relations")
			if rapid.Bool().Draw(t, "liked") {
				req.Liked = append(subset.Draw(t, "liked articles"), rapid.SampledFrom(ids).Draw(t, "liked article"))
				req.Disliked = subset.Draw(t, "disliked")
			} else {
				req.ArticleID = rapid.SampledFrom(ids).Draw(t, "article")
			}
		}
		ask()
		all, err := list.Page(ctx, 0, list.Len())
		if err != nil {
			t.Fatal(err)
		}
		if req.Limit > 0 && len(all) > req.Limit {
			t.Fatalf("%d results, %d wanted", len(all), req.Limit)
		}
		checkList(t, h, req, all)
		for i, r := range all {
			if search {
				if r.Probability != 0 || r.Relation != score.RelationNone {
					t.Fatalf("a search says %+v", r)
				}
				continue
			}
			// Of the liked articles it is the closest: a copy, else one of the same story, else the
			// most probable.
			var best []float64
			seed := ""
			for _, id := range append(slices.Clone(req.Liked), req.ArticleID) {
				if features[id] == nil {
					continue
				}
				signals, kind := h.states.state.Compare(features[id], features[r.Article.ID]), 0.0
				signals.Copy = signals.Copy || articles[id].CopyGroup() == articles[r.Article.ID].CopyGroup()
				filed := score.Unfiled
				if a, b := articles[id].StoryID, articles[r.Article.ID].StoryID; a != "" && b != "" {
					if filed = score.DifferentStory; a == b {
						filed, kind = score.SameStory, 1
					}
				}
				if signals.Copy {
					kind = 2
				}
				probability := h.states.state.Probability(signals, filed)
				if of := []float64{kind, probability, h.states.state.Logit(signals)}; slices.Compare(of, best) > 0 {
					best, seed = of, id
				}
			}
			if math.Abs(r.Probability-best[1]) > 1e-9 {
				t.Fatalf("result %d, %s: probability %v, the model says %v for %s", i, r.Article.ID, r.Probability, best[1], seed)
			}
			checkEvidence(t, r, sections[seed], sections[r.Article.ID], req.ArticleID != "")
		}
		var paged []Result
		for len(paged) < list.Len() {
			page, err := list.Page(ctx, len(paged), 3)
			if err != nil || len(page) == 0 {
				t.Fatal(len(page), err)
			}
			paged = append(paged, page...)
		}
		if diff := cmp.Diff(all, paged); diff != "" && len(all) > 0 {
			t.Fatalf("pages differ from the whole:\n%s", diff)
		}
		ask()
		again, err := list.Page(ctx, 0, list.Len())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, again); diff != "" {
			t.Fatalf("asked again:\n%s", diff)
		}
	})
}

func checkList(t *rapid.T, h *harness, req Request, all []Result) {
	seen, sources, stories, roots := map[string]bool{}, map[string]int{}, map[string]int{}, map[string]bool{}
	wantCopies := req.IncludeCopies || slices.Contains(req.Relations, score.RelationCopy)
	excluded := slices.Concat(req.ExcludeArticles, req.Liked, req.Disliked, []string{req.ArticleID})
	for i, r := range all {
		a := r.Article
		switch {
		case seen[a.ID]:
			t.Fatalf("%s is twice in the list", a.ID)
		case slices.Contains(excluded, a.ID), a.StoryID != "" && slices.Contains(req.ExcludeStories, a.StoryID):
			t.Fatalf("%s was excluded", a.ID)
		case len(req.Filter.Sources) > 0 && !slices.Contains(req.Filter.Sources, a.Source), !req.Filter.After.IsZero() && a.Published.Before(req.Filter.After):
			t.Fatalf("%s does not pass the filter: %+v", a.ID, a)
		case i > 0 && (r.Score > all[i-1].Score || r.Score == all[i-1].Score && req.Diversity == 0 && a.ID < all[i-1].Article.ID):
			t.Fatalf("%s with %v comes after %s with %v", a.ID, r.Score, all[i-1].Article.ID, all[i-1].Score)
		case !(r.Score >= 0 && r.Score <= 1) || r.Probability < req.MinProbability:
			t.Fatalf("%s: score %v, probability %v", a.ID, r.Score, r.Probability)
		case len(req.Relations) > 0 && !slices.Contains(req.Relations, r.Relation):
			t.Fatalf("%s is %s", a.ID, r.Relation)
		case !wantCopies && (r.Relation == score.RelationCopy || roots[a.CopyGroup()]):
			t.Fatalf("%s is a copy", a.ID)
		}
		seen[a.ID], roots[a.CopyGroup()] = true, true
		source := strings.ToLower(a.Source)
		sources[source]++
		stories[a.StoryID]++
		if source != "" && req.MaxPerSource > 0 && sources[source] > req.MaxPerSource || a.StoryID != "" && req.MaxPerStory > 0 && stories[a.StoryID] > req.MaxPerStory {
			t.Fatalf("%s is over a cap: %v, %v", a.ID, sources, stories)
		}
	}
}

// checkEvidence looks the pairs up. The seed's sections have indices when the seed is an article
// that has any.
func checkEvidence(t *rapid.T, r Result, seed, own []store.Section, indexed bool) {
	if len(r.Evidence) != min(len(own), MaxEvidence) {
		t.Fatalf("%s has %d sections and %d pairs", r.Article.ID, len(own), len(r.Evidence))
	}
	last, seen := math.Inf(1), make(map[int]bool)
	for _, e := range r.Evidence {
		if e.Section < 0 || e.Section >= len(own) || seen[e.Section] || e.Similarity > last {
			t.Fatalf("%s: pairs %+v", r.Article.ID, r.Evidence)
		}
		last, seen[e.Section] = e.Similarity, true
		section := own[e.Section]
		if e.Heading != section.Heading || !utf8.ValidString(e.Snippet) || !strings.Contains(section.Text, e.Snippet) || e.Snippet == "" {
			t.Fatalf("%s: %+v is not of %+v", r.Article.ID, e, section)
		}
		if !indexed || len(seed) == 0 {
			if e.SeedSection != -1 {
				t.Fatalf("%s: the seed has no sections, the evidence is %+v", r.Article.ID, e)
			}
			continue
		}
		best := -2.0
		for _, s := range seed {
			best = max(best, float64(vector.Dot(s.Dense, section.Dense)))
		}
		of := float64(vector.Dot(seed[e.SeedSection].Dense, section.Dense))
		if math.Abs(min(of, 1)-e.Similarity) > 1e-6 || of < best-1e-6 {
			t.Fatalf("%s: similarity %v, it is %v, the best is %v", r.Article.ID, e.Similarity, of, best)
		}
	}
}

// Diversity gives up nearness to the seed for distance from what is above.
func TestDiversity(t *testing.T) {
	h := setUp(t)
	h.put(news.Article{ID: "seed", Title: "Seed"}, words("flood", 0, 40))
	for i := range 3 {
		h.put(news.Article{ID: fmt.Sprint("near", i), Title: "Near"}, words("flood", 0, 34)+" "+words("near", 0, 14)+" "+words(fmt.Sprint("own", i), 0, 9))
	}
	h.put(news.Article{ID: "far", Title: "Far"}, words("flood", 12, 28)+" "+words("far", 0, 20))
	ask := func(diversity float64) []string {
		return idsOf(h.related(Request{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{Diversity: diversity}}))
	}
	if got := ask(0); len(got) != 4 || got[3] != "far" {
		t.Errorf("by nearness %q", got)
	}
	if got := ask(0.5); len(got) != 4 || got[1] != "far" {
		t.Errorf("diverse %q", got)
	}
}
