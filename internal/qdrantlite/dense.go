package qdrantlite

import (
	"iter"
	"math/bits"

	"throughline/cluster/vector"
)

// chunkRows is how many rows lie in one block of memory: a chunk of 384 dimensions is 192 KiB,
// which stays in a core's second-level cache while several queries pass over it.
const chunkRows = 512

// bitset is a set of row numbers.
type bitset []uint64

func (b bitset) has(row uint32) bool {
	return int(row>>6) < len(b) && b[row>>6]&(1<<(row&63)) != 0
}

func (b *bitset) set(row uint32) {
	for int(row>>6) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[row>>6] |= 1 << (row & 63)
}

func (b bitset) unset(row uint32) {
	if int(row>>6) < len(b) {
		b[row>>6] &^= 1 << (row & 63)
	}
}

// all lists the rows in ascending order.
func (b bitset) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// word returns 64 bits; beyond the end there are zeros.
func (b bitset) word(i int) uint64 {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// denseRows holds one dense vector field in eight bits: chunks of rows, a scale per row, and the
// set of rows that have the vector. A chunk whose rows never had the vector takes no room.
type denseRows struct {
	params  denseParams
	chunks  [][]int8
	scale   []float32
	present bitset
	queue   scanQueue
	count   int // rows that have the vector
	// The greatest scale and squared length that a row ever had, for scanError.
	maxScale, maxSquare float32
}

func (d *denseRows) put(row uint32, v []float32) {
	chunk := int(row / chunkRows)
	for chunk >= len(d.chunks) {
		d.chunks = append(d.chunks, nil)
		d.scale = append(d.scale, make([]float32, chunkRows)...)
	}
	if d.chunks[chunk] == nil {
		d.chunks[chunk] = make([]int8, chunkRows*d.params.size)
	}
	d.scale[row] = vector.Quantize(v, d.row(row))
	d.maxScale, d.maxSquare = max(d.maxScale, d.scale[row]), max(d.maxSquare, vector.Dot(v, v))
	if !d.present.has(row) {
		d.present.set(row)
		d.count++
	}
}

func (d *denseRows) row(row uint32) []int8 {
	at := int(row%chunkRows) * d.params.size
	return d.chunks[row/chunkRows][at : at+d.params.size]
}

func (d *denseRows) drop(row uint32) {
	if d.present.has(row) {
		d.present.unset(row)
		d.count--
	}
}
