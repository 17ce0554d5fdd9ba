package qdrantlite

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"sync"

	"github.com/qdrant/go-client/qdrant"
)

// collection is the memory of one collection. The committer changes it while holding mu; readers
// hold mu for reading for as long as they use what it names, in memory or in the file.
type collection struct {
	number uint32 // its tables in the file
	name   string
	create *qdrant.CreateCollection // the request that created it
	schema *schema                  // of that request

	mu      sync.RWMutex
	ids     []pointID     // per row
	records []pointRecord // per row
	alive   bitset
	live    int
	order   idOrder
	dense   []*denseRows
	sparse  []*sparseRows
	indexes map[string]*fieldIndex
	free    []uint32       // rows that may be used again
	waiting map[uint32]int // rows of deleted points that postings still name, and how often

	dropped bool // the collection was deleted after a reader or writer found it

	// Only the committer uses these.
	nextSlot uint64
	nextOp   uint64
	garbage  []mutation // deletes the records that no point names since the last commit
}

func newCollection(number uint32, create *qdrant.CreateCollection, s *schema) *collection {
	c := &collection{
		number: number, name: create.GetCollectionName(), create: create, schema: s,
		indexes: make(map[string]*fieldIndex), waiting: make(map[uint32]int),
		nextSlot: 1, nextOp: 1,
	}
	for _, p := range s.dense {
		c.dense = append(c.dense, &denseRows{params: p})
	}
	for _, p := range s.sparse {
		c.sparse = append(c.sparse, &sparseRows{params: p, lists: make(map[uint32]*postings)})
	}
	return c
}

func (c *collection) table(kind tableKind) table { return table{c.number, kind} }

// newRow returns a row for a point that has none or whose vectors change.
func (c *collection) newRow(id pointID) uint32 {
	var row uint32
	if n := len(c.free); n > 0 {
		row, c.free = c.free[n-1], c.free[:n-1]
		c.ids[row] = id
	} else {
		row = uint32(len(c.ids))
		c.ids = append(c.ids, id)
		c.records = append(c.records, pointRecord{})
	}
	c.alive.set(row)
	c.live++
	return row
}

// killRow removes a row from everything but the order. v has the row's sparse vectors.
func (c *collection) killRow(row uint32, v *vectorSet) {
	c.alive.unset(row)
	c.live--
	for _, d := range c.dense {
		d.drop(row)
	}
	for _, f := range c.indexes {
		f.drop(row)
	}
	named := 0
	for _, s := range v.sparse {
		if s != nil {
			named += len(s.Terms)
		}
	}
	if named > 0 {
		c.waiting[row] = named
	} else {
		c.free = append(c.free, row)
	}
	released := func(r uint32) {
		if c.waiting[r]--; c.waiting[r] == 0 {
			delete(c.waiting, r)
			c.free = append(c.free, r)
		}
	}
	for i, s := range v.sparse {
		if s != nil {
			c.sparse[i].drop(row, s, released)
		}
	}
}

// fillRow puts the vectors of a row into its fields.
func (c *collection) fillRow(row uint32, v *vectorSet) {
	for i, d := range v.dense {
		if d != nil {
			c.dense[i].put(row, d)
		}
	}
	for i, s := range v.sparse {
		if s != nil {
			c.sparse[i].put(row, s)
		}
	}
}

// everything selects all fields of a payload.
var everything = payloadSelector{all: true}

// payloadOf reads the selected fields of the payload in a slot.
func (c *collection) payloadOf(r reader, slot uint64, fields payloadSelector) (payload, error) {
	if slot == 0 {
		return payload{}, nil
	}
	record := r.get(c.table(tablePayloads), slotKey(slot))
	if record == nil {
		return nil, fmt.Errorf("%w: collection %q: payload record %d is missing", ErrCorrupt, c.name, slot)
	}
	return decodePayload(record, fields)
}

// vectorsOf reads the wanted vectors in a slot; nil means all.
func (c *collection) vectorsOf(r reader, slot uint64, wanted *fieldSet) (*vectorSet, error) {
	record := r.get(c.table(tableVectors), slotKey(slot))
	if record == nil {
		return nil, fmt.Errorf("%w: collection %q: vectors record %d is missing", ErrCorrupt, c.name, slot)
	}
	_, v, err := decodeVectors(c.schema, record, wanted)
	return v, err
}

// selection is a set of rows that a filter left.
type selection struct {
	rows  bitset
	count int
}

