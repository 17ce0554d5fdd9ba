package conformance

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
		// Cosine vectors are stored at unit length.
		if diff := cmp.Diff([]float32{0, 0.6, 0.8}, named["body"].GetDense().GetData(), cmpopts.EquateApprox(0, 1e-6)); diff != "" {
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
	t.Run("unnamed vector", func(t *testing.T) {
		alone := plain(t, c, 2, qdrant.Distance_Dot)
		upsert(t, c, alone, point(1, qdrant.NewVectors(1, 2), nil), point(2, nil, nil))
		if diff := cmp.Diff([]float32{1, 2}, get(t, c, alone, num(1)).GetVectors().GetVector().GetDense().GetData()); diff != "" {
			t.Error(diff)
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
	name := plain(t, c, 2, qdrant.Distance_Dot)
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
		return point(id, qdrant.NewVectors(1, 1), map[string]any{"v": n})
	}
	put(qdrant.UpdateMode_InsertOnly, nil, v(1, 1))
	put(qdrant.UpdateMode_InsertOnly, nil, v(1, 2), v(2, 2))
	if version(1) != 1 || version(2) != 2 {
		t.Errorf("insert only: versions %d and %d", version(1), version(2))
	}
	put(qdrant.UpdateMode_UpdateOnly, nil, v(1, 3), v(3, 3))
	if version(1) != 3 || version(3) != 0 {
		t.Errorf("update only: versions %d and %d", version(1), version(3))
	}
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
		{"no unnamed vector here", qdrant.NewVectors(1, 2)},
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
	t.Run("bad path", func(t *testing.T) {
		_, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: name, Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("a..b", "c")}}})
		wantCode(t, err, codes.InvalidArgument)
	})
	if diff := cmp.Diff(map[string]any{"v": int64(1)}, fields(t, c, name, 1)); diff != "" {
		t.Errorf("a refused request changed a point: %s", diff)
	}
}

func (s suite) payload(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := plain(t, c, 2, qdrant.Distance_Dot)
	reset := func(t *testing.T) {
		t.Helper()
		upsert(t, c, name, point(1, qdrant.NewVectors(1, 0), map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2), "d": int64(3)}, "list": []any{
			map[string]any{"x": int64(1), "y": int64(1)}, map[string]any{"x": int64(2), "y": int64(2)}}}),
			point(2, qdrant.NewVectors(0, 1), map[string]any{"a": int64(2)}))
	}
	one := qdrant.NewPointsSelector(num(1))
	set := func(t *testing.T, key *string, value map[string]any) {
		t.Helper()
		result, err := c.SetPayload(ctx, &qdrant.SetPayloadPoints{CollectionName: name, Wait: yes, Payload: qdrant.NewValueMap(value), PointsSelector: one, Key: key})
		must(t, err)
		completed(t, result)
	}
	list := []any{map[string]any{"x": int64(1), "y": int64(1)}, map[string]any{"x": int64(2), "y": int64(2)}}
	want := func(t *testing.T, want map[string]any) {
		t.Helper()
		if diff := cmp.Diff(want, fields(t, c, name, 1)); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("set", func(t *testing.T) {
		reset(t)
		set(t, nil, map[string]any{"a": "new", "e": true})
		want(t, map[string]any{"a": "new", "b": map[string]any{"c": int64(2), "d": int64(3)}, "list": list, "e": true})
	})
	t.Run("set null removes", func(t *testing.T) {
		reset(t)
		set(t, nil, map[string]any{"a": nil, "list": nil})
		want(t, map[string]any{"b": map[string]any{"c": int64(2), "d": int64(3)}})
	})
	t.Run("set at a key", func(t *testing.T) {
		reset(t)
		set(t, qdrant.PtrOf("b"), map[string]any{"c": int64(9), "n": int64(10)})
		set(t, qdrant.PtrOf("new.deep"), map[string]any{"k": "v"})
		set(t, qdrant.PtrOf("list[0]"), map[string]any{"z": int64(0)})
		want(t, map[string]any{"a": int64(1), "b": map[string]any{"c": int64(9), "d": int64(3), "n": int64(10)},
			"new":  map[string]any{"deep": map[string]any{"k": "v"}},
			"list": []any{map[string]any{"x": int64(1), "y": int64(1), "z": int64(0)}, map[string]any{"x": int64(2), "y": int64(2)}}})
	})
	t.Run("set by filter", func(t *testing.T) {
		reset(t)
		_, err := c.SetPayload(ctx, &qdrant.SetPayloadPoints{CollectionName: name, Wait: yes, Payload: qdrant.NewValueMap(map[string]any{"seen": true}),
			PointsSelector: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("a", 2)}})})
		must(t, err)
		if fields(t, c, name, 2)["seen"] != true || fields(t, c, name, 1)["seen"] != nil {
			t.Error("the wrong points changed")
		}
	})
	t.Run("overwrite", func(t *testing.T) {
		reset(t)
		_, err := c.OverwritePayload(ctx, &qdrant.SetPayloadPoints{CollectionName: name, Wait: yes, Payload: qdrant.NewValueMap(map[string]any{"only": int64(1)}), PointsSelector: one})
		must(t, err)
		want(t, map[string]any{"only": int64(1)})
	})
	t.Run("delete keys", func(t *testing.T) {
		reset(t)
		_, err := c.DeletePayload(ctx, &qdrant.DeletePayloadPoints{CollectionName: name, Wait: yes, Keys: []string{"a", "b.c", "list[].x", "absent"}, PointsSelector: one})
		must(t, err)
		want(t, map[string]any{"b": map[string]any{"d": int64(3)}, "list": []any{map[string]any{"y": int64(1)}, map[string]any{"y": int64(2)}}})
	})
	t.Run("clear", func(t *testing.T) {
		reset(t)
		_, err := c.ClearPayload(ctx, &qdrant.ClearPayloadPoints{CollectionName: name, Wait: yes, Points: one})
		must(t, err)
		want(t, map[string]any{})
		if p := get(t, c, name, num(1)); len(p.GetVectors().GetVector().GetDense().GetData()) != 2 {
			t.Error("the vector went with the payload")
		}
	})
	t.Run("missing point", func(t *testing.T) {
		missing := qdrant.NewPointsSelector(num(404))
		_, err := c.SetPayload(ctx, &qdrant.SetPayloadPoints{CollectionName: name, Wait: yes, Payload: qdrant.NewValueMap(map[string]any{"a": int64(1)}), PointsSelector: missing})
		wantCode(t, err, codes.NotFound)
		_, err = c.ClearPayload(ctx, &qdrant.ClearPayloadPoints{CollectionName: name, Wait: yes, Points: missing})
		wantCode(t, err, codes.NotFound)
	})
}

