package related

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"throughline/internal/features"
	"throughline/internal/news"
)

// TestAnswersDoNotDependOnTheCache asks engines without a cache, with one that holds few articles,
// and with one that holds all, twice: scores and evidence are equal to the last bit.
func TestAnswersDoNotDependOnTheCache(t *testing.T) {
	h := setUp(t)
	h.fill()
	for i := range 30 {
		h.put(news.Article{ID: fmt.Sprint("more", i), Title: fmt.Sprint("More ", i), Source: fmt.Sprint("Outlet ", i%3), Published: h.now.AddDate(0, 0, -i),
			Membership: news.Membership{StoryID: fmt.Sprint("story-", i/3)}}, words("flood", i, 20), words("dam", i, 25))
	}
	asked := []Request{
		{Seed: Seed{ArticleID: "seed"}, ListOptions: ListOptions{Explain: true}},
		{Seed: Seed{ArticleID: "more7"}, ListOptions: ListOptions{Diversity: .4, MaxPerSource: 4, HalfLife: 24 * time.Hour}},
		{Seed: Seed{Liked: []string{"more1", "seed"}, Disliked: []string{"more20"}}},
		{Seed: Seed{Draft: draft(words("flood", 0, 30))}, ListOptions: ListOptions{IncludeCopies: true}},
	}
	answers := func() (all [][]Result) {
		for _, req := range asked {
			all = append(all, h.related(req))
		}
		list, err := h.Search(t.Context(), SearchRequest{Query: "flood3 dam7"})
		h.must(err)
		return append(all, h.page(list))
	}
	h.Engine.cfg.Features = features.New(h.store, 0)
	want := answers()
	for _, size := range []int64{0, 40_000, 1 << 30} {
		h.Engine.cfg.Features = features.New(h.store, size)
		for range 2 {
			if got := answers(); !reflect.DeepEqual(got, want) {
				t.Errorf("a cache of %d bytes gives other answers", size)
			}
		}
	}
	for i, results := range want {
		if len(results) == 0 {
			t.Errorf("question %d has no results", i)
		}
	}
}
