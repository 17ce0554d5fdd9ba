package hierarchy

import (
	"slices"

	"throughline/cluster"
)

// Node is a group of articles that Relink does not take apart; often a single article.
type Node struct {
	Articles int     // 1 or more
	Within   float64 // mean logit between them; not used for one
}

// Relink joins nodes by average linkage, as Arrange joins articles, wherever the mean logit reaches
// the threshold. mean[i][j] is the mean logit between the articles of two nodes, and symmetric. It
// returns a label for each node, from 0 in the order of first members. Every pair of nodes is a
// candidate, so it is for few nodes: time grows with the cube of their number.
func Relink(nodes []Node, mean [][]float64, threshold float64) []int32 {
	d := &cluster.Dendrogram{N: len(nodes)}
	m, size := make([][]float64, len(nodes)), make([]float64, len(nodes))
	at, left := identity(len(nodes)), identity(len(nodes)) // node of the dendrogram of each group, and the groups
	for i := range nodes {
		m[i], size[i] = slices.Clone(mean[i]), float64(nodes[i].Articles)
	}
	for len(left) > 1 {
		var a, b int32 = -1, -1
		for k, i := range left {
			for _, j := range left[k+1:] {
				if m[i][j] >= threshold && (a < 0 || m[i][j] > m[a][b]) {
					a, b = i, j
				}
			}
		}
		if a < 0 {
			break
		}
		d.Merges = append(d.Merges, cluster.Join{A: at[a], B: at[b], Similarity: float32(m[a][b])})
		at[a] = int32(d.N + len(d.Merges) - 1)
		left = slices.DeleteFunc(left, func(i int32) bool { return i == b })
		for _, i := range left {
			m[a][i] = (size[a]*m[a][i] + size[b]*m[b][i]) / (size[a] + size[b])
			m[i][a] = m[a][i]
		}
		size[a] += size[b]
	}
	return coherent(d, nodes).Cut(float32(threshold))
}
