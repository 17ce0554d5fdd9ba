package cluster

import "slices"

// Graph is an undirected graph with weights in compressed rows: the neighbours of node i are
// Neighbors[Offsets[i]:Offsets[i+1]], strictly ascending, with the weights at the same places.
// Every edge is listed from both ends with the same weight, and no node is its own neighbour. The
// zero Graph has no nodes.
type Graph struct {
	Offsets   []int64
	Neighbors []int32
	Weights   []float32
}

// Nodes returns the number of nodes.
func (g *Graph) Nodes() int { return max(0, len(g.Offsets)-1) }

// Edges returns the number of edges, each counted once.
func (g *Graph) Edges() int { return len(g.Neighbors) / 2 }

// Of returns the neighbours of node i and the weights of the edges to them. Both share memory with
// the graph.
func (g *Graph) Of(i int) ([]int32, []float32) {
	from, to := g.Offsets[i], g.Offsets[i+1]
	return g.Neighbors[from:to:to], g.Weights[from:to:to]
}

// Check returns an *InputError for the first contradiction to the description of Graph.
func (g *Graph) Check() error {
	n := g.Nodes()
	if len(g.Offsets) == 0 && len(g.Neighbors) == 0 && len(g.Weights) == 0 {
		return nil
	}
	if len(g.Offsets) == 0 || g.Offsets[0] != 0 || g.Offsets[n] != int64(len(g.Neighbors)) || len(g.Neighbors) != len(g.Weights) {
		return inputError("lengths of the offsets, neighbours and weights of a graph do not fit")
	}
	for i := range n {
		if g.Offsets[i] > g.Offsets[i+1] || g.Offsets[i+1] > int64(len(g.Neighbors)) {
			return inputError("node %d of a graph: offsets are not ascending", i)
		}
		neighbors, weights := g.Of(i)
		for k, j := range neighbors {
			if j < 0 || int(j) >= n || int(j) == i || k > 0 && neighbors[k-1] >= j {
				return inputError("node %d of a graph: neighbour %d is out of range, out of order or the node itself", i, j)
			}
			if weights[k] != weights[k] {
				return inputError("node %d of a graph: the weight of neighbour %d is NaN", i, j)
			}
		}
	}
	for i := range n {
		neighbors, weights := g.Of(i)
		for k, j := range neighbors {
			back, backWeights := g.Of(int(j))
			if at, ok := slices.BinarySearch(back, int32(i)); !ok || backWeights[at] != weights[k] {
				return inputError("node %d of a graph: the edge to %d is not the same from its other end", i, j)
			}
		}
	}
	return nil
}

// Merge returns the graph with the edges of all given graphs, which must have the same nodes. An
// edge of several graphs gets its greatest weight.
func Merge(graphs ...*Graph) (*Graph, error) {
	if len(graphs) == 0 {
		return &Graph{}, nil
	}
	n := graphs[0].Nodes()
	for _, g := range graphs[1:] {
		if g.Nodes() != n {
			return nil, inputError("merged graphs have different numbers of nodes (got %d and %d)", n, g.Nodes())
		}
	}
	merged := &Graph{Offsets: make([]int64, n+1)}
	for i := range n {
		from := len(merged.Neighbors)
		for _, g := range graphs {
			neighbors, weights := g.Of(i)
			merged.Neighbors = append(merged.Neighbors, neighbors...)
			merged.Weights = append(merged.Weights, weights...)
		}
		to := from + tidy(merged.Neighbors[from:], merged.Weights[from:])
		merged.Neighbors, merged.Weights = merged.Neighbors[:to], merged.Weights[:to]
		merged.Offsets[i+1] = int64(to)
	}
	return merged, nil
}

// tidy sorts neighbours with their weights, removes duplicates, keeping the greatest weight, and
// returns the number that is left.
func tidy(neighbors []int32, weights []float32) int {
	sortPairs(neighbors, weights)
	count := 0
	for k, j := range neighbors {
		if count > 0 && neighbors[count-1] == j {
			weights[count-1] = max(weights[count-1], weights[k])
			continue
		}
		neighbors[count], weights[count] = j, weights[k]
		count++
	}
	return count
}

// sortPairs sorts ids ascending and moves the weights along. Lists are mostly short and made of a
// few sorted runs, so short ones are sorted by insertion.
func sortPairs(ids []int32, weights []float32) {
	if len(ids) > 64 {
		type pair struct {
			id     int32
			weight float32
		}
		pairs := make([]pair, len(ids))
		for i := range ids {
			pairs[i] = pair{ids[i], weights[i]}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return int(a.id) - int(b.id) })
		for i, p := range pairs {
			ids[i], weights[i] = p.id, p.weight
		}
		return
	}
	for i := 1; i < len(ids); i++ {
		id, weight := ids[i], weights[i]
		at := i
		for at > 0 && ids[at-1] > id {
			ids[at], weights[at] = ids[at-1], weights[at-1]
			at--
		}
		ids[at], weights[at] = id, weight
	}
}

// symmetric makes a graph of directed lists. Row i of the n x k arrays has the neighbours of i, -1
// where there are fewer than k. An edge must have the same weight in both directions.
func symmetric(n, k int, ids []int32, weights []float32) *Graph {
	offsets := make([]int64, n+2)
	for i := range n {
		for _, j := range ids[i*k : (i+1)*k] {
			if j >= 0 {
				offsets[i+2]++
				offsets[j+2]++
			}
		}
	}
	for i := 2; i < len(offsets); i++ {
		offsets[i] += offsets[i-1]
	}
	// offsets[i+1] is where the neighbours of i begin, and where they end once they are written.
	neighbors := make([]int32, offsets[n+1])
	values := make([]float32, offsets[n+1])
	put := func(i, j int32, w float32) {
		at := offsets[i+1]
		neighbors[at], values[at] = j, w
		offsets[i+1]++
	}
	for i := range n {
		for e := i * k; e < (i+1)*k; e++ {
			if j := ids[e]; j >= 0 {
				put(int32(i), j, weights[e])
				put(j, int32(i), weights[e])
			}
		}
	}
	offsets = offsets[:n+1]
	var at, from int64
	for i := range n {
		to := offsets[i+1]
		count := int64(tidy(neighbors[from:to], values[from:to]))
		copy(neighbors[at:], neighbors[from:from+count])
		copy(values[at:], values[from:from+count])
		at += count
		offsets[i+1], from = at, to
	}
	return &Graph{Offsets: offsets, Neighbors: neighbors[:at:at], Weights: values[:at:at]}
}
