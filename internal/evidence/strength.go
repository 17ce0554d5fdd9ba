package evidence

import (
	"math"

	"throughline/cluster"
)

// strengths returns for every article of a story the probability that belongs to its mean logit to the other members. The
// sum over members is a product with the sum of their vectors, so it costs one product an article.
func strengths(it cluster.Items, story []int32) []float32 {
	members := map[int32][]int32{}
	for i, s := range story {
		if s >= 0 {
			members[s] = append(members[s], int32(i))
		}
	}
	out := make([]float32, len(story))
	dim, positive := it.Dense.Dim, it.Dense.Dim-it.Negative
	for _, ids := range members {
		dense := make([]float64, dim)
		sparse := map[uint32]float64{}
		for _, i := range ids {
			for d, x := range it.Dense.Row(int(i)) {
				dense[d] += float64(x)
			}
			for k, t := range it.Sparse[i].Terms {
				sparse[t] += float64(it.Sparse[i].Weights[k])
			}
		}
		for _, i := range ids {
			sum := 0.0
			for d, x := range it.Dense.Row(int(i)) {
				others := float64(x) * (dense[d] - float64(x))
				if d >= positive {
					others = -others
				}
				sum += others
			}
			for k, t := range it.Sparse[i].Terms {
				w := float64(it.Sparse[i].Weights[k])
				sum += w * (sparse[t] - w)
			}
			mean := float64(it.Offset) + sum/float64(len(ids)-1)
			out[i] = float32(1 / (1 + math.Exp(-mean)))
		}
	}
	return out
}
