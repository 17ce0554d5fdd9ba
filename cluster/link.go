package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"
	"sync/atomic"

	"throughline/cluster/vector"
)

// LinkOptions adjusts Link.
type LinkOptions struct {
	// Stop is the least similarity of clusters that are joined. Negative infinity joins everything
	// that the graph connects.
	Stop float32
	// MaxCandidates is the number of candidates that a joined cluster keeps, the most similar ones;
	// 0 means 64. A pair stays a candidate when it is the best one of either cluster, so no cluster
	// loses its last candidate.
	MaxCandidates int
	// Edge, when not nil, is called with the similarity of the ends of every edge before any are
	// joined: i < j, in ascending order of i, then j, never concurrently.
	Edge func(i, j int32, similarity float32)
	// Overwrite lets Link use the memory of the vectors of the items, whose values are lost.
	Overwrite bool
	// Workers is the number of goroutines; 0 means GOMAXPROCS. It does not change the result.
	Workers int
	// Progress, when not nil, is called with the progress, never concurrently.
	Progress func(Progress)
}

// Link joins items by average linkage. The similarity of two clusters is the mean over all pairs of
// their members, computed exactly from the sums of their vectors. The edges of g are the candidate
// pairs; its weights do not matter.
//
// In each round every cluster chooses its most similar candidate, the one with the lowest first
// member among equals. All pairs that choose each other are joined; a joined cluster is a candidate
// of all clusters that one of its parts was a candidate of. Link ends when no pair chooses each
// other with a similarity of at least Stop.
//
// Over a complete graph that is plain average linkage: the order in which reciprocal pairs are
// joined does not matter there (Bruynooghe 1977; Murtagh 1983). Over other graphs the order does
// matter, see the package documentation. A round depends only on the clusters, candidates and
// similarities before it, so the result is well defined and the same for any number of workers.
//
// Memory beyond the input is a copy of the vectors, unless they may be overwritten, and about 12
// bytes for each end of an edge. Time is a dot product for every candidate of every merge.
func Link(ctx context.Context, items Items, g *Graph, opts LinkOptions) (*Dendrogram, error) {
	if err := items.check(); err != nil {
		return nil, err
	}
	if !opts.Overwrite {
		items.Dense.Data, items.Sparse = slices.Clone(items.Dense.Data), cloned(items.Sparse)
	}
	return linkInto(ctx, items, g, opts)
}

// linkInto is Link for valid items that it overwrites.
func linkInto(ctx context.Context, items Items, g *Graph, opts LinkOptions) (*Dendrogram, error) {
	n := items.Len()
	if g == nil {
		g = &Graph{}
	}
	if g.Nodes() != n && (g.Nodes() != 0 || g.Edges() != 0) {
		return nil, inputError("graph of other items (got %d nodes, want %d)", g.Nodes(), n)
	}
	if opts.Stop != opts.Stop || opts.MaxCandidates < 0 {
		return nil, inputError("Stop is NaN, or MaxCandidates is negative")
	}
	if n == 0 || g.Edges() == 0 {
		return &Dendrogram{N: n}, nil
	}
	opts.MaxCandidates = cmp.Or(opts.MaxCandidates, 64)
	order := identity(n)
	if n >= orderedFrom {
		order = localityOrder(g)
	}
	return linkOrdered(ctx, items, g, opts, order)
}

