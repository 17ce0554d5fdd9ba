package qdrantlite

import (
	"cmp"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// compileMatch compiles the match_value of a field condition.
func compileMatch(path jsonPath, index *fieldIndex, m *qdrant.Match) (*condition, error) {
	switch v := m.GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return matchText(path, index, []string{v.Keyword}), nil
	case *qdrant.Match_Keywords:
		return matchText(path, index, v.Keywords.GetStrings()), nil
	case *qdrant.Match_Integer:
		return matchWhole(path, index, []int64{v.Integer}), nil
	case *qdrant.Match_Integers:
		return matchWhole(path, index, v.Integers.GetIntegers()), nil
	case *qdrant.Match_Boolean:
		return matchBool(path, index, v.Boolean), nil
	case *qdrant.Match_ExceptKeywords:
		return exceptText(path, index, v.ExceptKeywords.GetStrings()), nil
	case *qdrant.Match_ExceptIntegers:
		return exceptWhole(path, index, v.ExceptIntegers.GetIntegers()), nil
	case *qdrant.Match_Text:
		return containing(path, index, []string{v.Text}), nil
	case *qdrant.Match_Phrase:
		return containing(path, index, []string{v.Phrase}), nil
	case *qdrant.Match_TextAny:
		return containing(path, index, strings.Fields(v.TextAny)), nil
	case nil:
		return nil, invalid("Malformed Match condition of field %q", path)
	}
	return nil, unsupported("the match %T", m.GetMatchValue())
}

// setOf gives a membership test: by comparison for few values, by hash for many.
func setOf[T cmp.Ordered](values []T) func(T) bool {
	if len(values) <= 8 {
		return func(v T) bool { return slices.Contains(values, v) }
	}
	set := make(map[T]struct{}, len(values))
	for _, v := range values {
		set[v] = struct{}{}
	}
	return func(v T) bool { _, ok := set[v]; return ok }
}

// listed adds to a condition the rows that an index finds by value. Rows whose payload has to be looked at as well could be anywhere,
// so there must be none: others counts them.
func listed[T cmp.Ordered](out *condition, index *fieldIndex, column *column[T], values []T) *condition {
	if index.others > 0 {
		return out
	}
	out.estimate = column.estimate(values)
	out.rows = func() ([]uint32, bool) { return column.lookup(values) }
	return out
}

func matchText(path jsonPath, index *fieldIndex, values []string) *condition {
	wanted := setOf(values)
	test := func(v *qdrant.Value) bool {
		s, ok := v.GetKind().(*qdrant.Value_StringValue)
		return ok && wanted(s.StringValue)
	}
	if index == nil || index.text == nil {
		return scalarCondition(path, index, nil, test)
	}
	inColumn := values
	if index.kind == qdrant.FieldType_FieldTypeUuid {
		inColumn = nil
		for _, v := range values {
			if id, ok := canonicalUUID(v); ok {
				inColumn = append(inColumn, id)
			}
		}
	}
	wantedInColumn := setOf(inColumn)
	out := scalarCondition(path, index, func(row uint32) bool { return index.text.any(row, wantedInColumn) }, test)
	return listed(out, index, index.text, inColumn)
}

func matchWhole(path jsonPath, index *fieldIndex, values []int64) *condition {
	wanted := setOf(values)
	test := func(v *qdrant.Value) bool {
		n, ok := v.GetKind().(*qdrant.Value_IntegerValue)
		return ok && wanted(n.IntegerValue)
	}
	if index == nil || index.kind != qdrant.FieldType_FieldTypeInteger {
		return scalarCondition(path, index, nil, test)
	}
	out := scalarCondition(path, index, func(row uint32) bool { return index.whole.any(row, wanted) }, test)
	return listed(out, index, index.whole, values)
}

func matchBool(path jsonPath, index *fieldIndex, value bool) *condition {
	test := func(v *qdrant.Value) bool {
		b, ok := v.GetKind().(*qdrant.Value_BoolValue)
		return ok && b.BoolValue == value
	}
	if index == nil || index.kind != qdrant.FieldType_FieldTypeBool {
		return scalarCondition(path, index, nil, test)
	}
	want := boolInt(value)
	out := scalarCondition(path, index, func(row uint32) bool {
		return index.whole.any(row, func(v int64) bool { return v == want })
	}, test)
	return listed(out, index, index.whole, []int64{want})
}

