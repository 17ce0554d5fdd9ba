package qdrantlite

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// fieldIndex keeps one payload field of every row in memory, so that conditions on it need no payload. Exactly one of the
// columns is in use, by type: text for keywords and UUIDs, whole for integers, booleans (0 and 1) and datetimes (microseconds
// since 1970), real for floats.
type fieldIndex struct {
	path   jsonPath
	key    string // the path in canonical form
	params *qdrant.CreateFieldIndexCollection
	kind   qdrant.FieldType
	facts  []uint8 // cellEmpty, cellNull, cellOther per row
	text   *column[string]
	whole  *column[int64]
	real   *column[float64]
	points int // rows with a value of the type
	others int // rows with a value of another type
}

// newFieldIndex checks a request to index a field.
func newFieldIndex(req *qdrant.CreateFieldIndexCollection) (*fieldIndex, error) {
	path, err := parsePath(req.GetFieldName())
	if err != nil {
		return nil, err
	}
	f := &fieldIndex{path: path, key: path.String(), params: req, kind: req.GetFieldType()}
	params := req.GetFieldIndexParams()
	if params.GetIndexParams() != nil {
		kind, err := kindOfParams(params)
		if err != nil {
			return nil, err
		}
		if req.FieldType != nil && kind != f.kind {
			return nil, invalid("field %q: the index parameters are not those of the type %s", f.key, f.kind)
		}
		f.kind = kind
	} else if req.FieldType == nil {
		return nil, invalid("field %q: field type is missing", f.key)
	}
	switch f.kind {
	case qdrant.FieldType_FieldTypeKeyword, qdrant.FieldType_FieldTypeUuid:
		f.text = newColumn[string]()
	case qdrant.FieldType_FieldTypeInteger, qdrant.FieldType_FieldTypeBool, qdrant.FieldType_FieldTypeDatetime:
		f.whole = newColumn[int64]()
	case qdrant.FieldType_FieldTypeFloat:
		f.real = newColumn[float64]()
	default:
		return nil, unsupported("payload indexes of the type %s (field %q)", f.kind, f.key)
	}
	return f, nil
}

func kindOfParams(params *qdrant.PayloadIndexParams) (qdrant.FieldType, error) {
	switch params.GetIndexParams().(type) {
	case *qdrant.PayloadIndexParams_KeywordIndexParams:
		return qdrant.FieldType_FieldTypeKeyword, nil
	case *qdrant.PayloadIndexParams_IntegerIndexParams:
		return qdrant.FieldType_FieldTypeInteger, nil
	case *qdrant.PayloadIndexParams_FloatIndexParams:
		return qdrant.FieldType_FieldTypeFloat, nil
	case *qdrant.PayloadIndexParams_BoolIndexParams:
		return qdrant.FieldType_FieldTypeBool, nil
	case *qdrant.PayloadIndexParams_DatetimeIndexParams:
		return qdrant.FieldType_FieldTypeDatetime, nil
	case *qdrant.PayloadIndexParams_UuidIndexParams:
		return qdrant.FieldType_FieldTypeUuid, nil
	case *qdrant.PayloadIndexParams_GeoIndexParams:
		return qdrant.FieldType_FieldTypeGeo, nil
	case *qdrant.PayloadIndexParams_TextIndexParams:
		return qdrant.FieldType_FieldTypeText, nil
	}
	return 0, invalid("unknown index parameters %T", params.GetIndexParams())
}

// cell is what a payload has at the path of an index.
type cell struct {
	facts uint8
	text  []string
	whole []int64
	real  []float64
}

func (f *fieldIndex) cellOf(p payload) cell {
	var c cell
	values := f.path.get(p, nil)
	if allEmpty(values) {
		c.facts |= cellEmpty
	}
	if anyNull(values) {
		c.facts |= cellNull
	}
	eachScalar(values, func(v *qdrant.Value) bool {
		if !isNull(v) && !f.take(&c, v) {
			c.facts |= cellOther
		}
		return false
	})
	return c
}

