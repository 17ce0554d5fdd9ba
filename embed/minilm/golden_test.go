package minilm

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"throughline/embed"
)

// golden is what the original model and tokenizer make of a text; weights/export.py writes it.
type golden struct {
	Text   string
	Tokens int     // all of them, without start and end
	IDs    []int32 // cut at maxTokens, with start and end
	Vector string  // little-endian float32 in base64
}

func readGoldens(t testing.TB) []golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []golden
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	return goldens
}

func (g golden) vector(t testing.TB) []float32 {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(g.Vector)
	if err != nil {
		t.Fatal(err)
	}
	vector := make([]float32, len(data)/4)
	if err := binary.Read(bytes.NewReader(data), binary.LittleEndian, vector); err != nil {
		t.Fatal(err)
	}
	return vector
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

func TestTokensAreTheReferences(t *testing.T) {
	v, err := loadVocabulary()
	if err != nil {
		t.Fatal(err)
	}
	tok := &tokenizer{vocabulary: v}
	for _, g := range readGoldens(t) {
		if got := tok.encode(nil, g.Text, maxTokens); !slices.Equal(got, g.IDs) {
			t.Errorf("%.60q: tokens\n%v, want\n%v", g.Text, got, g.IDs)
		}
		if got := CountTokens(g.Text); got != g.Tokens {
			t.Errorf("%.60q: %d tokens, want %d", g.Text, got, g.Tokens)
		}
	}
}

// The bounds are what issue and documentation promise; what is measured is better.
func TestVectorsAreTheReferences(t *testing.T) {
	goldens := readGoldens(t)
	for _, name := range Kernels() {
		t.Run(name, func(t *testing.T) {
			m, err := New(Options{Kernels: name})
			if err != nil {
				t.Fatal(err)
			}
			some := goldens
			if name == portable.name {
				some = slices.DeleteFunc(slices.Clone(goldens), func(g golden) bool { return len(g.IDs) > 20 })
			}
			texts := make([]string, len(some))
			for i, g := range some {
				texts[i] = g.Text
			}
			vectors, err := m.Embed(t.Context(), embed.Document, texts)
			if err != nil {
				t.Fatal(err)
			}
			sum, worst := 0.0, 1.0
			for i, g := range some {
				c := cosine(vectors[i], g.vector(t))
				sum, worst = sum+c, min(worst, c)
				if !(c >= 0.999) {
					t.Errorf("%.60q: cosine %.6f to the reference", g.Text, c)
				}
			}
			t.Logf("%d texts: cosine %.6f on average, %.6f at worst", len(some), sum/float64(len(some)), worst)
			if mean := sum / float64(len(some)); !(mean >= 0.9995) {
				t.Errorf("cosine %.6f on average", mean)
			}
		})
	}
}
