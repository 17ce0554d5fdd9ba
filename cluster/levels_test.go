package cluster

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// nested returns unit rows of stories inside of topics, with noise, and the story and topic of
// each, -1 for noise.
func nested(seed uint64, n, dim, stories, topics int) (m Matrix, story, topic []int32) {
	r := rand.New(rand.NewPCG(seed, 9))
	draw := func() []float64 {
		v := make([]float64, dim)
		var square float64
		for d := range v {
			v[d] = r.NormFloat64() / math.Sqrt(float64(d+1)) // a spectrum that decays, as that of embeddings does
			square += v[d] * v[d]
		}
		for d := range v {
			v[d] /= math.Sqrt(square)
		}
		return v
	}
	common := draw()
	centers := make([][]float64, topics)
	for t := range centers {
		centers[t] = draw()
	}
	events := make([][]float64, stories)
	for s := range events {
		events[s] = draw()
		for d, x := range centers[s%topics] {
			events[s][d] = (0.9*events[s][d] + x) / math.Sqrt(1.81)
		}
	}
	m = Matrix{n, dim, make([]float32, n*dim)}
	for i := range n {
		v := draw()
		s, t := int32(-1), int32(-1)
		if i%6 != 0 {
			s = int32(r.IntN(stories))
			t = s % int32(topics)
			for d := range v {
				v[d] = events[s][d] + 0.7*v[d]
			}
		}
		var square float64
		for d := range v {
			v[d] += 0.4 * common[d]
			square += v[d] * v[d]
		}
		for d := range v {
			m.Row(i)[d] = float32(v[d] / math.Sqrt(square))
		}
		story, topic = append(story, s), append(topic, t)
	}
	return m, story, topic
}

// tower is a dendrogram of three pairs that become one: 0+1 at .9, 2+3 at .8, 4+5 at .7, the first
// two at .3, all at .1.
func tower() *Dendrogram {
	return &Dendrogram{N: 7, Merges: []Join{{0, 1, 0.9}, {2, 3, 0.8}, {4, 5, 0.7}, {7, 8, 0.3}, {10, 9, 0.1}}}
}

func TestCut(t *testing.T) {
	d := tower()
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   float32
		want []int32
	}{
		{0.95, []int32{0, 1, 2, 3, 4, 5, 6}},
		{0.9, []int32{0, 0, 1, 2, 3, 4, 5}},
		{0.75, []int32{0, 0, 1, 1, 2, 3, 4}},
		{0.5, []int32{0, 0, 1, 1, 2, 2, 3}},
		{0.2, []int32{0, 0, 0, 0, 1, 1, 2}},
		{-1, []int32{0, 0, 0, 0, 0, 0, 1}},
	} {
		if got := d.Cut(c.at); !slices.Equal(got, c.want) {
			t.Errorf("Cut(%v) = %v, want %v", c.at, got, c.want)
		}
		k := slices.Max(c.want) + 1
		if got := d.CutN(int(k)); !slices.Equal(got, c.want) {
			t.Errorf("CutN(%d) = %v, want %v", k, got, c.want)
		}
	}
	if got := d.CutN(0); !slices.Equal(got, d.CutN(2)) {
		t.Errorf("CutN(0) = %v", got)
	}
	if got := d.CutN(100); slices.Max(got) != 6 {
		t.Errorf("CutN(100) = %v", got)
	}
}

// TestInversion cuts a dendrogram in which a merge is more similar than one inside of it.
func TestInversion(t *testing.T) {
	d := ordered(4, []Join{{0, 1, 0.2}, {2, 3, 0.5}, {4, 2, 0.9}})
	if d.Check() == nil {
		t.Error("node 2 is used twice, and passed")
	}
	d = ordered(4, []Join{{0, 1, 0.2}, {4, 2, 0.9}, {5, 3, 0.1}})
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	if h := d.Heights(); !slices.Equal(h, []float32{0.2, 0.2, 0.1}) {
		t.Errorf("heights %v", h)
	}
	if got := d.Cut(0.5); !slices.Equal(got, []int32{0, 1, 2, 3}) {
		t.Errorf("a cut above an inner merge gives %v", got)
	}
}

