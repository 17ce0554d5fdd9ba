package cluster

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawnForest draws a dendrogram of up to 60 items, with many merges of the same similarity.
func drawnForest(rt *rapid.T) *Dendrogram {
	n := rapid.IntRange(2, 60).Draw(rt, "items")
	var free []int32
	for i := range n {
		free = append(free, int32(i))
	}
	var merges []Join
	for range rapid.IntRange(0, n-1).Draw(rt, "merges") {
		slices.Sort(free)
		a := rapid.IntRange(0, len(free)-2).Draw(rt, "a")
		b := rapid.IntRange(a+1, len(free)-1).Draw(rt, "b")
		merges = append(merges, Join{free[a], free[b], float32(rapid.IntRange(0, 40).Draw(rt, "similarity")) / 40})
		free = append(slices.Delete(slices.Delete(free, b, b+1), a, a+1), int32(n+len(merges)-1))
	}
	d := ordered(n, merges)
	if err := d.Check(); err != nil {
		rt.Fatal(err)
	}
	return d
}

// groupsOf counts labels, and every item without one.
func groupsOf(labels []int32) int {
	n := labelCount(labels)
	for _, l := range labels {
		if l < 0 {
			n++
		}
	}
	return n
}

func TestFinerGivesNoFewerGroups(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawnForest(rt)
		cut, groups := float32(-1), 0
		for g := -MaxGranularity; g <= MaxGranularity; g++ {
			opts, err := Options{Granularity: g}.withDefaults(d.N)
			if err != nil {
				rt.Fatal(err)
			}
			r := &Result{Dendrogram: d}
			r.cut(opts)
			if n := groupsOf(r.Story); r.StoryCut < cut || n < groups {
				rt.Fatalf("granularity %d: %d groups at %v, the one before has %d at %v", g, n, r.StoryCut, groups, cut)
			} else {
				cut, groups = r.StoryCut, n
			}
		}
	})
}

func TestStepped(t *testing.T) {
	for _, c := range []struct {
		cut   float32
		steps int
		want  float64
	}{
		{0.5, 0, 0.5}, {0.5, 2, 1 / (1 + math.Exp(-2*granularityStep))}, {0.5, -2, 1 / (1 + math.Exp(2*granularityStep))},
		{0, 3, 0}, {0, -3, 0}, {1, 3, 1}, {1, -3, 1},
	} {
		if got := float64(stepped(c.cut, c.steps)); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%d steps from %v: %v, want %v", c.steps, c.cut, got, c.want)
		}
	}
}

// TestCutInto compares with the counts at all cuts.
func TestCutInto(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawnForest(rt)
		heights := d.Heights()
		joined := make([]bool, len(heights))
		for i, h := range heights {
			joined[i] = h >= float32(rapid.IntRange(10, 41).Draw(rt, "joined"))/40
		}
		for i, m := range d.Merges { // all merges inside of a marked one are marked
			for _, part := range [2]int32{m.A, m.B} {
				if at := int(part) - d.N; at >= 0 && !joined[at] {
					joined[i] = false
				}
			}
		}
		n, minSize := rapid.IntRange(1, 12).Draw(rt, "n"), rapid.IntRange(2, 5).Draw(rt, "least size")
		count := func(cut float32) int {
			at := slices.Clone(joined)
			for i, h := range heights {
				at[i] = at[i] || h >= cut
			}
			return labelCount(atLeast(d.labelsWhere(at), minSize))
		}
		cuts := []float32{1}
		for _, h := range heights {
			if h > 0 {
				cuts = append(cuts, h)
			}
		}
		most := 0
		for _, cut := range cuts {
			most = max(most, min(count(cut), n))
		}
		got := d.cutInto(n, minSize, joined)
		if !slices.Contains(cuts, got) || min(count(got), n) != most {
			rt.Fatalf("%d clusters at %v, %d are possible of %d wanted", count(got), got, most, n)
		}
		for _, cut := range cuts {
			if cut < got && count(cut) >= most {
				rt.Fatalf("%d clusters at %v, and %d at %v, which is lower", count(got), got, count(cut), cut)
			}
		}
	})
}

