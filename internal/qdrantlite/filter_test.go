package qdrantlite

import (
	"context"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// oracleFilter evaluates filters on plain Go values. It knows nothing of indexes, columns,
// candidates or lazily read payloads.
func oracleFilter(f *qdrant.Filter, id uint64, p map[string]any) bool {
	holds := func(c *qdrant.Condition) bool { return oracleCondition(c, id, p) }
	return !slices.ContainsFunc(f.GetMust(), func(c *qdrant.Condition) bool { return !holds(c) }) &&
		!slices.ContainsFunc(f.GetMustNot(), holds) &&
		(len(f.GetShould()) == 0 || slices.ContainsFunc(f.GetShould(), holds))
}

func oracleCondition(c *qdrant.Condition, id uint64, p map[string]any) bool {
	switch {
	case c.GetFilter() != nil:
		return oracleFilter(c.GetFilter(), id, p)
	case c.GetHasId() != nil:
		return slices.ContainsFunc(c.GetHasId().GetHasId(), func(one *qdrant.PointId) bool { return one.GetNum() == id })
	}
	v := p[c.GetField().GetKey()]
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	return slices.ContainsFunc(list, func(one any) bool { return oracleValue(c.GetField(), one) })
}

func oracleValue(f *qdrant.FieldCondition, v any) bool {
	switch m := f.GetMatch().GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return v == m.Keyword
	case *qdrant.Match_Integer:
		return v == m.Integer
	case *qdrant.Match_Keywords:
		text, isText := v.(string)
		return isText && slices.Contains(m.Keywords.GetStrings(), text)
	}
	r := f.GetRange()
	x, isNumber := v.(float64)
	if whole, isWhole := v.(int64); isWhole {
		x, isNumber = float64(whole), true
	}
	return isNumber && (r.Gte == nil || x >= *r.Gte) && (r.Gt == nil || x > *r.Gt) && (r.Lt == nil || x < *r.Lt) && (r.Lte == nil || x <= *r.Lte)
}

var filterKeys = []string{"a", "b", "c", "none"}

func drawScalar() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{"x", "y", "xy", "1", int64(1), int64(2), 2.0, 0.5, true, nil, []any{"x", int64(1)}, map[string]any{"a": "x"}})
}

func drawFilterPayload(t *rapid.T) map[string]any {
	p := make(map[string]any)
	for _, key := range []string{"a", "b", "c"} {
		switch rapid.IntRange(0, 4).Draw(t, key) {
		case 0:
		case 1:
			p[key] = rapid.SliceOfN(drawScalar(), 0, 3).Draw(t, "list")
		default:
			p[key] = drawScalar().Draw(t, "scalar")
		}
	}
	return p
}

func drawFilter(t *rapid.T, depth int) *qdrant.Filter {
	list := func(name string) []*qdrant.Condition {
		out := make([]*qdrant.Condition, rapid.IntRange(0, 2).Draw(t, name))
		for i := range out {
			out[i] = drawCondition(t, depth)
		}
		return out
	}
	return &qdrant.Filter{Must: list("must"), Should: list("should"), MustNot: list("must not")}
}

func drawCondition(t *rapid.T, depth int) *qdrant.Condition {
	key := rapid.SampledFrom(filterKeys).Draw(t, "key")
	most := 6
	if depth <= 0 {
		most = 5
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return qdrant.NewMatch(key, rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "keyword"))
	case 1:
		return qdrant.NewMatchInt(key, rapid.Int64Range(0, 3).Draw(t, "integer"))
	case 2:
		return qdrant.NewMatchKeywords(key, rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z", "1"}), 0, 3).Draw(t, "keywords")...)
	case 3:
		return qdrant.NewRange(key, &qdrant.Range{Gte: proto.Float64(rapid.Float64Range(0, 2).Draw(t, "gte")), Lt: proto.Float64(2.5)})
	case 4:
		return qdrant.NewRange(key, &qdrant.Range{Gt: proto.Float64(1), Lte: proto.Float64(rapid.Float64Range(1, 2).Draw(t, "lte"))})
	case 5:
		return qdrant.NewHasID(qdrant.NewIDNum(rapid.Uint64Range(0, 6).Draw(t, "id")), qdrant.NewIDNum(1))
	}
	return qdrant.NewFilterAsCondition(drawFilter(t, depth-1))
}

// TestFiltersAgainstOracle stores random payloads and evaluates random filters, without and with
// indexes of random types, by counting, scrolling and deleting.
func TestFiltersAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		s, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		points := &pointsService{s: s}
		try := func(_ any, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		try((&collectionsService{s: s}).Create(ctx, &qdrant.CreateCollection{CollectionName: "c"}))
		stored := rapid.SliceOfN(rapid.Custom(drawFilterPayload), 1, 8).Draw(t, "payloads")
		for id, p := range stored {
			try(points.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{
				{Id: qdrant.NewIDNum(uint64(id)), Vectors: qdrant.NewVectorsMap(nil), Payload: qdrant.NewValueMap(p)}}}))
		}
		filters := make([]*qdrant.Filter, 6)
		for i := range filters {
			filters[i] = drawFilter(t, 2)
		}
		compare := func() {
			for _, f := range filters {
				var want []uint64
				for id, p := range stored {
					if p != nil && oracleFilter(f, uint64(id), p) {
						want = append(want, uint64(id))
					}
				}
				count, err := points.Count(ctx, &qdrant.CountPoints{CollectionName: "c", Filter: f})
				try(count, err)
				page, err := points.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "c", Filter: f})
				try(page, err)
				var got []uint64
				for _, p := range page.GetResult() {
					got = append(got, p.GetId().GetNum())
				}
				if !slices.Equal(got, want) || count.GetResult().GetCount() != uint64(len(want)) {
					t.Fatalf("filter %v: got %v (count %d), want %v of %v", f, got, count.GetResult().GetCount(), want, stored)
				}
			}
		}
		compare()
		for _, key := range filterKeys {
			kind := rapid.SampledFrom([]qdrant.FieldType{-1, qdrant.FieldType_FieldTypeKeyword, qdrant.FieldType_FieldTypeInteger}).Draw(t, "index of "+key)
			if kind >= 0 {
				try(points.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: key, FieldType: kind.Enum()}))
			}
		}
		compare()
		// Rows that change and go must leave the indexes, and the filter must see the changed point
		// as the batch leaves it.
		replaced := rapid.IntRange(0, len(stored)-1).Draw(t, "replaced")
		stored[replaced] = drawFilterPayload(t)
		change := make(map[string]any)
		for _, key := range filterKeys {
			change[key] = stored[replaced][key] // null removes
		}
		for id, p := range stored {
			if oracleFilter(filters[0], uint64(id), p) {
				stored[id] = nil
			}
		}
		try(points.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{
			setPayload(change, qdrant.NewPointsSelector(qdrant.NewIDNum(uint64(replaced)))),
			qdrant.NewPointsUpdateDeletePoints(&qdrant.PointsUpdateOperation_DeletePoints{Points: qdrant.NewPointsSelectorFilter(filters[0])}),
		}}))
		compare()
	})
}

func TestCheckKey(t *testing.T) {
	for _, key := range []string{"a", "topic_ids", "naïve-1_x"} {
		must(t, checkKey(key))
	}
	wantCode(t, checkKey(""), codes.InvalidArgument)
	for _, key := range []string{"a.b", "a[]", "a[0]", `"a"`, "a b", "a.", "\xff"} {
		wantCode(t, checkKey(key), codes.Unimplemented)
	}
}
