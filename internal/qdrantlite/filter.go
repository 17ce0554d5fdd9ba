package qdrantlite

import (
	"cmp"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// maxFilterDepth bounds how deep filters nest, so that compiling one never exhausts the stack.
const maxFilterDepth = 100

// noRow marks a subject that is not in memory: a point as a transaction is about to store it.
const noRow = ^uint32(0)

// subject is the point that a filter is evaluated on. Its payload is read when a condition first
// needs it.
type subject struct {
	row     uint32
	id      *pointID
	payload payload
	load    func() (payload, error) // nil when the payload is there
	err     error                   // of load
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
	// rows lists a superset of the rows in memory for which the condition holds, at most estimate
	// of them, or returns false when it cannot. It is nil for a condition that never can.
	rows     func() ([]uint32, bool)
	estimate int
	// except lists a superset of the rows in memory for which the condition does not hold, or
	// returns false when it cannot. It is nil for a condition that never can.
	except func() ([]uint32, bool)
}

// compileFilter checks a filter and prepares it. The result is for the collection as it is now.
func compileFilter(c *collection, f *qdrant.Filter) (*condition, error) {
	if f == nil {
		return nil, nil
	}
	return compileDepth(c, f, 0)
}

func compileDepth(c *collection, f *qdrant.Filter, depth int) (*condition, error) {
	if depth > maxFilterDepth {
		return nil, invalid("filter: nested too deep (want at most %d levels)", maxFilterDepth)
	}
	if err := only(f, "must", "should", "must_not"); err != nil {
		return nil, err
	}
	var parts [3][]*condition
	for i, list := range [][]*qdrant.Condition{f.GetMust(), f.GetShould(), f.GetMustNot()} {
		for _, one := range list {
			compiled, err := compileCondition(c, one, depth)
			if err != nil {
				return nil, err
			}
			parts[i] = append(parts[i], compiled)
		}
	}
	all, should, not := parts[0], parts[1], parts[2]
	if len(should) > 0 {
		all = append(all, anyOf(should))
	}
	for _, one := range not {
		all = append(all, &condition{costly: one.costly, except: one.rows, eval: func(s *subject) bool { return !one.eval(s) }})
	}
	return allOf(all), nil
}

func allOf(conditions []*condition) *condition {
	if len(conditions) == 1 {
		return conditions[0]
	}
	out := &condition{}
	if !slices.ContainsFunc(conditions, func(one *condition) bool { return one.except == nil }) {
		out.except = func() ([]uint32, bool) {
			return union(conditions, func(one *condition) ([]uint32, bool) { return one.except() })
		}
	}
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
		out.rows = func() ([]uint32, bool) {
			return union(conditions, func(one *condition) ([]uint32, bool) { return one.rows() })
		}
	}
	cheapFirst(conditions)
	out.eval = func(s *subject) bool {
		return slices.ContainsFunc(conditions, func(one *condition) bool { return one.eval(s) })
	}
	return out
}

// union joins the lists of rows that conditions have, unless one has none.
func union(conditions []*condition, list func(*condition) ([]uint32, bool)) ([]uint32, bool) {
	var rows []uint32
	for _, one := range conditions {
		more, ok := list(one)
		if !ok {
			return nil, false
		}
		rows = append(rows, more...)
	}
	slices.Sort(rows)
	return slices.Compact(rows), true
}

func cheapFirst(conditions []*condition) {
	slices.SortStableFunc(conditions, func(a, b *condition) int {
		switch {
		case a.costly == b.costly:
			return 0
		case b.costly:
			return -1
		}
		return 1
	})
}

