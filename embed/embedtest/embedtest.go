// Package embedtest has embedders for tests.
package embedtest

import (
	"context"
	"hash/fnv"
	"math"
	"strings"
	"sync"

	"throughline/embed"
)

// Hashed embeds words by hashing them: the same text gives the same vector, and shared words make
// vectors alike. It is safe for concurrent use.
type Hashed struct {
	Model string // default "hashed"
	Dims  int    // default 256

	mu     sync.Mutex
	err    error
	failAt int
	calls  int
	texts  []string
}

// Space implements embed.Embedder.
func (h *Hashed) Space() embed.Space {
	space := embed.Space{Model: h.Model, Dimensions: h.Dims, MaxTokens: 64}
	if space.Model == "" {
		space.Model = "hashed"
	}
	if space.Dimensions == 0 {
		space.Dimensions = 256
	}
	return space
}

// Fail makes every call from now on fail with err, nil for none.
func (h *Hashed) Fail(err error) { h.FailAt(1, err) }

// FailAt makes the n-th call from now on fail with err; with n of 1 all later ones fail too.
func (h *Hashed) FailAt(n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls, h.failAt, h.err = 0, n, err
}

// Texts returns all texts that were embedded, in order.
func (h *Hashed) Texts() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.texts...)
}

// Embed implements embed.Embedder.
func (h *Hashed) Embed(ctx context.Context, _ embed.Kind, texts []string) ([][]float32, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls++; h.err != nil && (h.calls == h.failAt || h.failAt == 1) {
		return nil, h.err
	}
	h.texts = append(h.texts, texts...)
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = h.vector(text)
	}
	return out, ctx.Err()
}

func (h *Hashed) vector(text string) []float32 {
	v := make([]float32, h.Space().Dimensions)
	v[0] = 0.1 // a text without words has a direction too
	for _, w := range strings.Fields(strings.ToLower(text)) {
		f := fnv.New32a()
		f.Write([]byte(strings.Trim(w, ".,")))
		v[f.Sum32()%uint32(len(v))]++
	}
	square := 0.0
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(square))
	}
	return v
}
