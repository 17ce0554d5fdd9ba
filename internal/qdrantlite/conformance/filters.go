package conformance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// library is what the filters are tried on. Field names say the type that most values have.
var library = map[uint64]map[string]any{
	1: {"tag": "red", "n": int64(1), "x": 0.5, "on": true, "at": "2024-03-29T10:00:00Z", "o": map[string]any{"k": "v"}},
	2: {"tag": []any{"red", "blue"}, "n": []any{int64(1), int64(5)}, "x": int64(2), "on": false, "at": "2024-03-29"},
	3: {"tag": "blue", "n": int64(5), "x": []any{0.1, 9.5}, "at": "2024-04-01T00:00:00+02:00"},
	4: {"tag": nil, "n": nil, "x": -1.5, "on": []any{true, false}, "at": "soon"},
	5: {"tag": []any{}, "n": 0.5, "o": map[string]any{"k": nil}},
	6: {"tag": []any{"green", "olive"}, "n": "1", "parts": []any{
		map[string]any{"kind": "a", "size": int64(1)}, map[string]any{"kind": "b", "size": int64(9)}}},
	7: {"tag": "red wine", "parts": []any{map[string]any{"kind": "a", "size": int64(9)}}, "o": map[string]any{"k": []any{"v", "w"}}},
	8: {"other": int64(1)},
}

// filters evaluates every kind of condition, first without payload indexes and then with them. The library avoids what a real Qdrant
// answers differently with an index: 1.0 for the integer 1, a null among the elements of an array, points without any payload.
func (s suite) filters(t *testing.T) {
	c := s.connect(t)
	name := mixed(t, c)
	for _, id := range slices.Sorted(keysOf(library)) {
		vectors := qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(float32(id), 1)})
		if id == 3 {
			vectors = qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": qdrant.NewVectorSparse([]uint32{1}, []float32{1})})
		}
		upsert(t, c, name, point(id, vectors, library[id]))
	}
	t.Run("without indexes", func(t *testing.T) { filterCases(t, c, name) })
	index(t, c, name, qdrant.FieldType_FieldTypeKeyword, "tag", "o.k", "parts[].kind")
	index(t, c, name, qdrant.FieldType_FieldTypeInteger, "n", "parts[].size")
	index(t, c, name, qdrant.FieldType_FieldTypeFloat, "x")
	index(t, c, name, qdrant.FieldType_FieldTypeBool, "on")
	index(t, c, name, qdrant.FieldType_FieldTypeDatetime, "at")
	t.Run("with indexes", func(t *testing.T) { filterCases(t, c, name) })
	_, err := c.DeleteFieldIndex(t.Context(), &qdrant.DeleteFieldIndexCollection{CollectionName: name, FieldName: "tag", Wait: yes})
	must(t, err)
	t.Run("with an index less", func(t *testing.T) { filterCases(t, c, name) })
	info, err := c.GetCollectionInfo(t.Context(), name)
	must(t, err)
	if _, ok := info.GetPayloadSchema()["tag"]; ok || len(info.GetPayloadSchema()) != 7 {
		t.Errorf("payload schema: %v", info.GetPayloadSchema())
	}
}

func keysOf(m map[uint64]map[string]any) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func mustAll(conditions ...*qdrant.Condition) *qdrant.Filter {
	return &qdrant.Filter{Must: conditions}
}

func field(f *qdrant.FieldCondition) *qdrant.Condition {
	return &qdrant.Condition{ConditionOneOf: &qdrant.Condition_Field{Field: f}}
}

