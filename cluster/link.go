package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
)

// LinkOptions adjusts Link.
type LinkOptions struct {
	// Stop is the least similarity at which clusters are joined. The zero value joins what is not dissimilar; negative infinity joins
	// everything that the graph connects.
	Stop float32
	// MaxCandidates bounds the candidates that a growing cluster keeps, the most similar ones; 0 means 64. A cluster's best candidate
	// is always kept, from both sides, so the bound never leaves anybody without a way to join.
	MaxCandidates int
	// Workers is the number of goroutines; 0 means as many as may run at once. It does not change the result.
	Workers int
	// Progress, when not nil, is told of progress, from one goroutine at a time.
	Progress func(Progress)
}

// Link joins items by average linkage: the similarity of two clusters is the mean over all pairs of their members, computed exactly
// from their mean vectors, while which clusters are compared follows from the edges of g. The weights of g do not matter.
//
// In each round every cluster names the candidate it is most similar to, the one with the lowest first member among equals. Two
// clusters that name each other are joined, all such pairs of a round at once; the new cluster is a candidate of all that either of its
// parts was a candidate of. It ends when no pair names each other at a similarity of at least Stop.
//
// Over a complete graph that is average linkage as everybody knows it: there, joining a pair never makes a third cluster more similar
// to the pair than it was to the nearer of the two, so the order in which reciprocal pairs are joined does not matter (Bruynooghe 1977;
// Murtagh 1983). Over a graph that lacks pairs the order does matter, because a cluster can turn out to be similar to one it was never
// compared with a part of. What makes the result well defined then is the rounds: each is a function of the clusters, candidates and
// similarities before it, all of which are the same for any number of workers. The most similar pair of all always names each other, so every
// round joins something.
//
// Memory beyond the input is a copy of the dense vectors and some 12 bytes for every end of an edge. Time is a dot product for every candidate
// of every merge.
func Link(ctx context.Context, items Items, g *Graph, opts LinkOptions) (*Dendrogram, error) {
	if err := items.check(); err != nil {
		return nil, err
	}
	dense := items.Dense
	dense.Data = slices.Clone(dense.Data)
	return linkInto(ctx, items, dense, g, opts)
}

// linkInto is Link with checked items and a dense matrix that it may overwrite.
func linkInto(ctx context.Context, items Items, dense Matrix, g *Graph, opts LinkOptions) (*Dendrogram, error) {
	n := items.Len()
	if g == nil {
		g = &Graph{}
	}
	if g.Nodes() != n && (g.Nodes() != 0 || g.Edges() != 0) {
		return nil, &InputError{-1, -1, fmt.Sprintf("a graph of %d nodes for %d items", g.Nodes(), n)}
	}
	if opts.Stop != opts.Stop || opts.MaxCandidates < 0 {
		return nil, &InputError{-1, -1, "Stop is not a number, or MaxCandidates is negative"}
	}
	if n == 0 || g.Edges() == 0 {
		return &Dendrogram{N: n}, nil
	}
	if opts.MaxCandidates == 0 {
		opts.MaxCandidates = 64
	}
	rank := identity(n)
	if n >= orderedFrom {
		rank = likeTogether(g)
	}
	return linkOrdered(ctx, items, dense, g, opts, rank)
}

// linkOrdered is linkInto with the order in which items have slots, which the outcome does not depend on. opts has its defaults.
func linkOrdered(ctx context.Context, items Items, dense Matrix, g *Graph, opts LinkOptions, rank []int32) (*Dendrogram, error) {
	n := items.Len()
	l := &linkage{sums: sumsOf(items, dense), n: n, opts: opts, workers: workersOr(opts.Workers), rank: rank}
	g = l.arrange(g)
	if err := l.begin(ctx, g); err != nil {
		return nil, err
	}
	progress := newMeter(opts.Progress, "linkage", n)
	for {
		joined, err := l.round(ctx)
		if err != nil {
			return nil, err
		}
		if joined == 0 {
			break
		}
		progress.add(joined)
	}
	progress.add(n - len(l.merges))
	return ordered(n, l.merges), nil
}

