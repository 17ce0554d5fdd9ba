package cluster

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// The coarse quantizer divides rows among cells around centroids found by k-means. A row is
// compared with the rows of the cells whose centroids are nearest to it (Sivic and Zisserman 2003;
// Jégou, Douze and Schmid 2011). Everything is in bytes: on 200,000 x 256 synthetic values that
// loses nothing measurable against float32 centroids.

const (
	// probedCells is the number of cells that a row is compared with. 20 find .985 of the 15
	// nearest neighbours among 50,000 and 200,000 rows of the synthetic benchmark.
	probedCells    = 20
	trainingRows   = 32 // for each cell, at most
	trainingRounds = 5
)

// inCells compares every row with the rows of the cells near it.
func (s *search) inCells(ctx context.Context) error {
	n := len(s.rows)
	cells := int(2 * math.Sqrt(float64(n)))
	probes := min(probedCells, cells)
	centroids, err := s.train(ctx, cells)
	if err != nil {
		return err
	}
	near := make([]uint16, n*probes)
	if err := s.nearest(ctx, s.bytes, centroids, probes, near, s.opts.Progress); err != nil {
		return err
	}

	// Order the rows by cell, so that the rows of a cell are contiguous.
	begin := make([]int32, cells+1)
	for r := range n {
		begin[near[r*probes]+1]++
	}
	for c := range cells {
		begin[c+1] += begin[c]
	}
	order := make([]int32, n) // by new index: the old index
	next := slices.Clone(begin)
	for r := range n {
		cell := near[r*probes]
		order[next[cell]] = int32(r)
		next[cell]++
	}
	reorder(s.bytes, s.Dim, order)
	reorder(s.rows, 1, order)
	reorder(near, probes, order)

	progress := newMeter(s.opts.Progress, "neighbours", n)
	workers := make([]*visitor, s.opts.Workers)
	return parallel(ctx, s.opts.Workers, cells, 1, func(worker, cell, _ int) {
		if workers[worker] == nil {
			workers[worker] = &visitor{search: s, lists: newRanking(queryBlock, s.candidates()+1), buckets: make([][]int32, cells)}
		}
		workers[worker].visit(cell, begin, near, probes)
		progress.add(int(begin[cell+1] - begin[cell]))
	})
}

// visitor finds the neighbours of the rows of one cell after another.
type visitor struct {
	*search
	lists   *ranking
	buckets [][]int32 // by cell: which rows of the visited cell are compared with it
	queries []int8
}

// visitRows bounds the memory of a worker for candidates, about 800 bytes a row.
const visitRows = 4096

// visit finds the neighbours of the rows of one cell.
func (v *visitor) visit(cell int, begin []int32, near []uint16, probes int) {
	end := int(begin[cell+1])
	for from := int(begin[cell]); from < end; from += visitRows {
		v.visitPart(cell, from, min(from+visitRows, end), begin, near, probes)
	}
}

// visitPart groups rows of a cell by the cells that they are compared with, so that a tile has many
// rows on both sides.
func (v *visitor) visitPart(cell, from, to int, begin []int32, near []uint16, probes int) {
	v.lists.reset(to - from)
	var touched []uint16
	for r := from; r < to; r++ {
		for _, c := range near[r*probes : (r+1)*probes] {
			if len(v.buckets[c]) == 0 {
				touched = append(touched, c)
			}
			v.buckets[c] = append(v.buckets[c], int32(r-from))
		}
	}
	// The own cell comes first, because it raises the bars for the other cells.
	slices.Sort(touched)
	if at := slices.Index(touched, uint16(cell)); at > 0 {
		touched[0], touched[at] = touched[at], touched[0]
	}
	dim := v.Dim
	for _, c := range touched {
		for list := range slices.Chunk(v.buckets[c], queryBlock) {
			v.queries = v.queries[:0]
			for _, q := range list {
				v.queries = append(v.queries, v.bytes[(from+int(q))*dim:(from+int(q)+1)*dim]...)
			}
			for row := int(begin[c]); row < int(begin[c+1]); row += rowBlock {
				end := min(row+rowBlock, int(begin[c+1]))
				v.lists.scan(v.queries, v.bytes[row*dim:end*dim], dim, int32(row), list)
			}
		}
		v.buckets[c] = v.buckets[c][:0]
	}
	for r := from; r < to; r++ {
		v.rescore(int32(r), v.lists.best(r-from))
	}
}

