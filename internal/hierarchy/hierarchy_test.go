package hierarchy

import (
	"context"
	"math"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"throughline/cluster"
	"throughline/internal/score"
	"throughline/internal/score/scoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stateOf is the State of a corpus of which only statistics are known.
func stateOf(fs []score.Features) *score.State {
	return score.NewState(score.Default(), score.StatsOf(fs, score.DefaultBackground()))
}

// The bilinear form is the logit, for every pair.
func TestItemsAreTheLogit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ps := scoretest.Features(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 12).Draw(rt, "n"))
		m := randomModel(rt)
		c := stateOf(ps)
		ws := c.WeighAll(ps, 2)
		it, err := m.Items(ws)
		if err != nil {
			rt.Fatal(err)
		}
		for i := range ps {
			if !it.Sparse[i].Valid() {
				rt.Fatalf("item %d has an invalid sparse vector", i)
			}
			for j := range i {
				want := m.Logit(c.Compare(&ps[i], &ps[j]))
				if got := pairLogit(it, i, j); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					rt.Fatalf("items %d and %d: %v, logit %v", i, j, got, want)
				}
			}
		}
	})
}

func randomModel(rt *rapid.T) *score.Model {
	weight := func(name string) float64 { return rapid.Float64Range(0, 8).Draw(rt, name) }
	either := func(name string) float64 { return rapid.Float64Range(-4, 4).Draw(rt, name) }
	term := func(name string) score.Term {
		return score.Term{Weight: weight(name), Gain: rapid.Float64Range(-1, 1).Draw(rt, name+" gain")}
	}
	return &score.Model{Version: score.Version, Intercept: either("intercept"), Dense: term("dense"), Lexical: term("lexical"), Lead: term("lead"),
		Names: term("names"), Length: score.Length{Sum: either("sum"), Product: either("product")}, Undated: either("undated"),
		Days: []score.TimeKernel{{Width: 1, Weight: weight("day")}, {Width: 3, Weight: weight("three days")}, {Width: 20, Weight: weight("twenty days")}}}
}

// The dendrogram records the mean over all pairs of the groups that a join puts together.
func TestMeanLogitOfGroups(t *testing.T) {
	ps := scoretest.Features(5, 40)
	c, m := stateOf(ps), score.Default()
	it, err := m.Items(c.WeighAll(ps, 1))
	if err != nil {
		t.Fatal(err)
	}
	graph := complete(len(ps))
	tree, err := cluster.Link(context.Background(), it, graph, cluster.LinkOptions{Stop: float32(math.Inf(-1)), MaxCandidates: len(ps)})
	if err != nil {
		t.Fatal(err)
	}
	members := make([][]int, len(ps), 2*len(ps))
	for i := range ps {
		members[i] = []int{i}
	}
	for _, join := range tree.Merges {
		a, b := members[join.A], members[join.B]
		sum := 0.0
		for _, i := range a {
			for _, j := range b {
				sum += m.Logit(c.Compare(&ps[i], &ps[j]))
			}
		}
		if want := sum / float64(len(a)*len(b)); math.Abs(float64(join.Similarity)-want) > 1e-3*(1+math.Abs(want)) {
			t.Fatalf("groups of %d and %d were joined at %v, their mean logit is %v", len(a), len(b), join.Similarity, want)
		}
		members = append(members, slices.Concat(a, b))
	}
	if len(tree.Merges) != len(ps)-1 {
		t.Errorf("%d merges of %d articles", len(tree.Merges), len(ps))
	}
}

func complete(n int) *cluster.Graph {
	g := &cluster.Graph{Offsets: []int64{0}}
	for i := range n {
		for j := range n {
			if i != j {
				g.Neighbors, g.Weights = append(g.Neighbors, int32(j)), append(g.Weights, 1)
			}
		}
		g.Offsets = append(g.Offsets, int64(len(g.Neighbors)))
	}
	return g
}

// The membership probability of an article is that of the mean of its logits to the others of its
// story.
func TestStrength(t *testing.T) {
	ps := scoretest.Features(7, 30)
	c, m := stateOf(ps), score.Default()
	story := make([]int32, len(ps))
	for i := range story {
		story[i] = int32(i%4) - 1
	}
	cut := &score.Threshold{BreakEven: .7, Prior: .4}
	got, err := memberships(m, c.WeighAll(ps, 1), story, cut)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ps {
		sum, others := 0.0, 0
		for j := range ps {
			if j != i && story[j] == story[i] && story[i] >= 0 {
				sum += m.Logit(c.Compare(&ps[i], &ps[j]))
				others++
			}
		}
		want := 0.0
		if others > 0 {
			want = m.Reliability.Joined(sum/float64(others), cut)
		}
		if math.Abs(float64(got[i])-want) > 1e-4 {
			t.Errorf("article %d has strength %v, want %v", i, got[i], want)
		}
	}
}

// Neither the order of articles nor the number of workers changes the groups.
func TestHierarchyIsTheSameForAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ps := scoretest.Features(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 60).Draw(rt, "n"))
		order := rapid.Permutation(indices(len(ps))).Draw(rt, "order")
		shuffled := make([]score.Features, len(ps))
		for to, from := range order {
			shuffled[to] = ps[from]
		}
		ctx := context.Background()
		a, err := Arrange(ctx, stateOf(ps), ps, Options{Workers: 1})
		if err != nil {
			rt.Fatal(err)
		}
		b, err := Arrange(ctx, stateOf(shuffled), shuffled, Options{Workers: 3})
		if err != nil {
			rt.Fatal(err)
		}
		for name, layers := range map[string][2][]int32{"copy": {a.Copy, b.Copy}, "story": {a.Story, b.Story},
			"topic": {a.Topic, b.Topic}, "theme": {a.Theme, b.Theme}} {
			back := make([]int32, len(ps))
			for to, from := range order {
				back[from] = layers[1][to]
			}
			if !samePartition(layers[0], back) {
				rt.Fatalf("%s groups differ: %v and, shuffled, %v", name, layers[0], back)
			}
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func samePartition(a, b []int32) bool {
	to, from := map[int32]int32{}, map[int32]int32{}
	for i := range a {
		if x, ok := to[a[i]]; ok && x != b[i] {
			return false
		}
		if x, ok := from[b[i]]; ok && x != a[i] {
			return false
		}
		if (a[i] < 0) != (b[i] < 0) {
			return false
		}
		if a[i] >= 0 {
			to[a[i]], from[b[i]] = b[i], a[i]
		}
	}
	return true
}

func TestHierarchyOfNothing(t *testing.T) {
	l, err := Arrange(context.Background(), stateOf(nil), nil, Options{})
	if err != nil || len(l.Story) != 0 || len(l.Copy) != 0 {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestHierarchyRefusesMixedDimensions(t *testing.T) {
	ps := scoretest.Features(1, 3)
	ps[0].Dense, ps[1].Dense = []float32{1, 0}, []float32{1, 0, 0}
	if _, err := Arrange(context.Background(), stateOf(ps), ps, Options{}); err == nil {
		t.Error("vectors of two and of three dimensions were accepted")
	}
}
