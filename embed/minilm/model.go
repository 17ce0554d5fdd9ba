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

// Options configures a [Model]. The zero value is recommended.
type Options struct {
	// Workers is the number of texts, or packs of short ones, that are computed at once for all
	// callers together. Each needs 4 MB of memory and one core. 0 means GOMAXPROCS.
	Workers int
	// Kernels is the implementation of the arithmetic, one of [Kernels]. Empty means the value of
	// the environment variable THROUGHLINE_CPU, or else the fastest.
	Kernels string
}

// Model is the embedding model. It is safe for concurrent use. It has no goroutines besides those
// of calls in progress and need not be closed.
type Model struct {
	weights    *weights
	vocabulary *vocabulary
	kernels    *kernels
	slots      *slots
	workers    int
	windows    sync.Pool
}

var (
	_ embed.Embedder     = (*Model)(nil)
	_ embed.TokenCounter = (*Model)(nil)
)

// New returns the model. It fails with an [ErrKernels] when the requested kernels are not
// available.
func New(options Options) (*Model, error) {
	if options.Workers < 0 {
		return nil, fmt.Errorf("minilm: Options.Workers: negative (got %d)", options.Workers)
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
	m.windows.New = func() any { return &window{tokenizer: &tokenizer{vocabulary: v}} }
	return m, nil
}

// Space implements [embed.Embedder].
func (m *Model) Space() embed.Space {
	return embed.Space{Model: embed.MiniLM, Dimensions: hidden, MaxTokens: maxTokens}
}

// Kernels returns the name of the kernels that the model uses.
func (m *Model) Kernels() string { return m.kernels.name }

// CountTokens implements [embed.TokenCounter].
func (m *Model) CountTokens(text string) int {
	w := m.windows.Get().(*window)
	defer m.windows.Put(w)
	return w.tokenizer.count(text)
}

// windowTexts is the number of texts of a call that are sorted together. It bounds memory and
// leaves enough texts of about one length to pack.
const windowTexts = 1024

// Embed implements [embed.Embedder]. Texts of about one length are computed together. A query waits
// at most for the computation in progress (about 10 ms), not for queued documents. When the context
// ends, Embed returns its error after the computations in progress.
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

// window is the working memory of a call for at most windowTexts texts. It is reused, so that
// embedding allocates little besides the vectors, however long the texts are.
type window struct {
	tokenizer *tokenizer
	tokens    []int32     // of all texts, one after another
	ends      []int       // by text: the end of its tokens
	order     []int       // the texts, sorted by their number of tokens
	ids       [][]int32   // the tokens of each text, in that order
	out       [][]float32 // the vector of each text, in that order
	packs     []int       // the ends of the runs of texts that are computed together
}

func (m *Model) embedWindow(ctx context.Context, kind embed.Kind, texts []string, vectors [][]float32) error {
	w := m.windows.Get().(*window)
	defer m.windows.Put(w)
	if err := w.encode(ctx, texts); err != nil {
		return err
	}
	// The vectors of a window share an allocation.
	numbers := make([]float32, len(texts)*hidden)
	w.out = w.out[:0]
	for _, at := range w.order {
		vectors[at] = numbers[at*hidden:][:hidden:hidden]
		w.out = append(w.out, vectors[at])
	}
	defer clear(w.out) // the vectors are the caller's
	share := (len(w.tokens) + m.workers - 1) / m.workers
	w.packs = pack(w.packs[:0], w.ids, max(minPack, min(maxRows, share)))
	if m.workers == 1 || len(w.packs) == 1 {
		return m.computePacks(ctx, kind, w, &atomic.Int64{})
	}
	var next atomic.Int64
	return parallel(min(m.workers, len(w.packs)), func() error { return m.computePacks(ctx, kind, w, &next) })
}

// computePacks computes packs, taking the next one from a shared counter, until there are no more.
func (m *Model) computePacks(ctx context.Context, kind embed.Kind, w *window, next *atomic.Int64) error {
	for {
		i := int(next.Add(1)) - 1
		if i >= len(w.packs) {
			return nil
		}
		start := 0
		if i > 0 {
			start = w.packs[i-1]
		}
		s, err := m.slots.acquire(ctx, kind)
		if err != nil {
			next.Store(int64(len(w.packs)))
			return err
		}
		m.weights.forward(m.kernels, s, w.ids[start:w.packs[i]], w.out[start:w.packs[i]])
		m.slots.release(s)
	}
}

// minPack is the number of tokens that are computed together even when workers are idle. A pass of
// fewer tokens costs about as much as reading the weights.
const minPack = 64

// parallel runs n copies of run, one of them on the caller's goroutine, waits for all and returns
// the first error.
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

// encode tokenizes texts and orders them by their number of tokens.
func (w *window) encode(ctx context.Context, texts []string) error {
	w.tokens, w.ends, w.order, w.ids = w.tokens[:0], w.ends[:0], w.order[:0], w.ids[:0]
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.tokens = w.tokenizer.encode(w.tokens, text, maxTokens)
		w.ends, w.order = append(w.ends, len(w.tokens)), append(w.order, i)
	}
	slices.SortFunc(w.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(w.tokensOf(a)), len(w.tokensOf(b))), cmp.Compare(a, b))
	})
	for _, at := range w.order {
		w.ids = append(w.ids, w.tokensOf(at))
	}
	return nil
}

// tokensOf returns the tokens of text i.
func (w *window) tokensOf(i int) []int32 {
	start := 0
	if i > 0 {
		start = w.ends[i-1]
	}
	return w.tokens[start:w.ends[i]]
}