// take adds a value to a cell if it is of the index's type.
func (f *fieldIndex) take(c *cell, v *qdrant.Value) bool {
	switch kind := v.GetKind().(type) {
	case *qdrant.Value_StringValue:
		switch f.kind {
		case qdrant.FieldType_FieldTypeKeyword:
			c.text = append(c.text, strings.Clone(kind.StringValue))
			return true
		case qdrant.FieldType_FieldTypeUuid:
			id, ok := canonicalUUID(kind.StringValue)
			if ok {
				c.text = append(c.text, id)
			}
			return ok
		case qdrant.FieldType_FieldTypeDatetime:
			at, ok := parseTime(kind.StringValue)
			if ok {
				c.whole = append(c.whole, at)
			}
			return ok
		}
	case *qdrant.Value_IntegerValue:
		switch f.kind {
		case qdrant.FieldType_FieldTypeInteger:
			c.whole = append(c.whole, kind.IntegerValue)
			return true
		case qdrant.FieldType_FieldTypeFloat:
			c.real = append(c.real, float64(kind.IntegerValue))
			return true
		}
	case *qdrant.Value_DoubleValue:
		if f.kind == qdrant.FieldType_FieldTypeFloat {
			c.real = append(c.real, kind.DoubleValue)
			return true
		}
	case *qdrant.Value_BoolValue:
		if f.kind == qdrant.FieldType_FieldTypeBool {
			c.whole = append(c.whole, boolInt(kind.BoolValue))
			return true
		}
	}
	return false
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// put sets the cell of a row that has none.
func (f *fieldIndex) put(row uint32, c cell) {
	for int(row) >= len(f.facts) {
		f.facts = append(f.facts, make([]uint8, 1+len(f.facts)/4)...)
	}
	f.facts[row] = c.facts
	if c.facts&cellOther != 0 {
		f.others++
	}
	if len(c.text)+len(c.whole)+len(c.real) > 0 {
		f.points++
	}
	switch {
	case f.text != nil:
		f.text.put(row, c.text)
	case f.whole != nil:
		f.whole.put(row, c.whole)
	default:
		f.real.put(row, c.real)
	}
}

// drop forgets the cell of a row.
func (f *fieldIndex) drop(row uint32) {
	if f.has(row) {
		f.points--
	}
	if f.facts[row]&cellOther != 0 {
		f.others--
	}
	f.facts[row] = 0
	switch {
	case f.text != nil:
		f.text.drop(row)
	case f.whole != nil:
		f.whole.drop(row)
	default:
		f.real.drop(row)
	}
}

func (f *fieldIndex) has(row uint32) bool {
	switch {
	case f.text != nil:
		return f.text.set.has(row)
	case f.whole != nil:
		return f.whole.set.has(row)
	}
	return f.real.set.has(row)
}

// allEmpty is Qdrant's is_empty of the values at a path.
func allEmpty(values []*qdrant.Value) bool {
	for _, v := range values {
		if list, ok := v.GetKind().(*qdrant.Value_ListValue); ok && len(list.ListValue.GetValues()) == 0 {
			continue
		}
		if !isNull(v) {
			return false
		}
	}
	return true
}

// anyNull is Qdrant's is_null of the values at a path.
func anyNull(values []*qdrant.Value) bool {
	for _, v := range values {
		if isNull(v) {
			return true
		}
	}
	return false
}

// eachScalar calls found for each value at a path, or for each element of one that is an array (one level only, as in Qdrant), until
// it returns true. It returns whether that happened.
func eachScalar(values []*qdrant.Value, found func(*qdrant.Value) bool) bool {
	for _, v := range values {
		list, ok := v.GetKind().(*qdrant.Value_ListValue)
		if !ok {
			if found(v) {
				return true
			}
			continue
		}
		for _, element := range list.ListValue.GetValues() {
			if found(element) {
				return true
			}
		}
	}
	return false
}

func canonicalUUID(text string) (string, bool) {
	id, err := uuid.Parse(text)
	return id.String(), err == nil
}

// timeLayouts are the ways to write a datetime that Qdrant reads: RFC 3339, the same without a zone (UTC) or without seconds, with
// a blank for the T, and a bare date.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04",
	"2006-01-02",
}

// parseTime reads a datetime to the microsecond, which is what Qdrant keeps.
func parseTime(text string) (int64, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMicro(), true
		}
	}
	return 0, false
}
