package conformance

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

func (s suite) upsert(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	uuid := "550e8400-e29b-41d4-a716-446655440000"
	value := map[string]any{
		"text": "höhere Gewalt 漢字 🙂", "whole": int64(-7), "big": int64(1) << 60, "real": 2.5, "yes": true, "none": nil,
		"list": []any{int64(1), "two", 3.5, nil}, "object": map[string]any{"a": map[string]any{"b": int64(1)}}, "empty": []any{},
	}
	result, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: []*qdrant.PointStruct{
		{Id: qdrant.NewID(uuid), Payload: qdrant.NewValueMap(value), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"title": qdrant.NewVector(3, 4), "body": qdrant.NewVector(0, 3, 4), "words": qdrant.NewVectorSparse([]uint32{9, 2}, []float32{1, 2}),
		})},
		point(5, nil, nil),
	}})
	must(t, err)
	completed(t, result)

	t.Run("read back", func(t *testing.T) {
		p := get(t, c, name, qdrant.NewID(uuid))
		if p.GetId().GetUuid() != uuid {
			t.Errorf("id: %v", p.GetId())
		}
		if diff := cmp.Diff(value, goMap(p.GetPayload())); diff != "" {
			t.Error(diff)
		}
		named := p.GetVectors().GetVectors().GetVectors()
		if diff := cmp.Diff([]float32{3, 4}, named["title"].GetDense().GetData()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]float32{0, 3, 4}, named["body"].GetDense().GetData()); diff != "" {
			t.Error(diff)
		}
		words := named["words"].GetSparse()
		if diff := cmp.Diff([]uint32{2, 9}, words.GetIndices()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]float32{2, 1}, words.GetValues()); diff != "" {
			t.Error(diff)
		}
		if _, ok := named["rare"]; ok {
			t.Error("a vector that was not given is there")
		}
		if none := get(t, c, name, num(5)); len(none.GetPayload()) != 0 || len(none.GetVectors().GetVectors().GetVectors()) != 0 {
			t.Errorf("an empty point: %v", none)
		}
	})
	t.Run("other spellings of the id", func(t *testing.T) {
		for _, spelling := range []string{"550E8400E29B41D4A716446655440000", "urn:uuid:" + uuid} {
			if p := get(t, c, name, qdrant.NewID(spelling)); p.GetId().GetUuid() != uuid {
				t.Errorf("%s: %v", spelling, p)
			}
		}
	})
	t.Run("replace", func(t *testing.T) {
		upsert(t, c, name, &qdrant.PointStruct{Id: qdrant.NewID(uuid), Payload: qdrant.NewValueMap(map[string]any{"new": true}),
			Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(1, 1)})})
		p := get(t, c, name, qdrant.NewID(uuid))
		if diff := cmp.Diff(map[string]any{"new": true}, goMap(p.GetPayload())); diff != "" {
			t.Error(diff)
		}
		if named := p.GetVectors().GetVectors().GetVectors(); len(named) != 1 {
			t.Errorf("vectors: %v", named)
		}
		n, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: yes})
		must(t, err)
		if n != 2 {
			t.Errorf("%d points", n)
		}
	})
	t.Run("an id twice in a request", func(t *testing.T) {
		upsert(t, c, name, point(8, nil, map[string]any{"v": int64(1)}), point(8, nil, map[string]any{"v": int64(2)}))
		if diff := cmp.Diff(map[string]any{"v": int64(2)}, fields(t, c, name, 8)); diff != "" {
			t.Error(diff)
		}
	})
}

func (s suite) conditionalUpsert(t *testing.T) {
	c := s.connect(t)
	name := plain(t, c)
	put := func(mode qdrant.UpdateMode, filter *qdrant.Filter, points ...*qdrant.PointStruct) {
		t.Helper()
		_, err := c.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: points, UpdateMode: mode.Enum(), UpdateFilter: filter})
		must(t, err)
	}
	version := func(id uint64) int64 {
		t.Helper()
		p := get(t, c, name, num(id))
		if p == nil {
			return 0
		}
		return p.GetPayload()["v"].GetIntegerValue()
	}
	v := func(id uint64, n int64) *qdrant.PointStruct {
		return point(id, d(1, 1), map[string]any{"v": n})
	}
	put(qdrant.UpdateMode_InsertOnly, nil, v(1, 1))
	put(qdrant.UpdateMode_InsertOnly, nil, v(1, 2), v(2, 2))
	if version(1) != 1 || version(2) != 2 {
		t.Errorf("insert only: versions %d and %d", version(1), version(2))
	}
	put(qdrant.UpdateMode_Upsert, nil, v(1, 3))
	older := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange("v", &qdrant.Range{Lt: qdrant.PtrOf(3.0)})}}
	put(qdrant.UpdateMode_Upsert, older, v(1, 9), v(2, 9), v(4, 9))
	if version(1) != 3 || version(2) != 9 || version(4) != 9 {
		t.Errorf("update filter: versions %d, %d and %d", version(1), version(2), version(4))
	}
}

