package server

import (
	"fmt"
	"testing"

	throughlinev1 "throughline/proto/throughline/v1"
)

// BenchmarkRelated is what this package adds to a call: everything but the engine, which answers from a short list, with a
// client in the same process.
func BenchmarkRelated(b *testing.B) {
	m := newMemory()
	for i := range 21 {
		m.add(fmt.Sprintf("a%02d", i), "Fire in the concert hall", "Herald", "s1", day(1))
	}
	cfg := config(b, m)
	cfg.Logger = discard()
	s := start(b, cfg)
	request := &throughlinev1.RelatedRequest{ArticleId: "a00", Filter: &throughlinev1.ArticleFilter{Sources: []string{"Herald"}}}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.coverage.Related(b.Context(), request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
