package qdrantlite

import (
	"github.com/qdrant/go-client/qdrant"
)

// replyWriter makes the points of one reply. Many points of few fields are most of what is asked
// for, so ids and values are made in blocks, and fields that are indexed come from memory.
type replyWriter struct {
	c       *collection
	r       reader
	payload payloadSelector
	columns []*fieldIndex // those of the selected fields, if all of them are indexed; else nil
	vectors *fieldSet     // nil: none

	ids    []qdrant.PointId
	uuids  []qdrant.PointId_Uuid
	names  string // of uuids that no point has yet
	values []qdrant.Value
	texts  []qdrant.Value_StringValue
	wholes []qdrant.Value_IntegerValue
}

// newReplyWriter prepares a reply of n points; row names each, in their order.
func (c *collection) newReplyWriter(r reader, n int, row func(i int) uint32, fields payloadSelector, with *qdrant.WithVectorsSelector) (*replyWriter, error) {
	w := &replyWriter{c: c, r: r, payload: fields, ids: make([]qdrant.PointId, 0, n), uuids: make([]qdrant.PointId_Uuid, 0, n)}
	names := make([]byte, 0, n*uuidLength)
	for i := range n {
		if id := &c.ids[row(i)]; id[0] != 0 {
			names = id.appendUUID(names)
		}
	}
	w.names = string(names)
	for _, key := range fields.keys {
		index := c.indexes[key]
		if index == nil {
			w.columns = nil
			break
		}
		w.columns = append(w.columns, index)
	}
	if w.columns != nil {
		w.values = make([]qdrant.Value, 0, n*len(w.columns))
	}
	switch sel := with.GetSelectorOptions().(type) {
	case *qdrant.WithVectorsSelector_Enable:
		if sel.Enable {
			w.vectors = c.schema.fields(true)
		}
	case *qdrant.WithVectorsSelector_Include:
		w.vectors = c.schema.fields(false)
		for _, name := range sel.Include.GetNames() {
			at, sparse, ok := c.schema.field(name)
			switch {
			case !ok:
				return nil, noVector(name)
			case sparse:
				w.vectors.sparse[at] = true
			default:
				w.vectors.dense[at] = true
			}
		}
	}
	return w, nil
}

// fields returns the set of all fields or of none.
func (s *schema) fields(all bool) *fieldSet {
	f := &fieldSet{make([]bool, len(s.dense)), make([]bool, len(s.sparse))}
	for i := range f.dense {
		f.dense[i] = all
	}
	for i := range f.sparse {
		f.sparse[i] = all
	}
	return f
}

// next returns a new element of a block, and begins another block when it is full.
func next[T any](block *[]T) *T {
	if len(*block) == cap(*block) {
		*block = make([]T, 0, 256)
	}
	*block = (*block)[:len(*block)+1]
	return &(*block)[len(*block)-1]
}

// id makes the id of the next point.
func (w *replyWriter) id(row uint32) *qdrant.PointId {
	id := w.c.ids[row]
	if id[0] == 0 {
		return id.proto()
	}
	text, out := next(&w.uuids), next(&w.ids)
	text.Uuid, w.names = w.names[:uuidLength], w.names[uuidLength:]
	out.PointIdOptions = text
	return out
}

// contents reads the parts of a point that a reply carries beside its id.
func (w *replyWriter) contents(row uint32) (p payload, vectors *qdrant.VectorsOutput, err error) {
	if !w.payload.none() {
		if p = w.indexed(row); p == nil {
			if p, err = w.c.payloadOf(w.r, w.c.records[row].payload, w.payload); err != nil {
				return nil, nil, err
			}
		}
	}
	if w.vectors != nil {
		v, err := w.c.vectorsOf(w.r, w.c.records[row].vectors, w.vectors)
		if err != nil {
			return nil, nil, err
		}
		vectors = w.c.schema.output(v)
	}
	return p, vectors, nil
}

// indexed makes a payload of what the indexes have, nil if they do not have all of it.
func (w *replyWriter) indexed(row uint32) payload {
	if w.columns == nil {
		return nil
	}
	for _, f := range w.columns {
		if f.odd.has(row) {
			return nil
		}
	}
	p := make(payload, len(w.columns))
	for _, f := range w.columns {
		switch {
		case f.text != nil && f.text.set.has(row):
			text, value := next(&w.texts), next(&w.values)
			text.StringValue = f.text.first[row]
			value.Kind = text
			p[f.key] = value
		case f.whole != nil && f.whole.set.has(row):
			whole, value := next(&w.wholes), next(&w.values)
			whole.IntegerValue = f.whole.first[row]
			value.Kind = whole
			p[f.key] = value
		}
	}
	return p
}

// output writes vectors of a point.
func (s *schema) output(v *vectorSet) *qdrant.VectorsOutput {
	named := make(map[string]*qdrant.VectorOutput)
	for i, d := range v.dense {
		if d != nil {
			named[s.dense[i].name] = &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: d}}}
		}
	}
	for i, d := range v.sparse {
		if d != nil {
			named[s.sparse[i].name] = &qdrant.VectorOutput{
				Vector: &qdrant.VectorOutput_Sparse{Sparse: &qdrant.SparseVector{Indices: d.Terms, Values: d.Weights}}}
		}
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vectors{Vectors: &qdrant.NamedVectorsOutput{Vectors: named}}}
}

// retrieved makes the points of a reply that are not scored.
func (c *collection) retrieved(r reader, rows []uint32, fields payloadSelector, with *qdrant.WithVectorsSelector) ([]*qdrant.RetrievedPoint, error) {
	w, err := c.newReplyWriter(r, len(rows), func(i int) uint32 { return rows[i] }, fields, with)
	if err != nil {
		return nil, err
	}
	points, out := make([]qdrant.RetrievedPoint, len(rows)), make([]*qdrant.RetrievedPoint, len(rows))
	for i, row := range rows {
		p := &points[i]
		p.Id = w.id(row)
		if p.Payload, p.Vectors, err = w.contents(row); err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}