func (s suite) refusals(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	upsert(t, c, name, point(1, nil, map[string]any{"v": int64(1)}))
	for _, test := range []struct {
		why     string
		vectors *qdrant.Vectors
	}{
		{"too long", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(1, 2, 3)})},
		{"too short", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(1)})},
		{"unknown name", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"summary": qdrant.NewVector(1, 2)})},
		{"sparse for dense", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVectorSparse([]uint32{1}, []float32{1})})},
		{"dense for sparse", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": qdrant.NewVector(1, 2)})},
		{"index twice", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": qdrant.NewVectorSparse([]uint32{4, 4}, []float32{1, 2})})},
		{"more indices than values", qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": qdrant.NewVectorSparse([]uint32{4, 5}, []float32{1})})},
	} {
		t.Run(test.why, func(t *testing.T) {
			_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: []*qdrant.PointStruct{point(1, test.vectors, nil)}})
			wantCode(t, err, codes.InvalidArgument)
		})
	}
	t.Run("no id", func(t *testing.T) {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: []*qdrant.PointStruct{{Vectors: qdrant.NewVectorsMap(nil)}}})
		wantCode(t, err, codes.InvalidArgument)
	})
	t.Run("no vectors", func(t *testing.T) {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: []*qdrant.PointStruct{{Id: num(1)}}})
		wantCode(t, err, codes.InvalidArgument)
	})
	t.Run("not a UUID", func(t *testing.T) {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: name, Wait: yes, Points: []*qdrant.PointStruct{{Id: qdrant.NewID("seven"), Vectors: qdrant.NewVectorsMap(nil)}}})
		wantCode(t, err, codes.InvalidArgument)
	})
	t.Run("index without a type", func(t *testing.T) {
		_, err := c.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: name, FieldName: "v", Wait: yes})
		wantCode(t, err, codes.InvalidArgument)
	})
	if diff := cmp.Diff(map[string]any{"v": int64(1)}, fields(t, c, name, 1)); diff != "" {
		t.Errorf("a refused request changed a point: %s", diff)
	}
}

func (s suite) payload(t *testing.T) {
	c := s.connect(t)
	name := plain(t, c)
	object := map[string]any{"c": int64(2), "d": int64(3)}
	reset := func(t *testing.T) {
		t.Helper()
		upsert(t, c, name, point(1, d(1, 0), map[string]any{"a": int64(1), "b": object}), point(2, d(0, 1), map[string]any{"a": int64(2)}))
	}
	one := qdrant.NewPointsSelector(num(1))
	set := func(t *testing.T, which *qdrant.PointsSelector, value map[string]any) {
		t.Helper()
		results, err := update(t, c, name, setPayload(value, which))
		must(t, err)
		completed(t, results[0])
	}
	want := func(t *testing.T, want map[string]any) {
		t.Helper()
		if diff := cmp.Diff(want, fields(t, c, name, 1)); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("set", func(t *testing.T) {
		reset(t)
		set(t, one, map[string]any{"a": "new", "e": true})
		want(t, map[string]any{"a": "new", "b": object, "e": true})
		if v := get(t, c, name, num(1)).GetVectors().GetVectors().GetVectors()["d"]; len(v.GetDense().GetData()) != 2 {
			t.Error("the vector went with the payload")
		}
	})
	t.Run("set replaces an object", func(t *testing.T) {
		reset(t)
		set(t, one, map[string]any{"b": map[string]any{"c": int64(9)}})
		want(t, map[string]any{"a": int64(1), "b": map[string]any{"c": int64(9)}})
	})
	t.Run("set null removes", func(t *testing.T) {
		reset(t)
		set(t, one, map[string]any{"a": nil})
		want(t, map[string]any{"b": object})
	})
	t.Run("set by filter", func(t *testing.T) {
		reset(t)
		set(t, qdrant.NewPointsSelectorFilter(mustAll(qdrant.NewMatchInt("a", 2))), map[string]any{"seen": true})
		if fields(t, c, name, 2)["seen"] != true || fields(t, c, name, 1)["seen"] != nil {
			t.Error("the wrong points changed")
		}
	})
	t.Run("set by a filter that finds nothing", func(t *testing.T) {
		set(t, qdrant.NewPointsSelectorFilter(mustAll(qdrant.NewHasID(num(404)))), map[string]any{"seen": true})
	})
	t.Run("missing point", func(t *testing.T) {
		_, err := update(t, c, name, setPayload(map[string]any{"a": int64(1)}, qdrant.NewPointsSelector(num(404))))
		wantCode(t, err, codes.NotFound)
	})
}

func (s suite) deletePoints(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := plain(t, c)
	for id := range uint64(10) {
		upsert(t, c, name, point(id, d(1, float32(id)), map[string]any{"parity": []string{"even", "odd"}[id%2]}))
	}
	left := func() uint64 {
		t.Helper()
		n, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: yes})
		must(t, err)
		return n
	}
	result, err := c.Delete(ctx, &qdrant.DeletePoints{CollectionName: name, Wait: yes, Points: qdrant.NewPointsSelector(num(0), num(1), num(404))})
	must(t, err)
	completed(t, result)
	if left() != 8 || get(t, c, name, num(0)) != nil {
		t.Errorf("%d points are left", left())
	}
	_, err = c.Delete(ctx, &qdrant.DeletePoints{CollectionName: name, Wait: yes,
		Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("parity", "odd")}})})
	must(t, err)
	wantIDs(t, numbers(find(t, c, name, queryD(0, 1))), 8, 6, 4, 2)
	// A deleted id can be used again.
	upsert(t, c, name, point(1, d(1, 100), nil))
	wantIDs(t, numbers(find(t, c, name, queryD(0, 1))), 1, 8, 6, 4, 2)
}

