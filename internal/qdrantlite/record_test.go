package qdrantlite

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

var recordSchema = &schema{
	dense:  []denseParams{{name: "a", size: 2}, {name: "b", size: 3}},
	sparse: []sparseParams{{name: "s"}, {name: "t", idf: true}},
}

func drawVectorSet(t *rapid.T) *vectorSet {
	v := recordSchema.newVectors()
	for i, d := range recordSchema.dense {
		if rapid.Bool().Draw(t, "has dense") {
			v.dense[i] = rapid.SliceOfN(rapid.Float32(), d.size, d.size).Draw(t, "dense")
		}
	}
	for i := range recordSchema.sparse {
		if rapid.Bool().Draw(t, "has sparse") {
			terms := rapid.SliceOfNDistinct(rapid.Uint32(), 0, 5, rapid.ID).Draw(t, "terms")
			slices.Sort(terms)
			v.sparse[i] = &vector.Sparse{Terms: terms, Weights: rapid.SliceOfN(rapid.Float32(), len(terms), len(terms)).Draw(t, "weights")}
		}
	}
	return v
}

func drawPointID(t *rapid.T) pointID {
	if rapid.Bool().Draw(t, "uuid") {
		return uuidID(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")))
	}
	return numberID(rapid.Uint64().Draw(t, "number"))
}

func TestRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, v := drawPointID(t), drawVectorSet(t)
		record := encodeVectors(id, v)
		gotID, got, err := decodeVectors(recordSchema, record, nil)
		if err != nil || gotID != id {
			t.Fatalf("got %v, %v; want %v", gotID, err, id)
		}
		if diff := cmp.Diff(v, got, cmp.AllowUnexported(vectorSet{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		for i, d := range v.dense {
			out := make([]float32, recordSchema.dense[i].size)
			if found := denseOf(record, i, out); found != (d != nil) || found && !slices.Equal(d, out) {
				t.Fatalf("dense %d alone: %v, %v", i, out, found)
			}
		}
		point := pointRecord{vectors: rapid.Uint64().Draw(t, "vectors"), payload: rapid.Uint64().Draw(t, "payload"), version: rapid.Uint64().Draw(t, "version")}
		if got, err := decodePoint(point.encode()); err != nil || got != point {
			t.Fatalf("got %v, %v; want %v", got, err, point)
		}
		// One flipped bit is noticed wherever it is.
		bit := rapid.IntRange(0, 8*len(record)-1).Draw(t, "bit")
		record[bit/8] ^= 1 << (bit % 8)
		if _, _, err := decodeVectors(recordSchema, record, nil); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a flipped bit: %v", err)
		}
	})
}

// TestKeysSortLikeIDs is what scrolling and loading rely on.
func TestKeysSortLikeIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawPointID(t), drawPointID(t)
		if got, want := bytes.Compare(a[:], b[:]), a.compare(b); got != want {
			t.Fatalf("%v and %v: keys compare as %d, ids as %d", a, b, got, want)
		}
		if back, err := idFromKey(a[:]); err != nil || back != a {
			t.Fatalf("%v came back as %v, %v", a, back, err)
		}
		if back, err := parseID(a.proto()); err != nil || back != a {
			t.Fatalf("%v came back as %v, %v", a, back, err)
		}
	})
}

