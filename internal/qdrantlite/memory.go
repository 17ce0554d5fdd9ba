package qdrantlite

import (
	"maps"
	"slices"
	"sync"
)

// memoryBackend keeps records in maps. A reader sees the present records rather than a snapshot.
// That is enough, because records that a reader may name are never overwritten, and are deleted one
// commit later.
type memoryBackend struct {
	mu     sync.RWMutex
	tables map[table]map[string][]byte
}

func newMemoryBackend() *memoryBackend {
	return &memoryBackend{tables: make(map[table]map[string][]byte)}
}

func (m *memoryBackend) read() (reader, error) { return memoryReader{m}, nil }
func (m *memoryBackend) close() error          { return nil }

func (m *memoryBackend) commit(mutations []mutation) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range mutations {
		switch records := m.tables[c.table]; {
		case c.key == nil:
			delete(m.tables, c.table)
		case c.value == nil:
			delete(records, string(c.key))
		default:
			if records == nil {
				records = make(map[string][]byte)
				m.tables[c.table] = records
			}
			records[string(c.key)] = c.value
		}
	}
	return true, nil
}

type memoryReader struct{ m *memoryBackend }

func (r memoryReader) close() {}

func (r memoryReader) get(t table, key []byte) []byte {
	r.m.mu.RLock()
	defer r.m.mu.RUnlock()
	return r.m.tables[t][string(key)]
}

func (r memoryReader) scan(t table, fn func(key, value []byte) error) error {
	r.m.mu.RLock()
	records := maps.Clone(r.m.tables[t])
	r.m.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(records)) {
		if err := fn([]byte(key), records[key]); err != nil {
			return err
		}
	}
	return nil
}
