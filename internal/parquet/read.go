package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	format "github.com/parquet-go/parquet-go"
)

// cells reads the values of one column row by row.
type cells struct {
	column
	pages  format.Pages
	page   format.Page
	values format.ValueReader
	buffer []format.Value
	left   []format.Value // of the buffer
	ended  bool
}

const valuesAtOnce = 1024

func (c column) open() *cells {
	return &cells{column: c, pages: c.Pages(), buffer: make([]format.Value, valuesAtOnce)}
}

func (c *cells) close() error {
	if c.page != nil {
		format.Release(c.page)
		c.page = nil
	}
	return c.pages.Close()
}

// fill makes sure that there is a value, unless the column has ended.
func (c *cells) fill() error {
	for len(c.left) == 0 && !c.ended {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				c.ended = true
				return nil
			}
			if err != nil {
				return &Error{Kind: ErrFormat, Row: -1, Detail: fmt.Sprintf("column %s: %v", c.name(), err)}
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buffer)
		c.left = c.buffer[:n]
		if err != nil && !errors.Is(err, io.EOF) {
			return &Error{Kind: ErrFormat, Row: -1, Detail: fmt.Sprintf("column %s: %v", c.name(), err)}
		}
		if n == 0 {
			format.Release(c.page)
			c.page, c.values = nil, nil
		}
	}
	return nil
}

// next calls f with every value of the next row. It reports false at the end of the column. Values are valid during the call only.
func (c *cells) next(f func(format.Value) error) (bool, error) {
	for first := true; ; first = false {
		if err := c.fill(); err != nil {
			return false, err
		}
		if len(c.left) == 0 {
			return !first, nil
		}
		if !first && c.left[0].RepetitionLevel() == 0 {
			return true, nil
		}
		if err := f(c.left[0]); err != nil {
			return false, err
		}
		c.left = c.left[1:]
	}
}

// checkEvery is after how many rows the context is asked.
const checkEvery = 1024

// Vectors appends the vectors of a column to dst, row after row. All have the same number of numbers, which is returned; in a file
// without rows it is 0. A row without a vector, or with another number of numbers, is an ErrRow. Where dst has the
// capacity nothing large is allocated.
func (f *File) Vectors(ctx context.Context, name string, dst []float32) (_ []float32, dim int, err error) {
	defer damaged(&err)
	c, err := f.column(name)
	if err != nil {
		return nil, 0, err
	}
	in := c.open()
	defer func() { err = errors.Join(err, in.close()) }()
	wide := c.kind == format.Double
	for row := 0; ; row++ {
		if row%checkEvery == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		from, missing := len(dst), 0
		more, err := in.next(func(v format.Value) error {
			switch {
			case v.IsNull():
				missing++
			case wide:
				x := float32(v.Double())
				if math.IsInf(float64(x), 0) && !math.IsInf(v.Double(), 0) {
					return &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("the number %v does not fit into float32", v.Double())}
				}
				dst = append(dst, x)
			default:
				dst = append(dst, v.Float())
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		if !more {
			if row != f.Rows {
				return nil, 0, &Error{Kind: ErrFormat, Row: -1, Detail: fmt.Sprintf("%d rows instead of %d", row, f.Rows)}
			}
			return dst, dim, nil
		}
		n := len(dst) - from
		switch {
		case n == 0:
			return nil, 0, &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("no vector in column %s", name)}
		case missing > 0:
			return nil, 0, &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("numbers are missing from the vector in column %s", name)}
		case row == 0:
			dim = n
			dst = slices.Grow(dst, f.expected(dim)-dim)
		case n != dim:
			return nil, 0, &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("its vector has %d numbers, that of row 0 has %d", n, dim)}
		}
	}
}

// expected is how many numbers to make room for. A file's word for its rows counts as far as its size makes it likely: numbers are
// hardly ever compressed to less than a byte.
func (f *File) expected(dim int) int {
	return int(max(int64(dim), min(int64(f.Rows)*int64(dim), f.size)))
}