// FuzzDecodeVectors reads arbitrary bytes under a right checksum, so that what lies behind it is
// reached.
func FuzzDecodeVectors(f *testing.F) {
	v := recordSchema.newVectors()
	v.dense[0] = []float32{1, 2}
	v.sparse[1] = &vector.Sparse{Terms: []uint32{3, 9}, Weights: []float32{1, 2}}
	whole := encodeVectors(numberID(7), v)
	f.Add(whole[:len(whole)-checksumSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		record := seal(bytes.Clone(body))
		denseOf(record, 0, make([]float32, 2))
		id, v, err := decodeVectors(recordSchema, record, nil)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		againID, again, err := decodeVectors(recordSchema, encodeVectors(id, v), nil)
		if err != nil || againID != id {
			t.Fatalf("%v came back as %v, %v", id, againID, err)
		}
		if diff := cmp.Diff(v, again, cmp.AllowUnexported(vectorSet{}), cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzDecodeOthers reads arbitrary bytes as each of the other records.
func FuzzDecodeOthers(f *testing.F) {
	payload, err := encodePayload(qdrant.NewValueMap(map[string]any{"a": []any{1, "x", map[string]any{"b": nil}}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload[:len(payload)-checksumSize])
	f.Add(pointRecord{vectors: 1}.encode()[:pointSize-checksumSize])
	f.Fuzz(func(t *testing.T, body []byte) {
		record := seal(bytes.Clone(body))
		if p, err := decodePayload(record, everything); err == nil {
			again, err := encodePayload(p)
			if err != nil && checkPayload(p) == nil {
				t.Fatalf("%v: %v", p, err)
			}
			if _, err := decodePayload(again, everything); err != nil && checkPayload(p) == nil {
				t.Fatal(err)
			}
			if checkPayload(p) == nil && len(p) <= 8 {
				checkSelected(t, p, again)
			}
		}
		_, _ = decodePoint(record)
		_, _ = decodeCollection("c", record)
		_, _, _ = decodeIndex(body, record)
	})
}

// checkSelected reads each field of a payload alone, all but that one, and none, and compares with
// the payload as a whole.
func checkSelected(t *testing.T, p payload, record []byte) {
	t.Helper()
	for key, value := range p {
		others := maps.Clone(p)
		delete(others, key)
		for _, want := range []payload{{key: value}, others, {}} {
			// A name that the payload lacks changes nothing.
			got, err := decodePayload(record, payloadSelector{keys: append(slices.Collect(maps.Keys(want)), key+"?")})
			if _, ok := p[key+"?"]; err != nil || !ok && !proto.Equal(&qdrant.Struct{Fields: got}, &qdrant.Struct{Fields: want}) {
				t.Fatalf("%d of %d fields: got %v, %v, want %v", len(want), len(p), got, err, want)
			}
		}
	}
}

func TestSelectedFields(t *testing.T) {
	p := qdrant.NewValueMap(map[string]any{"": "no name", "id": 7, "id2": "x", "list": []any{1, "id", nil}, "none": nil,
		"nested": map[string]any{"id": "inner", "list": []any{map[string]any{"": 2.5}}}, "long": strings.Repeat("é", 5000)})
	record, err := encodePayload(p)
	if err != nil {
		t.Fatal(err)
	}
	checkSelected(t, p, record)
	// What is no list of entries is refused, whatever is selected.
	for _, body := range []string{"\x0a", "\x08\x01\x0a", "\x0a\x05\x0a\x09id", "\x0a\x02\x12\x05", "\xff"} {
		record := seal(append([]byte{recordFormat}, body...))
		if got, err := decodePayload(record, payloadSelector{keys: []string{"id"}}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: got %v, %v", body, got, err)
		}
	}
}

func TestCheckPayload(t *testing.T) {
	deep := qdrant.NewValueString("x")
	for range maxPayloadDepth + 2 {
		deep = qdrant.NewValueList(&qdrant.ListValue{Values: []*qdrant.Value{deep}})
	}
	for why, p := range map[string]payload{
		"NaN":          {"a": qdrant.NewValueDouble(math.NaN())},
		"infinity":     {"a": qdrant.NewValueList(&qdrant.ListValue{Values: []*qdrant.Value{qdrant.NewValueDouble(math.Inf(-1))}})},
		"bad UTF-8":    {"a": qdrant.NewValueString("\xff")},
		"bad key":      {"\xff": qdrant.NewValueString("a")},
		"bad deep key": {"a": qdrant.NewValueStruct(&qdrant.Struct{Fields: payload{"\xfe": qdrant.NewValueInt(1)}})},
		"too deep":     {"a": deep},
	} {
		if checkPayload(p) == nil {
			t.Errorf("%s is accepted", why)
		}
	}
}
