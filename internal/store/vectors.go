package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// Embedding a text costs more than everything else that is done with it, so its vector outlives it. Articles and sections
// carry the key of the text that their vector was made of; what is taken out of them is kept here, by that key, in a
// collection of the embedding space alone: how texts are cut does not matter to it.

// TextKey identifies a text by its content: the first 128 bits of its SHA-256, as a UUID.
func TextKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return uuid.UUID(sum[:16]).String()
}

const (
	fieldVector = "vector" // base64 of little-endian float32: only ever read by key, so it needs no place in an index
	fieldKept   = "kept"   // milliseconds when it was kept, or a little more, so that no two are the same
)

// keptSchema is the collection of kept vectors. It is made when the first one is kept.
var keptSchema = collection{index: map[string]qdrant.FieldType{fieldKept: integer}}

// keptBytes bounds what is kept: with 384 dimensions the vectors of some 44,000 texts. The oldest go first, a tenth at a
// time.
const keptBytes = 64 << 20

// keeper is the state of keeping. Its lock makes one writer of it at a time.
type keeper struct {
	mu    sync.Mutex
	ready bool  // the collection exists
	last  int64 // of what was kept
	most  int   // how many vectors are kept; 0: as many as keptBytes holds
}

func (s *Store) keptCollection() string { return s.cfg.Prefix + "_vectors_" + s.fingerprint }

// KeptVectors returns the vectors that are kept of texts, by their keys; of texts whose vector is not kept there is none.
func (s *Store) KeptVectors(ctx context.Context, keys []string) (map[string][]float32, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	ids := make([]*qdrant.PointId, 0, len(keys))
	for _, key := range keys {
		if uuid.Validate(key) != nil {
			return nil, &InvalidError{Field: "keys", Reason: fmt.Sprintf("%q is no key of a text", key)}
		}
		ids = append(ids, qdrant.NewIDUUID(key))
	}
	out := make(map[string][]float32)
	for page := range slices.Chunk(ids, pageVectors) {
		points, err := s.conn.get(ctx, s.keptCollection(), page, []string{fieldVector}, nil)
		if errors.Is(err, errNoCollection) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			if v := decodeKept(payload(p.GetPayload()).text(fieldVector)); len(v) == s.cfg.Space.Dimensions {
				out[p.GetId().GetUuid()] = v
			}
		}
	}
	return out, nil
}

// KeepVectors keeps vectors of texts, by their keys, for texts that come again. A key that is kept already counts as new.
// When more is kept than there is room for, the oldest go.
func (s *Store) KeepVectors(ctx context.Context, vectors map[string][]float32) error {
	c := &checker{}
	for key, v := range vectors {
		if uuid.Validate(key) != nil {
			c.fail("keys", "%q is no key of a text", key)
		}
		c.unit("vectors["+key+"]", v, s.cfg.Space.Dimensions)
	}
	if err := c.result(); err != nil || len(vectors) == 0 {
		return err
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	name := s.keptCollection()
	if !s.kept.ready {
		if err := s.conn.ensure(ctx, keptSchema, name, 0); err != nil {
			return err
		}
		s.kept.ready = true
	}
	points := make([]*qdrant.PointStruct, 0, len(vectors))
	for key, v := range vectors {
		s.kept.last = max(s.kept.last+1, s.cfg.Now().UnixMilli())
		fields, err := toPayload(map[string]any{fieldVector: encodeKept(v), fieldKept: s.kept.last})
		if err != nil {
			return &InvalidError{Field: "vectors", Reason: err.Error()}
		}
		points = append(points, &qdrant.PointStruct{Id: qdrant.NewIDUUID(key), Payload: fields, Vectors: encodeVectors(nil, none, none, none)})
	}
	from := 0
	for _, to := range batches(points) {
		if err := s.conn.upsert(ctx, name, points[from:to], upsertOptions{}); err != nil {
			return err
		}
		from = to
	}
	return s.dropOldest(ctx, name)
}

// dropOldest brings what is kept down to nine tenths of its bound when it is above it.
func (s *Store) dropOldest(ctx context.Context, name string) error {
	most := s.kept.most
	if most == 0 {
		most = max(1, keptBytes/(4*s.cfg.Space.Dimensions))
	}
	n, err := s.conn.count(ctx, name, nil)
	if err != nil || n <= int64(most) {
		return err
	}
	after := func(time int64) *qdrant.Filter {
		return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange(fieldKept, &qdrant.Range{Gt: qdrant.PtrOf(float64(time))})}}
	}
	// No two were kept at one time, so there is a time after which exactly as many were kept as may stay.
	last, err := highest(0, func(time int64) (bool, error) {
		n, err := s.conn.count(ctx, name, after(time-1))
		return n > int64(most-most/10), err
	})
	if err != nil {
		return err
	}
	old := &qdrant.Filter{MustNot: after(last).Must}
	return s.conn.remove(ctx, name, qdrant.NewPointsSelectorFilter(old))
}

func encodeKept(v []float32) string {
	data := make([]byte, 0, 4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return base64.RawStdEncoding.EncodeToString(data)
}

// decodeKept returns nothing for what was not written by encodeKept.
func decodeKept(text string) []float32 {
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(data)%4 != 0 {
		return nil
	}
	v := make([]float32, len(data)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if x := float64(v[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
	}
	return v
}
