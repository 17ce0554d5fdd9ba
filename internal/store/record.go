package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// The state record holds what scoring depends on, as bytes that internal/state encodes. They are
// cut into points of a collection of their own: the parts, and a head that names them. The head is
// written after its parts, and then the parts of the last record are deleted.

const (
	fieldRecord = "record" // number of the record
	fieldParts  = "parts"  // of the head: how many there are
	fieldData   = "data"   // of a part: base64

	headPoint = 1
	partBytes = 512 << 10
	maxParts  = 8192
	maxState  = maxParts * partBytes / 4 * 3 // 3 GiB
)

// recordSchema is the collection of the record. The first SaveState creates it.
var recordSchema = collection{index: map[string]qdrant.FieldType{fieldRecord: integer}}

func (s *Store) recordCollection() string { return s.cfg.Prefix + "_state_" + s.fingerprint }

// partPoint is the id of a part. Records alternate between two ranges of ids, so that a new one
// does not overwrite the last one.
func partPoint(record int64, part int) *qdrant.PointId {
	return qdrant.NewIDNum(uint64(2 + (record%2)*maxParts + int64(part)))
}

// head reads the number of the record and how many parts it has; 0: there is none.
func (s *Store) head(ctx context.Context) (record int64, parts int, err error) {
	p, err := s.conn.record(ctx, s.recordCollection(), headPoint)
	return p.number(fieldRecord), int(min(max(p.number(fieldParts), 0), maxParts)), err
}

// StateNumber returns the number of the stored state record, which grows with each; 0: there is
// none.
func (s *Store) StateNumber(ctx context.Context) (int64, error) {
	if err := s.readable(); err != nil {
		return 0, err
	}
	record, _, err := s.head(ctx)
	return record, err
}

// LoadState returns the bytes of the last SaveState of this embedding space and their number; nil
// when there are none. A record that another process replaces meanwhile may come back torn, as
// bytes that were never saved: the caller checks them.
func (s *Store) LoadState(ctx context.Context) (data []byte, number int64, err error) {
	if err := s.readable(); err != nil {
		return nil, 0, err
	}
	number, parts, err := s.head(ctx)
	if err != nil || number == 0 {
		return nil, 0, err
	}
	texts := make([]string, parts)
	for part := range parts {
		p, err := s.conn.record(ctx, s.recordCollection(), partPoint(number, part).GetNum())
		if err != nil {
			return nil, 0, err
		}
		texts[part] = p.text(fieldData)
	}
	data, err = base64.StdEncoding.DecodeString(strings.Join(texts, ""))
	if err != nil {
		return []byte{}, number, nil // torn
	}
	return data, number, nil
}

// SaveState replaces the state record. After an error the stored record is the old one or the new
// one.
func (s *Store) SaveState(ctx context.Context, data []byte) error {
	if len(data) > maxState {
		return &InvalidError{Field: "state", Reason: fmt.Sprintf("too large (got %d bytes, want at most %d)", len(data), maxState)}
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	name := s.recordCollection()
	if err := s.conn.ensure(ctx, recordSchema, name, 0); err != nil {
		return err
	}
	last, _, err := s.head(ctx)
	if err != nil {
		return err
	}
	record, text := last+1, base64.StdEncoding.EncodeToString(data)
	write := func(id *qdrant.PointId, fields map[string]any) error {
		fields[fieldRecord] = record
		point, err := newPoint(id, nil, fields, nil)
		if err != nil {
			return err
		}
		return s.conn.upsert(ctx, name, []*qdrant.PointStruct{point}, upsertOptions{})
	}
	parts := 0
	for ; len(text) > 0; parts++ {
		n := min(len(text), partBytes)
		if err := write(partPoint(record, parts), map[string]any{fieldData: text[:n]}); err != nil {
			return err
		}
		text = text[n:]
	}
	if err := write(qdrant.NewIDNum(headPoint), map[string]any{fieldParts: parts}); err != nil {
		return err
	}
	older := must(qdrant.NewRange(fieldRecord, &qdrant.Range{Lt: qdrant.PtrOf(float64(record))}))
	if err := s.conn.remove(ctx, name, qdrant.NewPointsSelectorFilter(older)); err != nil {
		return err
	}
	return s.lease.held()
}
