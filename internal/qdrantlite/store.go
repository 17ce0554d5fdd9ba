package qdrantlite

import "encoding/binary"

// backend is where records live: a bbolt file or memory. Commits come from one goroutine at a time;
// reads from any number, at the same time as a commit.
type backend interface {
	// read opens a view of all commits so far. Close it soon: a commit may have to wait for it.
	read() (reader, error)
	// commit makes all the mutations durable together, in order, or none. When it fails with known
	// true, none was made; with known false, that shows only when the store is opened again.
	commit(mutations []mutation) (known bool, err error)
	close() error
}

// reader is a view of committed records. It is for one goroutine.
type reader interface {
	// get returns the record or nil. The bytes are valid until close and must not be changed.
	get(t table, key []byte) []byte
	// scan calls fn for every record in order of keys, until it fails.
	scan(t table, fn func(key, value []byte) error) error
	close()
}

// table names a set of records. Tables of collection 0 belong to the whole store.
type table struct {
	collection uint32
	kind       tableKind
}

type tableKind byte

const (
	tableInfo        tableKind = 'i' // "format" and "sequence" -> see bolt.go
	tableCollections tableKind = 'c' // name -> collection number, configuration
	tableAliases     tableKind = 'a' // alias -> collection name
	tableIndexes     tableKind = 'x' // collection number, field name -> index type
	tablePoints      tableKind = 'p' // point id -> slots and version
	tableVectors     tableKind = 'v' // slot -> vectors
	tablePayloads    tableKind = 'd' // slot -> payload
)

// mutation writes a record, or deletes it when value is nil. A nil key drops the whole table.
type mutation struct {
	table      table
	key, value []byte
}

func slotKey(slot uint64) []byte { return binary.BigEndian.AppendUint64(nil, slot) }
