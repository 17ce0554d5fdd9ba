package lexical

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// ErrCorrupt is the error for bytes that AppendBinary did not write.
var ErrCorrupt = errors.New("corrupt document frequencies")

// AppendBinary appends the frequencies to b, as varints: the number of documents, then for each
// field the number of terms, and for each term in ascending order its distance from the last one
// and its count.
func (f *Frequencies) AppendBinary(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(f.documents))
	for _, counts := range f.counts {
		b = binary.AppendUvarint(b, uint64(len(counts)))
		last := uint32(0)
		for _, term := range slices.Sorted(maps.Keys(counts)) {
			b = binary.AppendUvarint(b, uint64(term-last))
			b = binary.AppendUvarint(b, uint64(counts[term]))
			last = term
		}
	}
	return b
}

// DecodeFrequencies reads the output of AppendBinary and returns the bytes after it.
func DecodeFrequencies(b []byte) (*Frequencies, []byte, error) {
	next := func(most uint64) uint64 {
		x, n := binary.Uvarint(b)
		if n <= 0 || x > most {
			b = nil
			return 0
		}
		b = b[n:]
		return x
	}
	f := NewFrequencies()
	const mostCount = 1<<31 - 1
	f.documents = int(next(mostCount))
	for _, counts := range f.counts {
		n, term := next(1<<32), uint64(0)
		for i := range n {
			if len(b) < 2 {
				return nil, nil, ErrCorrupt
			}
			distance := next(1<<32 - 1)
			count := next(mostCount)
			if term += distance; term > 1<<32-1 || count == 0 || distance == 0 && i > 0 {
				return nil, nil, ErrCorrupt
			}
			counts[uint32(term)] = int32(count)
		}
	}
	if b == nil {
		return nil, nil, ErrCorrupt
	}
	return f, b, nil
}