func (s suite) vectors(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	upsert(t, c, name, point(1, qdrant.NewVectorsMap(map[string]*qdrant.Vector{
		"title": qdrant.NewVector(1, 0), "words": qdrant.NewVectorSparse([]uint32{1, 2}, []float32{1, 1}),
	}), map[string]any{"kept": true}))
	has := func(using string, query *qdrant.Query) []uint64 {
		t.Helper()
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: query, Using: &using})
		must(t, err)
		return numbers(hits)
	}
	_, err := c.UpdateVectors(ctx, &qdrant.UpdatePointVectors{CollectionName: name, Wait: yes, Points: []*qdrant.PointVectors{
		{Id: num(1), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"body": qdrant.NewVector(0, 0, 2), "words": qdrant.NewVectorSparse([]uint32{3}, []float32{5})})},
	}})
	must(t, err)
	named := get(t, c, name, num(1)).GetVectors().GetVectors().GetVectors()
	if len(named) != 3 || named["body"].GetDense().GetData()[2] != 1 || named["title"].GetDense().GetData()[0] != 1 {
		t.Fatalf("vectors after an update: %v", named)
	}
	wantIDs(t, has("words", qdrant.NewQuerySparse([]uint32{1}, []float32{1})))
	wantIDs(t, has("words", qdrant.NewQuerySparse([]uint32{3}, []float32{1})), 1)
	wantIDs(t, has("body", qdrant.NewQuery(0, 0, 1)), 1)
	if fields(t, c, name, 1)["kept"] != true {
		t.Error("the payload went with the vectors")
	}

	_, err = c.DeleteVectors(ctx, &qdrant.DeletePointVectors{CollectionName: name, Wait: yes, PointsSelector: qdrant.NewPointsSelector(num(1)),
		Vectors: &qdrant.VectorsSelector{Names: []string{"body", "words"}}})
	must(t, err)
	wantIDs(t, has("words", qdrant.NewQuerySparse([]uint32{3}, []float32{1})))
	wantIDs(t, has("body", qdrant.NewQuery(0, 0, 1)))
	wantIDs(t, has("title", qdrant.NewQuery(1, 1)), 1)

	_, err = c.UpdateVectors(ctx, &qdrant.UpdatePointVectors{CollectionName: name, Wait: yes, Points: []*qdrant.PointVectors{
		{Id: num(404), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"body": qdrant.NewVector(0, 0, 2)})}}})
	wantCode(t, err, codes.NotFound)
	_, err = c.UpdateVectors(ctx, &qdrant.UpdatePointVectors{CollectionName: name, Wait: yes, Points: []*qdrant.PointVectors{
		{Id: num(1), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"body": qdrant.NewVector(1)})}}})
	wantCode(t, err, codes.InvalidArgument)
}