func TestDendrogramCheck(t *testing.T) {
	for name, d := range map[string]*Dendrogram{
		"forward": {2, []Join{{0, 3, 1}}},
		"twice":   {3, []Join{{0, 1, 1}, {0, 2, 1}}},
		"order":   {4, []Join{{0, 1, 0.1}, {2, 3, 0.9}}},
		"nan":     {2, []Join{{0, 1, float32(math.NaN())}}},
	} {
		if d.Check() == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestChoose(t *testing.T) {
	d := tower()
	// At .3 to .7 there are three pairs that last from .9, .8 and .7 down to .3, .3 and .1: the sum
	// is 2^p * (.6 + .5 + .6). Nowhere is it more.
	cut, ok := d.Choose(CutRule{Least: 0, Most: 1, MinSize: 2})
	if !ok || cut < 0.3 || cut > 0.7 {
		t.Errorf("cut %v, %v", cut, ok)
	}
	// With the pairs taken as given, what is left is the four that last from .3 to .1, and the six
	// from .1 to 0.
	joined := []bool{true, true, true, false, false}
	cut, ok = d.Choose(CutRule{Least: 0, Most: 1, MinSize: 2, Joined: joined})
	if !ok || cut < 0.1 || cut > 0.3 {
		t.Errorf("cut above pairs %v, %v", cut, ok)
	}
	if _, ok := d.Choose(CutRule{Least: 0, Most: 1, MinSize: 20}); ok {
		t.Error("found clusters of 20 among 7 items")
	}
	if _, ok := d.Choose(CutRule{Least: 1, Most: 1, MinSize: 2}); ok {
		t.Error("found a cut in an empty range")
	}
	if _, ok := (&Dendrogram{N: 3}).Choose(CutRule{Least: 0, Most: 1, MinSize: 2}); ok {
		t.Error("found a cut of nothing")
	}
}

// TestChooseAbsorbs has two clusters, each of two halves, that pick up single items one after the
// other before they meet. They are the same two clusters all along, and last longer than the
// halves.
func TestChooseAbsorbs(t *testing.T) {
	const n = 60
	var merges []Join
	add := func(a, b int32, at float32) int32 {
		merges = append(merges, Join{a, b, at})
		return int32(n + len(merges) - 1)
	}
	chain := func(from, to int) int32 {
		node := int32(from)
		for i := from + 1; i < to; i++ {
			node = add(node, int32(i), 0.9)
		}
		return node
	}
	grown := func(from int) int32 {
		node := add(chain(from, from+10), chain(from+10, from+20), 0.6)
		for i := range 10 {
			node = add(node, int32(from+20+i), 0.55-0.05*float32(i))
		}
		return node
	}
	add(grown(0), grown(30), 0.05)
	d := ordered(n, merges)
	rule := CutRule{Least: 0, Most: 1, MinSize: 5}
	cut, ok := d.Choose(rule)
	if !ok || cut < 0.6 || cut > 0.9 {
		t.Errorf("without absorbing, a cut at %v, want one between the halves and their parts", cut)
	}
	rule.Absorb = 0.1
	cut, ok = d.Choose(rule)
	if labels := d.Cut(cut); !ok || cut <= 0.05 || cut > 0.6 || labels[0] == labels[30] {
		t.Errorf("with absorbing, a cut at %v, want one where the two clusters grow", cut)
	}
}

func TestLikenessOfHalves(t *testing.T) {
	// The halves of a cluster are alike however wide it is: items with the same products among each
	// other.
	for _, within := range []float32{0.9, 0.5, 0.2} {
		d := &Dendrogram{N: 1 << 8}
		nodes := make([]int32, d.N)
		for i := range nodes {
			nodes[i] = int32(i)
		}
		for len(nodes) > 1 {
			var next []int32
			for i := 0; i < len(nodes); i += 2 {
				d.Merges = append(d.Merges, Join{nodes[i], nodes[i+1], within})
				next = append(next, int32(d.N+len(d.Merges)-1))
			}
			nodes = next
		}
		likeness := d.Likeness()
		if last := likeness[len(likeness)-1]; math.Abs(float64(last)-1) > 0.01 {
			t.Errorf("halves of a cluster with similarities of %v have likeness %v", within, last)
		}
	}
}

// slowPersistence follows the comments of Choose and persistence, cut by cut.
func slowPersistence(d *Dendrogram, rule CutRule, values []float32, cut float64) (sum float64, clusters int) {
	size, weight := d.sizes(), d.sums(rule.Weights)
	parent := map[int32]int32{}
	for i, m := range d.Merges {
		parent[m.A], parent[m.B] = int32(d.N+i), int32(d.N+i)
	}
	free := func(node int32) bool { return int(node) >= d.N && (rule.Joined == nil || !rule.Joined[int(node)-d.N]) }
	value := func(node int32) float64 {
		return float64(min(max(values[int(node)-d.N], rule.Least), rule.Most))
	}
	for i := range d.Merges {
		node := int32(d.N + i)
		if !free(node) || int(size[node]) < rule.MinSize || values[i] < rule.Least || value(node) < cut {
			continue
		}
		if p, ok := parent[node]; ok && value(p) >= cut && value(p) > float64(rule.Least) {
			continue
		}
		start := node // down to where the cluster began
		counts := true
		for {
			m := d.Merges[int(start)-d.N]
			large, small := m.A, m.B
			if weight[large] < weight[small] {
				large, small = small, large
			}
			if float64(weight[small]) >= rule.Absorb*float64(weight[large]) {
				break
			}
			if !free(large) {
				counts = false
				break
			}
			start = large
		}
		if !counts {
			continue
		}
		end, dies := node, float64(rule.Least) // up to where it is no longer itself
		for {
			p, ok := parent[end]
			if !ok {
				break
			}
			if other := weight[p] - weight[end]; float64(other) >= rule.Absorb*float64(weight[end]) {
				dies = value(p)
				break
			}
			end = p
		}
		sum += math.Pow(float64(weight[node]), sizePower) * (value(start) - dies)
		clusters++
	}
	return sum, clusters
}

func TestPersistenceAgreesWithDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var merges []Join
		nodes := make([]int32, n)
		for i := range nodes {
			nodes[i] = int32(i)
		}
		for range rapid.IntRange(1, n-1).Draw(t, "merges") {
			r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
			last := len(nodes) - 1
			merges = append(merges, Join{nodes[last], nodes[last-1], r.Float32()*1.4 - 0.2})
			nodes = append(nodes[:last-1], int32(n+len(merges)-1))
		}
		d := ordered(n, merges)
		values := d.Heights()
		rule := CutRule{Least: 0, Most: 1, MinSize: rapid.IntRange(1, 4).Draw(t, "size"), Absorb: rapid.SampledFrom([]float64{0, 0.2, 0.6}).Draw(t, "absorb")}
		if finer := rapid.Float32Range(0, 1).Draw(t, "finer"); rapid.Bool().Draw(t, "joined") {
			rule.Joined = make([]bool, len(d.Merges))
			for i, v := range values {
				rule.Joined[i] = v >= finer
			}
		}
		if rapid.Bool().Draw(t, "weighted") {
			rule.Weights = rapid.SliceOfN(rapid.Int32Range(0, 3), n, n).Draw(t, "weights")
		}
		sums, clusters := d.persistence(rule, values)
		for k := range sums {
			// Away from the values of merges, where rounding decides on which side of a step they
			// are.
			cut := float64(k) / cutSteps
			if slices.ContainsFunc(values, func(v float32) bool { return math.Abs(float64(v)-cut) < 1e-6 }) {
				continue
			}
			want, count := slowPersistence(d, rule, values, cut)
			if math.Abs(sums[k]-want) > 1e-6 || clusters[k] != count {
				t.Fatalf("at %v: %v over %d clusters, want %v over %d", cut, sums[k], clusters[k], want, count)
			}
		}
	})
}