// candidate is a cluster, by slot, and the mean similarity to it.
type candidate struct {
	id         int32
	similarity float32
}

// before is the order of candidates: more similar first, then the lower first member. d may be none.
func (l *linkage) before(c, d candidate) bool {
	if c.similarity != d.similarity {
		return c.similarity > d.similarity
	}
	return d.id >= 0 && l.rank[c.id] < l.rank[d.id]
}

// none stands where there is no candidate.
var none = candidate{id: -1, similarity: float32(math.Inf(-1))}

// linkage is the state of one call of Link. A cluster is known by the lowest slot of its members. Candidates are mutual throughout: b is in
// lists[a] when a is in lists[b], with the same similarity.
//
// Items have slots in an order that puts what is likely to be joined side by side in memory, see likeTogether. Nothing else follows from that
// order: what comes first among equals is decided by rank.
type linkage struct {
	*sums
	n       int
	opts    LinkOptions
	workers int

	rank   []int32 // by slot: the lowest item of the cluster
	lists  [][]candidate
	best   []candidate
	node   []int32 // of the dendrogram, by slot
	merges []Join

	changed []int32 // slots whose best candidate may have changed in the last round
	pairs   []pair
	byFirst []pair
	into    []int32  // by slot: the slot it was joined into this round, itself when something was joined into it, else -1
	moved   []uint64 // a bit by slot: whether into says something, small enough to be asked for every candidate
	last    []candidate
	touched []atomic.Bool
	seen    []seen // by worker
}

// target returns the slot that a cluster was joined into this round, itself when something was joined into it, else -1.
func (l *linkage) target(slot int32) int32 {
	if l.moved[slot>>6]&(1<<(slot&63)) == 0 {
		return -1
	}
	return l.into[slot]
}

type pair struct {
	a, b       int32
	similarity float32
}

// seen is the scratch space of a worker. Its stamps tell which slots were met since now was last advanced.
type seen struct {
	stamps []int32
	now    int32
	list   []candidate
	found  []int32 // clusters that have a candidate that was joined
	losing []int32 // those of them that may lose one to the bound
	long   bool    // some list has outgrown the bound
}

func (s *seen) first(slot int32) bool {
	if s.stamps[slot] == s.now {
		return false
	}
	s.stamps[slot] = s.now
	return true
}

// listsTogether is how many lists share an allocation at first. One for all of them would stay as long as any is in use.
const listsTogether = 16

// begin computes the similarity of every edge.
func (l *linkage) begin(ctx context.Context, g *Graph) error {
	n := l.n
	l.lists, l.best = make([][]candidate, n), make([]candidate, n)
	l.node, l.changed = make([]int32, n), make([]int32, n)
	l.into, l.last = slices.Repeat([]int32{-1}, n), make([]candidate, n)
	l.moved = make([]uint64, n/64+1)
	l.touched = make([]atomic.Bool, n)
	l.merges = make([]Join, 0, n)
	l.seen = make([]seen, l.workers)
	for w := range l.seen {
		l.seen[w].stamps = make([]int32, n)
	}
	return parallel(ctx, l.workers, n, 256, func(_, from, to int) {
		var room []candidate
		for i := from; i < to; i++ {
			if (i-from)%listsTogether == 0 {
				room = make([]candidate, g.Offsets[min(i+listsTogether, to)]-g.Offsets[i])
			}
			l.node[i], l.changed[i] = l.rank[i], int32(i)
			neighbors := g.Neighbors[g.Offsets[i]:g.Offsets[i+1]]
			list := room[:len(neighbors):len(neighbors)]
			room = room[len(neighbors):]
			for e, j := range neighbors {
				list[e] = candidate{j, l.similarity(int32(i), j)}
			}
			l.lists[i], l.best[i] = list, l.bestOf(list)
		}
	})
}

