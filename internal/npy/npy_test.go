package npy

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// The files of testdata were written by NumPy 2: the same table in every element type, and one of
// each thing that is refused.
var table = [][]float64{{0, math.Copysign(0, -1), 1, -2.5}, {65504, 6e-8, 1.0 / 3, -1e-5}, {math.Inf(1), math.Inf(-1), math.NaN(), 0.1}}

func TestReadsWhatNumPyWrites(t *testing.T) {
	for name, tolerance := range map[string]float64{
		"le_f2": 1.0 / 2048, "be_f2": 1.0 / 2048, "le_f4": 1e-7, "be_f4": 1e-7, "le_f8": 1e-7, "be_f8": 1e-7, "version2": 1e-7, "version3": 1e-7,
	} {
		t.Run(name, func(t *testing.T) {
			f, h, err := Open(filepath.Join("testdata", name+".npy"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			data, err := h.Append([]float32{7}, f)
			if err != nil {
				t.Fatal(err)
			}
			if h.Rows != 3 || h.Dim != 4 || len(data) != 13 || data[0] != 7 {
				t.Fatalf("%+v and %v", h, data)
			}
			for i, want := range slices.Concat(table...) {
				got := float64(data[1+i])
				// Half precision has no number nearer to 6e-8 and to -1e-5 than steps of 2^-24.
				if slack := math.Max(math.Abs(want)*tolerance, tolerance*1.0/8192); math.Abs(got-want) > slack || math.Signbit(got) != math.Signbit(want) && !math.IsNaN(want) ||
					math.IsNaN(got) != math.IsNaN(want) || math.IsInf(got, 0) != math.IsInf(want, 0) {
					t.Errorf("number %d is %v, not %v", i, got, want)
				}
			}
			if err := End(f); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoRows(t *testing.T) {
	f, err := os.Open("testdata/no_rows.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, data, err := readAll(f)
	if err != nil || h.Rows != 0 || h.Dim != 4 || len(data) != 0 {
		t.Fatalf("%+v, %v, %v", h, data, err)
	}
}

// readAll reads a whole file.
func readAll(r io.Reader) (Header, []float32, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return Header{}, nil, err
	}
	data, err := h.Append(nil, r)
	if err != nil {
		return Header{}, nil, err
	}
	return h, data, End(r)
}

// header is a version 1 file with a description of one's own.
func header(description, data string) string {
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(description)), byte(len(description) >> 8)}) + description + data
}

func TestRefuses(t *testing.T) {
	file := func(name string) string {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	good := file("le_f4.npy")
	const start = "{'descr': '<f4', 'fortran_order': False, 'shape': "
	for name, c := range map[string]struct {
		data string
		kind error
		row  int
		says string
	}{
		"nothing":            {"", ErrFormat, -1, "empty"},
		"text":               {"id,title\n1,abc\n", ErrFormat, -1, "id,title"},
		"archive":            {file("archive.npz"), ErrFormat, -1, ".npz"},
		"compressed":         {"\x1f\x8b\x08\x00\x00\x00\x00\x00", ErrFormat, -1, "unpack"},
		"version":            {"\x93NUMPY\x04\x00", ErrVersion, -1, "4.0"},
		"integers":           {file("int32.npy"), ErrType, -1, "'<i4'"},
		"structure":          {file("structure.npy"), ErrType, -1, "[('a',"},
		"columns":            {file("fortran.npy"), ErrOrder, -1, "ascontiguousarray"},
		"one dimension":      {file("one_dimension.npy"), ErrShape, -1, "[4]"},
		"three dimensions":   {file("three_dimensions.npy"), ErrShape, -1, "[1 2 2]"},
		"short magic":        {good[:4], ErrFormat, -1, "NUM"},
		"no length":          {good[:9], ErrTruncated, -1, "length of the header"},
		"half a header":      {good[:60], ErrTruncated, -1, "in the header"},
		"half the rows":      {good[:len(good)-20], ErrTruncated, 1, "3 rows of 4"},
		"half a number":      {good[:len(good)-1], ErrTruncated, 2, "3 rows of 4"},
		"two arrays":         {good + good, ErrTrailing, -1, "one array in a file"},
		"a header too large": {"\x93NUMPY\x02\x00\xff\xff\xff\xff", ErrHeader, -1, "4294967295"},
		"more than memory":   {header(start+"(9000000000000000000, 9000000000000000000), }", ""), ErrShape, -1, "too large"},
		"no such number":     {header(start+"(99999999999999999999, 1), }", ""), ErrShape, -1, "99999999999999999999 is too large"},
		"negative":           {header(start+"(-1, 2), }", ""), ErrHeader, -1, "want a dictionary"},
		"no tuple":           {header(start+"True, }", ""), ErrShape, -1, "want rows and columns"},
		"missing key":        {header("{'descr': '<f4', 'shape': (1, 1)}", "1234"), ErrHeader, -1, "fortran_order"},
		"additional key":     {header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), 'x': 'y'}", "1234"), ErrHeader, -1, "want a dictionary"},
		"no truth":           {header("{'descr': '<f4', 'fortran_order': 'no', 'shape': (1, 1)}", ""), ErrOrder, -1, "'no', want False"},
		"no dictionary":      {header("[]", ""), ErrHeader, -1, `"[]", want a dictionary`},
		"never closed":       {header("{'descr': '<f4'", ""), ErrHeader, -1, "want a dictionary"},
		"no comma":           {header("{'descr': '<f4' 'fortran_order': False, 'shape': (1, 1)}", ""), ErrHeader, -1, "want a dictionary"},
		"string never ends":  {header("{'descr", ""), ErrHeader, -1, "want a dictionary"},
		"something after it": {header(start+"(1, 1)} x", ""), ErrHeader, -1, "want a dictionary"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAll(strings.NewReader(c.data))
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Row != c.row || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one of %q in row %d that says %q", err, c.kind, c.row, c.says)
			}
		})
	}
}

// Other programs write the same dictionary in other ways.
func TestSpellingsOfAHeader(t *testing.T) {
	for _, text := range []string{
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}", "{'shape': (1L, 2L), 'fortran_order': False, 'descr': '<f4', }",
		`{"descr":"<f4","fortran_order":False,"shape":(1,2,)}   `, " { 'descr' : '<f4' ,\n'fortran_order' : False , 'shape' : ( 1 , 2 ) , }\n",
	} {
		if h, _, err := readAll(strings.NewReader(header(text, "12345678"))); err != nil || h.Rows != 1 || h.Dim != 2 {
			t.Errorf("%q: %+v, %v", text, h, err)
		}
	}
}

