package qdrantlite

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"throughline/cluster/vector"
)

// Records end in a CRC-32C of what comes before it. All numbers are little-endian.
//
//	point    vectors slot u64, payload slot u64 (0: empty payload), version u64
//	vectors  format byte, point key, fields u16,
//	         then per field: position u16 (high bit: sparse), count u32, offset u32;
//	         then the data: dense count x f32; sparse count x u32 terms, count x f32 weights
//	payload  format byte, message qdrant.Struct
const (
	recordFormat  = 1
	checksumSize  = 4
	pointSize     = 24 + checksumSize
	vectorsHeader = 1 + len(pointID{}) + 2
	fieldHeader   = 2 + 4 + 4
	sparseFlag    = 1 << 15
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(record []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, crc32.Checksum(record, castagnoli))
}

// unseal checks and removes the checksum.
func unseal(what string, record []byte) ([]byte, error) {
	body := len(record) - checksumSize
	if body < 0 || crc32.Checksum(record[:body], castagnoli) != binary.LittleEndian.Uint32(record[body:]) {
		return nil, fmt.Errorf("%w: a %s record does not match its checksum", ErrCorrupt, what)
	}
	return record[:body], nil
}

// pointRecord is the record of a point, whose key is the id.
type pointRecord struct {
	vectors, payload uint64 // slots
	version          uint64 // number of the operation that changed it last
}

func (p pointRecord) encode() []byte {
	b := make([]byte, 0, pointSize)
	b = binary.LittleEndian.AppendUint64(b, p.vectors)
	b = binary.LittleEndian.AppendUint64(b, p.payload)
	b = binary.LittleEndian.AppendUint64(b, p.version)
	return seal(b)
}

func decodePoint(record []byte) (p pointRecord, err error) {
	body, err := unseal("point", record)
	if err != nil {
		return p, err
	}
	if len(body) != pointSize-checksumSize {
		return p, fmt.Errorf("%w: a point record has the wrong length (%d bytes)", ErrCorrupt, len(record))
	}
	p.vectors = binary.LittleEndian.Uint64(body)
	p.payload = binary.LittleEndian.Uint64(body[8:])
	p.version = binary.LittleEndian.Uint64(body[16:])
	return p, nil
}

func encodeVectors(id pointID, v *vectorSet) []byte {
	fields, data := 0, 0
	for _, d := range v.dense {
		if d != nil {
			fields, data = fields+1, data+4*len(d)
		}
	}
	for _, s := range v.sparse {
		if s != nil {
			fields, data = fields+1, data+8*len(s.Terms)
		}
	}
	start := vectorsHeader + fields*fieldHeader
	b := make([]byte, 0, start+data+checksumSize)
	b = append(b, recordFormat)
	b = append(b, id[:]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(fields))
	offset := start
	head := func(position, count, size int) {
		b = binary.LittleEndian.AppendUint16(b, uint16(position))
		b = binary.LittleEndian.AppendUint32(b, uint32(count))
		b = binary.LittleEndian.AppendUint32(b, uint32(offset))
		offset += size
	}
	for i, d := range v.dense {
		if d != nil {
			head(i, len(d), 4*len(d))
		}
	}
	for i, s := range v.sparse {
		if s != nil {
			head(i|sparseFlag, len(s.Terms), 8*len(s.Terms))
		}
	}
	for _, d := range v.dense {
		b = appendFloats(b, d)
	}
	for _, s := range v.sparse {
		if s != nil {
			for _, term := range s.Terms {
				b = binary.LittleEndian.AppendUint32(b, term)
			}
			b = appendFloats(b, s.Weights)
		}
	}
	return seal(b)
}

