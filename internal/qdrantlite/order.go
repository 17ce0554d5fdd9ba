package qdrantlite

import (
	"slices"
	"sort"
)

// orderBlock is how many rows a block of an idOrder holds at most: enough to keep the list of
// blocks short, few enough to insert one quickly.
const orderBlock = 512

// idOrder keeps the rows of a collection sorted by point id, in blocks. It is both the index from
// id to row and the order of scrolling. The ids themselves live in the row table.
type idOrder struct {
	blocks [][]uint32
}

// seek finds the first row whose id is not less than the given one, as a block and a position
// inside; the block is len(blocks) when there is none.
func (o *idOrder) seek(ids []pointID, id pointID) (block, at int) {
	block = sort.Search(len(o.blocks), func(i int) bool {
		rows := o.blocks[i]
		return ids[rows[len(rows)-1]].compare(id) >= 0
	})
	if block == len(o.blocks) {
		return block, 0
	}
	rows := o.blocks[block]
	return block, sort.Search(len(rows), func(i int) bool { return ids[rows[i]].compare(id) >= 0 })
}

// find returns the row of an id.
func (o *idOrder) find(ids []pointID, id pointID) (row uint32, ok bool) {
	block, at := o.seek(ids, id)
	if block == len(o.blocks) || ids[o.blocks[block][at]] != id {
		return 0, false
	}
	return o.blocks[block][at], true
}

// put sets the row of an id, whether the id is new or had another row.
func (o *idOrder) put(ids []pointID, row uint32) {
	id := ids[row]
	block, at := o.seek(ids, id)
	if block == len(o.blocks) {
		if block == 0 {
			o.blocks = append(o.blocks, []uint32{row})
			return
		}
		block--
		at = len(o.blocks[block])
	} else if ids[o.blocks[block][at]] == id {
		o.blocks[block][at] = row
		return
	}
	rows := slices.Insert(o.blocks[block], at, row)
	if len(rows) > orderBlock {
		// Ids that arrive in order fill the last block, so it is left full rather than halved.
		cut := len(rows) / 2
		if block == len(o.blocks)-1 && at == len(rows)-1 {
			cut = len(rows) - 1
		}
		o.blocks = slices.Insert(o.blocks, block+1, slices.Clone(rows[cut:]))
		rows = rows[:cut:cut]
	}
	o.blocks[block] = rows
}

// remove forgets an id.
func (o *idOrder) remove(ids []pointID, id pointID) {
	block, at := o.seek(ids, id)
	if block == len(o.blocks) || ids[o.blocks[block][at]] != id {
		return
	}
	o.blocks[block] = slices.Delete(o.blocks[block], at, at+1)
	if len(o.blocks[block]) == 0 {
		o.blocks = slices.Delete(o.blocks, block, block+1)
	}
}

// from calls yield for the rows with ids not less than the given one, in order, until it returns
// false.
func (o *idOrder) from(ids []pointID, id pointID, yield func(row uint32) bool) {
	block, at := o.seek(ids, id)
	for ; block < len(o.blocks); block, at = block+1, 0 {
		for _, row := range o.blocks[block][at:] {
			if !yield(row) {
				return
			}
		}
	}
}