func (l *linkage) bestOf(list []candidate) candidate {
	best := none
	for _, c := range list {
		if l.before(c, best) {
			best = c
		}
	}
	return best
}

// grain is the number of clusters a worker takes at a time.
const grain = 32

// round joins the pairs that name each other and returns how many.
func (l *linkage) round(ctx context.Context) (int, error) {
	l.findPairs()
	if len(l.pairs) == 0 {
		return 0, nil
	}
	// They are joined in the order of slots, as they lie in memory, and numbered in the order of their first members.
	l.byFirst = append(l.byFirst[:0], l.pairs...)
	slices.SortFunc(l.byFirst, func(p, q pair) int { return int(l.first(p)) - int(l.first(q)) })
	for _, p := range l.byFirst {
		l.into[p.a], l.into[p.b] = p.a, p.a
		l.moved[p.a>>6] |= 1 << (p.a & 63)
		l.moved[p.b>>6] |= 1 << (p.b & 63)
		first, second := p.a, p.b
		if l.rank[first] > l.rank[second] {
			first, second = second, first
		}
		l.merges = append(l.merges, Join{l.node[first], l.node[second], p.similarity})
		l.rank[p.a] = l.rank[first]
		l.node[p.a] = int32(l.n + len(l.merges) - 1)
	}
	err := parallel(ctx, l.workers, len(l.pairs), grain, func(_, from, to int) {
		for _, p := range l.pairs[from:to] {
			l.join(p.a, p.b)
		}
	})
	if err != nil {
		return 0, err
	}
	err = parallel(ctx, l.workers, len(l.pairs), grain, func(worker, from, to int) {
		for _, p := range l.pairs[from:to] {
			l.joinLists(&l.seen[worker], p.a, p.b)
		}
	})
	if err != nil {
		return 0, err
	}

	// The clusters that stay as they are but have a candidate that did not.
	l.changed = l.changed[:0]
	for w := range l.seen {
		l.changed = append(l.changed, l.seen[w].found...)
		l.seen[w].found = l.seen[w].found[:0]
	}
	err = parallel(ctx, l.workers, len(l.changed), grain, func(worker, from, to int) {
		for _, y := range l.changed[from:to] {
			l.touched[y].Store(false)
			l.update(&l.seen[worker], y)
		}
	})
	if err != nil {
		return 0, err
	}
	if err := l.bound(ctx); err != nil {
		return 0, err
	}
	for _, p := range l.pairs {
		l.changed = append(l.changed, p.a)
		l.into[p.a], l.into[p.b] = -1, -1
		l.moved[p.a>>6], l.moved[p.b>>6] = 0, 0
	}
	return len(l.pairs), nil
}

// findPairs collects the pairs that name each other, lowest slot first. At least one of the two has changed since the last round.
func (l *linkage) findPairs() {
	l.pairs = l.pairs[:0]
	for _, c := range l.changed {
		best := l.best[c]
		if best.id < 0 || best.similarity < l.opts.Stop || l.best[best.id].id != c {
			continue
		}
		l.pairs = append(l.pairs, pair{min(c, best.id), max(c, best.id), best.similarity})
	}
	slices.SortFunc(l.pairs, func(p, q pair) int { return int(p.a) - int(q.a) })
	l.pairs = slices.Compact(l.pairs)
}

// first is the lowest item of both clusters.
func (l *linkage) first(p pair) int32 { return min(l.rank[p.a], l.rank[p.b]) }

