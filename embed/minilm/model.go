package minilm

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"throughline/embed"
)

// Options configures a [Model]. The zero value is good.
type Options struct {
	// Workers is how many texts, or packs of short ones, are computed at once, by all callers together. Each needs 4 MB of
	// memory and one core. 0 means as many as the process may use cores.
	Workers int
	// Kernels names the implementation of the arithmetic, one of [Kernels]. Empty means what the environment variable
	// THROUGHLINE_CPU names, or else the fastest.
	Kernels string
}

// Model is the embedding model. It is safe for concurrent use and has nothing to close: it runs no goroutines beyond those
// of the calls in progress.
type Model struct {
	weights    *weights
	vocabulary *vocabulary
	kernels    *kernels
	slots      *slots
	workers    int
	tokenizers sync.Pool
}

var (
	_ embed.Embedder     = (*Model)(nil)
	_ embed.TokenCounter = (*Model)(nil)
)

// New returns the model, which is in the binary. It fails when the kernels asked for do not run here.
func New(options Options) (*Model, error) {
	if options.Workers < 0 {
		return nil, fmt.Errorf("minilm: Workers is %d, must not be negative", options.Workers)
	}
	k, err := selectKernels(options.Kernels)
	if err != nil {
		return nil, err
	}
	w, err := loadWeights()
	if err != nil {
		return nil, err
	}
	v, err := loadVocabulary()
	if err != nil {
		return nil, err
	}
	workers := cmp.Or(options.Workers, runtime.GOMAXPROCS(0))
	m := &Model{weights: w, vocabulary: v, kernels: k, slots: newSlots(workers), workers: workers}
	m.tokenizers.New = func() any { return &tokenizer{vocabulary: v} }
	return m, nil
}

// Space implements [embed.Embedder].
func (m *Model) Space() embed.Space {
	return embed.Space{Model: embed.MiniLM, Dimensions: hidden, MaxTokens: maxTokens}
}

// Kernels is the name of the implementation that the model uses.
func (m *Model) Kernels() string { return m.kernels.name }

// CountTokens implements [embed.TokenCounter].
func (m *Model) CountTokens(text string) int {
	t := m.tokenizers.Get().(*tokenizer)
	defer m.tokenizers.Put(t)
	return t.count(text)
}

// windowTexts is how many texts of a call are looked at together. It bounds memory while leaving enough texts of about one
// length to pack.
const windowTexts = 1024

// Embed implements [embed.Embedder]. Texts of about one length go through the model together. A query waits for at most
// the computation in progress (some 10 ms), not for queued documents. When the context ends, Embed returns its error after
// the computations in progress.
func (m *Model) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for first := 0; first < len(texts); first += windowTexts {
		last := min(first+windowTexts, len(texts))
		if err := m.embedWindow(ctx, kind, texts[first:last], vectors[first:last]); err != nil {
			return nil, err
		}
	}
	return vectors, nil
}

func (m *Model) embedWindow(ctx context.Context, kind embed.Kind, texts []string, vectors [][]float32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ids, order, err := m.encode(ctx, texts)
	if err != nil {
		return err
	}
	lengths, total := make([]int, len(ids)), 0
	for i := range ids {
		lengths[i] = len(ids[i])
		total += lengths[i]
	}
	// One allocation for the vectors of the window, so that each is contiguous with its neighbours.
	numbers, out := make([]float32, len(texts)*hidden), make([][]float32, len(texts))
	for i, at := range order {
		out[i] = numbers[at*hidden:][:hidden:hidden]
		vectors[at] = out[i]
	}
	ends := pack(lengths, max(minPack, min(maxRows, (total+m.workers-1)/m.workers)))
	var next atomic.Int64
	run := func() error {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(ends) {
				return nil
			}
			start := 0
			if i > 0 {
				start = ends[i-1]
			}
			s, err := m.slots.acquire(ctx, kind)
			if err != nil {
				next.Store(int64(len(ends)))
				return err
			}
			m.weights.forward(m.kernels, s, ids[start:ends[i]], out[start:ends[i]])
			m.slots.release(s)
		}
	}
	return parallel(min(m.workers, len(ends)), run)
}

// minPack is the number of tokens that are computed together even if that leaves workers idle: below it a pass costs
// about as much as reading the weights.
const minPack = 64

// parallel runs n copies of run, one of them on the caller's goroutine, waits for all and returns the first error.
func parallel(n int, run func() error) error {
	var wait sync.WaitGroup
	errs := make([]error, max(n, 1))
	for i := 1; i < n; i++ {
		wait.Go(func() { errs[i] = run() })
	}
	errs[0] = run()
	wait.Wait()
	return cmp.Or(errs...)
}

// encode tokenizes texts. It returns the tokens ordered by their number, and for each the index of its text.
func (m *Model) encode(ctx context.Context, texts []string) (ids [][]int32, order []int, err error) {
	t := m.tokenizers.Get().(*tokenizer)
	defer m.tokenizers.Put(t)
	byText := make([][]int32, len(texts))
	order = make([]int, len(texts))
	var all []int32
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		start := len(all)
		all = t.encode(all, text, maxTokens)
		byText[i], order[i] = all[start:len(all):len(all)], i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(byText[a]), len(byText[b])), cmp.Compare(a, b))
	})
	ids = make([][]int32, len(texts))
	for i, at := range order {
		ids[i] = byText[at]
	}
	return ids, order, nil
}