// exceptText holds for a value that is not null and not among the given strings; values of other types qualify.
func exceptText(path jsonPath, index *fieldIndex, values []string) *condition {
	unwanted := setOf(values)
	test := func(v *qdrant.Value) bool {
		if s, ok := v.GetKind().(*qdrant.Value_StringValue); ok {
			return !unwanted(s.StringValue)
		}
		return !isNull(v)
	}
	if index == nil || index.kind != qdrant.FieldType_FieldTypeKeyword {
		return scalarCondition(path, index, nil, test)
	}
	other := func(s string) bool { return !unwanted(s) }
	return scalarCondition(path, index, func(row uint32) bool { return index.text.any(row, other) }, test)
}

func exceptWhole(path jsonPath, index *fieldIndex, values []int64) *condition {
	unwanted := setOf(values)
	test := func(v *qdrant.Value) bool {
		if n, ok := v.GetKind().(*qdrant.Value_IntegerValue); ok {
			return !unwanted(n.IntegerValue)
		}
		return !isNull(v)
	}
	if index == nil || index.kind != qdrant.FieldType_FieldTypeInteger {
		return scalarCondition(path, index, nil, test)
	}
	other := func(n int64) bool { return !unwanted(n) }
	return scalarCondition(path, index, func(row uint32) bool { return index.whole.any(row, other) }, test)
}

// containing holds for a string with one of the parts in it, which is what Qdrant's full-text matches mean on a field without a
// full-text index.
func containing(path jsonPath, index *fieldIndex, parts []string) *condition {
	inside := func(text string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	}
	test := func(v *qdrant.Value) bool {
		s, ok := v.GetKind().(*qdrant.Value_StringValue)
		return ok && inside(s.StringValue)
	}
	if index == nil || index.kind != qdrant.FieldType_FieldTypeKeyword {
		return scalarCondition(path, index, nil, test)
	}
	return scalarCondition(path, index, func(row uint32) bool { return index.text.any(row, inside) }, test)
}

func compileRange(path jsonPath, index *fieldIndex, r *qdrant.Range) *condition {
	within := func(x float64) bool {
		return (r.Lt == nil || x < r.GetLt()) && (r.Gt == nil || x > r.GetGt()) &&
			(r.Lte == nil || x <= r.GetLte()) && (r.Gte == nil || x >= r.GetGte())
	}
	test := func(v *qdrant.Value) bool {
		switch n := v.GetKind().(type) {
		case *qdrant.Value_IntegerValue:
			return within(float64(n.IntegerValue))
		case *qdrant.Value_DoubleValue:
			return within(n.DoubleValue)
		}
		return false
	}
	switch {
	case index != nil && index.kind == qdrant.FieldType_FieldTypeInteger:
		return scalarCondition(path, index, func(row uint32) bool {
			return index.whole.any(row, func(n int64) bool { return within(float64(n)) })
		}, test)
	case index != nil && index.kind == qdrant.FieldType_FieldTypeFloat:
		return scalarCondition(path, index, func(row uint32) bool { return index.real.any(row, within) }, test)
	}
	return scalarCondition(path, index, nil, test)
}

func compileDatetimeRange(path jsonPath, index *fieldIndex, r *qdrant.DatetimeRange) (*condition, error) {
	limits := [4]int64{}
	for i, at := range []*timestamppb.Timestamp{r.GetLt(), r.GetGt(), r.GetLte(), r.GetGte()} {
		if at == nil {
			continue
		}
		if err := at.CheckValid(); err != nil {
			return nil, invalid("the datetime range of field %q: %v", path, err)
		}
		limits[i] = at.AsTime().UnixMicro()
	}
	lt, gt, lte, gte := limits[0], limits[1], limits[2], limits[3]
	within := func(at int64) bool {
		return (r.Lt == nil || at < lt) && (r.Gt == nil || at > gt) && (r.Lte == nil || at <= lte) && (r.Gte == nil || at >= gte)
	}
	test := func(v *qdrant.Value) bool {
		s, ok := v.GetKind().(*qdrant.Value_StringValue)
		if !ok {
			return false
		}
		at, ok := parseTime(s.StringValue)
		return ok && within(at)
	}
	if index == nil || index.kind != qdrant.FieldType_FieldTypeDatetime {
		return scalarCondition(path, index, nil, test), nil
	}
	return scalarCondition(path, index, func(row uint32) bool { return index.whole.any(row, within) }, test), nil
}
