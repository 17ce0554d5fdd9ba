package stories

import (
	"context"
	"fmt"
	"testing"

	"throughline/internal/news"
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