func stamp(t *testing.T, text string) *timestamppb.Timestamp {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	must(t, err)
	return timestamppb.New(at)
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
		{"except keywords", mustAll(qdrant.NewMatchExcept("tag", "red", "blue")), []uint64{6, 7}},
		{"integer", mustAll(qdrant.NewMatchInt("n", 1)), []uint64{1, 2}},
		{"integers", mustAll(qdrant.NewMatchInts("n", 5, 7)), []uint64{2, 3}},
		{"boolean", mustAll(qdrant.NewMatchBool("on", false)), []uint64{2, 4}},
		{"range of floats", mustAll(qdrant.NewRange("x", &qdrant.Range{Gt: qdrant.PtrOf(0.1), Lte: qdrant.PtrOf(2.0)})), []uint64{1, 2}},
		{"open range of floats", mustAll(qdrant.NewRange("x", &qdrant.Range{Lt: qdrant.PtrOf(0.5)})), []uint64{3, 4}},
		{"range of integers", mustAll(qdrant.NewRange("n", &qdrant.Range{Gte: qdrant.PtrOf(2.0)})), []uint64{2, 3}},
		{"datetime range", mustAll(qdrant.NewDatetimeRange("at", &qdrant.DatetimeRange{Gte: stamp(t, "2024-03-29T10:00:00Z"), Lt: stamp(t, "2024-03-31T22:00:00Z")})), []uint64{1}},
		{"datetime range with a zone", mustAll(qdrant.NewDatetimeRange("at", &qdrant.DatetimeRange{Gte: stamp(t, "2024-03-31T22:00:00Z")})), []uint64{3}},
		{"datetime range of dates", mustAll(qdrant.NewDatetimeRange("at", &qdrant.DatetimeRange{Lte: stamp(t, "2024-03-29T00:00:00Z")})), []uint64{2}},
		{"is empty", mustAll(qdrant.NewIsEmpty("tag")), []uint64{4, 5, 8}},
		{"is empty below", mustAll(qdrant.NewIsEmpty("o.k")), []uint64{2, 3, 4, 5, 6, 8}},
		{"is null", mustAll(qdrant.NewIsNull("tag")), []uint64{4}},
		{"is null below", mustAll(qdrant.NewIsNull("o.k")), []uint64{5}},
		{"not empty", &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewIsEmpty("tag")}}, []uint64{1, 2, 3, 6, 7}},
		{"values count", mustAll(qdrant.NewValuesCount("tag", &qdrant.ValuesCount{Gte: qdrant.PtrOf(uint64(2))})), []uint64{2, 6}},
		{"values count of none", mustAll(qdrant.NewValuesCount("tag", &qdrant.ValuesCount{Lt: qdrant.PtrOf(uint64(1))})), []uint64{4, 5}},
		{"dotted key", mustAll(qdrant.NewMatch("o.k", "v")), []uint64{1, 7}},
		{"each element", mustAll(qdrant.NewMatch("parts[].kind", "a")), []uint64{6, 7}},
		{"one element", mustAll(qdrant.NewMatch("parts[1].kind", "b")), []uint64{6}},
		{"keys do not reach into arrays", mustAll(qdrant.NewMatch("parts.kind", "a")), nil},
		{"elements apart", mustAll(qdrant.NewMatch("parts[].kind", "a"), qdrant.NewMatchInt("parts[].size", 9)), []uint64{6, 7}},
		{"one and the same element", mustAll(qdrant.NewNestedFilter("parts", mustAll(qdrant.NewMatch("kind", "a"), qdrant.NewMatchInt("size", 9)))), []uint64{7}},
		{"has id", mustAll(qdrant.NewHasID(num(3), num(404), num(1))), []uint64{1, 3}},
		{"has dense vector", mustAll(qdrant.NewHasVector("title")), []uint64{1, 2, 4, 5, 6, 7, 8}},
		{"has sparse vector", mustAll(qdrant.NewHasVector("words")), []uint64{3}},
		{"must", mustAll(red, five), []uint64{2}},
		{"should", &qdrant.Filter{Should: []*qdrant.Condition{red, five}}, []uint64{1, 2, 3}},
		{"must not", &qdrant.Filter{MustNot: []*qdrant.Condition{red, five}}, []uint64{4, 5, 6, 7, 8}},
		{"all three", &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(num(1), num(2), num(3))}, Should: []*qdrant.Condition{red, five}, MustNot: []*qdrant.Condition{qdrant.NewMatchBool("on", true)}}, []uint64{2, 3}},
		{"min should", &qdrant.Filter{MinShould: &qdrant.MinShould{MinCount: 2, Conditions: []*qdrant.Condition{red, five, qdrant.NewMatch("tag", "blue")}}}, []uint64{2, 3}},
		{"filter in a filter", mustAll(qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{red, five}}), qdrant.NewMatch("tag", "blue")), []uint64{2, 3}},
		{"not a filter", &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewFilterAsCondition(mustAll(red, five))}}, []uint64{1, 3, 4, 5, 6, 7, 8}},
		{"field is empty", mustAll(field(&qdrant.FieldCondition{Key: "o", IsEmpty: qdrant.PtrOf(true)})), []uint64{2, 3, 4, 6, 8}},
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
			hits, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(-1, 0), Using: qdrant.PtrOf("title"),
				Filter: test.filter, Limit: qdrant.PtrOf(uint64(20))})
			must(t, err)
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
	name := plain(t, c, 2, qdrant.Distance_Dot)
	// Numbers come before UUIDs, each in order.
	ids := []*qdrant.PointId{num(2), num(10), num(1 << 40), qdrant.NewID("00000000-0000-0000-0000-000000000001"), qdrant.NewID("ffffffff-0000-0000-0000-000000000000")}
	for _, i := range []int{4, 1, 0, 3, 2} {
		upsert(t, c, name, &qdrant.PointStruct{Id: ids[i], Vectors: qdrant.NewVectors(1, 1), Payload: qdrant.NewValueMap(map[string]any{"i": int64(i)})})
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

func (s suite) orderBy(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := plain(t, c, 2, qdrant.Distance_Dot)
	times := []string{"2024-03-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-01-01T00:00:00Z"}
	for i, at := range times {
		upsert(t, c, name, point(uint64(i), qdrant.NewVectors(1, float32(i)), map[string]any{"at": at, "n": int64(10 - i)}))
	}
	upsert(t, c, name, point(9, qdrant.NewVectors(1, 1), nil))
	_, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, OrderBy: &qdrant.OrderBy{Key: "at"}})
	wantCode(t, err, codes.InvalidArgument) // there is no index
	index(t, c, name, qdrant.FieldType_FieldTypeDatetime, "at")
	index(t, c, name, qdrant.FieldType_FieldTypeInteger, "n")
	for _, test := range []struct {
		why   string
		order *qdrant.OrderBy
		want  []uint64
	}{
		{"ascending", &qdrant.OrderBy{Key: "at"}, []uint64{1, 3, 2, 0}},
		{"descending", &qdrant.OrderBy{Key: "at", Direction: qdrant.Direction_Desc.Enum()}, []uint64{0, 2, 3, 1}},
		{"from a time", &qdrant.OrderBy{Key: "at", StartFrom: qdrant.NewStartFromDatetime("2024-02-01T00:00:00Z")}, []uint64{2, 0}},
		{"down from a time", &qdrant.OrderBy{Key: "at", Direction: qdrant.Direction_Desc.Enum(), StartFrom: qdrant.NewStartFromTimestamp(stamp(t, "2024-02-01T00:00:00Z").GetSeconds(), 0)}, []uint64{2, 3, 1}},
		{"integers", &qdrant.OrderBy{Key: "n"}, []uint64{3, 2, 1, 0}},
		{"integers from", &qdrant.OrderBy{Key: "n", StartFrom: qdrant.NewStartFromInt(9)}, []uint64{1, 0}},
	} {
		t.Run(test.why, func(t *testing.T) {
			points, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, OrderBy: test.order})
			must(t, err)
			var got []uint64
			for _, p := range points {
				got = append(got, p.GetId().GetNum())
				if p.GetOrderValue() == nil {
					t.Error("no order value")
				}
			}
			wantIDs(t, got, test.want...)
			hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryOrderBy(test.order)})
			must(t, err)
			wantIDs(t, numbers(hits), test.want...)
		})
	}
	t.Run("order value", func(t *testing.T) {
		points, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, OrderBy: &qdrant.OrderBy{Key: "at"}, Limit: qdrant.PtrOf(uint32(1))})
		must(t, err)
		if got, want := points[0].GetOrderValue().GetInt(), stamp(t, "2024-01-01T00:00:00Z").AsTime().UnixMicro(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	})
	_, err = c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, OrderBy: &qdrant.OrderBy{Key: "at"}, Offset: num(1)})
	wantCode(t, err, codes.InvalidArgument)
}
