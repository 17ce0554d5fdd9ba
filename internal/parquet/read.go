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
	left   []format.Value // unread values of the buffer
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

// fill reads values into the buffer when it has none, unless the column has ended.
func (c *cells) fill() error {
	for len(c.left) == 0 && !c.ended {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				c.ended = true
				return nil
			}
			if err != nil {
				return fileError(ErrFormat, "column %s: %v", c.name(), err)
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buffer)
		c.left = c.buffer[:n]
		if err != nil && !errors.Is(err, io.EOF) {
			return fileError(ErrFormat, "column %s: %v", c.name(), err)
		}
		if n == 0 {
			format.Release(c.page)
			c.page, c.values = nil, nil
		}
	}
	return nil
}

// next calls f with every value of the next row. It reports false at the end of the column. A value
// is valid only during the call.
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

// checkEvery is the number of rows between checks of the context.
const checkEvery = 1024

// Vectors appends the vectors of a column to dst, row after row, and returns their dimension, 0 in
// a file without rows. A row without a vector, or with one of another dimension, is an ErrRow.
// Nothing large is allocated when dst has the capacity.
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
					return &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("number does not fit into float32 (got %v)", v.Double())}
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
				return nil, 0, fileError(ErrFormat, "number of rows in column %s (got %d, want %d)", name, row, f.Rows)
			}
			return dst, dim, nil
		}
		n := len(dst) - from
		switch {
		case n == 0:
			return nil, 0, &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("no vector in column %s", name)}
		case missing > 0:
			return nil, 0, &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("the vector in column %s has nulls", name)}
		case row == 0:
			dim = n
			dst = slices.Grow(dst, f.expected(dim)-dim)
		case n != dim:
			return nil, 0, &Error{Kind: ErrRow, Row: row, Detail: fmt.Sprintf("its vector has %d numbers, want %d as in row 0", n, dim)}
		}
	}
}

// expected returns how many numbers to allocate. It limits the announced number of rows by the size
// of the file, because numbers are hardly ever compressed to less than a byte.
func (f *File) expected(dim int) int {
	return int(max(int64(dim), min(int64(f.Rows)*int64(dim), f.size)))
}
