package parquet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	format "github.com/parquet-go/parquet-go"
	types "github.com/parquet-go/parquet-go/format"
)

// WriteJSON writes every row as a JSON object on a line of its own, with members in the order of
// the schema, without nulls and without lists of floating-point numbers. Times are written as in
// RFC 3339, dates as 2006-01-02.
func (f *File) WriteJSON(ctx context.Context, w io.Writer) error {
	columns := slices.DeleteFunc(slices.Clone(f.columns), column.numbers)
	if len(columns) == 0 {
		return fileError(ErrColumn, "no column has text, numbers or times")
	}
	items := make([]bytes.Buffer, len(columns)) // by column: its values in the row, separated by commas
	var line []byte
	return f.scan(ctx, columns, func(i int, v format.Value) error {
		if v.IsNull() {
			return nil
		}
		if items[i].Len() > 0 {
			items[i].WriteByte(',')
		}
		return columns[i].appendJSON(&items[i], v)
	}, func(int) error {
		object := object{out: append(line[:0], '{'), some: []bool{false}}
		for i, c := range columns {
			if items[i].Len() > 0 {
				object.member(c.path, c.list, items[i].Bytes())
				items[i].Reset()
			}
		}
		line = append(object.end(), '\n')
		_, err := w.Write(line)
		return err
	})
}

// Each calls fn for each row with its number and the values of some columns as text, in the order
// of names. A missing value is empty, as are all values of a column that is missing or a list.
func (f *File) Each(ctx context.Context, names []string, fn func(row int, values []string) error) error {
	var columns []column
	var place []int // by column: the index of its name
	for i, name := range names {
		if c, err := f.column(name); err == nil && !c.list {
			columns, place = append(columns, c), append(place, i)
		}
	}
	values := make([]string, len(names))
	return f.scan(ctx, columns, func(i int, v format.Value) error {
		values[place[i]] = columns[i].text(v)
		return nil
	}, func(row int) error { return fn(row, values) })
}

// scan calls value for each value of columns, row by row with the index of the column, and end
// after each row.
func (f *File) scan(ctx context.Context, columns []column, value func(i int, v format.Value) error, end func(row int) error) (err error) {
	defer damaged(&err)
	open := make([]*cells, len(columns))
	for i, c := range columns {
		open[i] = c.open()
		defer func() { err = errors.Join(err, open[i].close()) }()
	}
	for row := range f.Rows {
		if row%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for i, c := range open {
			more, err := c.next(func(v format.Value) error { return value(i, v) })
			if err != nil {
				return err
			}
			if !more {
				return &Error{Kind: ErrFormat, Row: row, Detail: fmt.Sprintf("column %s is too short", c.name())}
			}
		}
		if err := end(row); err != nil {
			return err
		}
	}
	return nil
}

// object builds a JSON object. Members come in the order of the schema, so the members of a group
// follow each other.
type object struct {
	out  []byte
	open []string // names of the open groups
	some []bool   // by depth: the object has a member
}

func (o *object) key(name string) {
	depth := len(o.open)
	if o.some[depth] {
		o.out = append(o.out, ',')
	}
	o.some[depth] = true
	quoted, _ := json.Marshal(name) // a string always marshals
	o.out = append(append(o.out, quoted...), ':')
}

func (o *object) member(path []string, list bool, value []byte) {
	groups := path[:len(path)-1]
	same := 0
	for same < len(groups) && same < len(o.open) && groups[same] == o.open[same] {
		same++
	}
	o.closeTo(same)
	for _, name := range groups[same:] {
		o.key(name)
		o.out = append(o.out, '{')
		o.open, o.some = append(o.open, name), append(o.some, false)
	}
	o.key(path[len(path)-1])
	if list {
		o.out = append(append(append(o.out, '['), value...), ']')
		return
	}
	o.out = append(o.out, value...)
}

func (o *object) closeTo(depth int) {
	for len(o.open) > depth {
		o.out = append(o.out, '}')
		o.open, o.some = o.open[:len(o.open)-1], o.some[:len(o.some)-1]
	}
}

func (o *object) end() []byte {
	o.closeTo(0)
	return append(o.out, '}')
}

// appendJSON writes a value that is not null.
func (c column) appendJSON(out *bytes.Buffer, v format.Value) error {
	text := c.text(v)
	_, isTime := c.time(v)
	switch {
	case (c.kind == format.Float || c.kind == format.Double) && strings.ContainsAny(text, "NI"):
		text = "null" // JSON has no NaN and no infinities
	case c.kind == format.Int96 || c.kind == format.ByteArray || c.kind == format.FixedLenByteArray || isTime:
		quoted, err := json.Marshal(text)
		out.Write(quoted)
		return err
	}
	out.WriteString(text)
	return nil
}

func integer(kind format.Kind, v format.Value) int64 {
	if kind == format.Int32 {
		return int64(v.Int32())
	}
	return v.Int64()
}

// text returns a value as text; empty for null and for bytes that are not UTF-8.
func (c column) text(v format.Value) string {
	if v.IsNull() {
		return ""
	}
	if text, ok := c.time(v); ok {
		return text
	}
	switch c.kind {
	case format.Boolean:
		return strconv.FormatBool(v.Boolean())
	case format.Int32, format.Int64:
		return strconv.FormatInt(integer(c.kind, v), 10)
	case format.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
	case format.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case format.ByteArray, format.FixedLenByteArray:
		if data := v.ByteArray(); utf8.Valid(data) {
			return string(data)
		}
	}
	return ""
}

// time returns a date or a time as text, if the column has such.
func (c column) time(v format.Value) (string, bool) {
	if c.kind == format.Int96 {
		// Nanoseconds of the day, and the Julian day; 2440588 is 1970-01-01.
		parts := v.Int96()
		nanoseconds := int64(parts[1])<<32 | int64(parts[0])
		return timestamp(time.Unix((int64(parts[2])-2440588)*86400, nanoseconds)), true
	}
	logical := c.Type().LogicalType()
	if logical == nil || c.kind != format.Int32 && c.kind != format.Int64 {
		return "", false
	}
	n := integer(c.kind, v)
	switch value := logical.Value.(type) {
	case *types.DateType:
		return time.Unix(n*86400, 0).UTC().Format(time.DateOnly), true
	case *types.TimestampType:
		switch value.Unit.Value.(type) {
		case *types.MilliSeconds:
			return timestamp(time.UnixMilli(n)), true
		case *types.MicroSeconds:
			return timestamp(time.UnixMicro(n)), true
		case *types.NanoSeconds:
			return timestamp(time.Unix(0, n)), true
		}
	}
	return "", false
}

// timestamp formats a time. One without an offset is UTC.
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
