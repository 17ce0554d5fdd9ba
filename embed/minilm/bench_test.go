package minilm

import (
	"math/rand/v2"
	"strings"
	"testing"

	"throughline/embed"
)

// chunk is a text of 128 tokens, start and end included.
func chunk(b *testing.B) string {
	b.Helper()
	const sentence = "The minister said on Tuesday that the talks would go on until both sides had read the report. "
	text := strings.Repeat(sentence, 9)
	words := strings.Fields(text)
	for n := len(words); n > 0; n-- {
		if text := strings.Join(words[:n], " "); CountTokens(text) == 126 {
			return text
		}
	}
	b.Fatal("no beginning of the text has 126 tokens")
	return ""
}

// BenchmarkEmbed embeds chunks of 128 tokens with one worker. chunks/cpu-s is what the processor
// time is worth, whatever else the machine does.
func BenchmarkEmbed(b *testing.B) {
	texts := []string{chunk(b)}
	for _, name := range Kernels() {
		b.Run(name, func(b *testing.B) {
			m := newModel(b, Options{Workers: 1, Kernels: name})
			if _, err := m.Embed(b.Context(), embed.Document, texts); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			before := cpuSeconds()
			for b.Loop() {
				if _, err := m.Embed(b.Context(), embed.Document, texts); err != nil {
					b.Fatal(err)
				}
			}
			if spent := cpuSeconds() - before; spent > 0 {
				b.ReportMetric(float64(b.N)/spent, "chunks/cpu-s")
			}
		})
	}
}

// BenchmarkShortTexts embeds headlines, 64 in a call.
func BenchmarkShortTexts(b *testing.B) {
	texts := make([]string, 64)
	for i := range texts {
		texts[i] = "Ferries sent to the old cargo port after a crack is found"
	}
	m := newModel(b, Options{Workers: 1})
	before := cpuSeconds()
	for b.Loop() {
		if _, err := m.Embed(b.Context(), embed.Document, texts); err != nil {
			b.Fatal(err)
		}
	}
	if spent := cpuSeconds() - before; spent > 0 {
		b.ReportMetric(float64(b.N*len(texts))/spent, "texts/cpu-s")
	}
}

// BenchmarkLinear compares the product with weights, 128 rows of the intermediate layer, with the
// loop one would write first: float32, one output after the other.
func BenchmarkLinear(b *testing.B) {
	const rows = 128
	r := rand.New(rand.NewPCG(1, 2))
	l := randomLinear(r, hidden, inner)
	q, out := randomQuantized(r, rows, hidden), make([]float32, rows*inner)
	report := func(b *testing.B, before float64) {
		if spent := cpuSeconds() - before; spent > 0 {
			b.ReportMetric(float64(b.N)*rows*hidden*inner/spent/1e9, "Gmac/cpu-s")
		}
	}
	for _, k := range available() {
		b.Run(k.name, func(b *testing.B) {
			before := cpuSeconds()
			for b.Loop() {
				for first := 0; first < inner; first += 48 {
					k.linear(out, q, l, first, rows)
				}
			}
			report(b, before)
		})
	}
	x, weight := numbers(r, rows*hidden), numbers(r, inner*hidden)
	b.Run("naive", func(b *testing.B) {
		before := cpuSeconds()
		for b.Loop() {
			naive(out, x, weight, rows, hidden, inner)
		}
		report(b, before)
	})
}

// naive sets out[i][j] to the sum over k of x[i][k] * weight[j][k]. It is a function of its own,
// because within a benchmark's loop the compiler keeps the sum in memory.
//
//go:noinline
func naive(out, x, weight []float32, rows, inputs, outputs int) {
	for i := range rows {
		for j := range outputs {
			var sum float32
			for k := range inputs {
				sum += x[i*inputs+k] * weight[j*inputs+k]
			}
			out[i*outputs+j] = sum
		}
	}
}

// BenchmarkTokenize tokenizes chunks.
func BenchmarkTokenize(b *testing.B) {
	tok, text := newTokenizer(b), chunk(b)
	var ids []int32
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		ids = tok.encode(ids[:0], text, maxTokens)
	}
}
