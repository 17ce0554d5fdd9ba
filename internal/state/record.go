package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"throughline/internal/score"
	"throughline/internal/store"
)

// recordFormat is the version of the encoding. A record with another version is replaced by a new
// one.
const recordFormat = 1

// magic begins every record.
var magic = []byte("tlstate\n")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a State as the store keeps it. Encoding: magic; then, as 4-byte little-endian numbers,
// the format, the length of the head, and the CRC-32C of everything after it; the head as JSON; the
// statistics.
type record struct {
	calibration
	Extent  store.Extent // the articles that the statistics count
	Version int64
	Model   uint32 // checksum of the model and the background that the threshold belongs to

	builder *score.StatsBuilder
}

func modelSum(m *score.Model, background *score.Background) (uint32, error) {
	data, err := json.Marshal(m)
	return crc32.Checksum(binary.LittleEndian.AppendUint32(data, background.Sum()), castagnoli), err
}

func (r *record) encode(m *score.Model, background *score.Background) ([]byte, error) {
	var err error
	if r.Model, err = modelSum(m, background); err != nil {
		return nil, err
	}
	head, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body := r.builder.AppendBinary(bytes.Clone(head))
	data := binary.LittleEndian.AppendUint32(bytes.Clone(magic), recordFormat)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(head)))
	data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(body, castagnoli))
	return append(data, body...), nil
}

// decodeRecord decodes a record. If it was made with another model or background, its threshold is
// on another scale and is replaced by the default of m.
func decodeRecord(data []byte, m *score.Model, background *score.Background) (*record, error) {
	rest, ok := bytes.CutPrefix(data, magic)
	if !ok || len(rest) < 12 {
		return nil, errors.New("state record: unknown content")
	}
	format, size, sum := binary.LittleEndian.Uint32(rest), binary.LittleEndian.Uint32(rest[4:]), binary.LittleEndian.Uint32(rest[8:])
	body := rest[12:]
	switch {
	case format != recordFormat:
		return nil, fmt.Errorf("state record: unknown format (got %d, want %d)", format, recordFormat)
	case crc32.Checksum(body, castagnoli) != sum:
		return nil, errors.New("state record: damaged, wrong checksum")
	case uint64(size) > uint64(len(body)):
		return nil, fmt.Errorf("state record: damaged, head too long (got %d bytes, want at most %d)", size, len(body))
	}
	r := &record{}
	if err := json.Unmarshal(body[:size], r); err != nil {
		return nil, fmt.Errorf("state record: head: %w", err)
	}
	var err error
	if r.builder, err = score.DecodeStats(body[size:]); err != nil {
		return nil, err
	}
	own, err := modelSum(m, background)
	if err != nil {
		return nil, err
	}
	if r.Model != own {
		r.Threshold, r.ThresholdAt, r.ArrangedAt = m.DefaultThreshold(), 0, store.Extent{}
	}
	return r, nil
}
