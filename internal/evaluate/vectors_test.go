package evaluate

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/embed"
	"throughline/internal/formats"
	"throughline/internal/npy"
	"throughline/internal/producttest"
)

// array writes rows to a file.
func array(t *testing.T, rows ...[]float32) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "rows.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := npy.NewWriter(f, len(rows[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func opened(t *testing.T, rows ...[]float32) *Vectors {
	t.Helper()
	v, err := OpenVectors(array(t, rows...), "sentence-transformers/all-MiniLM-L6-v2")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsAreThoseOfTheRows(t *testing.T) {
	v := opened(t, []float32{3, 4}, []float32{0, 2}, []float32{-1, 0})
	if s := v.Space(); s.Model != embed.MiniLM || s.Dimensions != 2 {
		t.Errorf("space %+v", s)
	}
	lines := labelled("a x -", "!a line that is no article has a row too", "c x -", "d - -", "e - -")
	var ids []string
	for item, err := range v.Of(lines) {
		if err == nil {
			ids = append(ids, item.ID)
		}
	}
	if strings.Join(ids, " ") != "a c" || v.beyond != 2 || v.Check() != nil {
		t.Errorf("passed on %v, %d without vector, %v", ids, v.beyond, v.Check())
	}
	got, err := v.Embed(context.Background(), embed.Document, []string{"Title of c", "Title of a"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{-1, 0}, {0.6, 0.8}} {
		for d := range want {
			if math.Abs(float64(got[i][d]-want[d])) > 1e-6 {
				t.Errorf("text %d has %v, want %v", i, got[i], want)
			}
		}
	}
	got[0][0] = 7 // belongs to the caller
	if again, err := v.Embed(context.Background(), embed.Document, []string{"Title of c"}); err != nil || again[0][0] != -1 {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := v.Embed(context.Background(), embed.Document, []string{"Title of d"}); !errors.Is(err, ErrVectors) {
		t.Errorf("an article beyond the rows: %v", err)
	}
}

// Of two articles with one text the vector of the first counts.
func TestTextsThatOccurTwiceHaveOneVector(t *testing.T) {
	v := opened(t, []float32{1, 0}, []float32{0, 1})
	for range v.Of(labelled("a x -", "a y -")) {
	}
	if got, err := v.Embed(context.Background(), embed.Document, []string{"Title of a"}); err != nil || got[0][0] != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRowsThatCannotBe(t *testing.T) {
	for name, path := range map[string]string{
		"no direction": array(t, []float32{1, 0}, []float32{0, 0}),
		"not a number": array(t, []float32{1, 0}, []float32{float32(math.NaN()), 0}),
	} {
		if _, err := OpenVectors(path, "m"); !errors.Is(err, ErrVectors) || !strings.Contains(err.Error(), path+": row 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenVectors(labelledFile(t, "{}", false), "m"); !errors.Is(err, npy.ErrFormat) {
		t.Errorf("no array: %v", err)
	}
	if _, err := OpenVectors(filepath.Join(t.TempDir(), "none.npy"), "m"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	v := opened(t, []float32{1, 0}, []float32{0, 1}, []float32{0, 1})
	_, err := Run(context.Background(), &scripted{}, "set", labelled("a x -", "b x -"), Options{Now: clock(), Vectors: v})
	if !errors.Is(err, ErrVectors) || !strings.Contains(err.Error(), "3 rows for 2 items") {
		t.Errorf("more rows than articles: %v", err)
	}
}

// The product finds clear events with vectors from an array, of which the last article has none.
func TestProductWithVectors(t *testing.T) {
	quake, rate, prize := []float32{1, 0.1, 0, 0}, []float32{0, 1, 0.1, 0}, []float32{0, 0.1, 1, 0}
	v := opened(t, quake, quake, quake, rate, rate, prize, []float32{0, 0, 0, 1}, []float32{0.1, 0, 0, -1})
	path := labelledFile(t, threeEvents, false)
	e := enginesOf(t, producttest.Options{Embedder: v})
	r, err := Run(context.Background(), e, path, Read(context.Background(), path, formats.Options{}), Options{Now: time.Now, Vectors: v, Bootstrap: 50})
	if err != nil {
		t.Fatal(err)
	}
	if r.Articles != 8 || r.WithoutVector != 1 || r.Stories.F1 != 1 || r.Related.NDCG10 != 1 || r.Intervals["stories.f1"] != (Interval{1, 1}) {
		t.Errorf("%+v", r)
	}
}
