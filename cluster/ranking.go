package cluster

import (
	"cmp"
	"math"
	"slices"
)

// NDCG returns the normalized discounted cumulative gain of the first k results (Järvelin and
// Kekäläinen 2002). gains are those of the results in order, ideal those of all possible results in
// any order. A gain is divided by log2(rank + 1). When no gain was possible, NDCG is 1 if gains are
// zero too, else 0.
func NDCG(gains, ideal []float64, k int) float64 {
	best := slices.Clone(ideal)
	slices.SortFunc(best, func(a, b float64) int { return cmp.Compare(b, a) })
	got, most := discounted(gains, k), discounted(best, k)
	if most == 0 {
		if got == 0 {
			return 1
		}
		return 0
	}
	return got / most
}

func discounted(gains []float64, k int) float64 {
	var sum float64
	for i, g := range gains[:min(max(k, 0), len(gains))] {
		sum += g / math.Log2(float64(i+2))
	}
	return sum
}

// PrecisionAt returns the share of relevant results among the first k. Missing results count as not
// relevant.
func PrecisionAt(relevant []bool, k int) float64 {
	if k <= 0 {
		return 0
	}
	count := 0
	for _, r := range relevant[:min(k, len(relevant))] {
		if r {
			count++
		}
	}
	return float64(count) / float64(k)
}

// ReciprocalRank returns one over the rank of the first relevant result, 0 when there is none.
func ReciprocalRank(relevant []bool) float64 {
	if at := slices.Index(relevant, true); at >= 0 {
		return 1 / float64(at+1)
	}
	return 0
}
