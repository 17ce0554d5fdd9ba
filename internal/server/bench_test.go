package server

import (
	"testing"

	throughlinev1 "throughline/proto/throughline/v1"
)

// BenchmarkRelated is a call from a client in the same process to a short list: what this package
// adds, and little beside it.
func BenchmarkRelated(b *testing.B) {
	cfg := config(b, seeded(b))
	cfg.Logger = discard()
	s := start(b, cfg)
	request := &throughlinev1.RelatedRequest{ArticleId: "a0", Filter: &throughlinev1.ArticleFilter{Sources: []string{"Herald"}}}
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
