package qdrantlite

import (
	"context"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"throughline/cluster/vector"
)

const (
	// tileQueries is how many queries pass over a chunk together: their eight-bit vectors stay in
	// the first-level cache.
	tileQueries = 32
	// parallelWork is how many products, about a millisecond's work, a scan must have per goroutine
	// for another one to be worth its start.
	parallelWork = 32 << 20
	// gatherBelow is the number of rows of a chunk from which the whole chunk is scored at once;
	// when a filter leaves fewer, they are scored one by one.
	gatherBelow = chunkRows / 8
)

// scanQueue lets requests that come while a field is scanned share the next pass over it: a pass
// mostly waits for memory, and takes little longer for more queries.
type scanQueue struct {
	mu      sync.Mutex
	passes  int // that are running
	waiting []*scanRequest
}

// scanRequest is what one request asks of a pass.
type scanRequest struct {
	searches []*denseSearch
	found    []*topK
	wake     chan []*scanRequest // the requests of a pass to run; nil: found is there
}

// mostPasses is how many passes over one field may run at once.
func mostPasses() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// scan finds each search's candidates by their scores in eight bits, in a pass of its own or one
// that it shares. All requests of a pass hold the collection's lock, so they see the same rows.
func (c *collection) scan(ctx context.Context, searches []*denseSearch) ([]*topK, error) {
	q := &c.dense[searches[0].field].queue
	own := &scanRequest{searches: searches, wake: make(chan []*scanRequest, 1)}
	var shared []*scanRequest
	q.mu.Lock()
	q.waiting = append(q.waiting, own)
	if q.passes < mostPasses() {
		q.passes++
		shared, q.waiting = q.waiting, nil
	}
	q.mu.Unlock()
	if shared == nil {
		// Not for ctx: the pass reads what belongs to this request. It takes milliseconds.
		if shared = <-own.wake; shared == nil {
			return own.found, ctx.Err()
		}
	}
	var all []*denseSearch
	for _, request := range shared {
		all = append(all, request.searches...)
	}
	found := c.pass(all)
	for _, request := range shared {
		n := len(request.searches)
		request.found, found = found[:n:n], found[n:]
		if request != own {
			request.wake <- nil
		}
	}
	q.mu.Lock()
	if next := q.waiting; len(next) > 0 {
		q.waiting = nil
		next[0].wake <- next
	} else {
		q.passes--
	}
	q.mu.Unlock()
	return own.found, ctx.Err()
}

// pass scores all rows of a field for some searches. Goroutines share the chunks of rows when there
// is enough to do; the result is the same for any number of them.
func (c *collection) pass(searches []*denseSearch) []*topK {
	d := c.dense[searches[0].field]
	size := d.params.size
	workers := min(runtime.GOMAXPROCS(0), len(d.chunks), 1+len(searches)*d.count*size/parallelWork)
	// A kernel takes four queries at once, and costs hardly more for three: the rest are zeros.
	padded := len(searches)
	if padded%4 > 1 {
		padded = (padded + 3) &^ 3
	}
	quantized := make([]int8, padded*size)
	scales := make([]float32, len(searches))
	for i, s := range searches {
		scales[i] = vector.Quantize(s.query, quantized[i*size:(i+1)*size])
	}
	found := make([][]*topK, workers)
	var next atomic.Int64
	work := func(w int) {
		scanner := chunkScanner{d: d, searches: searches, queries: quantized, scales: scales}
		for _, s := range searches {
			scanner.found = append(scanner.found, &topK{ids: c.ids, k: s.candidates})
		}
		found[w] = scanner.found
		for {
			chunk := int(next.Add(1) - 1)
			if chunk >= len(d.chunks) {
				return
			}
			scanner.scan(chunk)
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
	for _, other := range found[1:] {
		for i, t := range other {
			for _, h := range t.heap {
				found[0][i].push(h)
			}
		}
	}
	return found[0]
}

// chunkScanner scores chunks for a list of searches.
type chunkScanner struct {
	d        *denseRows
	searches []*denseSearch
	queries  []int8 // one after the other
	scales   []float32
	found    []*topK
	products [tileQueries * chunkRows]int32
}

func (s *chunkScanner) scan(chunk int) {
	rows := s.d.chunks[chunk]
	if rows == nil {
		return
	}
	size := s.d.params.size
	for from := 0; from < len(s.searches); from += tileQueries {
		n := min(tileQueries, len(s.searches)-from)
		whole := false
		for i := from; i < from+n; i++ {
			left := s.left(i, chunk)
			whole = whole || left >= gatherBelow
		}
		if !whole {
			for i := from; i < from+n; i++ {
				s.gather(i, chunk)
			}
			continue
		}
		if n == 1 {
			vector.DotsInt8(s.queries[from*size:(from+1)*size], rows, s.products[:chunkRows])
		} else {
			queries := s.queries[from*size : min((from+tileQueries)*size, len(s.queries))]
			vector.DotsManyInt8(queries, rows, size, s.products[:len(queries)/size*chunkRows])
		}
		for i := range n {
			s.collect(from+i, chunk, s.products[i*chunkRows:(i+1)*chunkRows])
		}
	}
}

const chunkWords = chunkRows / 64

// mask has a bit for each of 64 rows that a search may find.
func (s *chunkScanner) mask(search, word int) uint64 {
	return s.searches[search].rows.rows.word(word) & s.d.present.word(word)
}

func (s *chunkScanner) left(search, chunk int) int {
	n := 0
	for w := chunk * chunkWords; w < (chunk+1)*chunkWords; w++ {
		n += bits.OnesCount64(s.mask(search, w))
	}
	return n
}

// gather scores the few rows of a chunk that a filter left, one by one.
func (s *chunkScanner) gather(search, chunk int) {
	size := s.d.params.size
	query := s.queries[search*size : (search+1)*size]
	for w := chunk * chunkWords; w < (chunk+1)*chunkWords; w++ {
		for mask := s.mask(search, w); mask != 0; mask &= mask - 1 {
			row := uint32(w*64 + bits.TrailingZeros64(mask))
			product := float32(vector.DotInt8(query, s.d.row(row)))
			s.found[search].push(hit{row, product * s.d.scale[row] * s.scales[search]})
		}
	}
}

// collect offers a chunk's rows to a search. Its loops run once per query and row and take as long
// as the products themselves, so they call functions only for the few rows that are good enough.
func (s *chunkScanner) collect(search, chunk int, products []int32) {
	t := s.found[search]
	floor := t.floor()
	scales := s.d.scale[chunk*chunkRows : (chunk+1)*chunkRows]
	factor := s.scales[search]
	for w := range chunkWords {
		mask := s.mask(search, chunk*chunkWords+w)
		if mask == ^uint64(0) {
			// The common case, a word of rows that all count: most are passed over by one
			// comparison.
			p, f := products[w*64:w*64+64], scales[w*64:w*64+64]
			for i, product := range p {
				if score := float32(product) * f[i] * factor; score >= floor {
					t.push(hit{uint32(chunk*chunkRows + w*64 + i), score})
					floor = t.floor()
				}
			}
			continue
		}
		for ; mask != 0; mask &= mask - 1 {
			at := w*64 + bits.TrailingZeros64(mask)
			if score := float32(products[at]) * scales[at] * factor; score >= floor {
				t.push(hit{uint32(chunk*chunkRows + at), score})
				floor = t.floor()
			}
		}
	}
}
