package hierarchy

import (
	"context"
	"fmt"
	"testing"

	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

// BenchmarkArrange arranges articles whose features are in memory:
//
//	go test ./internal/hierarchy -run '^$' -bench Arrange -benchtime 1x
func BenchmarkArrange(b *testing.B) {
	for _, n := range []int{5_000, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			news := scoretest.News(1, n)
			fs := make([]score.Features, n)
			for i := range news {
				fs[i] = news[i].Features()
				news[i] = scoretest.Sample{}
			}
			st := stateOf(fs)
			scoretest.Measure(b, func() {
				h, err := Arrange(context.Background(), st, fs, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if h.Threshold.Largest == 0 {
					b.Fatal("no stories")
				}
			})
		})
	}
}