func (s suite) updateBatch(t *testing.T) {
	c := s.connect(t)
	name := plain(t, c)
	results, err := update(t, c, name,
		qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: []*qdrant.PointStruct{
			point(1, d(1, 0), map[string]any{"a": int64(1)}), point(2, d(0, 1), map[string]any{"a": int64(2)}), point(3, nil, nil)}}),
		setPayload(map[string]any{"b": int64(1)}, qdrant.NewPointsSelectorFilter(mustAll(qdrant.NewMatchInt("a", 1)))),
		qdrant.NewPointsUpdateDeletePoints(&qdrant.PointsUpdateOperation_DeletePoints{Points: qdrant.NewPointsSelector(num(3))}),
		setPayload(map[string]any{"c": int64(1)}, qdrant.NewPointsSelector(num(2))),
	)
	must(t, err)
	if len(results) != 4 {
		t.Fatalf("%d results", len(results))
	}
	for _, result := range results {
		completed(t, result)
	}
	if diff := cmp.Diff(map[string]any{"a": int64(1), "b": int64(1)}, fields(t, c, name, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"a": int64(2), "c": int64(1)}, fields(t, c, name, 2)); diff != "" {
		t.Error(diff)
	}
	wantIDs(t, numbers(find(t, c, name, queryD(1, 2))), 2, 1)
}

func (s suite) selectors(t *testing.T) {
	c := s.connect(t)
	name := mixed(t, c)
	upsert(t, c, name, point(1, qdrant.NewVectorsMap(map[string]*qdrant.Vector{
		"title": qdrant.NewVector(1, 0), "words": qdrant.NewVectorSparse([]uint32{1}, []float32{1}),
	}), map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2)}}))
	title := func() *qdrant.QueryPoints {
		return &qdrant.QueryPoints{Query: qdrant.NewQuery(1, 0), Using: qdrant.PtrOf("title")}
	}
	for i, test := range []struct {
		with *qdrant.WithPayloadSelector
		want map[string]any
	}{
		{qdrant.NewWithPayload(false), map[string]any{}},
		{qdrant.NewWithPayload(true), map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2)}}},
		{qdrant.NewWithPayloadInclude("b", "none"), map[string]any{"b": map[string]any{"c": int64(2)}}},
	} {
		t.Run(fmt.Sprint("payload ", i), func(t *testing.T) {
			points, err := c.Get(t.Context(), &qdrant.GetPoints{CollectionName: name, Ids: []*qdrant.PointId{num(1)}, WithPayload: test.with})
			must(t, err)
			if diff := cmp.Diff(test.want, goMap(points[0].GetPayload())); diff != "" {
				t.Error(diff)
			}
			query := title()
			query.WithPayload = test.with
			if diff := cmp.Diff(test.want, goMap(find(t, c, name, query)[0].GetPayload())); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("defaults", func(t *testing.T) {
		points, err := c.Get(t.Context(), &qdrant.GetPoints{CollectionName: name, Ids: []*qdrant.PointId{num(404), num(1)}, WithVectors: qdrant.NewWithVectorsInclude("title")})
		must(t, err)
		if len(points) != 1 {
			t.Fatalf("%d points", len(points))
		}
		if named := points[0].GetVectors().GetVectors().GetVectors(); len(named) != 1 || named["title"] == nil {
			t.Errorf("vectors: %v", named)
		}
		if hit := find(t, c, name, title())[0]; len(hit.GetPayload()) != 0 || hit.GetVectors() != nil {
			t.Errorf("a query returned what it was not asked for: %v", hit)
		}
	})
}
