package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTextKey(t *testing.T) {
	// What is stored is found by these, so they must never change.
	for text, want := range map[string]string{
		"":       "e3b0c442-98fc-1c14-9afb-f4c8996fb924",
		"a text": "734194ed-e5b0-63e6-54d6-3cb95a682ca1",
	} {
		if got := TextKey(text); got != want {
			t.Errorf("TextKey(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestCachedEmbeddings(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		m := newMaker(7)
		keys := []string{TextKey("one"), TextKey("two"), TextKey("three")}
		if got, err := s.CachedEmbeddings(t.Context(), keys); err != nil || len(got) != 0 {
			t.Fatalf("before anything was kept: %v, %v", got, err)
		}
		want := map[string][]float32{keys[0]: m.unit(), keys[1]: m.unit()}
		if err := s.CacheEmbeddings(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if err := s.CacheEmbeddings(t.Context(), nil); err != nil {
			t.Errorf("nothing to keep: %v", err)
		}
		got, err := s.CachedEmbeddings(t.Context(), append(keys, keys[0]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" { // to the bit
			t.Errorf("kept (-want +got):\n%s", diff)
		}
		// Kept again, and by another writer of the store.
		want[keys[1]] = m.unit()
		if err := s.CacheEmbeddings(t.Context(), map[string][]float32{keys[1]: want[keys[1]]}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := e.open(t)
		if got, err = again.CachedEmbeddings(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after reopening (-want +got):\n%s", diff)
		}
	})
}

func TestCachedEmbeddingsAreChecked(t *testing.T) {
	e := embeddedEnv(t)
	s := e.open(t)
	m := newMaker(8)
	bad := m.unit()
	bad[0] = float32(nanValue())
	for name, vectors := range map[string]map[string][]float32{
		"no key":           {"x": m.unit()},
		"not finite":       {TextKey("x"): bad},
		"other dimensions": {TextKey("x"): m.unit()[1:]},
		"not a unit":       {TextKey("x"): make([]float32, testDim)},
	} {
		var invalid *InvalidError
		if err := s.CacheEmbeddings(t.Context(), vectors); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var invalid *InvalidError
	if _, err := s.CachedEmbeddings(t.Context(), []string{"x"}); !errors.As(err, &invalid) {
		t.Errorf("looking for no key: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.CacheEmbeddings(t.Context(), map[string][]float32{TextKey("x"): m.unit()}); !errors.Is(err, ErrClosed) {
		t.Errorf("keeping in a closed store: %v", err)
	}
}

// The oldest go when there are too many, and what is kept again is young again.
func TestCachedEmbeddingsAreBounded(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		s.cache.most = 20
		m := newMaker(9)
		var keys []string
		keep := func(text string) {
			t.Helper()
			if key := TextKey(text); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
			if err := s.CacheEmbeddings(t.Context(), map[string][]float32{TextKey(text): m.unit()}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			keep(fmt.Sprint(i))
			if i%5 == 0 {
				e.advance(time.Second)
			}
		}
		keep("0")
		keep("20")
		got, err := s.CachedEmbeddings(t.Context(), keys)
		if err != nil {
			t.Fatal(err)
		}
		var gone []int
		for i, key := range keys {
			if got[key] == nil {
				gone = append(gone, i)
			}
		}
		if want := []int{1, 2, 3}; !slices.Equal(gone, want) { // of 21, to 18
			t.Errorf("gone are %v, want %v", gone, want)
		}
	})
}

// Articles and sections say what their vectors were made of.
func TestDenseOf(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		p := newMaker(10).put("a", 1, 2)
		p.Vectors.DenseOf, p.Sections[1].DenseOf = TextKey("lead"), TextKey("second")
		mustPut(t, s, p)
		got, err := s.Get(t.Context(), []string{"a"}, WithDense)
		if err != nil || got[0].Vectors.DenseOf != TextKey("lead") {
			t.Errorf("article: %+v, %v", got[0], err)
		}
		if got, err := s.Get(t.Context(), []string{"a"}, WithNothing); err != nil || got[0].Vectors.DenseOf != "" {
			t.Errorf("article without vectors: %+v, %v", got[0], err)
		}
		sections, err := s.Sections(t.Context(), []string{"a"}, true)
		if err != nil || sections["a"][0].DenseOf != "" || sections["a"][1].DenseOf != TextKey("second") {
			t.Errorf("sections: %+v, %v", sections, err)
		}
	})
}

func FuzzDecodeEmbedding(f *testing.F) {
	f.Add(encodeNumbers([]float32{1, -2.5, 0}))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if v := decodeEmbedding(text); len(v) > 0 && !slices.Equal(v, decodeEmbedding(encodeNumbers(v))) {
			t.Errorf("%q is %v", text, v)
		}
	})
}
