package ingest_test

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/score/scoretest"
	"throughline/internal/store"
	"throughline/internal/stories"
)

// The same articles come to the same stories when it is quiet, in whatever order and from however
// many callers they arrive, and to nearly the same before all are arranged.
func TestOrderAndCallersDoNotMatter(t *testing.T) {
	const n = 500
	samples := scoretest.News(3, n)
	model := &made{make(map[string][]float32)}
	for _, s := range samples {
		model.vectors[s.Article.Title] = s.Dense
	}
	var quiet string
	var filed map[string]string
	for run, callers := range []int{1, 8, 8} {
		p := producttest.New(t, producttest.Options{Embedder: model})
		ctx, stop := context.WithCancel(t.Context())
		rand.New(rand.NewPCG(uint64(run), 1)).Shuffle(n, func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for i := c; i < n; i += callers {
					a, err := news.Validate(samples[i].Article)
					if err == nil {
						_, err = p.Ingest.Put(ctx, a)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		before := places(t, p.Store)
		wg.Go(func() { p.Stories.KeepArranged(ctx, stories.DefaultWindow) })
		for began := time.Now(); !p.Stories.Arranged() && time.Since(began) < time.Minute; {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		wg.Wait()
		after := partition(places(t, p.Store))
		if run == 0 {
			quiet, filed = after, before
		}
		if after != quiet {
			t.Errorf("run %d: the stories are\n%s\nwant\n%s", run, after, quiet)
		}
		if got := agreement(before, filed); got < .98 {
			t.Errorf("run %d: before all are arranged, stories agree by %.3f with those of the first run, want .98", run, got)
		}
	}
	if strings.Count(quiet, " ") < n/5 {
		t.Errorf("hardly any stories:\n%s", quiet)
	}
}

// places returns the story of each article, or its own id.
func places(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	in := make(map[string]string)
	if err := s.Scan(t.Context(), news.Filter{}, store.WithNothing, func(a *store.Stored) error {
		in[a.Article.ID] = cmp.Or(a.Article.StoryID, a.Article.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return in
}

func members(in map[string]string) map[string][]string {
	out := make(map[string][]string)
	for _, id := range slices.Sorted(maps.Keys(in)) {
		out[in[id]] = append(out[in[id]], id)
	}
	return out
}

// partition lists the articles of each story, a line each.
func partition(in map[string]string) string {
	var lines []string
	for _, ids := range members(in) {
		lines = append(lines, strings.Join(ids, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// agreement returns the B-cubed F1 between two partitions.
func agreement(a, b map[string]string) float64 {
	as, bs := members(a), members(b)
	p, r := 0.0, 0.0
	for id := range a {
		both := 0
		for _, other := range as[a[id]] {
			if b[other] == b[id] {
				both++
			}
		}
		p += float64(both) / float64(len(as[a[id]])) / float64(len(a))
		r += float64(both) / float64(len(bs[b[id]])) / float64(len(a))
	}
	return 2 * p * r / (p + r)
}