// reorder moves the record at order[p] to p, for records of the given size. It follows the cycles
// of the permutation, so it needs no second copy of the records.
func reorder[T any](records []T, size int, order []int32) {
	held := make([]T, size)
	moved := make([]bool, len(order))
	for start := range order {
		if moved[start] || int(order[start]) == start {
			continue
		}
		copy(held, records[start*size:(start+1)*size])
		at := start
		for {
			moved[at] = true
			from := int(order[at])
			if from == start {
				break
			}
			copy(records[at*size:(at+1)*size], records[from*size:(from+1)*size])
			at = from
		}
		copy(records[at*size:(at+1)*size], held)
	}
}

// nearest writes for every byte row the count centroids of greatest product, best first; equal
// products are ordered by centroid.
func (s *search) nearest(ctx context.Context, rows, centroids []int8, count int, near []uint16, report func(Progress)) error {
	n, cells := len(rows)/s.Dim, len(centroids)/s.Dim
	progress := newMeter(report, "cells", n)
	scratch := make([]*ranking, s.opts.Workers)
	return parallel(ctx, s.opts.Workers, n, queryBlock, func(worker, from, to int) {
		if scratch[worker] == nil {
			scratch[worker] = newRanking(queryBlock, count)
		}
		lists := scratch[worker]
		lists.reset(to - from)
		for c := 0; c < cells; c += rowBlock {
			end := min(c+rowBlock, cells)
			lists.scan(rows[from*s.Dim:to*s.Dim], centroids[c*s.Dim:end*s.Dim], s.Dim, int32(c), nil)
		}
		for q := range to - from {
			best := lists.best(q)
			slices.SortFunc(best, func(a, b uint64) int { return cmp.Compare(b, a) })
			for e, key := range best {
				near[(from+q)*count+e] = uint16(idOf(key))
			}
		}
		progress.add(to - from)
	})
}

// train returns centroids in bytes: spherical k-means on a random sample, started from random rows.
// A centroid without rows is replaced by a random row. The random choices are always the same ones.
func (s *search) train(ctx context.Context, cells int) ([]int8, error) {
	random := rand.New(rand.NewPCG(0, 0x9e3779b97f4a7c15))
	n, dim := len(s.rows), s.Dim
	sample := random.Perm(n)[:min(n, cells*trainingRows)]
	rows := make([]int8, len(sample)*dim)
	for k, r := range sample {
		copy(rows[k*dim:(k+1)*dim], s.bytes[r*dim:(r+1)*dim])
	}
	centroids := slices.Clone(rows[:cells*dim])
	owner := make([]uint16, len(sample))
	sums := make([]int32, cells*dim)
	counts := make([]int32, cells)
	progress := newMeter(s.opts.Progress, "quantizer", trainingRounds)
	for range trainingRounds {
		if err := s.nearest(ctx, rows, centroids, 1, owner, nil); err != nil {
			return nil, err
		}
		clear(sums)
		clear(counts)
		for k, c := range owner {
			counts[c]++
			sum := sums[int(c)*dim : (int(c)+1)*dim]
			for d, x := range rows[k*dim : (k+1)*dim] {
				sum[d] += int32(x)
			}
		}
		for c := range cells {
			if !s.center(sums[c*dim:(c+1)*dim], centroids[c*dim:(c+1)*dim]) {
				k := random.IntN(len(sample))
				copy(centroids[c*dim:(c+1)*dim], rows[k*dim:(k+1)*dim])
			}
		}
		progress.add(1)
	}
	return centroids, nil
}

// center scales a sum of byte rows to the length of a unit row and rounds it. It reports false for
// a zero sum.
func (s *search) center(sum []int32, out []int8) bool {
	mean := make([]float32, len(sum))
	for d, x := range sum {
		mean[d] = float32(x)
	}
	norm := inverseNorm(mean)
	if norm == 0 {
		return false
	}
	toBytes(mean, norm, s.limit, out)
	return true
}