// cancelEvery is how many rows are evaluated between two checks of the context.
const cancelEvery = 4096

// match evaluates a condition over all points. The nil condition selects them all.
func (c *collection) match(ctx context.Context, r reader, cond *condition) (selection, error) {
	if cond == nil {
		return selection{c.alive, c.live}, nil
	}
	if cond.except != nil {
		if rows, ok := cond.except(); ok {
			s, check := selection{slices.Clone(c.alive), c.live}, c.checker(r, cond)
			for _, row := range rows {
				ok, err := check(row)
				if err != nil {
					return selection{}, err
				}
				if !ok && s.rows.has(row) {
					s.rows.unset(row)
					s.count--
				}
			}
			return s, nil
		}
	}
	s := selection{rows: make(bitset, len(c.alive))}
	err := c.each(ctx, r, cond, func(row uint32) bool {
		s.rows.set(row)
		s.count++
		return true
	})
	return s, err
}

// count counts the points for which a condition holds.
func (c *collection) count(ctx context.Context, r reader, cond *condition) (int, error) {
	if cond == nil {
		return c.live, nil
	}
	n := 0
	err := c.each(ctx, r, cond, func(uint32) bool { n++; return true })
	return n, err
}

// each calls yield for every row for which the condition holds, in no particular order, until it
// returns false.
func (c *collection) each(ctx context.Context, r reader, cond *condition, yield func(row uint32) bool) error {
	check := c.checker(r, cond)
	if cond.rows != nil && cond.estimate < c.live {
		if rows, ok := cond.rows(); ok {
			for i, row := range rows {
				if i%cancelEvery == cancelEvery-1 && ctx.Err() != nil {
					return ctx.Err()
				}
				ok, err := check(row)
				if err != nil {
					return err
				}
				if ok && !yield(row) {
					return nil
				}
			}
			return nil
		}
	}
	for i, word := range c.alive {
		if i%(cancelEvery/64) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for ; word != 0; word &= word - 1 {
			row := uint32(i*64 + bits.TrailingZeros64(word))
			ok, err := check(row)
			if err != nil {
				return err
			}
			if ok && !yield(row) {
				return nil
			}
		}
	}
	return nil
}

// checker returns a function that evaluates the condition for one row.
func (c *collection) checker(r reader, cond *condition) func(row uint32) (bool, error) {
	if cond == nil {
		return func(uint32) (bool, error) { return true, nil }
	}
	s := &subject{}
	load := func() (payload, error) { return c.payloadOf(r, c.records[s.row].payload, everything) }
	return func(row uint32) (bool, error) {
		s.row, s.id, s.payload, s.load, s.err = row, &c.ids[row], nil, load, nil
		ok := cond.eval(s)
		return ok && s.err == nil, s.err
	}
}

// staged is a point as a transaction leaves it, with what it was before.
type staged struct {
	id       pointID
	before   *pointRecord // nil: it was not there
	row      uint32       // of before
	old      *vectorSet   // vectors of before, read when they change or go
	exists   bool
	vectors  *vectorSet // nil: as before
	payload  payload    // nil: as before
	record   pointRecord
	newCells []cell // of the payload, by position in a sorted list of the indexes
}

// apply makes the changes of a committed transaction in memory. The caller holds mu for
// writing.
func (c *collection) apply(points []*staged) {
	names := c.indexNames()
	for _, p := range points {
		if !p.exists {
			if p.before != nil {
				c.order.remove(c.ids, p.id)
				c.killRow(p.row, p.old)
			}
			continue
		}
		row := p.row
		if p.before == nil || p.vectors != nil {
			row = c.newRow(p.id)
			c.fillRow(row, p.vectors)
			c.order.put(c.ids, row)
		} else if p.payload != nil {
			for _, f := range c.indexes {
				f.drop(row)
			}
		}
		if p.before != nil && p.vectors != nil {
			c.killRow(p.row, p.old)
		}
		c.records[row] = p.record
		if p.newCells != nil {
			c.putCells(row, names, p.newCells)
		}
	}
}

// indexNames lists the indexed fields in a fixed order.
func (c *collection) indexNames() []string { return slices.Sorted(maps.Keys(c.indexes)) }

// cellsOf returns the cell of a payload in each index, in the order of indexNames.
func (c *collection) cellsOf(p payload) []cell {
	names := c.indexNames()
	cells := make([]cell, len(names))
	for i, name := range names {
		cells[i] = c.indexes[name].cellOf(p)
	}
	return cells
}