// joinLists makes the candidates of the cluster at a, which b was joined into.
func (l *linkage) joinLists(s *seen, a, b int32) {
	s.now++
	s.first(a)
	s.list = s.list[:0]
	for _, list := range [2][]candidate{l.lists[a], l.lists[b]} {
		for _, c := range list {
			if moved := l.target(c.id); moved >= 0 {
				c.id = moved
			} else if !l.touched[c.id].Load() && l.touched[c.id].CompareAndSwap(false, true) {
				s.found = append(s.found, c.id)
			}
			if s.first(c.id) {
				s.list = append(s.list, candidate{c.id, l.similarity(a, c.id)})
			}
		}
	}
	slices.SortFunc(s.list, byID)
	l.lists[a] = append(l.lists[a][:0], s.list...)
	l.lists[b] = nil
	l.best[a], l.best[b] = l.bestOf(s.list), none
	l.last[a] = none
	if len(s.list) > l.opts.MaxCandidates {
		l.last[a] = l.place(s.list, l.opts.MaxCandidates)
		s.long = true
	}
}

func byID(c, d candidate) int { return int(c.id) - int(d.id) }

// update renames the candidates of the cluster at y that were joined. Their similarity was computed from the other side, whose list is in order of id
// until it is shortened.
func (l *linkage) update(s *seen, y int32) {
	s.now++
	losing := false
	kept := l.lists[y][:0]
	for _, c := range l.lists[y] {
		if moved := l.target(c.id); moved >= 0 {
			if !s.first(moved) {
				continue
			}
			at, _ := slices.BinarySearchFunc(l.lists[moved], candidate{id: y}, byID)
			c = candidate{moved, l.lists[moved][at].similarity}
			losing = losing || l.beyond(moved, candidate{y, c.similarity})
		}
		kept = append(kept, c)
	}
	l.lists[y], l.best[y] = kept, l.bestOf(kept)
	if losing {
		s.losing = append(s.losing, y)
	}
}

// bound shortens the lists of joined clusters that have grown too long. An edge goes, from both ends, when it is beyond the bound at one
// and not the best at either.
func (l *linkage) bound(ctx context.Context) error {
	long := false
	var losing []int32
	for w := range l.seen {
		long = long || l.seen[w].long
		losing = append(losing, l.seen[w].losing...)
		l.seen[w].long, l.seen[w].losing = false, l.seen[w].losing[:0]
	}
	if !long {
		return nil
	}
	err := parallel(ctx, l.workers, len(losing), grain, func(_, from, to int) {
		for _, y := range losing[from:to] {
			l.shorten(y)
		}
	})
	if err != nil {
		return err
	}
	return parallel(ctx, l.workers, len(l.pairs), grain, func(_, from, to int) {
		for _, p := range l.pairs[from:to] {
			l.shorten(p.a)
		}
	})
}

func (l *linkage) shorten(x int32) {
	kept := l.lists[x][:0]
	for _, c := range l.lists[x] {
		if (l.beyond(x, c) || l.beyond(c.id, candidate{x, c.similarity})) && l.best[x].id != c.id && l.best[c.id].id != x {
			continue
		}
		kept = append(kept, c)
	}
	l.lists[x] = kept
}

// beyond reports whether c comes after the last candidate that the cluster at x, when it was joined this round, has room for.
func (l *linkage) beyond(x int32, c candidate) bool {
	return l.target(x) == x && l.last[x].id >= 0 && l.before(l.last[x], c)
}

// place returns the candidate that comes in place count, counted from 1, and puts the list out of order. It is quickselect with
// the middle one of the list as the pivot, so it does the same every time.
func (l *linkage) place(list []candidate, count int) candidate {
	for {
		pivot := list[len(list)/2]
		before, after := 0, len(list)
		for at := 0; at < after; {
			switch c := list[at]; {
			case l.before(c, pivot):
				list[at], list[before] = list[before], c
				before++
				at++
			case l.before(pivot, c):
				after--
				list[at], list[after] = list[after], c
			default:
				at++
			}
		}
		switch {
		case count <= before:
			list = list[:before]
		case count <= after:
			return pivot
		default:
			list, count = list[after:], count-after
		}
	}
}
