package minilm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"throughline/embed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newModel(t testing.TB, options Options) *Model {
	t.Helper()
	m, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSpace(t *testing.T) {
	m := newModel(t, Options{})
	if got := m.Space(); got.Model != embed.CanonicalModel("sentence-transformers/all-MiniLM-L6-v2") || got.Dimensions != 384 || got.MaxTokens != 256 {
		t.Errorf("space %+v", got)
	}
	if m.CountTokens("Hello, world") != 3 || CountTokens("Hello, world") != 3 {
		t.Error("\"Hello, world\" has three tokens")
	}
	if _, err := New(Options{Workers: -1}); err == nil {
		t.Error("a negative number of workers was accepted")
	}
}

// varied texts, some the same, of 2 to 256 tokens.
func variedTexts(n int) []string {
	r := rand.New(rand.NewPCG(5, 6))
	words := strings.Fields("the a storm Parliament vote 2024 Zürich 東京 unbelievable , . ! harbour antidisestablishment ferry 🙂 [SEP] won 3-1 minister")
	texts := make([]string, n)
	for i := range texts {
		count := r.IntN(1 << r.IntN(9))
		parts := make([]string, count)
		for j := range parts {
			parts[j] = words[r.IntN(len(words))]
		}
		texts[i] = strings.Join(parts, " ")
	}
	return texts
}

