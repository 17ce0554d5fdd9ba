package related_test

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"throughline/internal/formats"
	"throughline/internal/news"
	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/store"
)

// everything asks for all results, copies included, by id.
func (s samples) everything(seed related.Seed) map[string]related.Result {
	s.Helper()
	out := make(map[string]related.Result)
	for _, r := range s.ask(related.Request{Seed: seed, ListOptions: related.ListOptions{IncludeCopies: true, Explain: true}}) {
		out[r.Article.ID] = r
	}
	return out
}

// all reads all sample articles.
func (s samples) all() []news.Article {
	s.Helper()
	var all []news.Article
	if err := s.Store.Scan(context.Background(), news.Filter{}, store.WithNothing, func(a *store.Stored) error {
		all = append(all, a.Article)
		return nil
	}); err != nil {
		s.Fatal(err)
	}
	slices.SortFunc(all, func(a, b news.Article) int { return a.Published.Compare(b.Published) })
	return all
}

// TestPairsOfSeeds asks for the same pairs of sample articles in every way: by article, by text, by
// section, by likes and by story.
func TestPairsOfSeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds all sample articles: leave out -short")
	}
	all := newSamples(t)
	articles := all.all()
	byArticle := make(map[string]map[string]related.Result)
	for _, a := range articles {
		byArticle[a.ID] = all.everything(related.Seed{ArticleID: a.ID})
	}
	// same compares results with those of an article, and returns how many it compared. The
	// probabilities are equal, bit for bit: whatever the seed, two stored articles are compared.
	same := func(t *testing.T, of string, got map[string]related.Result) (compared int) {
		t.Helper()
		for id, r := range got {
			want, ok := byArticle[of][id]
			if !ok {
				continue // candidates, scores and so lists differ
			}
			compared++
			if r.Probability != want.Probability || r.Relation != want.Relation || r.Signals["logit"] != want.Signals["logit"] {
				t.Errorf("%s of %s: %v, %s at logit %v; by article %v, %s at %v", id, of,
					r.Probability, r.Relation, r.Signals["logit"], want.Probability, want.Relation, want.Signals["logit"])
			}
		}
		return compared
	}
	// few are the articles that are asked about in ways that cost more.
	var few []news.Article
	for i, a := range articles {
		if i%4 == 0 || a.CopyOf != "" {
			few = append(few, a)
		}
	}

	t.Run("from both sides", func(t *testing.T) {
		for a, results := range byArticle {
			for b, r := range results {
				back, ok := byArticle[b][a]
				if ok && math.Abs(back.Probability-r.Probability) > 1e-12 { // sums of the same terms in another order
					t.Errorf("%s of %s %v, the reverse %v", b, a, r.Probability, back.Probability)
				}
			}
		}
	})

	t.Run("by text", func(t *testing.T) {
		s, compared := all.on(t), 0
		for i, a := range few {
			sections, err := s.Store.Sections(context.Background(), []string{a.ID}, false)
			if err != nil {
				t.Fatal(err)
			}
			whole := news.Article{Title: a.Title, Published: a.Published}
			var texts []string
			for _, section := range sections[a.ID] {
				whole.Sections = append(whole.Sections, section.Section)
				texts = append(texts, section.Text)
			}
			draft := whole
			if len(texts) > 0 && i%2 == 0 { // as a reader would paste it
				draft = news.Article{Sections: formats.ParseText(news.JoinTexts("\n\n", texts...))}
			}
			valid, err := news.Validate(draft)
			if err != nil {
				t.Fatal(err)
			}
			got := s.everything(related.Seed{Draft: &valid})
			if got[a.ID].Relation != score.RelationCopy {
				t.Errorf("%s is %s of its text", a.ID, got[a.ID].Relation)
			}
			compared += same(t, a.ID, got)
		}
		if compared < 190 {
			t.Errorf("%d pairs compared", compared)
		}
	})

	t.Run("by section", func(t *testing.T) {
		s, compared := all.on(t), 0
		for _, a := range few {
			for n := range a.SectionCount {
				compared += same(t, a.ID, s.everything(related.Seed{ArticleID: a.ID, Section: &n}))
			}
		}
		if compared < 410 {
			t.Errorf("%d pairs compared", compared)
		}
	})

	t.Run("by likes", func(t *testing.T) {
		s, compared := all.on(t), 0
		for i, a := range few {
			compared += same(t, a.ID, s.everything(related.Seed{Liked: []string{a.ID}, Disliked: []string{few[(i+7)%len(few)].ID}}))
			// Of several it is one of them: without copies and common stories, the most probable.
			liked := []string{a.ID, few[(i+1)%len(few)].ID, few[(i+5)%len(few)].ID}
			for id, r := range s.everything(related.Seed{Liked: liked}) {
				var of []related.Result
				for _, seed := range liked {
					if known, ok := byArticle[seed][id]; ok {
						of = append(of, known)
					}
				}
				if len(of) < len(liked) {
					continue
				}
				likely := slices.MaxFunc(of, func(a, b related.Result) int { return cmp.Compare(a.Probability, b.Probability) })
				if r.Probability != likely.Probability && r.Relation != score.RelationCopy && r.Article.StoryID == "" {
					t.Errorf("%s: %v, of the liked articles at most %v", id, r.Probability, likely.Probability)
				}
				if !slices.ContainsFunc(of, func(o related.Result) bool { return o.Probability == r.Probability && o.Relation == r.Relation }) {
					t.Errorf("%s: %v, %s, which is of none of the liked articles", id, r.Probability, r.Relation)
				}
			}
		}
		if compared < 165 {
			t.Errorf("%d pairs compared", compared)
		}
	})

	members := make(map[string][]news.Article)
	for _, a := range articles {
		if a.StoryID != "" {
			members[a.StoryID] = append(members[a.StoryID], a)
		}
	}
	t.Run("by story", func(t *testing.T) {
		s, compared := all.on(t), 0
		st := s.States.Current()
		for story, in := range members {
			for id, r := range s.everything(related.Seed{StoryID: story}) {
				// The mean of the logits that asking by each of its articles gives.
				sum, n := 0.0, 0
				for _, m := range in {
					if known, ok := byArticle[m.ID][id]; ok {
						sum += known.Signals["logit"]
						n++
					}
				}
				others := len(in)
				if r.Article.StoryID == story {
					others--
				}
				if n < others {
					continue // not in the list of each
				}
				filed := score.Unfiled
				switch r.Article.StoryID {
				case "":
				case story:
					filed = score.SameStory
				default:
					filed = score.DifferentStory
				}
				compared++
				// The order of the sum differs.
				if want := st.StoryProbability(sum/float64(n), filed); math.Abs(r.Probability-want) > 1e-9 {
					t.Errorf("%s of story %s: %v at logit %v; its articles say %v at %v", id, story, r.Probability, r.Signals["logit"], want, sum/float64(n))
				}
				// The membership was computed by linkage, in single precision.
				if filed == score.SameStory && math.Abs(r.Probability-r.Article.Probability) > 1e-5 {
					t.Errorf("%s of its story %s: %v, its membership is %v", id, story, r.Probability, r.Article.Probability)
				}
				gave := 0.0
				for _, x := range r.Contributions {
					gave += x
				}
				if math.Abs(gave-r.Signals["logit"]) > 1e-9 {
					t.Errorf("%s of story %s: contributions sum to %v, the logit is %v", id, story, gave, r.Signals["logit"])
				}
			}
		}
		if compared < 200 {
			t.Errorf("%d pairs compared", compared)
		}
	})

	t.Run("a story of two", func(t *testing.T) {
		compared := 0
		for story, in := range members {
			if len(in) != 2 {
				continue
			}
			if r, ok := byArticle[in[0].ID][in[1].ID]; ok && r.Relation != score.RelationCopy {
				compared++
				if math.Abs(r.Probability-in[1].Probability) > 1e-5 {
					t.Errorf("%s and %s are the story %s with probability %v, its membership is %v", in[0].ID, in[1].ID, story, r.Probability, in[1].Probability)
				}
			}
		}
		if compared == 0 {
			t.Error("nothing compared")
		}
	})

	t.Run("as filed", func(t *testing.T) {
		s := all.on(t)
		check := func(seed, story string, results map[string]related.Result) {
			for id, r := range results {
				switch filed := r.Article.StoryID; {
				case story == "" || filed == "":
				case filed == story && r.Relation != score.RelationCopy && r.Relation != score.RelationSameStory && r.Relation != score.RelationFollowUp,
					filed != story && r.Relation == score.RelationSameStory:
					t.Errorf("%s, filed in %s, is %s of %s, filed in %s", id, filed, r.Relation, seed, story)
				}
			}
		}
		for _, a := range articles {
			check(a.ID, a.StoryID, byArticle[a.ID])
		}
		for story := range members {
			check("the story", story, s.everything(related.Seed{StoryID: story}))
		}
	})
}
