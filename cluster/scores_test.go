package cluster

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// generated returns two related clusterings of 500 items by arithmetic, so that another program can
// make the same.
func generated() (gold, found []int32) {
	for i := range int32(500) {
		g := i * i % 7
		f := g
		if i%5 == 0 {
			f++
		}
		gold, found = append(gold, g), append(found, f%6)
	}
	return gold, found
}

// The expected values are from scikit-learn 1.x (adjusted_rand_score, adjusted_mutual_info_score,
// pair_confusion_matrix) and, for B-cubed, from its definition in numpy.
func TestScores(t *testing.T) {
	g500, f500 := generated()
	for _, c := range []struct {
		name        string
		gold, found []int32
		ari, ami    float64
		bcubed      [3]float64
		pair        [3]float64
	}{
		{"same", []int32{0, 0, 1, 1}, []int32{0, 0, 1, 1}, 1, 1, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{"renamed", []int32{0, 0, 1, 1}, []int32{1, 1, 0, 0}, 1, 1, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{"crossed", []int32{0, 0, 1, 1}, []int32{0, 1, 0, 1}, -0.5, -0.5, [3]float64{0.5, 0.5, 0.5}, [3]float64{0, 0, 0}},
		{"one", []int32{0, 0, 0, 0}, []int32{0, 0, 0, 0}, 1, 1, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{"split", []int32{0, 0, 0, 0}, []int32{0, 1, 2, 3}, 0, 0, [3]float64{1, 0.25, 0.4}, [3]float64{1, 0, 0}},
		{"apart", []int32{0, 1, 2, 3}, []int32{0, 1, 2, 3}, 1, 1, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{"ten", []int32{0, 0, 0, 1, 1, 1, 2, 2, 2, 2}, []int32{0, 0, 1, 1, 1, 2, 2, 2, 2, 3}, 0.28, 0.335701002652,
			[3]float64{0.716666666667, 0.583333333333, 0.643162393162}, [3]float64{0.5, 0.416666666667, 0.454545454545}},
		{"eleven", []int32{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5}, []int32{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3}, 0.31724137931, 0.369609594236,
			[3]float64{0.545454545455, 0.818181818182, 0.654545454545}, [3]float64{0.3, 0.6, 0.4}},
		{"generated", g500, f500, 0.661391463555, 0.750297321454,
			[3]float64{0.857007583965, 0.680039052497, 0.758335643899}, [3]float64{0.819340853143, 0.67836826575, 0.742220003328}},
		// Items without a gold label do not count, items in no cluster are alone.
		{"unlabelled", []int32{0, -1, 0, 1, -1, 1}, []int32{0, 0, 1, 0, 5, 1}, -0.5, -0.5, [3]float64{0.5, 0.5, 0.5}, [3]float64{0, 0, 0}},
		{"noise", []int32{0, 0, 0, 0}, []int32{-1, -1, -1, -1}, 0, 0, [3]float64{1, 0.25, 0.4}, [3]float64{1, 0, 0}},
		{"nothing", []int32{-1}, []int32{0}, 1, 1, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{"empty", nil, nil, 1, 1, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ARI(c.gold, c.found); !near(got, c.ari) {
				t.Errorf("ARI %.12f, want %.12f", got, c.ari)
			}
			if got := AMI(c.gold, c.found); !near(got, c.ami) {
				t.Errorf("AMI %.12f, want %.12f", got, c.ami)
			}
			if p, r, f := BCubed(c.gold, c.found); !near(p, c.bcubed[0]) || !near(r, c.bcubed[1]) || !near(f, c.bcubed[2]) {
				t.Errorf("BCubed %v %v %v, want %v", p, r, f, c.bcubed)
			}
			if p, r, f := PairF1(c.gold, c.found); !near(p, c.pair[0]) || !near(r, c.pair[1]) || !near(f, c.pair[2]) {
				t.Errorf("PairF1 %v %v %v, want %v", p, r, f, c.pair)
			}
		})
	}
}

func TestScoresOfAnyLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		gold := rapid.SliceOfN(rapid.Int32Range(-1, 6), n, n).Draw(t, "gold")
		found := rapid.SliceOfN(rapid.Int32Range(-1, 6), n, n).Draw(t, "found")
		p, r, f := BCubed(gold, found)
		pp, pr, pf := PairF1(gold, found)
		for _, v := range []float64{p, r, f, pp, pr, pf} {
			if !(v >= 0 && v <= 1+1e-12) {
				t.Fatal("out of range", p, r, f, pp, pr, pf)
			}
		}
		for name, score := range map[string]func(a, b []int32) float64{"ARI": ARI, "AMI": AMI} {
			s := score(gold, found)
			if !(s <= 1+1e-9 && s >= -1-1e-9) {
				t.Fatalf("%s %v", name, s)
			}
			if same := score(gold, gold); !near(same, 1) {
				t.Fatalf("%s with itself is %v", name, same)
			}
			x, y := apart(gold), apart(found)
			if a, b := score(x, y), score(y, x); !near(a, b) {
				t.Fatalf("%s is %v one way and %v the other", name, a, b)
			}
		}
		var sum float64 // precision by its definition
		count := 0
		for i := range gold {
			if gold[i] < 0 {
				continue
			}
			count++
			both, in := 1, 1
			for j := range gold {
				if j != i && gold[j] >= 0 && found[i] >= 0 && found[j] == found[i] {
					in++
					if gold[j] == gold[i] {
						both++
					}
				}
			}
			sum += float64(both) / float64(in)
		}
		if count > 0 && !near(p, sum/float64(count)) {
			t.Fatalf("B-cubed precision %v, want %v", p, sum/float64(count))
		}
	})
}

// drawn is a pair of clusterings without unlabelled items.
func drawn(t *rapid.T) (a, b []int32) {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	return rapid.SliceOfN(rapid.Int32Range(0, 6), n, n).Draw(t, "a"), rapid.SliceOfN(rapid.Int32Range(0, 6), n, n).Draw(t, "b")
}

// Gold and found change places: precision and recall do too, and all else stays.
func TestScoresAreSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawn(t)
		for name, score := range map[string]func(a, b []int32) (float64, float64, float64){"BCubed": BCubed, "PairF1": PairF1} {
			p, r, f := score(a, b)
			if r2, p2, f2 := score(b, a); !near(p, p2) || !near(r, r2) || !near(f, f2) {
				t.Fatalf("%s: %v %v %v one way, %v %v %v the other", name, p, r, f, p2, r2, f2)
			}
		}
		if !near(AMI(a, b), AMI(b, a)) || !near(ARI(a, b), ARI(b, a)) {
			t.Fatal("AMI", AMI(a, b), AMI(b, a), "ARI", ARI(a, b), ARI(b, a))
		}
	})
}

