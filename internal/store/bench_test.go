package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"throughline/cluster/vector"
	"throughline/embed"
	"throughline/internal/lexical"
	"throughline/internal/news"
)

// benchStore opens a store on a file, with vectors as long as the built-in model's.
func benchStore(b *testing.B) *Store {
	b.Helper()
	conn, err := Local(filepath.Join(b.TempDir(), "store.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(b.Context(), conn, Config{Space: embed.Space{Model: "bench", Dimensions: 384}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		s.Close()
		conn.Close()
	})
	return s
}

func benchUnit(r *rand.Rand) []float32 {
	v := make([]float32, 384)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	vector.Normalize(v)
	return v
}

func benchSparse(r *rand.Rand, n int) vector.Sparse {
	var s vector.Sparse
	term := uint32(0)
	for range n {
		term += 1 + uint32(r.IntN(200))
		s.Terms, s.Weights = append(s.Terms, term), append(s.Weights, 1+r.Float32())
	}
	return s
}

func benchPut(r *rand.Rand, id string) Put {
	p := Put{Article: news.Article{ID: id, Title: id, Source: "s", Language: "en"}, Vectors: Vectors{Dense: benchUnit(r),
		Lex: lexical.Vectors{Full: benchSparse(r, 180), Lead: benchSparse(r, 30), Names: benchSparse(r, 20)}}}
	for i := range 4 {
		p.Sections = append(p.Sections, Section{Index: i, Section: news.Section{Text: fmt.Sprintf("%0600d", i)}, Dense: benchUnit(r), Lexical: benchSparse(r, 60)})
	}
	return p
}

// BenchmarkPut stores 64 articles of four sections in one call.
func BenchmarkPut(b *testing.B) {
	s := benchStore(b)
	r := rand.New(rand.NewPCG(1, 1))
	n := 0
	for b.Loop() {
		b.StopTimer()
		items := make([]Put, 64)
		for i := range items {
			items[i] = benchPut(r, fmt.Sprintf("a%d", n))
			n++
		}
		b.StartTimer()
		for _, err := range s.Put(b.Context(), items) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "articles/s")
}

// BenchmarkQuery asks what one related-coverage request asks: dense and lexical, articles and
// sections, 5,000 articles.
func BenchmarkQuery(b *testing.B) {
	s := benchStore(b)
	r := rand.New(rand.NewPCG(1, 1))
	for at := 0; at < 5000; at += 250 {
		var items []Put
		for i := range 250 {
			items = append(items, benchPut(r, fmt.Sprintf("a%d", at+i)))
		}
		for _, err := range s.Put(b.Context(), items) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		dense, sparse := benchUnit(r), benchSparse(r, 40)
		if _, err := s.Query(b.Context(), []Query{{Dense: dense, Limit: 50}, {Sparse: sparse, Limit: 50},
			{Of: Sections, Dense: dense, Limit: 50}, {Of: Sections, Sparse: sparse, Limit: 50}}); err != nil {
			b.Fatal(err)
		}
	}
}
