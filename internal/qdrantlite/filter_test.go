package qdrantlite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// The oracle below evaluates filters on plain Go values. It knows nothing of indexes, columns, candidates or lazily read payloads.

// valuesAt follows a path of plain keys and "[]".
func valuesAt(v any, path []string) []any {
	if len(path) == 0 {
		return []any{v}
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	key, each := strings.CutSuffix(path[0], "[]")
	child, ok := object[key]
	if !ok {
		return nil
	}
	if !each {
		return valuesAt(child, path[1:])
	}
	list, _ := child.([]any)
	var out []any
	for _, one := range list {
		out = append(out, valuesAt(one, path[1:])...)
	}
	return out
}

func oracleFilter(f *qdrant.Filter, id uint64, p map[string]any) bool {
	holds := func(c *qdrant.Condition) bool { return oracleCondition(c, id, p) }
	ok := !slices.ContainsFunc(f.GetMust(), func(c *qdrant.Condition) bool { return !holds(c) }) &&
		!slices.ContainsFunc(f.GetMustNot(), holds) &&
		(len(f.GetShould()) == 0 || slices.ContainsFunc(f.GetShould(), holds))
	if m := f.GetMinShould(); ok && len(m.GetConditions()) > 0 {
		n := uint64(0)
		for _, c := range m.GetConditions() {
			if holds(c) {
				n++
			}
		}
		ok = n >= m.GetMinCount()
	}
	return ok
}

func oracleCondition(c *qdrant.Condition, id uint64, p map[string]any) bool {
	at := func(key string) []any { return valuesAt(p, strings.Split(key, ".")) }
	switch {
	case c.GetFilter() != nil:
		return oracleFilter(c.GetFilter(), id, p)
	case c.GetHasId() != nil:
		return slices.ContainsFunc(c.GetHasId().GetHasId(), func(one *qdrant.PointId) bool { return one.GetNum() == id })
	case c.GetIsEmpty() != nil:
		return !slices.ContainsFunc(at(c.GetIsEmpty().GetKey()), func(v any) bool {
			list, isList := v.([]any)
			return v != nil && !(isList && len(list) == 0)
		})
	case c.GetIsNull() != nil:
		return slices.ContainsFunc(at(c.GetIsNull().GetKey()), func(v any) bool { return v == nil })
	case c.GetNested() != nil:
		return slices.ContainsFunc(at(c.GetNested().GetKey()+"[]"), func(v any) bool {
			object, ok := v.(map[string]any)
			return ok && oracleFilter(c.GetNested().GetFilter(), ^uint64(0), object)
		})
	}
	f := c.GetField()
	if count := f.GetValuesCount(); count != nil {
		values := at(f.GetKey())
		within := func(n uint64) bool {
			return (count.Gte == nil || n >= *count.Gte) && (count.Lt == nil || n < *count.Lt)
		}
		return slices.ContainsFunc(values, func(v any) bool {
			switch v := v.(type) {
			case nil:
				return within(0)
			case []any:
				return within(uint64(len(v)))
			}
			return within(1)
		})
	}
	for _, v := range at(f.GetKey()) {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		if slices.ContainsFunc(list, func(one any) bool { return oracleValue(f, one) }) {
			return true
		}
	}
	return false
}

func oracleValue(f *qdrant.FieldCondition, v any) bool {
	text, isText := v.(string)
	whole, isWhole := v.(int64)
	switch m := f.GetMatch().GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return v == m.Keyword
	case *qdrant.Match_Integer:
		return v == m.Integer
	case *qdrant.Match_Boolean:
		return v == m.Boolean
	case *qdrant.Match_Keywords:
		return isText && slices.Contains(m.Keywords.GetStrings(), text)
	case *qdrant.Match_Integers:
		return isWhole && slices.Contains(m.Integers.GetIntegers(), whole)
	case *qdrant.Match_ExceptKeywords:
		return v != nil && !(isText && slices.Contains(m.ExceptKeywords.GetStrings(), text))
	case *qdrant.Match_ExceptIntegers:
		return v != nil && !(isWhole && slices.Contains(m.ExceptIntegers.GetIntegers(), whole))
	case *qdrant.Match_Text:
		return isText && strings.Contains(text, m.Text)
	}
	if r := f.GetRange(); r != nil {
		x, isNumber := v.(float64)
		if isWhole {
			x, isNumber = float64(whole), true
		}
		return isNumber && (r.Gte == nil || x >= *r.Gte) && (r.Lt == nil || x < *r.Lt)
	}
	r := f.GetDatetimeRange()
	at, err := time.Parse("2006-01-02", text)
	return r != nil && isText && err == nil && (r.Gte == nil || !at.Before(r.Gte.AsTime())) && (r.Lt == nil || at.Before(r.Lt.AsTime()))
}

