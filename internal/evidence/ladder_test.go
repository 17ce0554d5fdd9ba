package evidence

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"throughline/cluster"
	"throughline/cluster/vector"
	"throughline/internal/lexical"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDim = 16

// randomProfiles makes articles on few events out of invented words, with texts of any length, some undated, some without
// a vector.
func randomProfiles(seed uint64, n int) []Profile {
	r := rand.New(rand.NewPCG(seed, 1))
	events := max(1, n/3)
	ps := make([]Profile, n)
	for i := range ps {
		event := rand.New(rand.NewPCG(seed, uint64(100+r.IntN(events))))
		dense := make([]float32, testDim)
		for d := range dense {
			dense[d] = float32(event.NormFloat64() + 0.5*r.NormFloat64())
		}
		vector.Normalize(dense)
		if r.IntN(10) == 0 {
			dense = nil
		}
		var words []string
		for range 1 + r.IntN(200) {
			word := fmt.Sprintf("w%c%c", 'a'+event.IntN(26), 'a'+event.IntN(26))
			if r.IntN(4) == 0 {
				word = fmt.Sprintf("Common%c", 'a'+r.IntN(26))
			}
			words = append(words, word)
		}
		var published time.Time
		if r.IntN(4) > 0 {
			published = time.Date(2024, 1, 1+event.IntN(60)+r.IntN(3), r.IntN(24), 0, 0, 0, time.UTC)
		}
		ps[i] = Profile{ID: fmt.Sprint(i), Dense: dense, Published: published,
			Lex: lexical.Analyze(strings.Join(words[:min(6, len(words))], " "), strings.Join(words, " "))}
	}
	return ps
}

// The bilinear form is the logit, for every pair.
func TestItemsAreTheLogit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ps := randomProfiles(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 12).Draw(rt, "n"))
		m := randomModel(rt)
		c := corpusOf(ps)
		ws := weighAll(c, ps, 2)
		it, err := m.items(ws)
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

func randomModel(rt *rapid.T) *Model {
	weight := func(name string) float64 { return rapid.Float64Range(0, 8).Draw(rt, name) }
	either := func(name string) float64 { return rapid.Float64Range(-4, 4).Draw(rt, name) }
	term := func(name string) Term {
		return Term{weight(name), rapid.Float64Range(-1, 1).Draw(rt, name+" gain")}
	}
	return &Model{Version: Version, Intercept: either("intercept"), Dense: term("dense"), Lexical: term("lexical"), Lead: term("lead"),
		Names: term("names"), Length: Length{either("sum"), either("product")}, Undated: either("undated"),
		Days: []Hat{{1, weight("day")}, {3, weight("three days")}, {20, weight("twenty days")}}}
}

// Joined by linkage, the mean over all pairs is what the dendrogram records.
func TestMeanLogitOfGroups(t *testing.T) {
	ps := randomProfiles(5, 40)
	c, m := corpusOf(ps), Default()
	it, err := m.items(weighAll(c, ps, 1))
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

// The strength of an article is the probability that belongs to the mean of its logits to the others of its story.
func TestStrength(t *testing.T) {
	ps := randomProfiles(7, 30)
	c, m := corpusOf(ps), Default()
	it, err := m.items(weighAll(c, ps, 1))
	if err != nil {
		t.Fatal(err)
	}
	story := make([]int32, len(ps))
	for i := range story {
		story[i] = int32(i%4) - 1
	}
	const cut = 0.7
	got := m.strengths(it, story, cut)
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
			want = m.Belonging(sum/float64(others), cut)
		}
		if math.Abs(float64(got[i])-want) > 1e-4 {
			t.Errorf("article %d has strength %v, want %v", i, got[i], want)
		}
	}
}

// Neither the order of articles nor the number of workers changes who is with whom.
func TestLadderIsTheSameForAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ps := randomProfiles(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 60).Draw(rt, "n"))
		order := rapid.Permutation(indices(len(ps))).Draw(rt, "order")
		shuffled := make([]Profile, len(ps))
		for to, from := range order {
			shuffled[to] = ps[from]
		}
		ctx := context.Background()
		a, err := Default().Ladder(ctx, corpusOf(ps), ps, LadderOptions{Workers: 1})
		if err != nil {
			rt.Fatal(err)
		}
		b, err := Default().Ladder(ctx, corpusOf(shuffled), shuffled, LadderOptions{Workers: 3})
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

func TestLadderOfNothing(t *testing.T) {
	l, err := Default().Ladder(context.Background(), NewCorpus(), nil, LadderOptions{})
	if err != nil || len(l.Story) != 0 || len(l.Copy) != 0 {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestLadderRefusesMixedDimensions(t *testing.T) {
	ps := randomProfiles(1, 3)
	ps[0].Dense, ps[1].Dense = []float32{1, 0}, []float32{1, 0, 0}
	if _, err := Default().Ladder(context.Background(), corpusOf(ps), ps, LadderOptions{}); err == nil {
		t.Error("vectors of two and of three dimensions were accepted")
	}
}
