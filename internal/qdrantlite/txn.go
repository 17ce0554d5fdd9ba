package qdrantlite

import (
	"context"
	"fmt"
)

// batch collects the changes of several requests for one commit. Only the committer uses it. Its
// view r of the file agrees with memory.
type batch struct {
	r       reader
	changes map[*collection]*changes
	order   []*collection
	points  int
}

// changes are the points of one collection that a batch or a transaction touches, in the order of
// first touch.
type changes struct {
	byID map[pointID]*staged
	list []*staged
}

func newChanges() *changes { return &changes{byID: make(map[pointID]*staged)} }

func (c *changes) put(p *staged) {
	c.byID[p.id] = p
	c.list = append(c.list, p)
}

// txn is one request's changes on top of a batch. The batch has none of them before merge, so a
// request that is refused half way changes nothing.
type txn struct {
	ctx  context.Context
	b    *batch
	c    *collection
	base *changes // of the requests before it in the batch
	own  *changes
	op   uint64
}

func (b *batch) begin(ctx context.Context, c *collection) *txn {
	base := b.changes[c]
	if base == nil {
		base = newChanges()
	}
	return &txn{ctx: ctx, b: b, c: c, base: base, own: newChanges(), op: c.nextOp}
}

// merge makes the transaction part of the batch.
func (t *txn) merge() {
	if t.b.changes[t.c] == nil {
		t.b.changes[t.c] = t.base
		t.b.order = append(t.b.order, t.c)
	}
	for _, p := range t.own.list {
		if at, ok := t.base.byID[p.id]; ok {
			*at = *p
		} else {
			t.base.put(p)
		}
	}
	t.b.points += len(t.own.list)
	t.c.nextOp++
}

// look returns a point as the transaction sees it, for reading. It is never nil.
func (t *txn) look(id pointID) *staged {
	if p, ok := t.own.byID[id]; ok {
		return p
	}
	if p, ok := t.base.byID[id]; ok {
		return p
	}
	p := &staged{id: id, row: noRow}
	if row, ok := t.c.order.find(t.c.ids, id); ok {
		record := t.c.records[row]
		p.row, p.before, p.record, p.exists = row, &record, record, true
	}
	return p
}

// touch returns a point for writing.
func (t *txn) touch(id pointID) *staged {
	p := t.look(id)
	if t.own.byID[id] != p {
		mine := *p
		p = &mine
		t.own.put(p)
	}
	p.record.version = t.op
	return p
}

// payloadOf returns the payload of a point that exists. Callers must not change it.
func (t *txn) payloadOf(p *staged) (payload, error) {
	if p.payload != nil {
		return p.payload, nil
	}
	return t.c.payloadOf(t.b.r, p.before.payload, everything)
}

// holds evaluates a condition for a point that exists as the transaction sees it.
func (t *txn) holds(cond *condition, p *staged) (bool, error) {
	s := &subject{row: noRow, id: &p.id, load: func() (payload, error) { return t.payloadOf(p) }}
	ok := cond.eval(s)
	return ok && s.err == nil, s.err
}

// matching returns the ids of the points for which a condition holds as the transaction sees them.
func (t *txn) matching(cond *condition) ([]pointID, error) {
	var ids []pointID
	changed := func(id pointID) bool {
		_, own := t.own.byID[id]
		_, base := t.base.byID[id]
		return own || base
	}
	err := t.c.each(t.ctx, t.b.r, cond, func(row uint32) bool {
		if id := t.c.ids[row]; !changed(id) {
			ids = append(ids, id)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, list := range [][]*staged{t.base.list, t.own.list} {
		for _, p := range list {
			if t.look(p.id) != p || !p.exists {
				continue
			}
			ok, err := t.holds(cond, p)
			if err != nil {
				return nil, err
			}
			if ok {
				ids = append(ids, p.id)
			}
		}
	}
	return ids, nil
}

// mutations turns a batch's changes of one collection into records, and completes the staged points
// for collection.apply. It returns as garbage the deletions of records that no point names after
// this commit; the next commit makes them.
func (b *batch) mutations(c *collection) (out, garbage []mutation, err error) {
	points, vectors, payloads := c.table(tablePoints), c.table(tableVectors), c.table(tablePayloads)
	slot := func() uint64 {
		s := c.nextSlot
		c.nextSlot++
		return s
	}
	discard := func(t table, old uint64) {
		if old != 0 {
			garbage = append(garbage, mutation{t, slotKey(old), nil})
		}
	}
	for _, p := range b.changes[c].list {
		if p.before != nil && (!p.exists || p.vectors != nil) {
			if err := b.readOld(c, p); err != nil {
				return nil, nil, err
			}
			discard(vectors, p.before.vectors)
		}
		if !p.exists {
			if p.before != nil {
				discard(payloads, p.before.payload)
				out = append(out, mutation{points, p.id[:], nil})
			}
			continue
		}
		if p.vectors != nil {
			p.record.vectors = slot()
			out = append(out, mutation{vectors, slotKey(p.record.vectors), encodeVectors(p.id, p.vectors)})
		}
		if p.payload != nil {
			p.record.payload = 0
			if len(p.payload) > 0 {
				record, err := encodePayload(p.payload)
				if err != nil {
					return nil, nil, err
				}
				p.record.payload = slot()
				out = append(out, mutation{payloads, slotKey(p.record.payload), record})
			}
			if p.before != nil {
				discard(payloads, p.before.payload)
			}
		}
		if len(c.indexes) > 0 && (p.payload != nil || p.vectors != nil) {
			fields := p.payload
			if fields == nil {
				if fields, err = c.payloadOf(b.r, p.before.payload, everything); err != nil {
					return nil, nil, err
				}
			}
			p.newCells = c.cellsOf(fields)
		}
		out = append(out, mutation{points, p.id[:], p.record.encode()})
	}
	return out, garbage, nil
}

// readOld reads the sparse vectors that a point had, which collection.apply removes from the
// postings.
func (b *batch) readOld(c *collection, p *staged) (err error) {
	if len(c.sparse) == 0 {
		p.old = c.schema.newVectors()
		return nil
	}
	if p.old, err = c.vectorsOf(b.r, p.before.vectors, nil); err != nil {
		return fmt.Errorf("point %s: %w", p.id, err)
	}
	return nil
}
