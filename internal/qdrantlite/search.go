package qdrantlite

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/qdrant/go-client/qdrant"

	"throughline/cluster/vector"
)

// Candidates that the eight-bit scan hands to float32: the limit times oversampling, and leastCandidates at the least. When the last
// candidate is so close to the last result that a row behind it might belong among the results, the scan is done again with
// widening times as many, up to mostCandidates.
const (
	oversampling    = 2.0
	leastCandidates = 50
	mostCandidates  = 10_000
	widening        = 4
	// certainty is how many standard deviations of the eight-bit error a row behind the candidates must be away.
	certainty = 5
)

const (
	// tileQueries is how many queries pass over a chunk together: their eight-bit vectors stay in the first-level cache.
	tileQueries = 32
	// parallelWork is how many products a scan must have for a second goroutine to be worth its start, about a millisecond's work.
	parallelWork = 32 << 20
	// gatherBelow is how many rows of a chunk a filter must leave for the whole chunk to be scored at once.
	gatherBelow = chunkRows / 8
)

// denseSearch asks for the nearest rows by one dense field.
type denseSearch struct {
	field      int
	query      []float32 // prepared for the field's distance
	rows       selection
	limit      int
	threshold  *float32 // as the client counts: a least score, or a greatest distance
	exact      bool     // score every row in float32
	candidates int
	hits       []hit // the result, best first
}

// searchDense runs searches of one field in one pass over its rows.
func (c *collection) searchDense(ctx context.Context, r reader, searches []*denseSearch) error {
	var scans []*denseSearch
	for _, s := range searches {
		if s.limit = min(s.limit, s.rows.count); s.limit == 0 {
			continue
		}
		s.candidates = min(max(s.candidates, s.limit, leastCandidates), s.rows.count)
		if s.exact || s.candidates == s.rows.count {
			if err := c.rescore(ctx, r, s, s.rows.list()); err != nil {
				return err
			}
			continue
		}
		scans = append(scans, s)
	}
	for len(scans) > 0 {
		found, err := c.scan(ctx, scans)
		if err != nil {
			return err
		}
		var again []*denseSearch
		for i, s := range scans {
			rows := make([]uint32, 0, len(found[i].heap))
			for _, h := range found[i].heap {
				rows = append(rows, h.row)
			}
			if err := c.rescore(ctx, r, s, rows); err != nil {
				return err
			}
			if len(rows) == s.candidates && s.candidates < mostCandidates && c.doubtful(s, found[i].floor()) {
				s.candidates = min(s.candidates*widening, mostCandidates)
				again = append(again, s)
			}
		}
		scans = again
	}
	return nil
}

// doubtful says whether a row that the scan scored no better than floor could still be nearer than the last result.
func (c *collection) doubtful(s *denseSearch, floor float32) bool {
	d := c.dense[s.field]
	last := float32(math.Inf(-1))
	switch {
	case len(s.hits) == s.limit:
		last = s.hits[len(s.hits)-1].score
	case s.threshold != nil:
		last = better(d.params.distance, *s.threshold)
	}
	margin := certainty * scanError(d, s.query)
	if d.params.distance == qdrant.Distance_Euclid {
		// In the scan's measure, see chunkScanner.score; a score here is a negative distance.
		last, margin = vector.Dot(s.query, s.query)-last*last, 2*margin
	}
	return floor+margin > last
}

// scanError is the standard deviation of a product in eight bits: rounding moves each element of a vector by up to half its scale,
// evenly, so by scale/sqrt(12) in the mean, and the other vector weights the movements of all elements by its own.
func scanError(d *denseRows, query []float32) float32 {
	scale := vector.Quantize(query, make([]int8, len(query)))
	return float32(math.Sqrt(float64(vector.Dot(query, query)*d.maxScale*d.maxScale+d.maxSquare*scale*scale) / 12))
}

func (s selection) list() []uint32 {
	rows := make([]uint32, 0, s.count)
	for i, word := range s.rows {
		for ; word != 0; word &= word - 1 {
			rows = append(rows, uint32(i*64+bits.TrailingZeros64(word)))
		}
	}
	return rows
}

// scan finds each search's candidates by their scores in eight bits. Chunks of rows are shared out to goroutines when there is
// enough to do; the result is the same for any number of them.
func (c *collection) scan(ctx context.Context, searches []*denseSearch) ([]*topK, error) {
	d := c.dense[searches[0].field]
	size := d.params.size
	workers := min(runtime.GOMAXPROCS(0), len(d.chunks), 1+len(searches)*d.count*size/parallelWork)
	quantized := make([]int8, len(searches)*size)
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
		for ctx.Err() == nil {
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
	return found[0], ctx.Err()
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
		products := s.products[:n*chunkRows]
		if n == 1 {
			vector.DotsInt8(s.queries[from*size:(from+1)*size], rows, products)
		} else {
			vector.DotsManyInt8(s.queries[from*size:(from+n)*size], rows, size, products)
		}
		for i := range n {
			s.collect(from+i, chunk, products[i*chunkRows:(i+1)*chunkRows])
		}
	}
}