func (s suite) deletePoints(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := plain(t, c, 2, qdrant.Distance_Dot)
	for id := range uint64(10) {
		upsert(t, c, name, point(id, qdrant.NewVectors(1, float32(id)), map[string]any{"parity": []string{"even", "odd"}[id%2]}))
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
	hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(0, 1)})
	must(t, err)
	wantIDs(t, numbers(hits), 8, 6, 4, 2)
	// A deleted id can be used again.
	upsert(t, c, name, point(1, qdrant.NewVectors(1, 100), nil))
	hits, err = c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(0, 1), Limit: qdrant.PtrOf(uint64(2))})
	must(t, err)
	wantIDs(t, numbers(hits), 1, 8)
}

func (s suite) updateBatch(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := plain(t, c, 2, qdrant.Distance_Dot)
	results, err := c.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: name, Wait: yes, Operations: []*qdrant.PointsUpdateOperation{
		qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: []*qdrant.PointStruct{
			point(1, qdrant.NewVectors(1, 0), map[string]any{"a": int64(1)}), point(2, qdrant.NewVectors(0, 1), map[string]any{"a": int64(2)}), point(3, nil, nil)}}),
		qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{Payload: qdrant.NewValueMap(map[string]any{"b": int64(1)}),
			PointsSelector: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("a", 1)}})}),
		qdrant.NewPointsUpdateOverwritePayload(&qdrant.PointsUpdateOperation_OverwritePayload{Payload: qdrant.NewValueMap(map[string]any{"c": int64(1)}), PointsSelector: qdrant.NewPointsSelector(num(2))}),
		qdrant.NewPointsUpdateUpdateVectors(&qdrant.PointsUpdateOperation_UpdateVectors{Points: []*qdrant.PointVectors{{Id: num(2), Vectors: qdrant.NewVectors(5, 5)}}}),
		qdrant.NewPointsUpdateDeletePoints(&qdrant.PointsUpdateOperation_DeletePoints{Points: qdrant.NewPointsSelector(num(3))}),
	}})
	must(t, err)
	if len(results) != 5 {
		t.Fatalf("%d results", len(results))
	}
	for _, result := range results {
		completed(t, result)
	}
	if diff := cmp.Diff(map[string]any{"a": int64(1), "b": int64(1)}, fields(t, c, name, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"c": int64(1)}, fields(t, c, name, 2)); diff != "" {
		t.Error(diff)
	}
	hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 1)})
	must(t, err)
	wantIDs(t, numbers(hits), 2, 1)
}

func (s suite) selectors(t *testing.T) {
	c := s.connect(t)
	name := mixed(t, c)
	upsert(t, c, name, point(1, qdrant.NewVectorsMap(map[string]*qdrant.Vector{
		"title": qdrant.NewVector(1, 0), "words": qdrant.NewVectorSparse([]uint32{1}, []float32{1}),
	}), map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2), "d": int64(3)}, "list": []any{map[string]any{"x": int64(1), "y": int64(2)}}}))
	for i, test := range []struct {
		with *qdrant.WithPayloadSelector
		want map[string]any
	}{
		{qdrant.NewWithPayload(false), map[string]any{}},
		{qdrant.NewWithPayloadInclude("a", "b.c"), map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2)}}},
		{qdrant.NewWithPayloadInclude("b"), map[string]any{"b": map[string]any{"c": int64(2), "d": int64(3)}}},
		{qdrant.NewWithPayloadInclude("list[].x"), map[string]any{"list": []any{map[string]any{"x": int64(1)}}}},
		{qdrant.NewWithPayloadExclude("a", "b.d", "list"), map[string]any{"b": map[string]any{"c": int64(2)}}},
	} {
		t.Run(fmt.Sprint("payload ", i), func(t *testing.T) {
			points, err := c.Get(t.Context(), &qdrant.GetPoints{CollectionName: name, Ids: []*qdrant.PointId{num(1)}, WithPayload: test.with})
			must(t, err)
			if diff := cmp.Diff(test.want, goMap(points[0].GetPayload())); diff != "" {
				t.Error(diff)
			}
			hits, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 0), Using: qdrant.PtrOf("title"), WithPayload: test.with})
			must(t, err)
			if diff := cmp.Diff(test.want, goMap(hits[0].GetPayload())); diff != "" {
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
		hits, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 0), Using: qdrant.PtrOf("title")})
		must(t, err)
		if len(hits[0].GetPayload()) != 0 || hits[0].GetVectors() != nil {
			t.Errorf("a query returned what it was not asked for: %v", hits[0])
		}
	})
}
