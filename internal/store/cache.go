package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// To embed a text costs more than all other work on it, so its vector is cached after the text is
// deleted or replaced. Articles and sections name the key of the text that their vector was made
// of; the cache finds the vector by that key. Its collection belongs to the embedding space alone,
// because the chunker does not change the vector of a text.

// TextKey identifies a text by its content: the first 128 bits of its SHA-256, as a UUID.
func TextKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return uuid.UUID(sum[:16]).String()
}

const (
	fieldVector = "vector" // base64 of little-endian float32; read by key, so not indexed
	fieldCached = "kept"   // milliseconds; a few later than it was, so that no two are equal
)

// cacheSchema is the collection of cached embeddings. The first CacheEmbeddings creates it.
var cacheSchema = collection{index: map[string]qdrant.FieldType{fieldCached: integer}}

// cacheBytes bounds the cache: with 384 dimensions it holds the vectors of some 44,000 texts. When
// it is full the oldest tenth is deleted.
const cacheBytes = 64 << 20

// embeddingCache is the writer's state of the cache.
type embeddingCache struct {
	mu    sync.Mutex
	ready bool  // the collection exists
	last  int64 // the highest fieldCached that was written
	most  int   // how many vectors are cached; 0: as many as cacheBytes holds
}

func (s *Store) cacheCollection() string { return s.cfg.Prefix + "_vectors_" + s.fingerprint }

// CachedEmbeddings returns the cached vectors of texts, by TextKey. Keys that are not cached are
// absent.
func (s *Store) CachedEmbeddings(ctx context.Context, keys []string) (map[string][]float32, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	ids := make([]*qdrant.PointId, 0, len(keys))
	for _, key := range keys {
		if uuid.Validate(key) != nil {
			return nil, &InvalidError{Field: "keys", Reason: fmt.Sprintf(badKey, key)}
		}
		ids = append(ids, qdrant.NewIDUUID(key))
	}
	out := make(map[string][]float32)
	for page := range slices.Chunk(ids, pageVectors) {
		points, err := s.conn.get(ctx, s.cacheCollection(), page, []string{fieldVector}, nil)
		if errors.Is(err, errNoCollection) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			if v := decodeEmbedding(payload(p.GetPayload()).text(fieldVector)); len(v) == s.cfg.Space.Dimensions {
				out[p.GetId().GetUuid()] = v
			}
		}
	}
	return out, nil
}

// badKey is the reason for which a key is invalid.
const badKey = "invalid (got %q, want a TextKey)"

// CacheEmbeddings caches vectors of texts, by TextKey, for texts that come again. A key that is
// cached already becomes the youngest. When there are more than fit, the oldest are deleted.
func (s *Store) CacheEmbeddings(ctx context.Context, vectors map[string][]float32) error {
	c := &checker{}
	for key, v := range vectors {
		if uuid.Validate(key) != nil {
			c.fail("keys", badKey, key)
		}
		c.unit("vectors["+key+"]", v, s.cfg.Space.Dimensions)
	}
	if c.err != nil || len(vectors) == 0 {
		return c.err
	}
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	name := s.cacheCollection()
	if !s.cache.ready {
		if err := s.conn.ensure(ctx, cacheSchema, name, 0); err != nil {
			return err
		}
		s.cache.ready = true
	}
	points := make([]*qdrant.PointStruct, 0, len(vectors))
	for key, v := range vectors {
		s.cache.last = max(s.cache.last+1, s.cfg.Now().UnixMilli())
		point, err := newPoint(qdrant.NewIDUUID(key), nil, map[string]any{fieldVector: encodeNumbers(v), fieldCached: s.cache.last}, nil)
		if err != nil {
			return err
		}
		points = append(points, point)
	}
	if err := s.upsertAll(ctx, name, points); err != nil {
		return err
	}
	return s.dropOldest(ctx, name)
}

// dropOldest deletes the oldest vectors of a cache above its bound, down to nine tenths of it.
func (s *Store) dropOldest(ctx context.Context, name string) error {
	most := s.cache.most
	if most == 0 {
		most = max(1, cacheBytes/(4*s.cfg.Space.Dimensions))
	}
	n, err := s.conn.count(ctx, name, nil)
	if err != nil || n <= int64(most) {
		return err
	}
	after := func(time int64) *qdrant.Filter {
		return must(qdrant.NewRange(fieldCached, &qdrant.Range{Gt: qdrant.PtrOf(float64(time))}))
	}
	// No two were cached at one time, so there is a time after which exactly as many were cached as
	// may stay.
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

// decodeEmbedding returns nil for text that is not of finite numbers.
func decodeEmbedding(text string) []float32 {
	v := decodeNumbers[float32](text)
	for _, x := range v {
		if x64 := float64(x); math.IsNaN(x64) || math.IsInf(x64, 0) {
			return nil
		}
	}
	return v
}
