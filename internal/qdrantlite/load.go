package qdrantlite

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// load builds the memory of every collection from the file, and deletes the records that no point
// names: those of points that were replaced or deleted last, or that a crash left.
func (s *Server) load(path string) error {
	orphans, err := s.loadAll(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if len(orphans) > 0 {
		s.log.Info("deleting records of replaced and deleted points", "file", path, "records", len(orphans))
		_, err = s.backend.commit(orphans)
	}
	return err
}

func (s *Server) loadAll(path string) (orphans []mutation, err error) {
	defer faultsAsErrors(path, &err)()
	r, err := s.backend.read()
	if err != nil {
		return nil, err
	}
	defer r.close()
	byNumber := make(map[uint32]*collection)
	err = r.scan(table{kind: tableCollections}, func(key, value []byte) error {
		c, err := decodeCollection(string(key), value)
		if err != nil {
			return err
		}
		s.collections[c.name], byNumber[c.number] = c, c
		s.lastNumber = max(s.lastNumber, c.number)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.scan(table{kind: tableAliases}, func(key, value []byte) error {
		s.aliases[string(key)] = string(value)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.scan(table{kind: tableIndexes}, func(key, value []byte) error {
		f, number, err := decodeIndex(key, value)
		if err != nil {
			return err
		}
		c := byNumber[number]
		if c == nil {
			return fmt.Errorf("%w: an index belongs to the unknown collection %d", ErrCorrupt, number)
		}
		c.indexes[f.key] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range byNumber {
		more, err := c.load(r)
		if err != nil {
			return nil, fmt.Errorf("collection %q: %w", c.name, err)
		}
		orphans = append(orphans, more...)
	}
	return orphans, nil
}

func decodeCollection(name string, record []byte) (*collection, error) {
	body, err := unseal("collection", record)
	if err != nil {
		return nil, err
	}
	if len(body) < 4 {
		return nil, fmt.Errorf("%w: the record of collection %q is too short", ErrCorrupt, name)
	}
	var create qdrant.CreateCollection
	if err := proto.Unmarshal(body[4:], &create); err != nil {
		return nil, fmt.Errorf("%w: the record of collection %q: %w", ErrCorrupt, name, err)
	}
	schema, err := newSchema(&create)
	if err != nil {
		return nil, fmt.Errorf("%w: collection %q: %s", ErrUnsupported, name, status.Convert(err).Message())
	}
	create.CollectionName = name
	return newCollection(binary.BigEndian.Uint32(body), &create, schema), nil
}

func indexKey(number uint32, field string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, number), field...)
}

func decodeIndex(key, record []byte) (*fieldIndex, uint32, error) {
	body, err := unseal("index", record)
	if err != nil {
		return nil, 0, err
	}
	if len(key) < 4 {
		return nil, 0, fmt.Errorf("%w: an index belongs to no collection", ErrCorrupt)
	}
	var params qdrant.CreateFieldIndexCollection
	if err := proto.Unmarshal(body, &params); err != nil {
		return nil, 0, fmt.Errorf("%w: the record of index %q: %w", ErrCorrupt, key[4:], err)
	}
	f, err := newFieldIndex(&params)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: index %q: %s", ErrUnsupported, key[4:], status.Convert(err).Message())
	}
	return f, binary.BigEndian.Uint32(key), nil
}

// slotOf is a slot and the row that names it.
type slotOf struct {
	slot uint64
	row  uint32
}

// load reads the points of a collection in order of ids, which become its rows, and then its
// vectors and payloads in the order in which they lie in the file. It returns deletions of records
// that no point names.
func (c *collection) load(r reader) (orphans []mutation, err error) {
	var vectors, payloads []slotOf
	err = r.scan(c.table(tablePoints), func(key, value []byte) error {
		id, err := idFromKey(key)
		if err != nil {
			return err
		}
		record, err := decodePoint(value)
		if err != nil {
			return fmt.Errorf("point %s: %w", id, err)
		}
		row := c.newRow(id)
		c.records[row] = record
		c.order.put(c.ids, row)
		c.nextOp = max(c.nextOp, record.version+1)
		vectors = append(vectors, slotOf{record.vectors, row})
		if record.payload != 0 {
			payloads = append(payloads, slotOf{record.payload, row})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	loaders := make([]sparseLoader, len(c.sparse))
	for i := range loaders {
		loaders[i].to = c.sparse[i]
	}
	orphans, err = c.join(r, tableVectors, vectors, func(row uint32, record []byte) error {
		id, v, err := decodeVectors(c.schema, record, nil)
		if err != nil {
			return err
		}
		if id != c.ids[row] {
			return fmt.Errorf("%w: point %s names the vectors of point %s", ErrCorrupt, c.ids[row], id)
		}
		for i, d := range v.dense {
			if d != nil {
				c.dense[i].put(row, d)
			}
		}
		for i, s := range v.sparse {
			if s != nil {
				loaders[i].put(row, s)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range loaders {
		loaders[i].flush()
	}
	names := c.indexNames()
	if len(names) > 0 {
		none := c.cellsOf(nil)
		for row := range c.records {
			if c.records[row].payload == 0 {
				c.putCells(uint32(row), names, none)
			}
		}
	}
	more, err := c.join(r, tablePayloads, payloads, func(row uint32, record []byte) error {
		fields, err := decodePayload(record, everything)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			c.putCells(row, names, c.cellsOf(fields))
		}
		return nil
	})
	return append(orphans, more...), err
}

func (c *collection) putCells(row uint32, names []string, cells []cell) {
	for i, name := range names {
		c.indexes[name].put(row, cells[i])
	}
}

// join reads a table of slots and calls found for each record that a point names. Records that no
// point names are returned as deletions; a point whose record is missing is damage.
func (c *collection) join(r reader, kind tableKind, named []slotOf, found func(row uint32, record []byte) error) ([]mutation, error) {
	slices.SortFunc(named, func(a, b slotOf) int { return cmp.Compare(a.slot, b.slot) })
	var orphans []mutation
	missing := func() error {
		return fmt.Errorf("%w: point %s: record %d of kind %q is missing", ErrCorrupt, c.ids[named[0].row], named[0].slot, kind)
	}
	err := r.scan(c.table(kind), func(key, record []byte) error {
		if len(key) == 8 {
			slot := binary.BigEndian.Uint64(key)
			c.nextSlot = max(c.nextSlot, slot+1)
			if len(named) > 0 && named[0].slot < slot {
				return missing()
			}
			if len(named) > 0 && named[0].slot == slot {
				row := named[0].row
				named = named[1:]
				if err := found(row, record); err != nil {
					return fmt.Errorf("point %s: %w", c.ids[row], err)
				}
				return nil
			}
		}
		orphans = append(orphans, mutation{c.table(kind), bytes.Clone(key), nil})
		return nil
	})
	if err == nil && len(named) > 0 {
		err = missing()
	}
	if err != nil && !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("read records of kind %q: %w", kind, err)
	}
	return orphans, err
}
