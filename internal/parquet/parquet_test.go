package parquet

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	format "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

type row struct {
	ID        string            `parquet:"id"`
	Title     *string           `parquet:"title,optional"`
	Words     int32             `parquet:"words"`
	Share     float64           `parquet:"share"`
	Free      bool              `parquet:"free"`
	Published time.Time         `parquet:"published_at,timestamp(microsecond)"`
	Day       int32             `parquet:"day,date"`
	Source    source            `parquet:"source"`
	Authors   []string          `parquet:"authors,list"`
	Embedding []float32         `parquet:"embedding,list"`
	Deep      map[string][]bool `parquet:"deep"`
}

type source struct {
	Name string `parquet:"name"`
	URL  string `parquet:"url"`
}

func written[T any](t testing.TB, rows []T, options ...format.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := format.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func opened(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRowsBecomeJSON(t *testing.T) {
	title := `A "quoted" title`
	f := opened(t, written(t, []row{
		{ID: "a", Title: &title, Words: -3, Share: 0.5, Free: true, Published: time.Date(2024, 3, 29, 18, 5, 0, 0, time.UTC), Day: 19811,
			Source: source{"The Times", "https://t.example"}, Authors: []string{"Ann", "Bob"}, Embedding: []float32{1, 2}, Deep: map[string][]bool{"x": {true}}},
		{ID: "b", Share: math.NaN(), Published: time.Unix(0, 0).UTC(), Embedding: []float32{3, 4}},
	}))
	var b strings.Builder
	if err := f.WriteJSON(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	want := []string{
		`"id":"a"`, `"title":"A \"quoted\" title"`, `"words":-3`, `"share":0.5`, `"free":true`, `"published_at":"2024-03-29T18:05:00Z"`,
		`"day":"2024-03-29"`, `"source":{"name":"The Times","url":"https://t.example"}`, `"authors":["Ann","Bob"]`,
	}
	for _, w := range want {
		if !strings.Contains(lines[0], w) {
			t.Errorf("no %s in %s", w, lines[0])
		}
	}
	if len(lines) != 2 || strings.Contains(b.String(), "embedding") || strings.Contains(lines[1], "title") || strings.Contains(lines[1], "authors") || !strings.Contains(lines[1], `"share":null`) {
		t.Errorf("%s", b.String())
	}
	var ids []string
	err := f.Each(context.Background(), []string{"id", "title", "nothing", "source.name", "published_at"}, func(i int, v []string) error {
		ids = append(ids, strings.Join(v, "|"))
		return nil
	})
	if err != nil || !slices.Equal(ids, []string{`a|A "quoted" title||The Times|2024-03-29T18:05:00Z`, "b||||1970-01-01T00:00:00Z"}) {
		t.Errorf("%q, %v", ids, err)
	}
}

type vectorRow struct {
	N      int64     `parquet:"n"`
	Vector []float32 `parquet:"vector,list"`
}

// TestVectors compares with what was written, over files of many pages and row groups.
func TestVectors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dim := rapid.IntRange(1, 40).Draw(rt, "dim")
		rows := make([]vectorRow, rapid.IntRange(0, 300).Draw(rt, "rows"))
		var want []float32
		for i := range rows {
			rows[i] = vectorRow{int64(i), make([]float32, dim)}
			for d := range dim {
				rows[i].Vector[d] = float32(i) + float32(d)/64
			}
			want = append(want, rows[i].Vector...)
		}
		options := []format.WriterOption{format.PageBufferSize(rapid.IntRange(64, 4096).Draw(rt, "page")), format.DataPageVersion(rapid.IntRange(1, 2).Draw(rt, "version")),
			format.MaxRowsPerRowGroup(int64(rapid.IntRange(1, 200).Draw(rt, "group")))}
		f := opened(t, written(t, rows, options...))
		name, err := f.VectorColumn("")
		if err != nil || name != "vector" || f.Rows != len(rows) {
			rt.Fatalf("column %q of %d rows, %v", name, f.Rows, err)
		}
		got, n, err := f.Vectors(context.Background(), name, []float32{7})
		if err != nil || len(rows) > 0 && n != dim || got[0] != 7 || !slices.Equal(got[1:], want) {
			rt.Fatalf("%d numbers of %d, %d a row, %v", len(got)-1, len(want), n, err)
		}
	})
}