func compileCondition(c *collection, one *qdrant.Condition, depth int) (*condition, error) {
	if err := only(one, "field", "filter", "has_id"); err != nil {
		return nil, err
	}
	switch kind := one.GetConditionOneOf().(type) {
	case *qdrant.Condition_Field:
		return compileField(c, kind.Field)
	case *qdrant.Condition_Filter:
		return compileDepth(c, kind.Filter, depth+1)
	case *qdrant.Condition_HasId:
		return compileHasID(c, kind.HasId)
	}
	return nil, invalid("filter: a condition is empty")
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
	return &condition{
		estimate: len(wanted),
		eval:     func(s *subject) bool { return wanted[*s.id] },
		rows: func() ([]uint32, bool) {
			rows := make([]uint32, 0, len(wanted))
			for id := range wanted {
				if row, ok := c.order.find(c.ids, id); ok {
					rows = append(rows, row)
				}
			}
			slices.Sort(rows)
			return rows, true
		},
	}, nil
}

// compileField compiles a condition on a payload field. It holds when one value of the field, or
// one element of a value that is an array, satisfies it.
func compileField(c *collection, cond *qdrant.FieldCondition) (*condition, error) {
	key := cond.GetKey()
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := only(cond, "key", "match", "range"); err != nil {
		return nil, err
	}
	if cond.GetMatch() != nil && cond.GetRange() != nil {
		return nil, unsupported("match and range in one condition (field %q)", key)
	}
	var text *column[string]
	var whole *column[int64]
	index := c.indexes[key]
	if index != nil {
		text, whole = index.text, index.whole
	}
	if r := cond.GetRange(); r != nil {
		return compileRange(key, index, whole, r), nil
	}
	if err := only(cond.GetMatch(), "keyword", "keywords", "integer"); err != nil {
		return nil, err
	}
	switch v := cond.GetMatch().GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return matchAny(key, text, []string{v.Keyword}, textOf), nil
	case *qdrant.Match_Keywords:
		return matchAny(key, text, v.Keywords.GetStrings(), textOf), nil
	case *qdrant.Match_Integer:
		return matchAny(key, whole, []int64{v.Integer}, wholeOf), nil
	}
	return nil, invalid("filter: the condition on field %q has no match and no range", key)
}

// matchAny holds when a value of the field is one of the given ones. column holds all values of the
// field that have the type T; it is nil when the field has no index of that type.
func matchAny[T cmp.Ordered](key string, column *column[T], values []T, typed func(*qdrant.Value) (T, bool)) *condition {
	wanted := setOf(values)
	fromPayload := func(s *subject) bool {
		return anyScalar(s.fields()[key], func(v *qdrant.Value) bool {
			got, ok := typed(v)
			return ok && wanted(got)
		})
	}
	if column == nil {
		return &condition{costly: true, eval: fromPayload}
	}
	return &condition{
		estimate: column.estimate(values),
		rows:     func() ([]uint32, bool) { return column.lookup(values) },
		eval: func(s *subject) bool {
			if s.row == noRow {
				return fromPayload(s)
			}
			return column.any(s.row, wanted)
		},
	}
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

// compileRange holds when a number of the field, an integer or a double, is within the range.
// column holds the integers only; it is nil when the field has no index of integers.
func compileRange(key string, index *fieldIndex, column *column[int64], r *qdrant.Range) *condition {
	within := func(x float64) bool {
		return (r.Lt == nil || x < r.GetLt()) && (r.Gt == nil || x > r.GetGt()) &&
			(r.Lte == nil || x <= r.GetLte()) && (r.Gte == nil || x >= r.GetGte())
	}
	wholeWithin := func(n int64) bool { return within(float64(n)) }
	fromPayload := func(s *subject) bool {
		return anyScalar(s.fields()[key], func(v *qdrant.Value) bool {
			switch n := v.GetKind().(type) {
			case *qdrant.Value_IntegerValue:
				return wholeWithin(n.IntegerValue)
			case *qdrant.Value_DoubleValue:
				return within(n.DoubleValue)
			}
			return false
		})
	}
	if column == nil {
		return &condition{costly: true, eval: fromPayload}
	}
	return &condition{costly: index.others > 0, eval: func(s *subject) bool {
		if s.row == noRow {
			return fromPayload(s)
		}
		return column.any(s.row, wholeWithin) || index.other.has(s.row) && fromPayload(s)
	}}
}
