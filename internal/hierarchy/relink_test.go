package hierarchy

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"throughline/cluster"
	"throughline/cluster/vector"
)

// On single articles Relink does what Arrange does over a complete graph. Groups that Arrange would
// join first change nothing when they are given as one node.
func TestRelink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "articles")
		const dim = 3
		rows := cluster.Matrix{Rows: n, Dim: dim, Data: make([]float32, n*dim)}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range rows.Data {
			rows.Data[i] = float32(r.NormFloat64())
		}
		threshold := r.NormFloat64()
		items := cluster.Items{Dense: rows, Sparse: make([]vector.Sparse, n)}
		logit := func(i, j int) float64 { return pairLogit(items, i, j) }
		graph := complete(n)
		joins, err := cluster.Link(context.Background(), items, graph, cluster.LinkOptions{Stop: float32(math.Inf(-1))})
		if err != nil {
			t.Fatal(err)
		}
		want := coherent(joins, nil).Cut(float32(threshold))
		nodes, mean := make([]Node, n), make([][]float64, n)
		for i := range nodes {
			nodes[i], mean[i] = Node{Articles: 1}, make([]float64, n)
			for j := range n {
				mean[i][j] = logit(i, j)
			}
		}
		if got := Relink(nodes, mean, threshold); !slices.Equal(got, want) {
			t.Fatalf("labels %v, want %v", got, want)
		}
		if len(joins.Merges) == 0 || float64(joins.Merges[0].Similarity) < threshold {
			return
		}
		// The first two that are joined, as one node in the place of the first.
		a, b := int(min(joins.Merges[0].A, joins.Merges[0].B)), int(max(joins.Merges[0].A, joins.Merges[0].B))
		nodes[a] = Node{Articles: 2, Within: logit(a, b)}
		for j := range n {
			mean[a][j] = (mean[a][j] + mean[b][j]) / 2
			mean[j][a] = mean[a][j]
		}
		nodes, mean = slices.Delete(nodes, b, b+1), slices.Delete(mean, b, b+1)
		for i := range mean {
			mean[i] = slices.Delete(mean[i], b, b+1)
		}
		if got := Relink(nodes, mean, threshold); !slices.Equal(got, slices.Delete(want, b, b+1)) {
			t.Fatalf("with %d and %d as one node labels %v, want %v", a, b, got, want)
		}
	})
}
