package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throughline/embed"
	"throughline/internal/ingest"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/score/scoretest"
	"throughline/internal/stories"
)

// made gives texts the vectors of the articles that they begin with the title of.
type made struct{ vectors map[string][]float32 }

func (m *made) Space() embed.Space {
	return embed.Space{Model: "made", Dimensions: scoretest.NewsDim, MaxTokens: 256}
}

func (m *made) Embed(_ context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		title, _, _ := strings.Cut(text, "\n")
		if out[i] = m.vectors[title]; out[i] == nil {
			return nil, fmt.Errorf("no vector for %q", text)
		}
	}
	return out, nil
}

// BenchmarkPut stores articles one by one, from eight callers, in a store of so many that are
// arranged, while they are filed. The vectors are there. "ack" waits as PutArticle does, "filed"
// until the article is filed.
//
//	go test ./internal/ingest -run '^$' -bench Put/20000 -benchtime 4000x
func BenchmarkPut(b *testing.B) {
	for _, n := range []int{2000, 20_000, 200_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			const more = 20_000
			p, articles := filled(b, scoretest.News(1, n+more), n)
			next := atomic.Int64{}
			for name, wait := range map[string]time.Duration{"ack": 50 * time.Millisecond, "filed": ingest.UntilFiled} {
				b.Run(name, func(b *testing.B) { put(b, p, articles, &next, wait) })
			}
		})
	}
}

// BenchmarkIngest stores and files articles in one run, as IngestArticles does, in a store of so
// many that are arranged.
//
//	go test ./internal/ingest -run '^$' -bench 'Ingest/^20000$' -benchtime 10000x
func BenchmarkIngest(b *testing.B) {
	for _, n := range []int{2000, 20_000, 200_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, articles := filled(b, scoretest.News(1, n+20_000), n)
			from := 0
			b.Run("filed", func(b *testing.B) {
				all := func(yield func(news.Valid, error) bool) {
					for range b.N {
						if from++; !yield(articles[from-1], nil) {
							return
						}
					}
				}
				if _, err := p.Ingest.Run(b.Context(), all, ingest.Options{File: true, Wait: ingest.UntilFiled}); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "articles/s")
			})
		})
	}
}

// BenchmarkPutIntoOneStory is BenchmarkPut of articles of one event, of which so many are stored.
func BenchmarkPutIntoOneStory(b *testing.B) {
	for _, n := range []int{50, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			const more = 2000
			samples := scoretest.News(1, 600)
			event := samples[len(samples)-6:] // the last ones are in stories
			var all []scoretest.Sample
			for i := range n + more {
				s := event[i%len(event)]
				s.Article.ID, s.Article.Title = fmt.Sprintf("e%05d", i), fmt.Sprint(event[0].Article.Title, " ", i)
				s.Article.Published, s.Dense = event[0].Article.Published, event[0].Dense
				s.Article.Sections = slices.Concat(event[0].Article.Sections, s.Article.Sections[:1])
				all = append(all, s)
			}
			p, articles := filled(b, all, n)
			put(b, p, articles, new(atomic.Int64), ingest.UntilFiled)
			found, err := p.Stories.List(b.Context(), stories.ListRequest{Order: stories.Largest})
			if err != nil || len(found) == 0 || found[0].Articles < (n+b.N)/2 {
				b.Fatalf("%v, no story has half of %d articles", err, n+b.N)
			}
		})
	}
}

// put stores articles from eight callers.
func put(b *testing.B, p *producttest.Product, articles []news.Valid, next *atomic.Int64, wait time.Duration) {
	b.Helper()
	var wg sync.WaitGroup
	times := make([]time.Duration, b.N)
	var at atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	for range 8 {
		wg.Go(func() {
			for i := int(at.Add(1)) - 1; i < b.N; i = int(at.Add(1)) - 1 {
				began := time.Now()
				a := articles[next.Add(1)-1]
				one := func(yield func(news.Valid, error) bool) { yield(a, nil) }
				if _, err := p.Ingest.Run(b.Context(), one, ingest.Options{File: true, Wait: wait}); err != nil {
					b.Error(err)
				}
				times[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "articles/s")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// filled returns a store in a file with n articles that are arranged, and the others.
func filled(b *testing.B, samples []scoretest.Sample, n int) (*producttest.Product, []news.Valid) {
	b.Helper()
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
	model, valid := &made{make(map[string][]float32)}, make([]news.Valid, len(samples))
	for i, s := range samples {
		model.vectors[s.Article.Title] = s.Dense
		var err error
		if valid[i], err = news.Validate(s.Article); err != nil {
			b.Fatal(err)
		}
	}
	p := producttest.New(b, producttest.Options{Embedder: model, Path: filepath.Join(b.TempDir(), "store")})
	all := func(yield func(news.Valid, error) bool) {
		for _, a := range valid[:n] {
			if !yield(a, nil) {
				return
			}
		}
	}
	began := time.Now()
	if _, err := p.Ingest.Run(b.Context(), all, ingest.Options{}); err != nil {
		b.Fatal(err)
	}
	b.Logf("stored %d articles in %v", n, time.Since(began))
	if _, err := p.Stories.Recluster(b.Context(), stories.ReclusterOptions{}, nil); err != nil {
		b.Fatal(err)
	}
	return p, valid[n:]
}
