package qdrantlite

import (
	"cmp"
	"slices"
)

// column holds the values of one indexed field, per row. Most rows have one value, which lies in
// first; more holds the values of rows with several.
type column[T cmp.Ordered] struct {
	first []T
	set   bitset // rows with at least one value
	more  map[uint32][]T
	rows  map[T]*rowList
}

// rowListLimit is how many rows a value may have to be looked up by value. A value of more rows
// narrows a search too little, and each row that leaves its list would have to be found in it.
const rowListLimit = 4096

// rowList names the rows with a value; over says that there were once more than rowListLimit of
// them and rows is not kept.
type rowList struct {
	rows  []uint32
	count int
	over  bool
}

func newColumn[T cmp.Ordered]() *column[T] {
	return &column[T]{more: make(map[uint32][]T), rows: make(map[T]*rowList)}
}

// put sets the values of a row that has none.
func (c *column[T]) put(row uint32, values []T) {
	for int(row) >= len(c.first) {
		c.first = append(c.first, make([]T, 1+len(c.first)/4)...)
	}
	if len(values) == 0 {
		return
	}
	c.set.set(row)
	c.first[row] = values[0]
	if len(values) > 1 {
		c.more[row] = values
	}
	for _, value := range distinct(values) {
		list := c.rows[value]
		if list == nil {
			list = &rowList{}
			c.rows[value] = list
		}
		list.count++
		switch {
		case list.over:
		case len(list.rows) == rowListLimit:
			list.rows, list.over = nil, true
		default:
			list.rows = append(list.rows, row)
		}
	}
}

// drop forgets a row. It says whether the row had values.
func (c *column[T]) drop(row uint32) bool {
	had := c.set.has(row)
	for _, value := range distinct(c.values(row)) {
		list := c.rows[value]
		list.count--
		if list.count == 0 {
			delete(c.rows, value)
			continue
		}
		if at := slices.Index(list.rows, row); at >= 0 {
			last := len(list.rows) - 1
			list.rows[at] = list.rows[last]
			list.rows = list.rows[:last]
		}
	}
	c.set.unset(row)
	delete(c.more, row)
	return had
}

// values returns the values of a row. Callers must not change the slice.
func (c *column[T]) values(row uint32) []T {
	if !c.set.has(row) {
		return nil
	}
	if many, ok := c.more[row]; ok {
		return many
	}
	return c.first[row : row+1 : row+1]
}

// any says whether a value of the row satisfies the test.
func (c *column[T]) any(row uint32, test func(T) bool) bool {
	if !c.set.has(row) {
		return false
	}
	if len(c.more) > 0 {
		if many, ok := c.more[row]; ok {
			return slices.ContainsFunc(many, test)
		}
	}
	return test(c.first[row])
}

// lookup returns the rows that have one of the values, each once, unless some value has too many
// rows to have kept them.
func (c *column[T]) lookup(values []T) (rows []uint32, ok bool) {
	for _, value := range values {
		list := c.rows[value]
		if list == nil {
			continue
		}
		if list.over {
			return nil, false
		}
		rows = append(rows, list.rows...)
	}
	if len(values) > 1 {
		slices.Sort(rows)
		rows = slices.Compact(rows)
	}
	return rows, true
}

// estimate returns an upper bound of how many rows have one of the values.
func (c *column[T]) estimate(values []T) int {
	n := 0
	for _, value := range values {
		if list := c.rows[value]; list != nil {
			n += list.count
		}
	}
	return n
}

func distinct[T cmp.Ordered](values []T) []T {
	if len(values) < 2 {
		return values
	}
	return slices.Compact(slices.Sorted(slices.Values(values)))
}