// A vector depends on its text alone, to the bit: not on the batch, the place in it, the kind or
// the number of workers.
func TestVectorsDependOnTheTextAlone(t *testing.T) {
	texts := variedTexts(60)
	one := newModel(t, Options{Workers: 1})
	want := make([][]float32, len(texts))
	for i, text := range texts {
		v, err := one.Embed(t.Context(), embed.Document, []string{text})
		if err != nil {
			t.Fatal(err)
		}
		want[i] = v[0]
		var squares float64
		for _, x := range v[0] {
			squares += float64(x) * float64(x)
		}
		if len(v[0]) != 384 || !(math.Abs(squares-1) < 1e-5) {
			t.Fatalf("%.40q: %d numbers with length %g", text, len(v[0]), squares)
		}
	}
	r := rand.New(rand.NewPCG(7, 8))
	for _, workers := range []int{1, 2, 5} {
		m := newModel(t, Options{Workers: workers})
		for range 2 {
			order := r.Perm(len(texts))
			batch := make([]string, len(texts))
			for i, at := range order {
				batch[i] = texts[at]
			}
			got, err := m.Embed(t.Context(), embed.Query, batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range order {
				if !slices.Equal(got[i], want[at]) {
					t.Fatalf("%d workers: the vector of %.40q changed with its batch", workers, texts[at])
				}
			}
		}
	}
}

// The integer sums are the same whatever computes them. What is rounded to bytes comes from float32
// sums, which kernels add up in different orders, so a few of the bytes differ by one.
func TestKernelsAgree(t *testing.T) {
	texts := []string{"", "ok", "Ferries to the islands were sent to the old cargo port.", "東京で地震 🙂"}
	want, err := newModel(t, Options{Kernels: "portable"}).Embed(t.Context(), embed.Document, texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Kernels() {
		got, err := newModel(t, Options{Kernels: name}).Embed(t.Context(), embed.Document, texts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range texts {
			if c := cosine(got[i], want[i]); !(c > 0.9995) {
				t.Errorf("%s: %q has cosine %.8f to the portable vector", name, texts[i], c)
			}
		}
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	m := newModel(t, Options{Workers: 3})
	texts := variedTexts(24)
	want, err := m.Embed(t.Context(), embed.Document, texts)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for caller := range 8 {
		wait.Go(func() {
			kind := embed.Kind(caller % 2)
			some := texts[caller : caller+12]
			got, err := m.Embed(t.Context(), kind, some)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range some {
				if !slices.Equal(got[i], want[caller+i]) {
					t.Errorf("caller %d: vector %d is wrong", caller, i)
				}
			}
		})
	}
	wait.Wait()
}

func TestEmbedObeysTheContext(t *testing.T) {
	m := newModel(t, Options{Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := m.Embed(ctx, embed.Document, []string{"a"}); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v, %v", got, err)
	}
	// A caller that waits for a worker stops waiting.
	s, err := m.slots.acquire(t.Context(), embed.Document)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := m.Embed(ctx, embed.Query, []string{"a"}); got != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline while waiting: %v, %v", got, err)
	}
	m.slots.release(s)
	if _, err := m.Embed(t.Context(), embed.Query, []string{"a"}); err != nil {
		t.Errorf("a slot was lost: %v", err)
	}
	if got, err := m.Embed(t.Context(), embed.Document, nil); err != nil || len(got) != 0 {
		t.Errorf("no texts: %v, %v", got, err)
	}
}

func TestQueriesGoFirst(t *testing.T) {
	s := newSlots(1)
	slot, err := s.acquire(t.Context(), embed.Document)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var served []string
	var wait sync.WaitGroup
	for i, kind := range []embed.Kind{embed.Document, embed.Query, embed.Document, embed.Query} {
		wait.Go(func() {
			slot, err := s.acquire(t.Context(), kind)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			served = append(served, fmt.Sprint(kind, " ", i))
			mu.Unlock()
			s.release(slot)
		})
		for { // wait until this one waits, so that the order of arrival is known
			s.mu.Lock()
			n := len(s.waiting[0]) + len(s.waiting[1])
			s.mu.Unlock()
			if n == i+1 {
				break
			}
			runtime.Gosched()
		}
	}
	s.release(slot)
	wait.Wait()
	if want := []string{"query 1", "query 3", "document 0", "document 2"}; !slices.Equal(served, want) {
		t.Errorf("served %v, want %v", served, want)
	}
}

func TestPack(t *testing.T) {
	for _, test := range []struct {
		lengths []int
		limit   int
		want    []int
	}{
		{[]int{5}, 10, []int{1}},
		{[]int{2, 3, 5}, 10, []int{3}},
		{[]int{2, 3, 6}, 10, []int{2, 3}},
		{[]int{11, 12}, 10, []int{1, 2}},
	} {
		var texts [][]int32
		for _, n := range test.lengths {
			texts = append(texts, make([]int32, n))
		}
		if got := pack(nil, texts, test.limit); !slices.Equal(got, test.want) {
			t.Errorf("pack(%v, %d) = %v, want %v", test.lengths, test.limit, got, test.want)
		}
	}
}

// A call allocates its vectors and, with several workers, what it takes to start and to wait for
// them. Nothing grows with the number of tokens, and of the number of texts only the vectors'
// memory does.
func TestNothingIsAllocatedForTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("buffers are not always reused under the race detector; run without -short and -race")
	}
	short, long := "ok", strings.Repeat("Antidisestablishmentarians met in Zürich. ", 40)
	for _, test := range []struct {
		workers, texts int
		most           float64
	}{{1, 1, 2}, {1, 12, 2}, {2, 12, 12}} {
		m := newModel(t, Options{Workers: test.workers})
		allocations := func(text string) float64 {
			texts := slices.Repeat([]string{text}, test.texts)
			return testing.AllocsPerRun(1, func() { // once more before it counts
				if _, err := m.Embed(t.Context(), embed.Document, texts); err != nil {
					t.Fatal(err)
				}
			})
		}
		few, many := allocations(short), allocations(long)
		if many > test.most || few > test.most {
			t.Errorf("%d texts, %d workers: %v allocations with 3 tokens each, %v with 256; want at most %v", test.texts, test.workers, few, many, test.most)
		}
	}
}

// A sum of rows without a direction does not happen, but it would not leave as a vector of no
// numbers.
func TestEveryVectorIsAUnitVector(t *testing.T) {
	m := newModel(t, Options{})
	k := *m.kernels
	k.pool = func(out, _ []float32, _ int) {
		for i := range out {
			out[i] = float32(math.NaN())
		}
	}
	out := [][]float32{make([]float32, hidden)}
	m.weights.forward(&k, newScratch(), [][]int32{{startToken, endToken}}, out)
	for i, v := range out[0] {
		if i == 0 && v != 1 || i > 0 && v != 0 {
			t.Fatalf("number %d is %g", i, v)
		}
	}
}
