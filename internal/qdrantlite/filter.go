package qdrantlite

import (
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// noRow marks a subject that is not in memory: a staged point or an object inside a payload.
const noRow = ^uint32(0)

// subject is what a filter is evaluated on: a point in memory, whose payload is read only when a condition needs it, or a point that
// a write is about to store, or an object inside a payload.
type subject struct {
	row      uint32
	id       pointID
	payload  payload
	load     func() (payload, error) // nil when payload is there
	err      error                   // of load
	isNested bool                    // ids and vectors are not looked at inside a payload, as in Qdrant
	vectors  *vectorSet              // of a staged point
}

func (s *subject) fields() payload {
	if s.load != nil && s.err == nil {
		s.payload, s.err = s.load()
		s.load = nil
	}
	return s.payload
}

// condition is a compiled filter or a part of one. The nil condition holds for every point.
type condition struct {
	eval func(*subject) bool
	// costly conditions may read the payload; they are evaluated after the others.
	costly bool
	// rows lists a superset of the rows in memory for which the condition holds, or says that it cannot. It is nil when the
	// condition never can. estimate bounds how many there are.
	rows     func() ([]uint32, bool)
	estimate int
}

// compileFilter checks a filter and prepares it for the collection: c gives it indexes and ids. Inside a payload c is nil.
func compileFilter(c *collection, f *qdrant.Filter) (*condition, error) {
	if f == nil {
		return nil, nil
	}
	return compileDepth(c, f, 0)
}

func compileDepth(c *collection, f *qdrant.Filter, depth int) (*condition, error) {
	if depth > maxPayloadDepth {
		return nil, invalid("a filter nests deeper than %d levels", maxPayloadDepth)
	}
	compile := func(list []*qdrant.Condition) ([]*condition, error) {
		out := make([]*condition, len(list))
		for i, one := range list {
			var err error
			if out[i], err = compileCondition(c, one, depth); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	all, err := compile(f.GetMust())
	if err != nil {
		return nil, err
	}
	should, err := compile(f.GetShould())
	if err != nil {
		return nil, err
	}
	if len(should) > 0 {
		all = append(all, anyOf(should))
	}
	if min := f.GetMinShould(); len(min.GetConditions()) > 0 {
		of, err := compile(min.GetConditions())
		if err != nil {
			return nil, err
		}
		all = append(all, atLeast(of, min.GetMinCount()))
	}
	not, err := compile(f.GetMustNot())
	if err != nil {
		return nil, err
	}
	for _, one := range not {
		all = append(all, &condition{costly: one.costly, eval: func(s *subject) bool { return !one.eval(s) }})
	}
	return allOf(all), nil
}

func allOf(conditions []*condition) *condition {
	if len(conditions) == 1 {
		return conditions[0]
	}
	out := &condition{}
	for _, one := range conditions {
		out.costly = out.costly || one.costly
		if one.rows != nil && (out.rows == nil || one.estimate < out.estimate) {
			out.rows, out.estimate = one.rows, one.estimate
		}
	}
	cheapFirst(conditions)
	out.eval = func(s *subject) bool {
		for _, one := range conditions {
			if !one.eval(s) {
				return false
			}
		}
		return true
	}
	return out
}

func anyOf(conditions []*condition) *condition {
	out := &condition{}
	listable := true
	for _, one := range conditions {
		out.costly = out.costly || one.costly
		out.estimate += one.estimate
		listable = listable && one.rows != nil
	}
	if listable {
		of := slices.Clone(conditions)
		out.rows = func() ([]uint32, bool) {
			var rows []uint32
			for _, one := range of {
				more, ok := one.rows()
				if !ok {
					return nil, false
				}
				rows = append(rows, more...)
			}
			slices.Sort(rows)
			return slices.Compact(rows), true
		}
	}
	cheapFirst(conditions)
	out.eval = func(s *subject) bool {
		return slices.ContainsFunc(conditions, func(one *condition) bool { return one.eval(s) })
	}
	return out
}

func atLeast(conditions []*condition, count uint64) *condition {
	out := &condition{}
	for _, one := range conditions {
		out.costly = out.costly || one.costly
	}
	cheapFirst(conditions)
	out.eval = func(s *subject) bool {
		found := uint64(0)
		for i, one := range conditions {
			if found >= count || found+uint64(len(conditions)-i) < count {
				break
			}
			if one.eval(s) {
				found++
			}
		}
		return found >= count
	}
	return out
}

func cheapFirst(conditions []*condition) {
	slices.SortStableFunc(conditions, func(a, b *condition) int { return int(boolInt(a.costly) - boolInt(b.costly)) })
}

func compileCondition(c *collection, one *qdrant.Condition, depth int) (*condition, error) {
	switch kind := one.GetConditionOneOf().(type) {
	case *qdrant.Condition_Field:
		return compileField(c, kind.Field)
	case *qdrant.Condition_Filter:
		return compileDepth(c, kind.Filter, depth+1)
	case *qdrant.Condition_IsEmpty:
		return compileFact(c, kind.IsEmpty.GetKey(), cellEmpty, allEmpty)
	case *qdrant.Condition_IsNull:
		return compileFact(c, kind.IsNull.GetKey(), cellNull, anyNull)
	case *qdrant.Condition_HasId:
		return compileHasID(c, kind.HasId)
	case *qdrant.Condition_HasVector:
		return compileHasVector(c, kind.HasVector.GetHasVector())
	case *qdrant.Condition_Nested:
		return compileNested(kind.Nested, depth)
	case nil:
		return nil, invalid("Malformed Condition type")
	}
	return nil, unsupported("the filter condition %T", one.GetConditionOneOf())
}

// compileFact is for what an index knows of every row whatever the type of its values.
func compileFact(c *collection, key string, fact uint8, test func([]*qdrant.Value) bool) (*condition, error) {
	path, err := parsePath(key)
	if err != nil {
		return nil, err
	}
	index := c.index(path)
	return &condition{costly: index == nil, eval: func(s *subject) bool {
		if index != nil && s.row != noRow {
			return index.facts[s.row]&fact != 0
		}
		return test(path.get(s.fields(), nil))
	}}, nil
}

func compileHasID(c *collection, cond *qdrant.HasIdCondition) (*condition, error) {
	ids, err := parseIDs(cond.GetHasId())
	if err != nil {
		return nil, err
	}
	wanted := make(map[pointID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	return idCondition(c, wanted), nil
}

func idCondition(c *collection, wanted map[pointID]bool) *condition {
	out := &condition{estimate: len(wanted), eval: func(s *subject) bool { return !s.isNested && wanted[s.id] }}
	if c != nil {
		out.rows = func() ([]uint32, bool) {
			rows := make([]uint32, 0, len(wanted))
			for id := range wanted {
				if row, ok := c.order.find(c.ids, id); ok {
					rows = append(rows, row)
				}
			}
			slices.Sort(rows)
			return rows, true
		}
	}
	return out
}

func compileHasVector(c *collection, name string) (*condition, error) {
	never := &condition{eval: func(*subject) bool { return false }}
	if c == nil {
		return never, nil
	}
	at, sparse, ok := c.schema.field(name)
	if !ok {
		return never, nil
	}
	return &condition{eval: func(s *subject) bool {
		switch {
		case s.isNested:
			return false
		case s.row == noRow && sparse:
			return s.vectors.sparse[at] != nil
		case s.row == noRow:
			return s.vectors.dense[at] != nil
		case sparse:
			return c.sparse[at].present.has(s.row)
		}
		return c.dense[at].present.has(s.row)
	}}, nil
}

func compileNested(cond *qdrant.NestedCondition, depth int) (*condition, error) {
	path, err := parsePath(cond.GetKey())
	if err != nil {
		return nil, err
	}
	path = path.each()
	inner := &condition{eval: func(*subject) bool { return true }}
	if cond.GetFilter() != nil {
		if inner, err = compileDepth(nil, cond.GetFilter(), depth+1); err != nil {
			return nil, err
		}
	}
	return &condition{costly: true, eval: func(s *subject) bool {
		return slices.ContainsFunc(path.get(s.fields(), nil), func(v *qdrant.Value) bool {
			object, ok := v.GetKind().(*qdrant.Value_StructValue)
			return ok && inner.eval(&subject{row: noRow, payload: object.StructValue.GetFields(), isNested: true})
		})
	}}, nil
}

// compileField compiles a condition on a payload field. A field condition with several tests holds when one of them does, and tests
// of the field as a whole (its count, whether it is empty or null) stand before tests of its values.
func compileField(c *collection, cond *qdrant.FieldCondition) (*condition, error) {
	path, err := parsePath(cond.GetKey())
	if err != nil {
		return nil, err
	}
	index := c.index(path)
	switch {
	case cond.GetGeoBoundingBox() != nil, cond.GetGeoRadius() != nil, cond.GetGeoPolygon() != nil:
		return nil, unsupported("geographic conditions (field %q)", cond.GetKey())
	case cond.GetValuesCount() != nil:
		return whole(path, countTest(cond.GetValuesCount()), false), nil
	case cond.IsEmpty != nil:
		return whole(path, func(v *qdrant.Value) bool { return allEmpty([]*qdrant.Value{v}) == cond.GetIsEmpty() }, cond.GetIsEmpty()), nil
	case cond.IsNull != nil:
		return whole(path, func(v *qdrant.Value) bool { return holdsNull(v) == cond.GetIsNull() }, !cond.GetIsNull()), nil
	}
	var tests []*condition
	if cond.GetMatch() != nil {
		one, err := compileMatch(path, index, cond.GetMatch())
		if err != nil {
			return nil, err
		}
		tests = append(tests, one)
	}
	if r := cond.GetRange(); r != nil {
		tests = append(tests, compileRange(path, index, r))
	} else if r := cond.GetDatetimeRange(); r != nil {
		one, err := compileDatetimeRange(path, index, r)
		if err != nil {
			return nil, err
		}
		tests = append(tests, one)
	}
	switch len(tests) {
	case 0:
		return nil, invalid("the condition on field %q tests nothing", cond.GetKey())
	case 1:
		return tests[0], nil
	}
	return anyOf(tests), nil
}

// whole tests each value at a path without looking into arrays; absent is the result when there is none.
func whole(path jsonPath, test func(*qdrant.Value) bool, absent bool) *condition {
	return &condition{costly: true, eval: func(s *subject) bool {
		values := path.get(s.fields(), nil)
		if len(values) == 0 {
			return absent
		}
		return slices.ContainsFunc(values, test)
	}}
}

func holdsNull(v *qdrant.Value) bool {
	if list, ok := v.GetKind().(*qdrant.Value_ListValue); ok {
		return slices.ContainsFunc(list.ListValue.GetValues(), isNull)
	}
	return isNull(v)
}

func countTest(limits *qdrant.ValuesCount) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool {
		n := 1
		if list, ok := v.GetKind().(*qdrant.Value_ListValue); ok {
			n = len(list.ListValue.GetValues())
		} else if isNull(v) {
			n = 0
		}
		return countWithin(limits, uint64(n))
	}
}

func countWithin(limits *qdrant.ValuesCount, n uint64) bool {
	return (limits.Lt == nil || n < limits.GetLt()) && (limits.Gt == nil || n > limits.GetGt()) &&
		(limits.Lte == nil || n <= limits.GetLte()) && (limits.Gte == nil || n >= limits.GetGte())
}

// scalarCondition tests the values of a field one by one, with the column where it can decide and with the payload otherwise.
// column is nil when the index is of no use for this test.
func scalarCondition(path jsonPath, index *fieldIndex, column func(row uint32) bool, test func(*qdrant.Value) bool) *condition {
	fromPayload := func(s *subject) bool { return eachScalar(path.get(s.fields(), nil), test) }
	if column == nil {
		return &condition{costly: true, eval: fromPayload}
	}
	return &condition{eval: func(s *subject) bool {
		if s.row == noRow {
			return fromPayload(s)
		}
		return column(s.row) || index.facts[s.row]&cellOther != 0 && fromPayload(s)
	}}
}
