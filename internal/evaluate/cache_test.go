package evaluate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/embed"
)

// counted is an embedder that counts what it is asked about. Another version of it says something
// else of every text.
type counted struct {
	wordVectors
	version string
	asked   []string
	failing error
}

func (c *counted) Embed(ctx context.Context, kind embed.Kind, texts []string) ([][]float32, error) {
	if c.failing != nil {
		return nil, c.failing
	}
	c.asked = append(c.asked, texts...)
	changed := make([]string, len(texts))
	for i, text := range texts {
		changed[i] = text + " " + kind.String() + c.version
	}
	return c.wordVectors.Embed(ctx, kind, changed)
}

func (c *counted) CountTokens(text string) int { return 7 * len(text) }

func cached(t *testing.T, of embed.Embedder, dir string) *Cache {
	t.Helper()
	c, err := NewCache(context.Background(), of, dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// vectorsOf asks a cache and compares what it says with the embedder.
func vectorsOf(t *testing.T, c *Cache, kind embed.Kind, texts ...string) {
	t.Helper()
	got, err := c.Embed(context.Background(), kind, texts)
	if err != nil {
		t.Fatal(err)
	}
	straight := counted{version: c.of.(*counted).version}
	want, err := straight.Embed(context.Background(), kind, texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("the cache says something else of %q", texts[i])
		}
		got[i][0] = 9 // belongs to the caller
	}
}

func TestCacheAsksOnce(t *testing.T) {
	of := &counted{}
	c := cached(t, of, "")
	vectorsOf(t, c, embed.Document, "a", "b", "a")
	vectorsOf(t, c, embed.Document, "b", "c")
	vectorsOf(t, c, embed.Query, "b")
	vectorsOf(t, c, embed.Document)
	if want := []string{"a", "b", "c", "b"}; !slices.Equal(of.asked, want) {
		t.Errorf("asked about %q", of.asked)
	}
	if c.CountTokens("ab") != 14 || c.Space() != of.Space() {
		t.Error("the cache is not like its embedder")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCacheAsksOnceForAllRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "if missing")
	first := cached(t, &counted{}, dir)
	vectorsOf(t, first, embed.Document, "a", "b")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.vectors"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	// A run that is killed may leave part of a record.
	f, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("part of a record"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		of := &counted{}
		c := cached(t, of, dir)
		vectorsOf(t, c, embed.Document, "b", "a")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(of.asked, []string{probe}) {
			t.Errorf("asked about %q", of.asked)
		}
	}
	// What another model says is not mixed with it.
	of := &counted{version: "2"}
	c := cached(t, of, dir)
	vectorsOf(t, c, embed.Document, "a")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(of.asked, []string{probe, "a"}) {
		t.Errorf("asked about %q", of.asked)
	}
	c = cached(t, of, dir)
	vectorsOf(t, c, embed.Document, "a")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(of.asked, []string{probe, "a", probe}) {
		t.Errorf("then asked about %q", of.asked)
	}
}

func TestCacheFailures(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	broken := errors.New("broken")
	of := &counted{}
	c := cached(t, of, dir)
	of.failing = broken
	if _, err := c.Embed(ctx, embed.Document, []string{"a"}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewCache(ctx, of, dir); !errors.Is(err, broken) {
		t.Errorf("a model that does not answer: %v", err)
	}
	of.failing = nil
	path := filepath.Join(dir, of.Space().Fingerprint()+".vectors")
	for name, content := range map[string]string{"no cache": strings.Repeat("hello", 1000), "no vector": string(func() []byte {
		key := keyOf(embed.Document, probe)
		return append(key[:], make([]byte, 4*wordDimensions)...)
	}())} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewCache(ctx, of, dir); !errors.Is(err, ErrCache) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewCache(ctx, of, path); err == nil {
		t.Error("a file was taken for a directory")
	}
}
