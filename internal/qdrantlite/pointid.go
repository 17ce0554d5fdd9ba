package qdrantlite

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// pointID is a point's identity. Numbers come before UUIDs, each in ascending order, as in Qdrant;
// the zero value is number 0.
type pointID struct {
	hi, lo uint64
	uuid   bool
}

// idKeySize is the length of a pointID as a key: one byte for the kind and sixteen for the value, so
// that keys sort like ids.
const idKeySize = 17

func parseID(id *qdrant.PointId) (pointID, error) {
	switch v := id.GetPointIdOptions().(type) {
	case *qdrant.PointId_Num:
		return pointID{lo: v.Num}, nil
	case *qdrant.PointId_Uuid:
		u, err := uuid.Parse(v.Uuid)
		if err != nil {
			return pointID{}, invalid("point id: not a UUID (got %q)", v.Uuid)
		}
		return pointID{hi: binary.BigEndian.Uint64(u[:8]), lo: binary.BigEndian.Uint64(u[8:]), uuid: true}, nil
	default:
		return pointID{}, invalid("point id: missing")
	}
}

func parseIDs(ids []*qdrant.PointId) ([]pointID, error) {
	parsed := make([]pointID, len(ids))
	for i, id := range ids {
		var err error
		if parsed[i], err = parseID(id); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func (p pointID) compare(q pointID) int {
	if p.uuid != q.uuid {
		if q.uuid {
			return -1
		}
		return 1
	}
	if c := cmp.Compare(p.hi, q.hi); c != 0 {
		return c
	}
	return cmp.Compare(p.lo, q.lo)
}

func (p pointID) proto() *qdrant.PointId {
	if !p.uuid {
		return &qdrant.PointId{PointIdOptions: &qdrant.PointId_Num{Num: p.lo}}
	}
	return &qdrant.PointId{PointIdOptions: &qdrant.PointId_Uuid{Uuid: p.String()}}
}

func (p pointID) String() string {
	if !p.uuid {
		return fmt.Sprint(p.lo)
	}
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], p.hi)
	binary.BigEndian.PutUint64(u[8:], p.lo)
	return u.String()
}

func (p pointID) key() []byte {
	key := make([]byte, idKeySize)
	if p.uuid {
		key[0] = 1
	}
	binary.BigEndian.PutUint64(key[1:], p.hi)
	binary.BigEndian.PutUint64(key[9:], p.lo)
	return key
}

func idFromKey(key []byte) (pointID, error) {
	if len(key) != idKeySize || key[0] > 1 {
		return pointID{}, fmt.Errorf("%w: a point key is malformed (%d bytes)", ErrCorrupt, len(key))
	}
	id := pointID{hi: binary.BigEndian.Uint64(key[1:]), lo: binary.BigEndian.Uint64(key[9:]), uuid: key[0] == 1}
	if !id.uuid && id.hi != 0 {
		return pointID{}, fmt.Errorf("%w: a numeric point key is longer than 64 bits", ErrCorrupt)
	}
	return id, nil
}