func TestRefusesANumberBeyondFloat32(t *testing.T) {
	// 1, 2, 3, 1e300 in rows of two.
	data := header("{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2)}",
		"\x3f\xf0\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x40\x08\x00\x00\x00\x00\x00\x00\x7e\x37\xe4\x3c\x88\x00\x75\x9c")
	_, _, err := readAll(strings.NewReader(data))
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrRange) || e.Row != 1 || !strings.Contains(e.Detail, "column 1") {
		t.Errorf("error %v", err)
	}
}

func TestOpenComparesTheLength(t *testing.T) {
	data, err := os.ReadFile("testdata/le_f4.npy")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		kind error
	}{
		"short": {data[:len(data)-17], ErrTruncated}, "long": {append(bytes.Clone(data), 'x'), ErrTrailing}, "text": {[]byte("hello, world"), ErrFormat},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(path); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Open(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestAnErrorOfTheReaderIsPassedOn(t *testing.T) {
	data, err := os.ReadFile("testdata/le_f4.npy")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for n := range len(data) {
		if _, _, err := readAll(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// A header may announce terabytes: what is not there must not be allocated.
func TestAHeaderThatLiesCostsNothing(t *testing.T) {
	data := header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000)}", "1234")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := readAll(strings.NewReader(data))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTruncated) {
		t.Fatal(err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
}

// half against the definition, for every number there is.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		exponent, fraction := h>>10&31, float64(h&1023)
		want := math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		}
		if h>>15 == 1 {
			want = -want
		}
		got := float64(half(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || !math.IsNaN(want) && math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("half %04x is %v, not %v", h, got, want)
		}
	}
}

func TestWrittenTablesAreRead(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		rows, dim := rapid.IntRange(0, 40).Draw(t, "rows"), rapid.IntRange(0, 9).Draw(t, "dim")
		data := rapid.SliceOfN(rapid.Float32(), rows*dim, rows*dim).Draw(t, "data")
		f, err := os.Create(filepath.Join(dir, "table.npy"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, err := NewWriter(f, dim)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := w.Append(data[i*dim : (i+1)*dim]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		h, got, err := readAll(iotest.HalfReader(bytes.NewReader(file)))
		if err != nil {
			t.Fatal(err)
		}
		if h.Rows != rows || h.Dim != dim || h.width != 4 || h.bigEndian || h.fileSize() != int64(len(file)) {
			t.Fatalf("header %+v", h)
		}
		for i := range data {
			if math.Float32bits(got[i]) != math.Float32bits(data[i]) {
				t.Fatalf("number %d is %v, not %v", i, got[i], data[i])
			}
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := NewWriter(f, -1); err == nil {
		t.Error("a table of -1 columns was begun")
	}
	w, err := NewWriter(f, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(make([]float32, 2)); err == nil || !strings.Contains(err.Error(), "row 0") {
		t.Errorf("two numbers in a row of three: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.np?")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, numbers, err := readAll(bytes.NewReader(data))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("an error of another type: %v", err)
			}
			return
		}
		if len(numbers) != h.Rows*h.Dim || h.fileSize() != int64(len(data)) {
			t.Fatalf("%d numbers and a size of %d for %+v in %d bytes", len(numbers), h.fileSize(), h, len(data))
		}
	})
}