const chunkWords = chunkRows / 64

// mask is the rows of one word of a chunk that a search may find.
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
			s.found[search].push(hit{row, s.score(search, row, vector.DotInt8(query, s.d.row(row)))})
		}
	}
}

// score turns a product in eight bits into a score that is greater for nearer rows: the dot product, or the negative of the
// squared distance less the query's own square.
func (s *chunkScanner) score(search int, row uint32, product int32) float32 {
	dot := float32(product) * s.d.scale[row] * s.scales[search]
	if s.d.params.distance == qdrant.Distance_Euclid {
		return 2*dot - s.d.squares[row]
	}
	return dot
}

// collect shows a chunk's rows to a search. Its loops run once per query and row and take as long as the products themselves, so
// they do without calls but for the few rows that are good enough.
func (s *chunkScanner) collect(search, chunk int, products []int32) {
	t := s.found[search]
	floor := t.floor()
	scales := s.d.scale[chunk*chunkRows : (chunk+1)*chunkRows]
	var squares []float32
	if s.d.params.distance == qdrant.Distance_Euclid {
		squares = s.d.squares[chunk*chunkRows : (chunk+1)*chunkRows]
	}
	factor := s.scales[search]
	for w := range chunkWords {
		mask := s.mask(search, chunk*chunkWords+w)
		if mask == ^uint64(0) && squares == nil {
			// The common case, a word of rows that all count: most are passed over by one comparison.
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
			score := float32(products[at]) * scales[at] * factor
			if squares != nil {
				score = 2*score - squares[at]
			}
			if score >= floor {
				t.push(hit{uint32(chunk*chunkRows + at), score})
				floor = t.floor()
			}
		}
	}
}

// rescore scores rows in float32 by the vectors in the file and leaves the best as the search's result.
func (c *collection) rescore(ctx context.Context, r reader, s *denseSearch, rows []uint32) error {
	d := c.dense[s.field]
	best := topK{ids: c.ids, k: min(s.limit, len(rows))}
	stored := make([]float32, d.params.size)
	for i, row := range rows {
		if i%cancelEvery == cancelEvery-1 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !d.present.has(row) {
			continue
		}
		record := r.get(c.table(tableVectors), slotKey(c.records[row].vectors))
		if !denseOf(record, s.field, stored) {
			return fmt.Errorf("%w: collection %q: the vectors of point %s", ErrCorrupt, c.name, c.ids[row])
		}
		score := similarity(d.params.distance, s.query, stored)
		if s.threshold != nil && score < better(d.params.distance, *s.threshold) {
			continue
		}
		best.push(hit{row, score})
	}
	s.hits = best.sorted()
	return nil
}

// similarity is greater for nearer vectors: the dot product, or the negative distance.
func similarity(distance qdrant.Distance, a, b []float32) float32 {
	if distance != qdrant.Distance_Euclid {
		return vector.Dot(a, b)
	}
	var sum float64
	for i := range a {
		x := float64(a[i]) - float64(b[i])
		sum += x * x
	}
	return -float32(math.Sqrt(sum))
}

// better converts between a client's score and this package's: distances change their sign.
func better(distance qdrant.Distance, score float32) float32 {
	if distance == qdrant.Distance_Euclid {
		return -score
	}
	return score
}

// sparseSearch asks for the nearest rows by one sparse field.
type sparseSearch struct {
	field     int
	query     *vector.Sparse
	rows      selection
	limit     int
	threshold *float32
}

// sums is scratch space of searchSparse: a partial score per row, all zero between uses.
var sums = sync.Pool{New: func() any { return new([]float32) }}

// searchSparse adds up postings, term by term in ascending order. Rows that share no term with the query are not found.
func (c *collection) searchSparse(ctx context.Context, s *sparseSearch) ([]hit, error) {
	field := c.sparse[s.field]
	scratch := sums.Get().(*[]float32)
	defer sums.Put(scratch)
	if len(*scratch) < len(c.ids) {
		*scratch = make([]float32, len(c.ids)+len(c.ids)/4)
	}
	sum := *scratch
	var touched []uint32
	seen := make(bitset, len(c.alive))
	for i, term := range s.query.Terms {
		list := field.lists[term]
		if list == nil || ctx.Err() != nil {
			continue
		}
		weight := s.query.Weights[i]
		if field.params.idf {
			weight *= field.idf(term)
		}
		for j, row := range list.rows {
			if !s.rows.rows.has(row) || !field.present.has(row) {
				continue
			}
			if !seen.has(row) {
				seen.set(row)
				touched = append(touched, row)
			}
			sum[row] += weight * list.weights[j]
		}
	}
	best := topK{ids: c.ids, k: min(s.limit, len(touched))}
	for _, row := range touched {
		if score := sum[row]; s.threshold == nil || score >= *s.threshold {
			best.push(hit{row, score})
		}
		sum[row] = 0
	}
	return best.sorted(), ctx.Err()
}
