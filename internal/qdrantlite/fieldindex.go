package qdrantlite

import (
	"strings"
	"unicode"

	"github.com/qdrant/go-client/qdrant"
)

// fieldIndex keeps one payload field of every row in memory, so that conditions on it need no
// payload. It has one of the two columns: text for keywords, whole for integers.
type fieldIndex struct {
	key    string
	kind   qdrant.FieldType
	text   *column[string]
	whole  *column[int64]
	points int    // rows with a value of the type
	other  bitset // rows with a value of another type
	others int    // how many these are
	odd    bitset // rows whose value is there and no single value of the type
}

// newFieldIndex checks a request to index a field.
func newFieldIndex(req *qdrant.CreateFieldIndexCollection) (*fieldIndex, error) {
	if err := only(req, "collection_name", "wait", "field_name", "field_type"); err != nil {
		return nil, err
	}
	f := &fieldIndex{key: req.GetFieldName(), kind: req.GetFieldType()}
	if err := checkKey(f.key); err != nil {
		return nil, err
	}
	if req.FieldType == nil {
		return nil, invalid("field %q: field type is missing", f.key)
	}
	switch f.kind {
	case qdrant.FieldType_FieldTypeKeyword:
		f.text = newColumn[string]()
	case qdrant.FieldType_FieldTypeInteger:
		f.whole = newColumn[int64]()
	default:
		return nil, unsupported("payload indexes of the type %s (field %q)", f.kind, f.key)
	}
	return f, nil
}

// checkKey refuses what is not the plain name of a payload field: letters, digits, "_" and "-". In
// Qdrant other characters address values inside objects and arrays.
func checkKey(key string) error {
	if key == "" {
		return invalid("payload field: the name is empty")
	}
	for _, r := range key {
		if r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return unsupported("the payload path %q: only plain names of fields", key)
		}
	}
	return nil
}

// cell is what a payload has in an indexed field.
type cell struct {
	text  []string
	whole []int64
	other bool // a value that is neither null nor of the index's type
	odd   bool // a value that is a list, null, or of another type
}

func (f *fieldIndex) cellOf(p payload) cell {
	var c cell
	anyScalar(p[f.key], func(v *qdrant.Value) bool {
		text, isText := textOf(v)
		whole, isWhole := wholeOf(v)
		switch {
		case isText && f.text != nil:
			c.text = append(c.text, strings.Clone(text))
		case isWhole && f.whole != nil:
			c.whole = append(c.whole, whole)
		default:
			c.other = c.other || !isNull(v)
		}
		return false
	})
	_, list := p[f.key].GetKind().(*qdrant.Value_ListValue)
	c.odd = p[f.key] != nil && (list || len(c.text)+len(c.whole) == 0)
	return c
}

// put sets the cell of a row that has none.
func (f *fieldIndex) put(row uint32, c cell) {
	if c.other {
		f.other.set(row)
		f.others++
	}
	if c.odd {
		f.odd.set(row)
	}
	if len(c.text)+len(c.whole) > 0 {
		f.points++
	}
	if f.text != nil {
		f.text.put(row, c.text)
	} else {
		f.whole.put(row, c.whole)
	}
}

// drop forgets the cell of a row.
func (f *fieldIndex) drop(row uint32) {
	if f.other.has(row) {
		f.other.unset(row)
		f.others--
	}
	f.odd.unset(row)
	if f.text != nil && f.text.drop(row) || f.whole != nil && f.whole.drop(row) {
		f.points--
	}
}

func textOf(v *qdrant.Value) (string, bool) {
	_, ok := v.GetKind().(*qdrant.Value_StringValue)
	return v.GetStringValue(), ok
}

func wholeOf(v *qdrant.Value) (int64, bool) {
	_, ok := v.GetKind().(*qdrant.Value_IntegerValue)
	return v.GetIntegerValue(), ok
}

// anyScalar says whether test holds for a value, or for one of its elements when it is an array:
// one level only, as in Qdrant.
func anyScalar(v *qdrant.Value, test func(*qdrant.Value) bool) bool {
	list, ok := v.GetKind().(*qdrant.Value_ListValue)
	if !ok {
		return test(v)
	}
	for _, element := range list.ListValue.GetValues() {
		if test(element) {
			return true
		}
	}
	return false
}
