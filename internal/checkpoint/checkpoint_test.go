package checkpoint

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func key(parts ...any) Key {
	k := NewKey()
	for _, p := range parts {
		k.Add("part", p)
	}
	return k.Sum()
}

func open(t testing.TB, root, job string, k Key) *Dir {
	t.Helper()
	d, err := Open(root, job, k)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type values struct {
	Int int64
	A   []int32
	C   []float32
	D   []int64
	E   []byte
}

func (v values) save(w *Writer) error {
	w.Int(v.Int)
	w.Int32s(v.A)
	w.Float32s(v.C)
	w.Int64s(v.D)
	w.Bytes(v.E)
	return nil
}

func (v *values) load(r *Reader) error {
	*v = values{r.Int(), r.Int32s(), r.Float32s(), r.Int64s(), r.Bytes()}
	return nil
}

func TestWhatIsSavedIsLoaded(t *testing.T) {
	d := open(t, t.TempDir(), "job", key(1))
	if err := d.Load("stage", func(*Reader) error { return nil }); !errors.Is(err, ErrNone) {
		t.Errorf("nothing saved: %v", err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		want := values{
			rapid.Int64().Draw(rt, "int"),
			rapid.SliceOfN(rapid.Int32(), 0, 3000).Draw(rt, "a"),
			rapid.SliceOf(rapid.Float32Range(-1, 1)).Draw(rt, "c"), rapid.SliceOf(rapid.Int64()).Draw(rt, "d"),
			rapid.SliceOf(rapid.Byte()).Draw(rt, "e"),
		}
		if err := d.Save("stage", want.save); err != nil {
			rt.Fatal(err)
		}
		var got values
		if err := d.Load("stage", got.load); err != nil || !reflect.DeepEqual(got, want) {
			rt.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	})
}

// TestDamageIsNoticed changes, cuts or extends the file anywhere.
func TestDamageIsNoticed(t *testing.T) {
	d := open(t, t.TempDir(), "job", key(1))
	want := values{3, []int32{1, 2, 3}, []float32{float32(math.Inf(1))}, []int64{-1}, []byte(`{}`)}
	if err := d.Save("stage", want.save); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(d.file("stage"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, at int, data []byte) {
		t.Helper()
		if err := os.WriteFile(d.file("stage"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		called := false
		if err := d.Load("stage", func(r *Reader) error { called = true; return nil }); !errors.Is(err, ErrDamaged) || called {
			t.Errorf("%s at %d: %v, read %v", what, at, err, called)
		}
	}
	for at := range good {
		changed := append([]byte(nil), good...)
		changed[at] ^= 1
		check("changed", at, changed)
		check("cut", at, good[:at])
	}
	check("longer", len(good), append(good, 0))
	if err := os.WriteFile(d.file("stage"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Load("stage", func(r *Reader) error { r.Int(); return nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("not read to the end: %v", err)
	}
	if err := d.Load("stage", func(r *Reader) error { r.Int64s(); return nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("read as something else: %v", err)
	}
}

func TestAnotherKeyFindsNothing(t *testing.T) {
	root := t.TempDir()
	first, other := open(t, root, "job", key(1, "2")), open(t, root, "other job", key(9))
	for _, d := range []*Dir{first, other} {
		if err := d.Save("stage", values{}.save); err != nil {
			t.Fatal(err)
		}
	}
	second := open(t, root, "job", key(12, ""))
	if err := second.Load("stage", new(values).load); !errors.Is(err, ErrNone) {
		t.Errorf("under another key: %v", err)
	}
	if err := open(t, root, "job", key(1, "2")).Load("stage", new(values).load); !errors.Is(err, ErrNone) {
		t.Errorf("what was left under another key is still there: %v", err)
	}
	if err := other.Load("stage", new(values).load); err != nil {
		t.Errorf("another job's: %v", err)
	}
	// A file in the place of another key's is not taken for it.
	if err := os.MkdirAll(second.path, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(other.file("stage"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(second.file("stage"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := second.Load("stage", new(values).load); !errors.Is(err, ErrDamaged) {
		t.Errorf("a file of another job: %v", err)
	}
	for _, d := range []*Dir{second, other} {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAFailureLeavesWhatWasThere(t *testing.T) {
	d := open(t, t.TempDir(), "job", key(1))
	if err := d.Save("stage", values{Int: 7}.save); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	if err := d.Save("stage", func(w *Writer) error { w.Int(8); return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	var got values
	if err := d.Load("stage", got.load); err != nil || got.Int != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.path, "*.part-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
