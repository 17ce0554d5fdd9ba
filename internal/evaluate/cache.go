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

// Cache is an embedder that asks another one about each text once: a run over several files, and with a directory every run
// after the first, embeds only what was never embedded before. It holds all vectors in memory, 1.5 kB for each text of the
// built-in model.
//
// On disk a cache is a file for each embedding space, records of 16 bytes of a text's hash and the numbers of its vector, as
// little-endian float32. The first record is that of a probe, which is embedded anew at every start: when the model no
// longer says the same of it, the file is of the past and begins afresh. A file is for one run at a time.
type Cache struct {
	of    embed.Embedder
	count func(string) int
	file  *os.File // nil: nothing is kept

	mu       sync.Mutex
	vectors  map[cacheKey][]float32
	embedded int
}

type cacheKey [16]byte

// ErrCache: a file is not what a cache writes.
var ErrCache = errors.New("not a cache of vectors; delete it")

// probe is the text that shows whether a model is still the one that made a cache.
const probe = "A strong earthquake shook the coast on Monday; rescuers searched the rubble."

// sameModel is how far the cosine of the probe's vectors may be from 1: servers round by chance, and kernels that differ
// are further apart.
const sameModel = 1e-5

// NewCache reads the cache of an embedder's space in a directory, which is made where it is missing; without a directory it
// remembers for as long as it lives. Close it.
func NewCache(ctx context.Context, of embed.Embedder, dir string) (_ *Cache, err error) {
	c := &Cache{of: of, count: embed.Counter(of), vectors: make(map[cacheKey][]float32)}
	if dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, of.Space().Fingerprint()+".vectors")
	if c.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.file.Close())
		}
	}()
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, c.try(ctx)
}

// load reads whole records. A part of one at the end, which a run left that was killed, is taken away.
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
		for d := range v {
			v[d] = math.Float32frombits(binary.LittleEndian.Uint32(record[len(key)+4*d:]))
		}
		if norm := float64(vector.Dot(v, v)); !(math.Abs(norm-1) < 1e-3) {
			return fmt.Errorf("record %d is no vector of length 1: %w", i, ErrCache)
		}
		c.vectors[key] = v
	}
	return nil
}

// try embeds the probe, and forgets everything when its vector is another one.
func (c *Cache) try(ctx context.Context) error {
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
	return c.keep([]cacheKey{key}, now)
}

func keyOf(kind embed.Kind, text string) cacheKey {
	sum := sha256.Sum256(append([]byte{byte(kind)}, text...))
	return cacheKey(sum[:len(cacheKey{})])
}

// keep remembers vectors, and writes them in one go.
func (c *Cache) keep(keys []cacheKey, vectors [][]float32) error {
	var records []byte
	for i, key := range keys {
		c.vectors[key] = vectors[i]
		records = append(records, key[:]...)
		for _, x := range vectors[i] {
			records = binary.LittleEndian.AppendUint32(records, math.Float32bits(x))
		}
	}
	if c.file == nil || len(keys) == 0 {
		return nil
	}
	_, err := c.file.Write(records)
	return err
}

// Space is that of the embedder.
func (c *Cache) Space() embed.Space { return c.of.Space() }

// CountTokens counts as the embedder does.
func (c *Cache) CountTokens(text string) int { return c.count(text) }

// Embedded returns how many texts the embedder was asked about.
func (c *Cache) Embedded() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.embedded
}

// Embed asks the embedder about the texts that are new, all in one call. Calls follow one another: a second one may be about the
// texts of the first.
func (c *Cache) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := make([]cacheKey, len(texts))
	var missing []string
	var missingKeys []cacheKey
	asked := make(map[cacheKey]bool)
	for i, text := range texts {
		keys[i] = keyOf(kind, text)
		if c.vectors[keys[i]] == nil && !asked[keys[i]] {
			asked[keys[i]] = true
			missing, missingKeys = append(missing, text), append(missingKeys, keys[i])
		}
	}
	if len(missing) > 0 {
		made, err := c.of.Embed(ctx, kind, missing)
		if err != nil {
			return nil, err
		}
		c.embedded += len(missing)
		if err := c.keep(missingKeys, made); err != nil {
			return nil, fmt.Errorf("keeping vectors: %w", err)
		}
	}
	out := make([][]float32, len(texts))
	for i, key := range keys {
		out[i] = slices.Clone(c.vectors[key]) // belongs to the caller
	}
	return out, nil
}

// Close gives the file back.
func (c *Cache) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}
