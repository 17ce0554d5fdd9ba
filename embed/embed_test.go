package embed

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonicalModel(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"all-MiniLM-L6-v2", MiniLM},
		{"sentence-transformers/all-MiniLM-L6-v2", MiniLM},
		{"all-minilm", MiniLM},
		{"all-minilm:latest", MiniLM},
		{" all-minilm:22m ", MiniLM},
		{"all-minilm:33m", "all-MiniLM-L12-v2"},
		{"nomic-embed-text:latest", "nomic-embed-text"},
		{"nomic-embed-text:v1.5", "nomic-embed-text:v1.5"},
		{"BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"},
		{"", ""},
	} {
		if got := CanonicalModel(test.name); got != test.want {
			t.Errorf("CanonicalModel(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCanonicalModelIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"sentence-transformers/", ":latest", "all-minilm", " ", "x"}), 0, 6).Draw(t, "parts")
		once := CanonicalModel(strings.Join(parts, ""))
		if twice := CanonicalModel(once); twice != once {
			t.Fatalf("%q became %q", once, twice)
		}
	})
}

// The fingerprints are written into the names of collections, so a change of this function orphans
// every stored vector.
func TestFingerprintIsFrozen(t *testing.T) {
	got := Space{Model: MiniLM, Dimensions: 384, MaxTokens: 256}.Fingerprint()
	if want := "77e4572a540a"; got != want {
		t.Errorf("fingerprint of the built-in space is %s, was %s", got, want)
	}
}

func TestFingerprintTellsSpacesApart(t *testing.T) {
	base := Space{Model: MiniLM, Dimensions: 384, MaxTokens: 256}
	same := base
	same.Model, same.MaxTokens = "sentence-transformers/all-MiniLM-L6-v2", 512
	if base.Fingerprint() != same.Fingerprint() {
		t.Error("the name a server uses, or the length it reads, changed the space")
	}
	seen := map[string]Space{base.Fingerprint(): base}
	for _, s := range []Space{
		{Model: "other", Dimensions: 384},
		{Model: MiniLM, Dimensions: 256},
		{Model: MiniLM, Dimensions: 384, DocumentPrefix: "a: "},
		{Model: MiniLM, Dimensions: 384, QueryPrefix: "a: "},
		{Model: MiniLM, Dimensions: 384, DocumentPrefix: "a", QueryPrefix: ": "},
		{Model: MiniLM, Dimensions: 384, DocumentPrefix: "a: ", QueryPrefix: "a: "},
	} {
		f := s.Fingerprint()
		if other, ok := seen[f]; ok {
			t.Errorf("%+v and %+v share %s", s, other, f)
		}
		if len(f) != 12 {
			t.Errorf("fingerprint %q is not 12 digits", f)
		}
		seen[f] = s
	}
}

func TestEstimateTokens(t *testing.T) {
	for _, test := range []struct {
		text string
		want int
	}{
		{"", 0},
		{" \n\t", 0},
		{"cat", 1},
		{"cats", 2},
		{"it's", 3},
		{"2024", 2},
		{"7.30pm", 1 + 1 + 1 + 1},
		{"naïve", 1 + 1 + 1},
		{"東京", 4},
		{"🙂", 3},
	} {
		if got := EstimateTokens(test.text); got != test.want {
			t.Errorf("EstimateTokens(%q) = %d, want %d", test.text, got, test.want)
		}
	}
}

type plain struct{}

func (plain) Space() Space { return Space{MaxTokens: 10, QueryPrefix: "one two"} }
func (plain) Embed(context.Context, Kind, []string) ([][]float32, error) {
	return nil, nil
}

type counting struct{ plain }

func (counting) CountTokens(text string) int { return len(strings.Fields(text)) }

func TestCounterPrefersTheEmbeddersOwn(t *testing.T) {
	const text = "incomprehensibilities"
	if got := Counter(counting{})(text); got != 1 {
		t.Errorf("own counter not used: %d", got)
	}
	if got := Counter(plain{})(text); got != EstimateTokens(text) {
		t.Errorf("estimate not used: %d", got)
	}
	if got := (plain{}).Space().TextTokens(Counter(counting{})); got != 10-2-2 {
		t.Errorf("TextTokens = %d, want 6", got)
	}
	if got := (Space{MaxTokens: 1}).TextTokens(EstimateTokens); got != 1 {
		t.Errorf("TextTokens = %d, want at least 1", got)
	}
}
