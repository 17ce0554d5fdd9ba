package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/chunk"
	"throughline/internal/evaluate"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/related"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
	"throughline/internal/store"
)

// exactly writes features down to the last bit.
func exactly(f score.Features) string { return fmt.Sprintf("%+v", f) }

// TestFeaturesAreTheSameEverywhere gives the same texts to calibration, to ingest and the store, to
// seeds given by text, and to drafts: what is fitted is what runs. Package batch has the same test
// of its job.
func TestFeaturesAreTheSameEverywhere(t *testing.T) {
	ctx := context.Background()
	embedder := &embedtest.Hashed{}
	articles := scoretest.Forms()
	want := map[string]score.Features{}
	var labelled []evaluate.Labelled
	for i, a := range articles {
		vectors, err := embedder.Embed(ctx, embed.Document, []string{chunk.LeadText(a)})
		if err != nil {
			t.Fatal(err)
		}
		want[a.ID] = score.FeaturesOf(&a, vectors[0])
		valid, err := news.Validate(a)
		if err != nil {
			t.Fatal(err)
		}
		labelled = append(labelled, evaluate.Labelled{ID: a.ID, Valid: valid, Story: fmt.Sprint(i / 2)})
	}
	check := func(way string, got score.Features) {
		t.Helper()
		if diff := cmp.Diff(exactly(want[got.ID]), exactly(got)); diff != "" {
			t.Errorf("%s, %s (-features +%s):\n%s", way, got.ID, way, diff)
		}
	}

	// A set needs ten labelled articles.
	filler := invented("filler", 4, .5)
	set := newSet(t, "forms", append(labelled, filler...))
	made := &texts{sets: []*Set{set}, opts: &Options{Short: embedder}, vectors: map[textKey][]float32{}}
	items := made.wholeItems(0)
	if err := made.embed(ctx, keys(items)); err != nil {
		t.Fatal(err)
	}
	for i, f := range made.features(items) {
		if f.ID != set.articles[i].ID {
			t.Fatalf("features of %s, want those of %s", f.ID, set.articles[i].ID)
		}
		if _, ok := want[f.ID]; ok {
			check("calibration", f)
		}
	}

	p := producttest.New(t, producttest.Options{Embedder: embedder})
	p.Put(t, articles...)
	stored := 0
	if err := p.Store.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		stored++
		check("store", s.Features())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if stored != len(articles) {
		t.Errorf("%d articles are stored, want %d", stored, len(articles))
	}

	compared := 0
	for i, a := range articles {
		// A draft has no id, and its own article is an answer to it; the signals of the others are
		// the same.
		byID := signals(t, p, related.Seed{ArticleID: a.ID})
		byText := signals(t, p, related.Seed{Draft: &labelled[i].Valid})
		for other, signals := range byID {
			compared++
			if diff := cmp.Diff(signals, byText[other], cmp.Comparer(func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })); diff != "" {
				t.Errorf("%s and %s: signals by id and by text differ (-id +text):\n%s", a.ID, other, diff)
			}
		}
	}
	if compared < 10 {
		t.Errorf("%d pairs were compared: too few to show anything", compared)
	}

	// A draft is compared with all articles of each story that is near, in the order of their ids.
	p.Arrange(t, 0, articlesOf(filler)...)
	members := map[string][]score.Features{}
	if err := p.Store.Scan(ctx, news.Filter{}, store.WithVectors, func(s *store.Stored) error {
		if id := s.Article.StoryID; id != "" {
			members[id] = append(members[id], s.Features())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	st, fits := p.States.Current(), 0
	for _, l := range append(labelled, filler...) {
		a := l.Valid.Article()
		vectors, err := embedder.Embed(ctx, embed.Document, []string{chunk.LeadText(a)})
		if err != nil {
			t.Fatal(err)
		}
		draft := score.FeaturesOf(&a, vectors[0])
		found, err := p.Stories.Find(ctx, l.Valid, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, fit := range found.Fits {
			fits++
			of := members[fit.Story.ID]
			slices.SortFunc(of, func(a, b score.Features) int { return strings.Compare(a.ID, b.ID) })
			logit := 0.0
			for i := range of {
				logit += st.Logit(st.Compare(&draft, &of[i])) / float64(len(of))
			}
			want := st.MembershipProbability(logit)
			if math.Float64bits(fit.Probability) != math.Float64bits(want) {
				t.Errorf("draft of %s, story %s: probability %v, want %v", a.ID, fit.Story.ID, fit.Probability, want)
			}
		}
	}
	if fits < 10 {
		t.Errorf("drafts fit %d stories: too few to show anything", fits)
	}
}

func articlesOf(labelled []evaluate.Labelled) []news.Article {
	var out []news.Article
	for _, l := range labelled {
		out = append(out, l.Valid.Article())
	}
	return out
}

// signals are those that follow from features, of every article that is related to a seed, by its
// id.
func signals(t *testing.T, p *producttest.Product, seed related.Seed) map[string]map[string]float64 {
	t.Helper()
	list, err := p.Related.Related(context.Background(), related.Request{Seed: seed, ListOptions: related.ListOptions{IncludeCopies: true, Explain: true}})
	if err != nil {
		t.Fatal(err)
	}
	results, err := list.Page(context.Background(), 0, list.Len())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]float64{}
	for _, r := range results {
		delete(r.Signals, "section") // of what the search of sections found, as is relatedness
		delete(r.Signals, "relatedness")
		out[r.Article.ID] = r.Signals
	}
	return out
}