var filterKeys = []string{"a", "b", "o.a", "l[].a", "none"}

func drawScalar() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{"x", "y", "xy", "2024-01-05", "2024-02-01", int64(1), int64(2), 2.0, 0.5, true, false, nil})
}

func drawFilterPayload(t *rapid.T) map[string]any {
	value := func(name string) any {
		if rapid.Bool().Draw(t, name+" is a list") {
			return rapid.SliceOfN(drawScalar(), 0, 3).Draw(t, name)
		}
		return drawScalar().Draw(t, name)
	}
	p := make(map[string]any)
	for _, key := range []string{"a", "b"} {
		if rapid.IntRange(0, 3).Draw(t, key) > 0 {
			p[key] = value(key)
		}
	}
	if rapid.Bool().Draw(t, "o") {
		p["o"] = map[string]any{"a": value("o.a")}
	}
	if rapid.Bool().Draw(t, "l") {
		var list []any
		for range rapid.IntRange(0, 2).Draw(t, "elements") {
			list = append(list, map[string]any{"a": value("l.a"), "b": value("l.b")})
		}
		p["l"] = list
	}
	return p
}

func drawFilter(t *rapid.T, depth int, keys []string) *qdrant.Filter {
	list := func(name string) []*qdrant.Condition {
		out := make([]*qdrant.Condition, rapid.IntRange(0, 2).Draw(t, name))
		for i := range out {
			out[i] = drawCondition(t, depth, keys)
		}
		return out
	}
	f := &qdrant.Filter{Must: list("must"), Should: list("should"), MustNot: list("must not")}
	if rapid.IntRange(0, 4).Draw(t, "min should") == 0 {
		// Without conditions it would restrict nothing here, and in a real Qdrant that depends on where it stands.
		f.MinShould = &qdrant.MinShould{Conditions: append(list("of"), drawCondition(t, depth, keys)), MinCount: rapid.Uint64Range(0, 3).Draw(t, "count")}
	}
	return f
}

func drawCondition(t *rapid.T, depth int, keys []string) *qdrant.Condition {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	texts := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z", "2024-01-05"}), 0, 3)
	wholes := rapid.SliceOfN(rapid.Int64Range(0, 3), 0, 3)
	day := func(n int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC))
	}
	most := 13
	if depth <= 0 {
		most = 11
	}
	switch rapid.IntRange(0, most).Draw(t, "kind") {
	case 0:
		return qdrant.NewMatch(key, rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "keyword"))
	case 1:
		return qdrant.NewMatchInt(key, rapid.Int64Range(0, 3).Draw(t, "integer"))
	case 2:
		return qdrant.NewMatchBool(key, rapid.Bool().Draw(t, "boolean"))
	case 3:
		return qdrant.NewMatchKeywords(key, texts.Draw(t, "keywords")...)
	case 4:
		return qdrant.NewMatchInts(key, wholes.Draw(t, "integers")...)
	case 5:
		return qdrant.NewMatchExcept(key, texts.Draw(t, "keywords")...)
	case 6:
		return qdrant.NewMatchExceptInts(key, wholes.Draw(t, "integers")...)
	case 7:
		return qdrant.NewMatchText(key, rapid.SampledFrom([]string{"x", "2024"}).Draw(t, "text"))
	case 8:
		return qdrant.NewRange(key, &qdrant.Range{Gte: proto.Float64(rapid.Float64Range(0, 2).Draw(t, "gte")), Lt: proto.Float64(2.5)})
	case 9:
		return qdrant.NewDatetimeRange(key, &qdrant.DatetimeRange{Gte: day(rapid.IntRange(1, 40).Draw(t, "gte")), Lt: day(rapid.IntRange(1, 40).Draw(t, "lt"))})
	case 10:
		return rapid.SampledFrom([]*qdrant.Condition{qdrant.NewIsEmpty(key), qdrant.NewIsNull(key),
			qdrant.NewValuesCount(key, &qdrant.ValuesCount{Gte: proto.Uint64(1), Lt: proto.Uint64(3)})}).Draw(t, "whole")
	case 11:
		return qdrant.NewHasID(qdrant.NewIDNum(rapid.Uint64Range(0, 6).Draw(t, "id")), qdrant.NewIDNum(1))
	case 12:
		return qdrant.NewNestedFilter("l", drawFilter(t, depth-1, []string{"a", "b"}))
	}
	return qdrant.NewFilterAsCondition(drawFilter(t, depth-1, keys))
}

