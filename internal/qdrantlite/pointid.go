package qdrantlite

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// pointID is a point's identity as the key of its record: one byte for the kind, 0 a number and 1 a
// UUID, and sixteen big-endian ones for the value. So numbers come before UUIDs, each in ascending
// order, as in Qdrant; the zero value is number 0.
type pointID [1 + 16]byte

func numberID(n uint64) (id pointID) {
	binary.BigEndian.PutUint64(id[9:], n)
	return id
}

func uuidID(u uuid.UUID) (id pointID) {
	id[0] = 1
	copy(id[1:], u[:])
	return id
}

func parseID(id *qdrant.PointId) (pointID, error) {
	switch v := id.GetPointIdOptions().(type) {
	case *qdrant.PointId_Num:
		return numberID(v.Num), nil
	case *qdrant.PointId_Uuid:
		u, err := uuid.Parse(v.Uuid)
		if err != nil {
			return pointID{}, invalid("point id: not a UUID (got %q)", v.Uuid)
		}
		return uuidID(u), nil
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

func (p pointID) compare(q pointID) int { return bytes.Compare(p[:], q[:]) }

func (p pointID) number() uint64 { return binary.BigEndian.Uint64(p[9:]) }

func (p pointID) proto() *qdrant.PointId {
	if p[0] == 0 {
		return qdrant.NewIDNum(p.number())
	}
	return qdrant.NewIDUUID(p.String())
}

// uuidLength is the length of a UUID as text.
const uuidLength = 36

// appendUUID appends the text of a UUID.
func (p *pointID) appendUUID(to []byte) []byte {
	u := p[1:]
	to = hex.AppendEncode(to, u[:4])
	for _, part := range [...][]byte{u[4:6], u[6:8], u[8:10], u[10:]} {
		to = hex.AppendEncode(append(to, '-'), part)
	}
	return to
}

func (p pointID) String() string {
	if p[0] == 0 {
		return fmt.Sprint(p.number())
	}
	return string(p.appendUUID(nil))
}

func idFromKey(key []byte) (pointID, error) {
	if len(key) != len(pointID{}) || key[0] > 1 {
		return pointID{}, fmt.Errorf("%w: a point key is malformed (%d bytes)", ErrCorrupt, len(key))
	}
	id := pointID(key)
	if id[0] == 0 && id != numberID(id.number()) {
		return pointID{}, fmt.Errorf("%w: a numeric point key is longer than 64 bits", ErrCorrupt)
	}
	return id, nil
}
