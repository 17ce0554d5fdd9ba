package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"throughline/cluster/vector"
	"throughline/embed"
)

// Cache is an embedder that embeds each text once with another embedder: across files and, with a
// directory, across runs. It holds all vectors in memory, 1.5 kB for each text of the built-in
// model.
//
// A cache file belongs to one embedding space. Its records are 16 bytes of the hash of a text, then
// the numbers of its vector as little-endian float32. The first record is that of a probe text,
// which is embedded anew at every start: if its vector differs, the model has changed and the file
// starts over. Only one run may use a file at a time.
type Cache struct {
	of    embed.Embedder
	count func(string) int
	file  *os.File // nil: in memory only

	mu      sync.Mutex
	vectors map[cacheKey][]float32
}

type cacheKey [16]byte

// ErrCache is the error of a file that no cache has written.
var ErrCache = errors.New("not a cache of vectors; delete it")

// probe is the text by which a changed model is recognised.
const probe = "A strong earthquake shook the coast on Monday; rescuers searched the rubble."

// sameModel is how far the cosine of the probe's vectors may be below 1: servers round randomly,
// other models differ more.
const sameModel = 1e-5

// NewCache opens the cache of an embedder in a directory, which it creates if missing. With dir ""
// the cache is in memory only. The caller closes it.
func NewCache(ctx context.Context, of embed.Embedder, dir string) (*Cache, error) {
	c := &Cache{of: of, count: embed.Counter(of), vectors: make(map[cacheKey][]float32)}
	if dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, of.Space().Fingerprint()+".vectors")
	var err error
	if c.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	if err = c.load(); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	} else {
		err = c.checkModel(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.file.Close())
	}
	return c, nil
}

// load reads the records. It truncates an incomplete last record, which a killed run leaves.
func (c *Cache) load() error {
	data, err := io.ReadAll(c.file)
	if err != nil {
		return err
	}
	dim := c.of.Space().Dimensions
	size := len(cacheKey{}) + 4*dim
	count := len(data) / size
	if err := c.file.Truncate(int64(count * size)); err != nil {
		return err
	}
	for i := range count {
		record := data[i*size : (i+1)*size]
		key := cacheKey(record[:len(cacheKey{})])
		if i == 0 && key != keyOf(embed.Document, probe) {
			return ErrCache
		}
		v := make([]float32, dim)
		_, _ = binary.Decode(record[len(key):], binary.LittleEndian, v) // cannot fail for numbers
		if norm := float64(vector.Dot(v, v)); !(math.Abs(norm-1) < 1e-3) {
			return fmt.Errorf("record %d: length of the vector (got %.3f, want 1): %w", i, math.Sqrt(norm), ErrCache)
		}
		c.vectors[key] = v
	}
	return nil
}

// checkModel embeds the probe, and empties the cache if its vector has changed.
func (c *Cache) checkModel(ctx context.Context) error {
	key := keyOf(embed.Document, probe)
	kept := c.vectors[key]
	delete(c.vectors, key)
	now, err := c.of.Embed(ctx, embed.Document, []string{probe})
	if err != nil {
		return err
	}
	if kept != nil && float64(vector.Dot(kept, now[0])) >= 1-sameModel {
		c.vectors[key] = kept
		return nil
	}
	clear(c.vectors)
	if err := c.file.Truncate(0); err != nil {
		return err
	}
	return c.add([]cacheKey{key}, now)
}

func keyOf(kind embed.Kind, text string) cacheKey {
	sum := sha256.Sum256(append([]byte{byte(kind)}, text...))
	return cacheKey(sum[:len(cacheKey{})])
}

// add caches vectors and appends them to the file in one write.
func (c *Cache) add(keys []cacheKey, vectors [][]float32) error {
	var records []byte
	for i, key := range keys {
		c.vectors[key] = vectors[i]
		records = append(records, key[:]...)
		records, _ = binary.Append(records, binary.LittleEndian, vectors[i]) // cannot fail for numbers
	}
	if c.file == nil || len(keys) == 0 {
		return nil
	}
	_, err := c.file.Write(records)
	return err
}

// Space returns the space of the embedder.
func (c *Cache) Space() embed.Space { return c.of.Space() }

// CountTokens counts as the embedder does.
func (c *Cache) CountTokens(text string) int { return c.count(text) }

// Embed embeds the texts that are not in the cache in one call. Concurrent calls wait for each
// other, because they may share texts.
func (c *Cache) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := make([]cacheKey, len(texts))
	var missing []string
	var missingKeys []cacheKey
	requested := make(map[cacheKey]bool)
	for i, text := range texts {
		keys[i] = keyOf(kind, text)
		if c.vectors[keys[i]] == nil && !requested[keys[i]] {
			requested[keys[i]] = true
			missing, missingKeys = append(missing, text), append(missingKeys, keys[i])
		}
	}
	if len(missing) > 0 {
		made, err := c.of.Embed(ctx, kind, missing)
		if err != nil {
			return nil, err
		}
		if err := c.add(missingKeys, made); err != nil {
			return nil, fmt.Errorf("writing the cache: %w", err)
		}
	}
	out := make([][]float32, len(texts))
	for i, key := range keys {
		out[i] = slices.Clone(c.vectors[key]) // belongs to the caller
	}
	return out, nil
}

// Close closes the file.
func (c *Cache) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}