// Neither the names of clusters nor the order of items says anything.
func TestScoresIgnoreNamesAndOrder(t *testing.T) {
	all := func(gold, found []int32) []float64 {
		p, r, f := BCubed(gold, found)
		pp, pr, pf := PairF1(gold, found)
		return []float64{p, r, f, pp, pr, pf, AMI(gold, found), ARI(gold, found)}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		gold := rapid.SliceOfN(rapid.Int32Range(-1, 6), n, n).Draw(t, "gold")
		found := rapid.SliceOfN(rapid.Int32Range(-1, 6), n, n).Draw(t, "found")
		want := all(gold, found)

		names := rapid.Permutation([]int32{0, 1, 2, 3, 4, 5, 6}).Draw(t, "names")
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		order = rapid.Permutation(order).Draw(t, "order")
		renamed := func(labels []int32, shift int32) []int32 {
			out := make([]int32, n)
			for to, from := range order {
				if out[to] = labels[from]; out[to] >= 0 {
					out[to] = shift + names[out[to]]
				}
			}
			return out
		}
		for i, got := range all(renamed(gold, 100), renamed(found, 7)) {
			if !near(got, want[i]) {
				t.Fatalf("score %d is %v, was %v", i, got, want[i])
			}
		}
	})
}

// The scores by definition, looking at every pair of items.
func TestPairScoresByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gold, found := drawn(t)
		var both, inGold, inFound, pairs float64
		for i := range gold {
			for j := range i {
				pairs++
				g, f := gold[i] == gold[j], found[i] == found[j]
				if g {
					inGold++
				}
				if f {
					inFound++
				}
				if g && f {
					both++
				}
			}
		}
		p, r, _ := PairF1(gold, found)
		if inFound > 0 && !near(p, both/inFound) || inGold > 0 && !near(r, both/inGold) {
			t.Fatalf("precision %v, recall %v; both %v, gold %v, found %v", p, r, both, inGold, inFound)
		}
		if pairs == 0 {
			return
		}
		expected := inGold * inFound / pairs
		if most := (inGold + inFound) / 2; most != expected && !near(ARI(gold, found), (both-expected)/(most-expected)) {
			t.Fatalf("ARI %v", ARI(gold, found))
		}
	})
}

func TestOverlapsAddUpToTheScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		gold := rapid.SliceOfN(rapid.Int32Range(-1, 6), n, n).Draw(t, "gold")
		found := rapid.SliceOfN(rapid.Int32Range(-1, 6), n, n).Draw(t, "found")
		var precision, recall, labelled float64
		for i, o := range Overlaps(gold, found) {
			if gold[i] < 0 {
				if o != (Overlap{}) {
					t.Fatalf("item %d has no label and the overlap %+v", i, o)
				}
				continue
			}
			labelled++
			precision += float64(o.Both) / float64(o.Found)
			recall += float64(o.Both) / float64(o.Gold)
		}
		if p, r, _ := BCubed(gold, found); labelled > 0 && (!near(p, precision/labelled) || !near(r, recall/labelled)) {
			t.Fatalf("BCubed %v %v, from overlaps %v %v", p, r, precision/labelled, recall/labelled)
		}
	})
}

// apart gives every item with a negative label a label of its own, so that a score counts joining
// two such items as an error.
func apart(labels []int32) []int32 {
	out := slices.Clone(labels)
	next := slices.Max(append([]int32{-1}, labels...)) + 1
	for i, l := range out {
		if l < 0 {
			out[i] = next
			next++
		}
	}
	return out
}

// The expected values are scikit-learn's ndcg_score.
func TestNDCG(t *testing.T) {
	gains := []float64{3, 2, 3, 0, 1, 2}
	for _, c := range []struct {
		gains, ideal []float64
		k            int
		want         float64
	}{
		{gains, gains, 6, 0.9608081943360616},
		{gains, gains, 3, 0.9777813616305048},
		{[]float64{0, 1, 0, 1}, []float64{1, 0, 1, 0}, 10, 0.6509209298071323},
		{[]float64{1}, []float64{1, 1}, 10, 1 / (1 + 1/math.Log2(3))},
		{nil, []float64{1}, 5, 0},
		{nil, nil, 5, 1},
		{[]float64{1}, nil, 5, 0},
		{[]float64{1}, []float64{1}, 0, 1},
	} {
		if got := NDCG(c.gains, c.ideal, c.k); !near(got, c.want) {
			t.Errorf("NDCG(%v, %v, %d) = %v, want %v", c.gains, c.ideal, c.k, got, c.want)
		}
	}
}

// nDCG is best for what is ordered by gain, never leaves 0 to 1, does not care what comes after k,
// and rises when a larger gain moves up.
func TestNDCGOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gains := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, 2, 3}), 0, 15).Draw(t, "gains")
		k := rapid.IntRange(0, 12).Draw(t, "k")
		got := NDCG(gains, gains, k)
		if !(got >= 0 && got <= 1+1e-12) {
			t.Fatal("out of range", got)
		}
		best := slices.Clone(gains)
		slices.Sort(best)
		slices.Reverse(best)
		if !near(NDCG(best, gains, k), 1) {
			t.Fatal("the best order has", NDCG(best, gains, k))
		}
		if cut := gains[:min(k, len(gains))]; !near(NDCG(cut, gains, k), got) {
			t.Fatal("what comes after k counts:", NDCG(cut, gains, k), got)
		}
		for i := 1; i < len(gains); i++ {
			if gains[i] > gains[i-1] {
				swapped := slices.Clone(gains)
				swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
				if after := NDCG(swapped, gains, k); after < got-1e-12 || i < k && after <= got {
					t.Fatalf("%v moved up: %v, was %v", gains[i], after, got)
				}
			}
		}
	})
}

func TestPrecisionAndRank(t *testing.T) {
	r := []bool{false, true, true}
	for k, want := range map[int]float64{0: 0, 1: 0, 2: 0.5, 3: 2. / 3, 4: 0.5} {
		if got := PrecisionAt(r, k); !near(got, want) {
			t.Errorf("PrecisionAt %d: %v, want %v", k, got, want)
		}
	}
	if ReciprocalRank(r) != 0.5 || ReciprocalRank(nil) != 0 || ReciprocalRank([]bool{true}) != 1 {
		t.Error("ReciprocalRank")
	}
}