// TestFiltersAgainstOracle stores random payloads and evaluates random filters, without and with indexes of random types, by counting,
// scrolling and deleting.
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
			filters[i] = drawFilter(t, 2, filterKeys)
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
			kind := rapid.SampledFrom([]qdrant.FieldType{-1, qdrant.FieldType_FieldTypeKeyword, qdrant.FieldType_FieldTypeInteger, qdrant.FieldType_FieldTypeFloat,
				qdrant.FieldType_FieldTypeBool, qdrant.FieldType_FieldTypeDatetime}).Draw(t, "index of "+key)
			if kind >= 0 {
				try(points.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: key, FieldType: kind.Enum()}))
			}
		}
		compare()
		// Rows that change and go must leave the indexes.
		replaced := rapid.IntRange(0, len(stored)-1).Draw(t, "replaced")
		stored[replaced] = drawFilterPayload(t)
		try(points.OverwritePayload(ctx, &qdrant.SetPayloadPoints{CollectionName: "c", Payload: qdrant.NewValueMap(stored[replaced]),
			PointsSelector: qdrant.NewPointsSelector(qdrant.NewIDNum(uint64(replaced)))}))
		for id, p := range stored {
			if oracleFilter(filters[0], uint64(id), p) {
				stored[id] = nil
			}
		}
		try(points.Delete(ctx, &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorFilter(filters[0])}))
		compare()
	})
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "a.b": "a.b", "a[]": "a[]", "a[0].b[]": "a[0].b[]", `"a b".c`: `"a b".c`, `a."b"`: "a.b", "naïve-1_x": "naïve-1_x", `"a.b"`: `"a.b"`,
		`a."[]"`: `a."[]"`, `""`: `""`,
	} {
		path, err := parsePath(text)
		if err != nil || path.String() != want {
			t.Errorf("%s: got %s, %v; want %s", text, path, err, want)
		}
	}
	for _, text := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a]", `"a`, "a b", "[0]", "a[99999999999]", `"a\"b"`} {
		if path, err := parsePath(text); err == nil {
			t.Errorf("%q: got %s", text, path)
		}
	}
}

// FuzzPath checks that the canonical form of a path is read as the same path.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a.b[].c", `"x y"[3]`, "[", `"`, "a.[]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := parsePath(text)
		if err != nil {
			return
		}
		again, err := parsePath(path.String())
		if err != nil || !slices.Equal(path, again) {
			t.Fatalf("%q is %q, which is %v, %v", text, path, again, err)
		}
		_ = path.get(payload{"a": qdrant.NewValueString("v")}, nil)
	})
}

func TestParseTime(t *testing.T) {
	want := time.Date(2024, 3, 29, 20, 15, 30, 123456000, time.UTC).UnixMicro()
	for _, text := range []string{
		"2024-03-29T20:15:30.123456Z", "2024-03-29T23:15:30.123456+03:00", "2024-03-29T23:15:30.123456+0300",
		"2024-03-29T20:15:30.123456", "2024-03-29 20:15:30.123456", "2024-03-29T20:15:30.123456789Z",
	} {
		if got, ok := parseTime(text); !ok || got != want {
			t.Errorf("%s: got %d, %v; want %d", text, got, ok, want)
		}
	}
	if got, ok := parseTime("2024-03-29"); !ok || got != time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC).UnixMicro() {
		t.Errorf("a date: %d, %v", got, ok)
	}
	for _, text := range []string{"", "yesterday", "20240329", fmt.Sprint(want)} {
		if _, ok := parseTime(text); ok {
			t.Errorf("%q is a time", text)
		}
	}
}