func TestRunOptions(t *testing.T) {
	m, _, topic := nested(1, 1500, 64, 100, 12)
	edges := 0
	run := func(opts Options) *Result {
		t.Helper()
		opts.Finished = func(p Parts) error {
			if p.Graph != nil {
				edges = p.Graph.Edges()
			}
			return nil
		}
		r, err := Run(t.Context(), m, opts)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	plain := run(Options{})
	usual := edges
	for _, least := range []int{3, 12} {
		checkLayers(t, run(Options{MinStory: least}), least, 3)
		r := run(Options{MinTopic: 10 * least})
		checkLayers(t, r, 2, 10*least)
		if slices.Equal(r.Topic, plain.Topic) {
			t.Errorf("topics of %d rows are those of 3", 10*least)
		}
	}
	for _, n := range []int{1, 2, 5, 12, 30} {
		r := run(Options{Topics: n})
		checkLayers(t, r, 2, 3)
		if got := labelCount(r.Topic); got != n || r.TopicMeans.Rows != n {
			t.Errorf("%d topics with %d means, want %d", got, r.TopicMeans.Rows, n)
		}
		if !slices.Equal(r.Story, plain.Story) {
			t.Errorf("%d topics have other stories", n)
		}
		if a := AMI(topic, r.Topic); n == 12 && a < 0.8 {
			t.Errorf("twelve topics: AMI %v", a)
		}
	}
	if r := run(Options{Topics: 1000}); labelCount(r.Topic) < labelCount(plain.Topic) || labelCount(r.Topic) >= 1000 {
		t.Errorf("%d topics, where there are fewer than 1000", labelCount(r.Topic))
	}
	if finer, coarser := run(Options{Granularity: 4}), run(Options{Granularity: -4}); groupsOf(finer.Story) <= groupsOf(plain.Story) || groupsOf(coarser.Story) >= groupsOf(plain.Story) {
		t.Errorf("%d groups if finer, %d if coarser, else %d", groupsOf(finer.Story), groupsOf(coarser.Story), groupsOf(plain.Story))
	}
	if run(Options{Neighbors: 4}); edges >= usual/2 {
		t.Errorf("%d edges with 4 neighbours, %d with 15", edges, usual)
	}
	if less, more := Memory(1000, 64, Options{Neighbors: 4}), Memory(1000, 64, Options{Neighbors: 40}); less >= Memory(1000, 64, Options{}) || more <= Memory(1000, 64, Options{Neighbors: 15}) {
		t.Errorf("4 neighbours need %d bytes, 40 need %d", less, more)
	}
	for _, bad := range []Options{{MinStory: 1}, {MinStory: -2}, {MinTopic: 1}, {Topics: -1}, {Neighbors: -1}, {Granularity: 5}, {Granularity: -5}} {
		if _, err := Run(t.Context(), m, bad); !errors.As(err, new(*InputError)) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestTopicsOfSeparateRows asks for fewer topics than the graph has components.
func TestTopicsOfSeparateRows(t *testing.T) {
	m := Matrix{Dim: 16}
	for i := range 16 * 6 {
		row := make([]float32, m.Dim)
		row[i/6], row[(i/6+1)%16] = 1, 0.01*float32(i%6)
		m.Data, m.Rows = append(m.Data, row...), m.Rows+1
	}
	for _, n := range []int{1, 3, 16} {
		r, err := Run(t.Context(), m, Options{Topics: n, Neighbors: 5})
		if err != nil {
			t.Fatal(err)
		}
		checkLayers(t, r, 2, 3)
		if got := labelCount(r.Topic); got != n || slices.Min(r.Topic) < 0 {
			t.Errorf("%d topics, want %d", got, n)
		}
	}
}
