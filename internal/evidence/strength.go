package evidence

import "throughline/cluster"

// strengths returns for every article of a story the probability that belongs to its mean logit to the other members, where stories end at
// a cut. The sum over members is a product with the sum of their vectors, so it costs one product an article.
func (m *Model) strengths(it cluster.Items, story []int32, cut float64) []float32 {
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
			out[i] = float32(m.Belonging(mean, cut))
		}
	}
	return out
}