func appendFloats(b []byte, values []float32) []byte {
	for _, x := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func readFloats(b []byte, out []float32) {
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// decodeVectors reads the wanted fields of a vectors record of a collection with the schema s; nil
// means all. It checks all lengths and positions, so a damaged record is always an error.
func decodeVectors(s *schema, record []byte, wanted *fieldSet) (pointID, *vectorSet, error) {
	bad := func(why string) (pointID, *vectorSet, error) {
		return pointID{}, nil, fmt.Errorf("%w: a vectors record %s", ErrCorrupt, why)
	}
	body, err := unseal("vectors", record)
	if err != nil {
		return pointID{}, nil, err
	}
	if len(body) < vectorsHeader || body[0] != recordFormat {
		return bad("has an unknown format")
	}
	id, err := idFromKey(body[1 : 1+len(pointID{})])
	if err != nil {
		return pointID{}, nil, err
	}
	fields := int(binary.LittleEndian.Uint16(body[1+len(pointID{}):]))
	if len(body) < vectorsHeader+fields*fieldHeader {
		return bad("is too short")
	}
	v := s.newVectors()
	for i := range fields {
		position, count, data, ok := fieldOf(body, i)
		if !ok {
			return bad("is too short")
		}
		if position&sparseFlag == 0 {
			if position >= len(s.dense) || count != s.dense[position].size {
				return bad("does not fit its collection")
			}
			if wanted != nil && !wanted.dense[position] {
				continue
			}
			v.dense[position] = make([]float32, count)
			readFloats(data, v.dense[position])
			continue
		}
		if position &^= sparseFlag; position >= len(s.sparse) {
			return bad("does not fit its collection")
		}
		if wanted != nil && !wanted.sparse[position] {
			continue
		}
		one := &vector.Sparse{Terms: make([]uint32, count), Weights: make([]float32, count)}
		for j := range one.Terms {
			one.Terms[j] = binary.LittleEndian.Uint32(data[4*j:])
		}
		readFloats(data[4*count:], one.Weights)
		if !one.Valid() {
			return bad("has an invalid sparse vector")
		}
		v.sparse[position] = one
	}
	return id, v, nil
}

// fieldOf reads the i-th field header of the body of a vectors record and finds its data.
func fieldOf(body []byte, i int) (position, count int, data []byte, ok bool) {
	h := body[vectorsHeader+i*fieldHeader:]
	position = int(binary.LittleEndian.Uint16(h))
	count = int(binary.LittleEndian.Uint32(h[2:]))
	offset, size := int(binary.LittleEndian.Uint32(h[6:])), 4*count
	if position&sparseFlag != 0 {
		size *= 2
	}
	if offset > len(body) || size > len(body)-offset {
		return 0, 0, nil, false
	}
	return position, count, body[offset : offset+size], true
}

// denseOf reads one dense vector out of a vectors record into out, for rescoring: without decoding
// the rest and without the checksum, which was checked when the store was opened.
func denseOf(record []byte, position int, out []float32) bool {
	if len(record) < vectorsHeader+checksumSize {
		return false
	}
	body := record[:len(record)-checksumSize]
	fields := int(binary.LittleEndian.Uint16(body[1+len(pointID{}):]))
	if len(body) < vectorsHeader+fields*fieldHeader {
		return false
	}
	for i := range fields {
		at, count, data, ok := fieldOf(body, i)
		if ok && at == position && count == len(out) {
			readFloats(data, out)
			return true
		}
	}
	return false
}

func encodePayload(p payload) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{recordFormat}, &qdrant.Struct{Fields: p})
	if err != nil {
		return nil, fmt.Errorf("encode a payload: %w", err)
	}
	return seal(b), nil
}

// decodePayload decodes the selected fields of a payload.
func decodePayload(record []byte, fields payloadSelector) (payload, error) {
	body, err := unseal("payload", record)
	if err != nil {
		return nil, err
	}
	if len(body) < 1 || body[0] != recordFormat {
		return nil, fmt.Errorf("%w: a payload record has an unknown format", ErrCorrupt)
	}
	var s qdrant.Struct
	if err := proto.Unmarshal(fields.encoded(body[1:]), &s); err != nil {
		return nil, fmt.Errorf("%w: a payload record: %w", ErrCorrupt, err)
	}
	if s.Fields == nil {
		s.Fields = payload{}
	}
	return s.Fields, nil
}
