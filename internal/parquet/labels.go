package parquet

import (
	"errors"
	"io"

	format "github.com/parquet-go/parquet-go"
)

// Labels is a table of the groups of items. Strength and TopicStrength are left out when they are
// nil.
type Labels struct {
	IDs                     []string // nil: items have the numbers of their rows
	Story, Topic, Theme     []int32  // -1: none
	Strength, TopicStrength []float32
}

// labelsAtOnce is the number of rows that the writer gets at a time.
const labelsAtOnce = 4096

// field is a column of labels.
type field struct {
	node  format.Node
	value func(i int) format.Value
}

func numbers(labels []int32) field {
	return field{format.Leaf(format.Int32Type), func(i int) format.Value { return format.Int32Value(labels[i]) }}
}

// WriteLabels writes a file with the columns id (text or int64), story, topic, theme (int32),
// strength and topic_strength (float). Equal labels give equal bytes.
func WriteLabels(w io.Writer, l Labels) error {
	fields := map[string]field{
		"id":    {format.Leaf(format.Int64Type), func(i int) format.Value { return format.Int64Value(int64(i)) }},
		"story": numbers(l.Story), "topic": numbers(l.Topic), "theme": numbers(l.Theme),
	}
	if l.IDs != nil {
		fields["id"] = field{format.String(), func(i int) format.Value { return format.ByteArrayValue([]byte(l.IDs[i])) }}
	}
	for name, values := range map[string][]float32{"strength": l.Strength, "topic_strength": l.TopicStrength} {
		if values != nil {
			fields[name] = field{format.Leaf(format.FloatType), func(i int) format.Value { return format.FloatValue(values[i]) }}
		}
	}
	group := format.Group{}
	for name, f := range fields {
		group[name] = f.node
	}
	schema := format.NewSchema("labels", group)
	writer := format.NewWriter(w, schema, format.Compression(&format.Snappy), format.CreatedBy("throughline", "", ""))
	rows := make([]format.Row, 0, labelsAtOnce)
	for from := 0; from < len(l.Story); from += labelsAtOnce {
		rows = rows[:0]
		for i := from; i < min(from+labelsAtOnce, len(l.Story)); i++ {
			var row format.Row
			for column, path := range schema.Columns() {
				row = append(row, fields[path[0]].value(i).Level(0, 0, column))
			}
			rows = append(rows, row)
		}
		if _, err := writer.WriteRows(rows); err != nil {
			return errors.Join(err, writer.Close())
		}
	}
	return writer.Close()
}