func TestVectorsOfOtherShapes(t *testing.T) {
	type wide struct {
		V []float64 `parquet:"v"` // a repeated value without the two levels of a list
	}
	f := opened(t, written(t, []wide{{[]float64{1, 2.5}}, {[]float64{3, 4}}}))
	if got, dim, err := f.Vectors(context.Background(), "v", nil); err != nil || dim != 2 || !slices.Equal(got, []float32{1, 2.5, 3, 4}) {
		t.Errorf("%v, %d, %v", got, dim, err)
	}
	type holes struct {
		V []*float32 `parquet:"v,list"`
	}
	one := float32(1)
	for name, c := range map[string]struct {
		data []byte
		row  int
		says string
	}{
		"shorter": {written(t, []vectorRow{{1, []float32{1, 2}}, {2, []float32{1}}}), 1, "1 numbers, want 2 as in row 0"},
		"missing": {written(t, []vectorRow{{1, []float32{1, 2}}, {2, nil}}), 1, "no vector"},
		"hole":    {written(t, []holes{{[]*float32{&one, nil}}}), 0, "nulls"},
		"beyond":  {written(t, []wide{{[]float64{1e300}}}), 0, "float32"},
	} {
		f := opened(t, c.data)
		column, err := f.VectorColumn("")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _, err = f.Vectors(context.Background(), column, nil)
		var bad *Error
		if !errors.As(err, &bad) || !errors.Is(err, ErrRow) || bad.Row != c.row || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVectorColumn(t *testing.T) {
	type two struct {
		A []float32 `parquet:"a,list"`
		B []float64 `parquet:"b,list"`
		C string    `parquet:"c"`
	}
	f := opened(t, written(t, []two{{[]float32{1}, []float64{2}, "x"}}))
	for name, want := range map[string]error{"": ErrAmbiguous, "c": ErrNoVectors, "d": ErrColumn, "b": nil} {
		if _, err := f.VectorColumn(name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	type none struct {
		C string `parquet:"c"`
	}
	if _, err := opened(t, written(t, []none{{"x"}})).VectorColumn(""); !errors.Is(err, ErrNoVectors) {
		t.Error(err)
	}
}

func TestLabels(t *testing.T) {
	l := Labels{Story: []int32{0, -1, 0}, Topic: []int32{2, -1, 2}, Theme: []int32{1, -1, 1}, Strength: []float32{1, 0, .5}, TopicStrength: []float32{.25, 0, 1}}
	type numbered struct {
		ID            int64   `parquet:"id"`
		Story         int32   `parquet:"story"`
		Topic         int32   `parquet:"topic"`
		Theme         int32   `parquet:"theme"`
		Strength      float32 `parquet:"strength"`
		TopicStrength float32 `parquet:"topic_strength"`
	}
	var b, again bytes.Buffer
	if err := errors.Join(WriteLabels(&b, l), WriteLabels(&again, l)); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Fatalf("%v, or other bytes", err)
	}
	rows, err := format.Read[numbered](bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || !slices.Equal(rows, []numbered{{0, 0, 2, 1, 1, .25}, {1, -1, -1, -1, 0, 0}, {2, 0, 2, 1, .5, 1}}) {
		t.Errorf("%+v, %v", rows, err)
	}
	l.IDs, l.Strength, l.TopicStrength = []string{"a", "ü", ""}, nil, nil
	b.Reset()
	if err := WriteLabels(&b, l); err != nil {
		t.Fatal(err)
	}
	type named struct {
		ID    string `parquet:"id"`
		Story int32  `parquet:"story"`
	}
	some, err := format.Read[named](bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || !slices.Equal(some, []named{{"a", 0}, {"ü", -1}, {"", 0}}) {
		t.Errorf("%+v, %v", some, err)
	}
	if columns := opened(t, b.Bytes()).Columns(); slices.Contains(columns, "strength") {
		t.Errorf("columns %v", columns)
	}
	b.Reset()
	if err := WriteLabels(&b, Labels{}); err != nil || opened(t, b.Bytes()).Rows != 0 {
		t.Errorf("no rows: %v", err)
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, text := range []string{"", "PAR1", "PAR1 and no more than that", "id,title\n"} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := opened(t, written(t, []vectorRow{{1, []float32{1, 2}}}))
	if _, _, err := f.Vectors(ctx, "vector", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := f.WriteJSON(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestOneByteWrong changes every byte of a good file, in every bit. Nothing panics or takes long.
func TestOneByteWrong(t *testing.T) {
	good := written(t, []vectorRow{{1, []float32{1, 2}}, {2, []float32{3, 4}}})
	for at := range good {
		for bit := range 8 {
			data := slices.Clone(good)
			data[at] ^= 1 << bit
			readAll(t, data)
		}
	}
}

// readAll reads everything there is, whatever comes of it.
func readAll(t *testing.T, data []byte) {
	t.Helper()
	file, err := New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	for _, name := range file.VectorColumns() {
		if v, dim, err := file.Vectors(context.Background(), name, nil); err == nil && len(v) != file.Rows*dim {
			t.Fatalf("%d numbers for %d rows of %d", len(v), file.Rows, dim)
		}
	}
	_ = file.WriteJSON(context.Background(), &bytes.Buffer{}) // an error is an answer
	_ = file.Each(context.Background(), file.Columns(), func(int, []string) error { return nil })
}

// FuzzRead damages a good file. Whatever comes of it, reading ends with rows or an error.
func FuzzRead(f *testing.F) {
	good := written(f, []vectorRow{{1, []float32{1, 2}}, {2, []float32{3, 4}}})
	f.Add(uint(5), byte(3), uint(len(good)))
	f.Add(uint(len(good)-20), byte(255), uint(len(good)))
	f.Add(uint(0), byte(0), uint(30))
	f.Fuzz(func(t *testing.T, at uint, change byte, size uint) {
		data := slices.Clone(good)
		data[at%uint(len(data))] ^= change
		data = data[:min(size, uint(len(data)))]
		readAll(t, data)
	})
}
