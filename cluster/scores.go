package cluster

import (
	"fmt"
	"math"
)

// The scores compare found labels with gold labels, item by item. Items with a negative gold label
// are not labelled and left out. An item with a negative found label is a cluster of one. Scores of
// no items are 1. Slices of different lengths panic.

// BCubed returns the B-cubed precision, recall and their harmonic mean (Bagga and Baldwin 1998).
// The precision of an item is the share of its found cluster that is in its gold cluster, its
// recall the share of its gold cluster that is in its found cluster; both are averaged over items.
func BCubed(gold, found []int32) (precision, recall, f1 float64) {
	t := contingency(gold, found)
	if t.n == 0 {
		return 1, 1, 1
	}
	for _, c := range t.cells {
		both := float64(c.count)
		precision += both * both / float64(t.found[c.found])
		recall += both * both / float64(t.gold[c.gold])
	}
	precision, recall = precision/float64(t.n), recall/float64(t.n)
	return precision, recall, harmonic(precision, recall)
}

// PairF1 returns precision, recall and their harmonic mean over pairs of items in the same cluster.
func PairF1(gold, found []int32) (precision, recall, f1 float64) {
	t := contingency(gold, found)
	both, inGold, inFound := t.pairs()
	precision, recall = 1, 1
	if inFound > 0 {
		precision = both / inFound
	}
	if inGold > 0 {
		recall = both / inGold
	}
	return precision, recall, harmonic(precision, recall)
}

// ARI returns the Rand index adjusted for chance (Hubert and Arabie 1985): 1 for equal clusterings,
// about 0 for unrelated ones.
func ARI(gold, found []int32) float64 {
	t := contingency(gold, found)
	both, inGold, inFound := t.pairs()
	all := float64(t.n) * float64(t.n-1) / 2
	if all == 0 {
		return 1
	}
	expected := inGold * inFound / all
	most := (inGold + inFound) / 2
	if most == expected {
		return 1
	}
	return (both - expected) / (most - expected)
}

// Overlap counts the items in the gold cluster of an item, in its found cluster, and in both,
// including the item itself. The B-cubed precision of the item is Both/Found, its recall Both/Gold.
type Overlap struct{ Gold, Found, Both int }

// Overlaps returns the overlap of every item, zero for an item without a gold label. Sums over some
// of them give the score of a sample of the items without changing the clusters.
func Overlaps(gold, found []int32) []Overlap {
	t := contingency(gold, found)
	out := make([]Overlap, len(gold))
	for i, at := range t.of {
		if at >= 0 {
			c := t.cells[at]
			out[i] = Overlap{Gold: t.gold[c.gold], Found: t.found[c.found], Both: c.count}
		}
	}
	return out
}

func harmonic(p, r float64) float64 {
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}

// table counts how often each pair of labels occurs.
type table struct {
	n           int
	gold, found []int // sizes, by renumbered label
	cells       []cell
	of          []int // cell of each item, -1 without a gold label
}

type cell struct {
	gold, found int32
	count       int
}

// contingency renumbers labels in order of appearance, so that sums over the table have a fixed
// order.
func contingency(gold, found []int32) *table {
	if len(gold) != len(found) {
		panic(fmt.Sprintf("cluster: %d gold labels for %d found", len(gold), len(found)))
	}
	t := &table{of: make([]int, len(gold))}
	goldAt, foundAt, cellAt := map[int32]int32{}, map[int32]int32{}, map[[2]int32]int{}
	for i, g := range gold {
		if g < 0 {
			t.of[i] = -1
			continue
		}
		t.n++
		a, ok := goldAt[g]
		if !ok {
			a = int32(len(t.gold))
			goldAt[g] = a
			t.gold = append(t.gold, 0)
		}
		b, ok := foundAt[found[i]]
		if !ok || found[i] < 0 {
			b = int32(len(t.found))
			foundAt[found[i]] = b
			t.found = append(t.found, 0)
		}
		t.gold[a]++
		t.found[b]++
		at, ok := cellAt[[2]int32{a, b}]
		if !ok {
			at = len(t.cells)
			cellAt[[2]int32{a, b}] = at
			t.cells = append(t.cells, cell{gold: a, found: b})
		}
		t.cells[at].count++
		t.of[i] = at
	}
	return t
}

// pairs counts the pairs of items that are together in both, in gold, and in found.
func (t *table) pairs() (both, gold, found float64) {
	for _, c := range t.cells {
		both += float64(c.count) * float64(c.count-1) / 2
	}
	for _, c := range t.gold {
		gold += float64(c) * float64(c-1) / 2
	}
	for _, c := range t.found {
		found += float64(c) * float64(c-1) / 2
	}
	return both, gold, found
}

// AMI returns the mutual information adjusted for chance (Vinh, Epps and Bailey 2010) relative to
// the mean of the two entropies: 1 for equal clusterings, about 0 for unrelated ones. The expected
// mutual information is exact.
func AMI(gold, found []int32) float64 {
	t := contingency(gold, found)
	if len(t.gold) == len(t.found) && (len(t.gold) <= 1 || len(t.gold) == t.n) {
		return 1 // one cluster, or only clusters of one, in both
	}
	n := float64(t.n)
	var mutual float64
	for _, c := range t.cells {
		both := float64(c.count)
		mutual += both / n * math.Log(n*both/(float64(t.gold[c.gold])*float64(t.found[c.found])))
	}
	expected := t.expectedMutual()
	mean := (entropy(t.gold, n) + entropy(t.found, n)) / 2
	if gap := mean - expected; math.Abs(gap) > 1e-15 {
		return (mutual - expected) / gap
	}
	return 0
}

func entropy(sizes []int, n float64) float64 {
	var h float64
	for _, c := range sizes {
		h -= float64(c) / n * math.Log(float64(c)/n)
	}
	return h
}

// expectedMutual is the mean mutual information of random clusterings with these cluster sizes: the
// overlap of clusters of sizes a and b has a hypergeometric distribution. It is computed once for
// each pair of sizes.
func (t *table) expectedMutual() float64 {
	n := t.n
	logFactorial := make([]float64, n+1)
	for i := 2; i <= n; i++ {
		logFactorial[i] = logFactorial[i-1] + math.Log(float64(i))
	}
	count := func(sizes []int) (values []int, times map[int]float64) {
		times = map[int]float64{}
		for _, s := range sizes {
			if times[s]++; times[s] == 1 {
				values = append(values, s)
			}
		}
		return values, times
	}
	goldSizes, goldTimes := count(t.gold)
	foundSizes, foundTimes := count(t.found)
	var sum float64
	for _, a := range goldSizes {
		for _, b := range foundSizes {
			fixed := logFactorial[a] + logFactorial[b] + logFactorial[n-a] + logFactorial[n-b] - logFactorial[n]
			var one float64
			for both := max(1, a+b-n); both <= min(a, b); both++ {
				information := float64(both) / float64(n) * math.Log(float64(n)*float64(both)/(float64(a)*float64(b)))
				one += information * math.Exp(fixed-logFactorial[both]-logFactorial[a-both]-logFactorial[b-both]-logFactorial[n-a-b+both])
			}
			sum += one * goldTimes[a] * foundTimes[b]
		}
	}
	return sum
}
