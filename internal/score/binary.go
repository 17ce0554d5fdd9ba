package score

import (
	"encoding/binary"
	"fmt"
	"math"

	"throughline/internal/lexical"
)

// AppendBinary appends the statistics to data: document frequencies, the number and the sum of the
// dense vectors, and the sample. Numbers are varints, or little-endian if they are of fixed size.
func (b *StatsBuilder) AppendBinary(data []byte) []byte {
	data = b.frequencies.AppendBinary(data)
	data = binary.AppendUvarint(data, uint64(b.count))
	data = binary.AppendUvarint(data, uint64(len(b.sum)))
	data, _ = binary.Append(data, binary.LittleEndian, b.sum) // cannot fail for numbers
	data = binary.AppendUvarint(data, uint64(len(b.sample)))
	for _, s := range b.sample {
		data = binary.AppendUvarint(data, uint64(len(s.id)))
		data = append(data, s.id...)
		data, _ = binary.Append(data, binary.LittleEndian, s.dense)
	}
	return data
}

// DecodeStats reads the output of AppendBinary, which must be all of data.
func DecodeStats(data []byte) (*StatsBuilder, error) {
	frequencies, data, err := lexical.DecodeFrequencies(data)
	if err != nil {
		return nil, err
	}
	corrupt := func(what string) error { return fmt.Errorf("corrupt statistics: %s", what) }
	length := func(most int) (int, bool) {
		x, n := binary.Uvarint(data)
		if n <= 0 || x > uint64(most) {
			return 0, false
		}
		data = data[n:]
		return int(x), true
	}
	b := &StatsBuilder{frequencies: frequencies}
	var ok bool
	if b.count, ok = length(math.MaxInt32); !ok {
		return nil, corrupt("number of vectors")
	}
	dim, ok := length(len(data) / 8)
	if !ok || len(data) < 8*dim || (dim == 0) != (b.count == 0) {
		return nil, corrupt("length of vectors")
	}
	for range dim {
		b.sum = append(b.sum, int64(binary.LittleEndian.Uint64(data)))
		data = data[8:]
	}
	n, ok := length(sampleSize)
	if !ok {
		return nil, corrupt("size of the sample")
	}
	for range n {
		size, ok := length(len(data))
		if !ok || len(data) < size+4*dim {
			return nil, corrupt("sample")
		}
		s := newSampled(string(data[:size]), make([]float32, dim))
		data = data[size:]
		_, _ = binary.Decode(data, binary.LittleEndian, s.dense) // its length was checked
		data = data[4*dim:]
		if last := len(b.sample) - 1; last >= 0 && b.sample[last].compare(s) >= 0 {
			return nil, corrupt("order of the sample")
		}
		b.sample = append(b.sample, s)
	}
	if len(data) > 0 {
		return nil, corrupt("bytes after the sample")
	}
	return b, nil
}
