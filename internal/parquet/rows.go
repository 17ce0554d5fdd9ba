package parquet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	format "github.com/parquet-go/parquet-go"
	types "github.com/parquet-go/parquet-go/format"
)

// WriteJSON writes every row as a JSON object on a line of its own, members in the order of the schema, without nulls and
// without lists of floating-point numbers. Times become text as RFC 3339 has it, days become 2006-01-02.
func (f *File) WriteJSON(ctx context.Context, w io.Writer) error {
	return f.rows(ctx, func(c column) bool { return !c.numbers() }, func(_ int, object []byte) error {
		_, err := w.Write(append(object, '\n'))
		return err
	})
}

// Each calls fn with the number of each row and the values of some columns as text, in the given order; a missing value is empty. Columns that
// the file does not have are empty throughout.
func (f *File) Each(ctx context.Context, names []string, fn func(row int, values []string) error) (err error) {
	defer damaged(&err)
	open := make([]*cells, len(names))
	defer func() {
		for _, c := range open {
			if c != nil {
				err = errors.Join(err, c.close())
			}
		}
	}()
	for i, name := range names {
		if c, err := f.column(name); err == nil && !c.list {
			open[i] = c.open()
		}
	}
	values := make([]string, len(names))
	for row := range f.Rows {
		if row%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for i, c := range open {
			if c == nil {
				continue
			}
			more, err := c.next(func(v format.Value) error {
				values[i] = c.text(v)
				return nil
			})
			if err != nil {
				return err
			}
			if !more {
				return &Error{Kind: ErrFormat, Row: row, Detail: fmt.Sprintf("column %s has ended", c.name())}
			}
		}
		if err := fn(row, values); err != nil {
			return err
		}
	}
	return nil
}

// rows calls fn with every row as a JSON object.
func (f *File) rows(ctx context.Context, want func(column) bool, fn func(row int, object []byte) error) (err error) {
	defer damaged(&err)
	var open []*cells
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.close())
		}
	}()
	for _, c := range f.columns {
		if want(c) {
			open = append(open, c.open())
		}
	}
	if len(open) == 0 {
		return &Error{Kind: ErrColumn, Row: -1, Detail: "none holds text, numbers or times"}
	}
	var line []byte
	var items bytes.Buffer
	for row := range f.Rows {
		if row%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		object := newObject(line[:0])
		for _, c := range open {
			items.Reset()
			count := 0
			more, err := c.next(func(v format.Value) error {
				if v.IsNull() {
					return nil
				}
				if count++; count > 1 {
					items.WriteByte(',')
				}
				return c.appendJSON(&items, v)
			})
			if err != nil {
				return err
			}
			if !more {
				return &Error{Kind: ErrFormat, Row: row, Detail: fmt.Sprintf("column %s has ended", c.name())}
			}
			if count == 0 {
				continue
			}
			object.member(c.path, c.list, items.Bytes())
		}
		line = object.end()
		if err := fn(row, line); err != nil {
			return err
		}
	}
	return nil
}

// object is a JSON object in the making. Columns come in the order of the schema, so members of one group come one after another.
type object struct {
	out  []byte
	open []string // the groups that are open
	some []bool   // by depth: whether something was written there
}

func newObject(out []byte) *object { return &object{out: append(out, '{'), some: []bool{false}} }

func (o *object) key(name string) {
	depth := len(o.open)
	if o.some[depth] {
		o.out = append(o.out, ',')
	}
	o.some[depth] = true
	quoted, _ := json.Marshal(name) // a string always can
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
	switch c.kind {
	case format.Boolean:
		out.WriteString(strconv.FormatBool(v.Boolean()))
		return nil
	case format.Float, format.Double:
		text := c.text(v)
		if strings.ContainsAny(text, "NI") { // NaN and infinities, which JSON does not have
			text = "null"
		}
		out.WriteString(text)
		return nil
	case format.Int32, format.Int64:
		if _, isTime := c.time(v); !isTime {
			out.WriteString(strconv.FormatInt(integer(c.kind, v), 10))
			return nil
		}
	}
	text, err := json.Marshal(c.text(v))
	out.Write(text)
	return err
}

func integer(kind format.Kind, v format.Value) int64 {
	if kind == format.Int32 {
		return int64(v.Int32())
	}
	return v.Int64()
}

// text is a value as people would write it; empty for null, and for bytes that are no text.
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

// time is a day or a moment as text, if the column holds such.
func (c column) time(v format.Value) (string, bool) {
	if c.kind == format.Int96 {
		// Nanoseconds of a day, and the Julian day; 2440588 is 1970-01-01.
		parts := v.Int96()
		nanoseconds := int64(parts[1])<<32 | int64(parts[0])
		return moment(time.Unix((int64(parts[2])-2440588)*86400, nanoseconds)), true
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
			return moment(time.UnixMilli(n)), true
		case *types.MicroSeconds:
			return moment(time.UnixMicro(n)), true
		case *types.NanoSeconds:
			return moment(time.Unix(0, n)), true
		}
	}
	return "", false
}

// moment writes a time; one without an offset is taken as UTC, as everywhere in this module.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
