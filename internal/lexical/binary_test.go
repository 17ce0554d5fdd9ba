package lexical

import (
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// anyFrequencies draws frequencies of any terms, the lowest and the highest among them.
func anyFrequencies(t *rapid.T) *Frequencies {
	f := NewFrequencies()
	f.documents = rapid.IntRange(0, 1<<31-1).Draw(t, "documents")
	term := rapid.OneOf(rapid.Uint32(), rapid.SampledFrom([]uint32{0, 1, 1<<32 - 1}))
	for i := range f.counts {
		f.counts[i] = rapid.MapOfN(term, rapid.Int32Range(1, 1<<31-1), 0, 50).Draw(t, "counts")
	}
	return f
}

func TestFrequenciesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyFrequencies(t)
		rest := rapid.SliceOf(rapid.Byte()).Draw(t, "rest")
		data := append(want.AppendBinary([]byte("head")), rest...)
		got, left, err := DecodeFrequencies(data[len("head"):])
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) || string(left) != string(rest) {
			t.Fatalf("read %+v and left %q, want %+v and %q", got, left, want, rest)
		}
		if again := got.AppendBinary([]byte("head")); string(again)+string(rest) != string(data) {
			t.Fatal("what was read is written as other bytes")
		}
	})
}

func TestCutFrequenciesAreCorrupt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := anyFrequencies(t).AppendBinary(nil)
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		if f, _, err := DecodeFrequencies(data[:cut]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes gave %+v, error %v", cut, len(data), f, err)
		}
	})
}

func TestDecodeFrequenciesBelievesNoNumber(t *testing.T) {
	number := func(xs ...uint64) (b []byte) {
		for _, x := range xs {
			b = binary.AppendUvarint(b, x)
		}
		return b
	}
	for name, data := range map[string][]byte{
		"no bytes":                nil,
		"too many documents":      number(1<<31, 0, 0, 0),
		"more terms than bytes":   number(1, 1<<32, 7, 1, 7, 1),
		"impossibly many terms":   number(1, 1<<63, 7, 1, 7, 1),
		"a term beyond 32 bits":   number(1, 2, 1<<32-1, 1, 1, 1, 0, 0),
		"a distance past 32 bits": number(1, 1, 1<<32, 1, 0, 0),
		"a term that no one has":  number(1, 1, 7, 0, 0, 0),
		"the same term twice":     number(1, 2, 7, 1, 0, 1, 0, 0),
		"an overlong number":      {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, _, err := DecodeFrequencies(data)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %+v, error %v", name, f, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("%s: allocated %d bytes for %d", name, got, len(data))
		}
	}
}

// FuzzDecodeFrequencies checks that bytes are refused, or are frequencies of no more terms than
// they have room for.
func FuzzDecodeFrequencies(f *testing.F) {
	v := Analyze("Blaze at harbour", "A blaze destroyed the harbour at Kirkwall.")
	frequencies := NewFrequencies()
	f.Add(frequencies.AppendBinary(nil))
	frequencies.Add(&v)
	f.Add(frequencies.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, rest, err := DecodeFrequencies(data)
		if err != nil {
			return
		}
		terms := 0
		for _, counts := range got.counts {
			terms += len(counts)
		}
		if read := len(data) - len(rest); 2*terms > read {
			t.Fatalf("%d terms in %d bytes", terms, read)
		}
		for field := range fields {
			if idf := got.Weighting(got).IDF(field, 7); !(idf > 0) {
				t.Fatalf("weight %v", idf)
			}
		}
		again, left, err := DecodeFrequencies(got.AppendBinary(nil))
		if err != nil || len(left) > 0 || !reflect.DeepEqual(again, got) {
			t.Fatalf("written and read: %+v, %d bytes left, error %v; want %+v", again, len(left), err, got)
		}
	})
}
