package parquet

import (
	"errors"
	"io"

	format "github.com/parquet-go/parquet-go"
)

// Labels is a table of where items belong: parallel columns. Strength and TopicStrength may be nil, and then are not written.
type Labels struct {
	IDs                     []string // nil: items have the numbers of their rows
	Story, Topic, Theme     []int32  // -1: none
	Strength, TopicStrength []float32
}

// labelsAtOnce is how many rows are handed to the writer at a time.
const labelsAtOnce = 4096

// WriteLabels writes a file with the columns id (text, or a 64-bit number), story, topic, theme (32-bit numbers), strength and
// topic_strength (32-bit floats). Equal labels give equal bytes.
func WriteLabels(w io.Writer, l Labels) error {
	group := format.Group{"id": format.Leaf(format.Int64Type)}
	if l.IDs != nil {
		group["id"] = format.String()
	}
	layers := []struct {
		name   string
		labels []int32
	}{{"story", l.Story}, {"topic", l.Topic}, {"theme", l.Theme}}
	strengths := []struct {
		name   string
		values []float32
	}{{"strength", l.Strength}, {"topic_strength", l.TopicStrength}}
	for _, layer := range layers {
		group[layer.name] = format.Leaf(format.Int32Type)
	}
	for _, s := range strengths {
		if s.values != nil {
			group[s.name] = format.Leaf(format.FloatType)
		}
	}
	schema := format.NewSchema("labels", group)
	writer := format.NewWriter(w, schema, format.Compression(&format.Snappy), format.CreatedBy("throughline", "", ""))
	place := make(map[string]int)
	for i, path := range schema.Columns() { // a group's columns are in the order of their names
		place[path[0]] = i
	}
	rows := make([]format.Row, 0, labelsAtOnce)
	for from := 0; from < len(l.Story); from += labelsAtOnce {
		rows = rows[:0]
		for i := from; i < min(from+labelsAtOnce, len(l.Story)); i++ {
			row := make(format.Row, len(place))
			set := func(name string, v format.Value) { row[place[name]] = v.Level(0, 0, place[name]) }
			if set("id", format.Int64Value(int64(i))); l.IDs != nil {
				set("id", format.ByteArrayValue([]byte(l.IDs[i])))
			}
			for _, layer := range layers {
				set(layer.name, format.Int32Value(layer.labels[i]))
			}
			for _, s := range strengths {
				if s.values != nil {
					set(s.name, format.FloatValue(s.values[i]))
				}
			}
			rows = append(rows, row)
		}
		if _, err := writer.WriteRows(rows); err != nil {
			return errors.Join(err, writer.Close())
		}
	}
	return writer.Close()
}
