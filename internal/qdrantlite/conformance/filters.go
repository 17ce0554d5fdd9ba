package conformance

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// library is what the filters are tried on. Field names say the type that most values have.
var library = map[uint64]map[string]any{
	1: {"tag": "red", "n": int64(1), "x": 0.5},
	2: {"tag": []any{"red", "blue"}, "n": []any{int64(1), int64(5)}, "x": int64(2)},
	3: {"tag": "blue", "n": int64(5), "x": []any{0.1, 9.5}},
	4: {"tag": nil, "n": nil, "x": -1.5},
	5: {"tag": []any{}, "n": 0.5},
	6: {"tag": []any{"green", "olive"}, "n": "1"},
	7: {"tag": "red wine"},
	8: {"other": int64(1)},
}

// filters evaluates every kind of condition, first without payload indexes and then with them. The
// library avoids what Qdrant answers differently with an index: 1.0 for the integer 1, a null among
// the elements of an array, points without any payload.
func (s suite) filters(t *testing.T) {
	c := s.connect(t)
	name := mixed(t, c)
	for _, id := range slices.Sorted(maps.Keys(library)) {
		vectors := qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(float32(id), 1)})
		if id == 3 {
			vectors = qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": qdrant.NewVectorSparse([]uint32{1}, []float32{1})})
		}
		upsert(t, c, name, point(id, vectors, library[id]))
	}
	t.Run("without indexes", func(t *testing.T) { filterCases(t, c, name) })
	index(t, c, name, qdrant.FieldType_FieldTypeKeyword, "tag")
	index(t, c, name, qdrant.FieldType_FieldTypeInteger, "n")
	t.Run("with indexes", func(t *testing.T) { filterCases(t, c, name) })
}

func mustAll(conditions ...*qdrant.Condition) *qdrant.Filter {
	return &qdrant.Filter{Must: conditions}
}

func filterCases(t *testing.T, c *qdrant.Client, name string) {
	red, five := qdrant.NewMatch("tag", "red"), qdrant.NewMatchInt("n", 5)
	for _, test := range []struct {
		why    string
		filter *qdrant.Filter
		want   []uint64
	}{
		{"no filter", nil, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		{"empty filter", &qdrant.Filter{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		{"keyword", mustAll(red), []uint64{1, 2}},
		{"keyword nobody has", mustAll(qdrant.NewMatch("tag", "re")), nil},
		{"keyword of a missing field", mustAll(qdrant.NewMatch("colour", "red")), nil},
		{"keywords", mustAll(qdrant.NewMatchKeywords("tag", "blue", "green")), []uint64{2, 3, 6}},
		{"integer", mustAll(qdrant.NewMatchInt("n", 1)), []uint64{1, 2}},
		{"range of floats", mustAll(qdrant.NewRange("x", &qdrant.Range{Gt: qdrant.PtrOf(0.1), Lte: qdrant.PtrOf(2.0)})), []uint64{1, 2}},
		{"open range of floats", mustAll(qdrant.NewRange("x", &qdrant.Range{Lt: qdrant.PtrOf(0.5)})), []uint64{3, 4}},
		{"has id", mustAll(qdrant.NewHasID(num(3), num(404), num(1))), []uint64{1, 3}},
		{"must", mustAll(red, five), []uint64{2}},
		{"should", &qdrant.Filter{Should: []*qdrant.Condition{red, five}}, []uint64{1, 2, 3}},
		{"must not", &qdrant.Filter{MustNot: []*qdrant.Condition{red, five}}, []uint64{4, 5, 6, 7, 8}},
		{"all three", &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(num(1), num(2), num(3))}, Should: []*qdrant.Condition{red, five}, MustNot: []*qdrant.Condition{qdrant.NewMatchInt("n", 7)}}, []uint64{1, 2, 3}},
		{"filter in a filter", mustAll(qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{red, five}}), qdrant.NewMatch("tag", "blue")), []uint64{2, 3}},
		{"not a filter", &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewFilterAsCondition(mustAll(red, five))}}, []uint64{1, 3, 4, 5, 6, 7, 8}},
	} {
		t.Run(test.why, func(t *testing.T) {
			n, err := c.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Filter: test.filter, Exact: yes})
			must(t, err)
			if n != uint64(len(test.want)) {
				t.Errorf("count %d, want %d", n, len(test.want))
			}
			points, err := c.Scroll(t.Context(), &qdrant.ScrollPoints{CollectionName: name, Filter: test.filter, Limit: qdrant.PtrOf(uint32(20))})
			must(t, err)
			var got []uint64
			for _, p := range points {
				got = append(got, p.GetId().GetNum())
			}
			wantIDs(t, got, test.want...)
			// A search finds the same points, but for number 3, which does not have the vector.
			hits := find(t, c, name, &qdrant.QueryPoints{Query: qdrant.NewQuery(-1, 0), Using: qdrant.PtrOf("title"),
				Filter: test.filter, Limit: qdrant.PtrOf(uint64(20))})
			wantIDs(t, numbers(hits), slices.DeleteFunc(slices.Clone(test.want), func(id uint64) bool { return id == 3 })...)
		})
	}
	t.Run("malformed", func(t *testing.T) {
		for i, filter := range []*qdrant.Filter{
			mustAll(qdrant.NewMatch("", "x")),
			mustAll(qdrant.NewHasID(qdrant.NewID("not a uuid"))),
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				_, err := c.Count(t.Context(), &qdrant.CountPoints{CollectionName: name, Filter: filter, Exact: yes})
				wantCode(t, err, codes.InvalidArgument)
			})
		}
	})
}

func (s suite) scroll(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := plain(t, c)
	// Numbers come before UUIDs, each in order.
	ids := []*qdrant.PointId{num(2), num(10), num(1 << 40), qdrant.NewID("00000000-0000-0000-0000-000000000001"), qdrant.NewID("ffffffff-0000-0000-0000-000000000000")}
	for _, i := range []int{4, 1, 0, 3, 2} {
		upsert(t, c, name, &qdrant.PointStruct{Id: ids[i], Vectors: d(1, 1), Payload: qdrant.NewValueMap(map[string]any{"i": int64(i)})})
	}
	var got []int64
	var offset *qdrant.PointId
	for range 10 {
		points, next, err := c.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: name, Limit: qdrant.PtrOf(uint32(2)), Offset: offset})
		must(t, err)
		for _, p := range points {
			got = append(got, p.GetPayload()["i"].GetIntegerValue())
		}
		if offset = next; next == nil {
			break
		}
	}
	if !slices.Equal(got, []int64{0, 1, 2, 3, 4}) {
		t.Errorf("pages: %v", got)
	}
	// An offset need not exist.
	points, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, Offset: num(3), Limit: qdrant.PtrOf(uint32(1))})
	must(t, err)
	if points[0].GetId().GetNum() != 10 {
		t.Errorf("from 3: %v", points[0].GetId())
	}
	points, next, err := c.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: name, Limit: qdrant.PtrOf(uint32(2)),
		Filter: mustAll(qdrant.NewRange("i", &qdrant.Range{Gte: qdrant.PtrOf(2.0)}))})
	must(t, err)
	if len(points) != 2 || points[0].GetPayload()["i"].GetIntegerValue() != 2 || next.GetUuid() != ids[4].GetUuid() {
		t.Errorf("filtered: %v, next %v", points, next)
	}
	_, err = c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, Limit: qdrant.PtrOf(uint32(0))})
	wantCode(t, err, codes.InvalidArgument)
}