// linkOrdered is linkInto with an order of the items in memory, which does not change the result.
// opts has its defaults.
func linkOrdered(ctx context.Context, items Items, g *Graph, opts LinkOptions, order []int32) (*Dendrogram, error) {
	n := items.Len()
	l := &linkage{sums: sumsOf(items), n: n, opts: opts, workers: workersOr(opts.Workers), lowest: order}
	if err := l.begin(ctx, l.reorder(g)); err != nil {
		return nil, err
	}
	if opts.Edge != nil {
		l.eachEdge(g)
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

// candidate is a cluster, known by its slot, and the mean similarity to it.
type candidate struct {
	id         int32
	similarity float32
}

// before orders candidates: more similar first, then lower first member. d may be none.
func (l *linkage) before(c, d candidate) bool {
	if c.similarity != d.similarity {
		return c.similarity > d.similarity
	}
	return d.id >= 0 && l.lowest[c.id] < l.lowest[d.id]
}

// key returns a number that is greater for the candidate that comes before another.
func (l *linkage) key(c candidate) uint64 {
	bits := math.Float32bits(c.similarity)
	if bits>>31 == 0 {
		bits |= 1 << 31
	} else {
		bits = ^bits // of two negative numbers the one with greater bits is less
	}
	return uint64(bits)<<32 | uint64(^uint32(l.lowest[c.id]))
}

// none is the absence of a candidate.
var none = candidate{id: -1, similarity: float32(math.Inf(-1))}

// linkage is the state of one call of Link. Every item has a slot in memory; a cluster is known by
// the lowest slot of its members. Slots follow an order that puts items next to each other that are
// likely to be joined, see localityOrder. The result does not depend on it: ties are decided by
// lowest.
//
// Candidates are mutual: b is in lists[a] when a is in lists[b], with the same similarity.
type linkage struct {
	*sums
	n       int
	opts    LinkOptions
	workers int

	lowest []int32       // by slot: the lowest item of the cluster
	lists  [][]candidate // by slot
	best   []candidate   // by slot
	node   []int32       // by slot: the node of the dendrogram
	merges []Join

	changed []int32       // slots whose best candidate may have changed in the last round
	pairs   []pair        // that are joined in this round, by slot
	byFirst []pair        // the same, by first member
	into    []int32       // by slot: see target
	moved   []uint64      // a bit for each slot: target is not -1; small enough to be read for every candidate
	last    []uint64      // by slot: the key of the last candidate of a cluster joined in this round, 0 for no bound
	touched []atomic.Bool // by slot: some worker will update it
	scratch []scratch     // by worker
}

// target returns the slot that a cluster was joined into in this round, its own slot when another
// was joined into it, else -1.
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

// scratch is the scratch space of a worker.
type scratch struct {
	stamps []int32 // by slot: now, when it was met since now was last advanced
	now    int32
	list   []candidate
	keys   []uint64
	spread spread
	sum    vector.Sparse
	found  []int32 // clusters with a candidate that was joined
	losing []int32 // those of them that may lose a candidate to the bound
	long   bool    // some list is longer than the bound
}

// first reports whether a slot is met for the first time since now was advanced.
func (s *scratch) first(slot int32) bool {
	if s.stamps[slot] == s.now {
		return false
	}
	s.stamps[slot] = s.now
	return true
}

// listsTogether is the number of lists that share an allocation at first. A single allocation would
// be kept until the last list is dropped.
const listsTogether = 16

// begin computes the similarity of every edge.
func (l *linkage) begin(ctx context.Context, g *Graph) error {
	n := l.n
	l.lists, l.best = make([][]candidate, n), make([]candidate, n)
	l.node, l.changed = make([]int32, n), make([]int32, n)
	l.into, l.last = slices.Repeat([]int32{-1}, n), make([]uint64, n)
	l.moved = make([]uint64, n/64+1)
	l.touched = make([]atomic.Bool, n)
	l.merges = make([]Join, 0, n)
	l.scratch = make([]scratch, l.workers)
	for w := range l.scratch {
		l.scratch[w].stamps = make([]int32, n)
	}
	// Each pair is compared from its lower end. The other end takes over the similarity.
	err := parallel(ctx, l.workers, n, 256, func(worker, from, to int) {
		s := &l.scratch[worker]
		var room []candidate
		for i := from; i < to; i++ {
			if (i-from)%listsTogether == 0 {
				room = make([]candidate, g.Offsets[min(i+listsTogether, to)]-g.Offsets[i])
			}
			l.node[i], l.changed[i] = l.lowest[i], int32(i)
			neighbors := g.Neighbors[g.Offsets[i]:g.Offsets[i+1]]
			list := room[:len(neighbors):len(neighbors)]
			room = room[len(neighbors):]
			l.spread(&s.spread, int32(i))
			for e, j := range neighbors {
				if list[e].id = j; int(j) > i {
					list[e].similarity = l.similarity(int32(i), j, s.spread)
				}
			}
			l.clear(s.spread, int32(i))
			l.lists[i] = list
		}
	})
	if err != nil {
		return err
	}
	return parallel(ctx, l.workers, n, 256, func(_, from, to int) {
		for i := from; i < to; i++ {
			for e, c := range l.lists[i] {
				if int(c.id) < i {
					l.lists[i][e].similarity = l.known(c.id, int32(i))
				}
			}
			l.best[i] = l.bestOf(l.lists[i])
		}
	})
}

// known returns the similarity of a candidate of a cluster whose list is sorted by id. It reads no
// other similarity: in begin others are being written.
func (l *linkage) known(a, id int32) float32 {
	list := l.lists[a]
	return list[sort.Search(len(list), func(i int) bool { return list[i].id >= id })].similarity
}

// eachEdge calls Edge, after begin. g is the graph between items.
func (l *linkage) eachEdge(g *Graph) {
	slot := make([]int32, l.n)
	for s, i := range l.lowest {
		slot[i] = int32(s)
	}
	for i := range l.n {
		for _, j := range g.Neighbors[g.Offsets[i]:g.Offsets[i+1]] {
			if int(j) > i {
				l.opts.Edge(int32(i), j, l.known(slot[i], slot[j]))
			}
		}
	}
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

// grain is the number of clusters that a worker takes at a time.
const grain = 32

// round joins the pairs that choose each other and returns their number.
func (l *linkage) round(ctx context.Context) (int, error) {
	l.findPairs()
	if len(l.pairs) == 0 {
		return 0, nil
	}
	// Nodes are numbered by first member; vectors are added in the order of memory.
	l.byFirst = append(l.byFirst[:0], l.pairs...)
	slices.SortFunc(l.byFirst, func(p, q pair) int { return int(l.first(p)) - int(l.first(q)) })
	for _, p := range l.byFirst {
		l.into[p.a], l.into[p.b] = p.a, p.a
		l.moved[p.a>>6] |= 1 << (p.a & 63)
		l.moved[p.b>>6] |= 1 << (p.b & 63)
		first, second := p.a, p.b
		if l.lowest[first] > l.lowest[second] {
			first, second = second, first
		}
		l.merges = append(l.merges, Join{l.node[first], l.node[second], p.similarity})
		l.lowest[p.a] = l.lowest[first]
		l.node[p.a] = int32(l.n + len(l.merges) - 1)
	}
	err := parallel(ctx, l.workers, len(l.pairs), grain, func(worker, from, to int) {
		for _, p := range l.pairs[from:to] {
			l.join(p.a, p.b, &l.scratch[worker].sum)
		}
	})
	if err != nil {
		return 0, err
	}
	err = parallel(ctx, l.workers, len(l.pairs), grain, func(worker, from, to int) {
		for _, p := range l.pairs[from:to] {
			l.joinLists(&l.scratch[worker], p.a, p.b)
		}
	})
	if err != nil {
		return 0, err
	}

	// Update the clusters that were not joined but have a candidate that was.
	l.changed = l.changed[:0]
	for w := range l.scratch {
		l.changed = append(l.changed, l.scratch[w].found...)
		l.scratch[w].found = l.scratch[w].found[:0]
	}
	err = parallel(ctx, l.workers, len(l.changed), grain, func(worker, from, to int) {
		for _, y := range l.changed[from:to] {
			l.touched[y].Store(false)
			l.update(&l.scratch[worker], y)
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

// findPairs collects the pairs that choose each other, lowest slot first. At least one cluster of a
// pair has changed in the last round.
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

// first is the lowest item of a pair of clusters.
func (l *linkage) first(p pair) int32 { return min(l.lowest[p.a], l.lowest[p.b]) }

// joinLists computes the candidates of the cluster at a, which b was joined into.
func (l *linkage) joinLists(s *scratch, a, b int32) {
	s.now++
	s.first(a)
	s.list = s.list[:0]
	l.spread(&s.spread, a)
	for _, list := range [2][]candidate{l.lists[a], l.lists[b]} {
		for _, c := range list {
			if moved := l.target(c.id); moved >= 0 {
				c.id = moved
			} else if !l.touched[c.id].Load() && l.touched[c.id].CompareAndSwap(false, true) {
				s.found = append(s.found, c.id)
			}
			if s.first(c.id) {
				s.list = append(s.list, candidate{c.id, l.similarity(a, c.id, s.spread)})
			}
		}
	}
	l.clear(s.spread, a)
	slices.SortFunc(s.list, byID)
	l.lists[a] = append(l.lists[a][:0], s.list...)
	l.lists[b] = nil
	l.best[a], l.best[b] = l.bestOf(s.list), none
	l.last[a] = 0
	if len(s.list) > l.opts.MaxCandidates {
		s.keys = s.keys[:0]
		for _, c := range s.list {
			s.keys = append(s.keys, l.key(c))
		}
		l.last[a] = greatest(s.keys, l.opts.MaxCandidates)
		s.long = true
	}
}

func byID(c, d candidate) int { return int(c.id) - int(d.id) }

// update replaces the candidates of the cluster at y that were joined. Their new similarity is in
// the list of the other side, which is sorted by id until it is shortened.
func (l *linkage) update(s *scratch, y int32) {
	s.now++
	losing := false
	kept := l.lists[y][:0]
	for _, c := range l.lists[y] {
		if moved := l.target(c.id); moved >= 0 {
			if !s.first(moved) {
				continue
			}
			c = candidate{moved, l.known(moved, y)}
			losing = losing || l.beyond(moved, candidate{y, c.similarity})
		}
		kept = append(kept, c)
	}
	l.lists[y], l.best[y] = kept, l.bestOf(kept)
	if losing {
		s.losing = append(s.losing, y)
	}
}

// bound shortens the lists of joined clusters that are too long. A pair is dropped, from both
// lists, when it is beyond the bound of one cluster and the best candidate of neither.
func (l *linkage) bound(ctx context.Context) error {
	long := false
	var losing []int32
	for w := range l.scratch {
		s := &l.scratch[w]
		long = long || s.long
		losing = append(losing, s.losing...)
		s.long, s.losing = false, s.losing[:0]
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

// beyond reports whether the cluster at x was joined in this round and c is not within its bound.
func (l *linkage) beyond(x int32, c candidate) bool {
	return l.target(x) == x && l.key(c) < l.last[x]
}
