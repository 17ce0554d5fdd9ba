package related

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"throughline/internal/news"
	"throughline/internal/score"
	"throughline/internal/store"
)

// synthetic fills a store with articles in words of a Zipf-like vocabulary, four to an event, three
// sections each.
func synthetic(b *testing.B, n int) *harness {
	h := setUp(b)
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.2, 20, 20_000)
	text := func(event, n int) string {
		list := make([]string, n)
		for i := range list {
			if list[i] = fmt.Sprint("word", zipf.Uint64()); i%5 == 0 {
				list[i] = fmt.Sprintf("event%dname%d", event, random.IntN(12))
			}
			if i%15 == 14 {
				list[i] += "."
			}
		}
		return strings.Join(list, " ")
	}
	for from := 0; from < n; from += 200 {
		var puts []store.Put
		for i := from; i < min(from+200, n); i++ {
			a := news.Article{
				ID: fmt.Sprintf("a%05d", i), Title: text(i/4, 10), Source: fmt.Sprint("Outlet ", i%17),
				Published: h.now.AddDate(0, 0, -i%90), Membership: news.Membership{StoryID: fmt.Sprint("story-", i/4)},
			}
			puts = append(puts, h.prepare(a, text(i/4, 120), text(i/4, 120), text(i/4, 120)))
		}
		h.must(errors.Join(h.store.Put(context.Background(), puts)...))
	}
	h.publish(func(*score.State) {})
	return h
}

func BenchmarkRelated(b *testing.B) {
	h := synthetic(b, 2000)
	var liked []string
	for i := range 20 {
		liked = append(liked, fmt.Sprintf("a%05d", i*83))
	}
	for _, c := range []struct {
		name string
		req  Request
	}{
		{"article", Request{Seed: Seed{ArticleID: "a00100"}}},
		{"diverse", Request{Seed: Seed{ArticleID: "a00100"}, ListOptions: ListOptions{Diversity: 0.3}}},
		{"20-liked", Request{Seed: Seed{Liked: liked}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				list, err := h.Related(context.Background(), c.req)
				if err != nil {
					b.Fatal(err)
				}
				if page, err := list.Page(context.Background(), 0, 20); err != nil || len(page) == 0 {
					b.Fatal(len(page), err)
				}
			}
		})
	}
}

func BenchmarkSearch(b *testing.B) {
	h := synthetic(b, 2000)
	b.ReportAllocs()
	for b.Loop() {
		list, err := h.Search(context.Background(), SearchRequest{Query: "event25name3 word17 word400"})
		if err != nil {
			b.Fatal(err)
		}
		if page, err := list.Page(context.Background(), 0, 20); err != nil || len(page) == 0 {
			b.Fatal(len(page), err)
		}
	}
}
