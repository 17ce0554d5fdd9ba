package stories

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"throughline/embed/embedtest"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
	"throughline/internal/store"
)

// BenchmarkFile files one article into a store of 2,000 that are clustered.
func BenchmarkFile(b *testing.B) {
	h := setUp(b)
	for from := 0; from < 2000; from += 200 {
		var articles []news.Article
		var texts []string
		for i := from; i < from+200; i++ {
			event := fmt.Sprint("event", i/4, "x")
			articles, texts = append(articles, h.on(fmt.Sprintf("a%04d", i), event)), append(texts, told(event, i%4))
		}
		h.putAll(articles, texts)
	}
	h.recluster()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		id := fmt.Sprintf("a%04d", n*20%2000)
		b.StopTimer()
		a := h.article(id)
		h.must(h.forget(&store.Stored{Article: a}))
		h.must(h.store.Apply(context.Background(), &store.Plan{Memberships: []store.Membership{{ArticleID: id}}}))
		b.StartTimer()
		h.file(id)
	}
}

// BenchmarkRecluster makes the arrangement of a store that was arranged, after one more article,
// and does not apply it:
//
//	go test ./internal/stories -run '^$' -bench Recluster -benchtime 1x
func BenchmarkRecluster(b *testing.B) {
	for _, n := range []int{5_000, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newHarness(b, &embedtest.Hashed{Dims: scoretest.NewsDim}, score.Default())
			samples := scoretest.News(1, n+1)
			h.putNews(samples[1:])
			h.recluster()
			h.putNews(samples[:1])
			scoretest.Measure(b, func() {
				a, err := h.Recluster(context.Background(), ReclusterOptions{DryRun: true}, nil)
				h.must(err)
				b.ReportMetric(float64(a.Summary.Stories), "stories")
			})
		})
	}
}

// putNews stores samples.
func (h *harness) putNews(samples []scoretest.Sample) {
	h.Helper()
	for page := range slices.Chunk(samples, 200) {
		puts := make([]store.Put, len(page))
		for i := range page {
			s := &page[i]
			puts[i] = store.Put{Article: s.Article, Vectors: store.Vectors{Dense: s.Dense, Lex: s.Features().Lex}}
			for k, section := range s.Article.Sections {
				puts[i].Sections = append(puts[i].Sections, store.Section{Index: k, Section: section, Dense: s.Dense, Lexical: lexical.QueryTerms(section.Text)})
			}
			puts[i].Article.Words = puts[i].Vectors.Lex.Words
			h.states.Add(&store.Stored{Article: puts[i].Article, Vectors: puts[i].Vectors})
		}
		h.must(errors.Join(h.store.Put(context.Background(), puts)...))
	}
}
