package qdrantlite

import (
	"cmp"
	"math"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// orderValue is a value to order points by: a whole number (of an integer field, or microseconds of a datetime) or a float.
type orderValue struct {
	whole   int64
	real    float64
	isFloat bool
}

func (v orderValue) proto() *qdrant.OrderValue {
	if v.isFloat {
		return &qdrant.OrderValue{Variant: &qdrant.OrderValue_Float{Float: v.real}}
	}
	return &qdrant.OrderValue{Variant: &qdrant.OrderValue_Int{Int: v.whole}}
}

// ordering orders points by an indexed field. A point with several values comes once for each; one without does not come.
type ordering struct {
	index *fieldIndex
	desc  bool
	from  func(orderValue) bool // nil: from the end
}

func newOrdering(c *collection, by *qdrant.OrderBy) (*ordering, error) {
	path, err := parsePath(by.GetKey())
	if err != nil {
		return nil, err
	}
	index := c.index(path)
	if index == nil || index.kind != qdrant.FieldType_FieldTypeInteger && index.kind != qdrant.FieldType_FieldTypeFloat &&
		index.kind != qdrant.FieldType_FieldTypeDatetime {
		return nil, invalid("No range index for `order_by` key: `%s`. Please create one to use `order_by`. "+
			"Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support Range conditions", by.GetKey())
	}
	o := &ordering{index: index, desc: by.GetDirection() == qdrant.Direction_Desc}
	within := func(value, start float64) bool {
		if o.desc {
			return value <= start
		}
		return value >= start
	}
	number := func(start float64) func(orderValue) bool {
		return func(v orderValue) bool {
			if v.isFloat {
				return within(v.real, start)
			}
			return within(float64(v.whole), start)
		}
	}
	instant := func(start int64) func(orderValue) bool {
		return func(v orderValue) bool {
			if o.desc {
				return v.whole <= start
			}
			return v.whole >= start
		}
	}
	isDatetime := index.kind == qdrant.FieldType_FieldTypeDatetime
	mismatch := func() (*ordering, error) {
		return nil, invalid("order_by key `%s`: start_from is not of the type of the index", by.GetKey())
	}
	switch start := by.GetStartFrom().GetValue().(type) {
	case nil:
	case *qdrant.StartFrom_Float:
		if math.IsNaN(start.Float) || isDatetime {
			return mismatch()
		}
		o.from = number(start.Float)
	case *qdrant.StartFrom_Integer:
		if isDatetime {
			return mismatch()
		}
		o.from = number(float64(start.Integer))
	case *qdrant.StartFrom_Timestamp:
		if !isDatetime || start.Timestamp.CheckValid() != nil {
			return mismatch()
		}
		o.from = instant(start.Timestamp.AsTime().UnixMicro())
	case *qdrant.StartFrom_Datetime:
		at, ok := parseTime(start.Datetime)
		if !ok || !isDatetime {
			return mismatch()
		}
		o.from = instant(at)
	}
	return o, nil
}

type ordered struct {
	row   uint32
	value orderValue
}

// first returns the first points of a selection in this order: ascending by value and then id, or descending by both, as in Qdrant.
func (o *ordering) first(c *collection, rows selection, limit int) ([]hit, []orderValue) {
	var all []ordered
	for _, row := range rows.list() {
		if o.index.whole != nil {
			for _, v := range distinct(o.index.whole.values(row)) {
				all = o.add(all, ordered{row, orderValue{whole: v}})
			}
			continue
		}
		for _, v := range distinct(o.index.real.values(row)) {
			all = o.add(all, ordered{row, orderValue{real: v, isFloat: true}})
		}
	}
	slices.SortFunc(all, func(a, b ordered) int {
		n := cmp.Compare(a.value.whole, b.value.whole)
		if n == 0 {
			n = cmp.Compare(a.value.real, b.value.real)
		}
		if n == 0 {
			n = c.ids[a.row].compare(c.ids[b.row])
		}
		if o.desc {
			return -n
		}
		return n
	})
	all = all[:min(limit, len(all))]
	hits, values := make([]hit, len(all)), make([]orderValue, len(all))
	for i, one := range all {
		hits[i], values[i] = hit{one.row, unscored}, one.value
	}
	return hits, values
}

func (o *ordering) add(all []ordered, one ordered) []ordered {
	if o.from == nil || o.from(one.value) {
		all = append(all, one)
	}
	return all
}
