package stories

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"testing"

	"throughline/cluster"
	"throughline/embed/minilm"
	"throughline/internal/formats"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/seedtest"
	"throughline/internal/store"
)

// TestSeeds clusters the sample articles with the built-in model. What exactly is found is held
// elsewhere (internal/evaluate); here is what must hold however the model is tuned.
func TestSeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds all sample articles: leave out -short")
	}
	expected, err := seedtest.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := seedtest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, embedder, score.Default())
	pipeline, err := ingest.NewPipeline(ingest.Config{Store: h.store, Lister: h.store, Embedder: embedder, States: h.states, Logger: slog.New(slog.DiscardHandler), Now: h.clock})
	h.must(err)
	ctx := context.Background()
	_, err = pipeline.Run(ctx, formats.Read(ctx, []string{dir}, formats.Options{}), ingest.Options{})
	h.must(err)

	var ids []string
	for _, a := range expected.Articles {
		ids = append(ids, a.ID)
	}
	labels := func() []int32 {
		found, err := h.store.Get(ctx, ids, store.WithNothing)
		h.must(err)
		number, out := make(map[string]int32), make([]int32, len(ids))
		for i, s := range found {
			if s == nil {
				t.Fatalf("%s is not stored", ids[i])
			}
			key := s.Article.StoryID
			if key == "" {
				key = "one-off " + s.Article.ID
			}
			if _, ok := number[key]; !ok {
				number[key] = int32(len(number))
			}
			out[i] = number[key]
		}
		return out
	}
	want := expected.StoryLabels(ids)

	// As they come in, one by one, into an empty store.
	h.file(ids...)
	h.check()
	filed := labels()
	judge := func(how string, found []int32) {
		p, r, f := cluster.BCubed(want, found)
		t.Logf("%s: precision %.2f, recall %.2f, F1 %.2f", how, p, r, f)
		if p < 0.9 || f < 0.7 {
			t.Errorf("%s: too bad to be right", how)
		}
	}
	judge("filed one by one", filed)
	h.recluster()
	h.check()
	found := labels()
	judge("clustered", found)

	t.Run("look-alikes stay apart", func(t *testing.T) {
		// What is known to go wrong. The two flights read alike but for the number of the flight, a
		// year and a half apart; a date that far away does not rule out one event, or stories would
		// break that courts return to after years.
		missed := map[string]bool{"starship-fifth-flight starship-first-flight": true}
		home := make(map[string]string) // expected story -> the one that most of it is in
		for _, s := range expected.Stories {
			counts, best := make(map[string]int), ""
			for _, id := range expected.Members(s.Slug) {
				if story := h.article(id).StoryID; story != "" {
					if counts[story]++; counts[story] > counts[best] {
						best = story
					}
				}
			}
			home[s.Slug] = best
		}
		for _, l := range expected.LookAlikes {
			for i, a := range l.Stories {
				for _, b := range l.Stories[:i] {
					switch together := home[a] != "" && home[a] == home[b]; {
					case together && !missed[a+" "+b]:
						t.Errorf("%s and %s are one story: %s", a, b, l.Why)
					case !together && missed[a+" "+b]:
						t.Errorf("%s and %s are kept apart now: take them off the list of what is missed", a, b)
					}
				}
			}
		}
	})
	t.Run("copies are marked", func(t *testing.T) {
		for _, a := range expected.Articles {
			if a.CopyOf == "" {
				continue
			}
			copied, original := h.article(a.ID), h.article(a.CopyOf)
			if copied.CopyGroup() != original.CopyGroup() {
				t.Errorf("%s is a copy of %q, %s of %q: one text", a.Handle(), copied.CopyOf, original.ID, original.CopyOf)
			}
		}
	})
	t.Run("keywords", func(t *testing.T) { keywordsOfSeeds(t, h) })
	t.Run("the concert hall attack is one story", func(t *testing.T) {
		counts := make(map[string]int)
		members := expected.Members("crocus-attack")
		for _, id := range members {
			counts[h.article(id).StoryID]++
		}
		delete(counts, "")
		most := 0
		for _, n := range counts {
			most = max(most, n)
		}
		if most < 4 {
			t.Errorf("of %d articles %d are together", len(members), most)
		}
	})
	t.Run("again", func(t *testing.T) {
		var s Summary
		if writes := h.writes(func() { s = h.recluster() }); writes > 0 || s.Moved > 0 {
			t.Errorf("%d writes, %+v", writes, s)
		}
		threshold := h.states.Current().Threshold
		h.restart() // the last process did not keep its State
		if again := h.states.Current().Threshold; math.Abs(again.Logit-threshold.Logit) > 1e-9 {
			t.Errorf("after a restart the threshold is %+v, was %+v", again, threshold)
		}
		if !slices.Equal(labels(), found) {
			t.Error("the stories are others")
		}
	})
	t.Run("an article taken out and filed again comes back", func(t *testing.T) {
		back, all := 0, 0
		for _, id := range expected.Members("crocus-attack") {
			was := h.article(id)
			if was.StoryID == "" {
				continue
			}
			all++
			h.must(h.store.Apply(ctx, &store.Plan{Memberships: []store.Membership{{ArticleID: id, Membership: news.Membership{TopicID: was.TopicID, ThemeID: was.ThemeID}}}}))
			h.restart()
			h.file(id)
			h.check()
			if h.article(id).StoryID == was.StoryID {
				back++
			}
		}
		if back < all-1 {
			t.Errorf("of %d articles %d came back", all, back)
		}
	})
}
