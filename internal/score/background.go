package score

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sync"

	"throughline/internal/lexical"
)

// Background holds what is usual in general news: how many articles have each term, and the mean of
// their vectors. It gives log-odds a scale that does not depend on the corpus: in a corpus about
// one event, what the event is about is not usual. It never changes.
//
// It holds hashes of terms and sums, so no text follows from it.
type Background struct {
	frequencies *lexical.Frequencies
	mean        []float64 // of unit vectors, of the embedding space that the model is fitted in; nil: not known
	sum         uint32
}

const (
	// backgroundFormat is the version of the encoding of a background.
	backgroundFormat = 1
	// leastOfTerm is the number of articles that a term must occur in to be kept. A name that one
	// article of ten thousand has is as rare as one that none has.
	leastOfTerm = 3
	// LeastBackground is the least number of articles of a background. In fewer, the words of a few
	// events are usual.
	LeastBackground = 500
)

var backgroundMagic = []byte("tlusual\n")

//go:embed background.bin
var defaultBackground []byte

// DefaultBackground returns the background that comes with the program.
var DefaultBackground = sync.OnceValue(func() *Background {
	b, err := ParseBackground(defaultBackground)
	if err != nil {
		panic("score: the embedded background.bin: " + err.Error()) // a broken build, not input
	}
	return b
})

// NewBackground returns the background that consists of the articles of a builder. The vectors must
// be of the space that the model is fitted in.
func NewBackground(b *StatsBuilder) (*Background, error) {
	if n := b.Articles(); n < LeastBackground {
		return nil, fmt.Errorf("background: too few articles (got %d, want at least %d)", n, LeastBackground)
	}
	bg := &Background{frequencies: b.frequencies.Without(leastOfTerm)}
	for _, x := range b.sum {
		// Rounded, so that what is kept does not depend on the kernels of a processor.
		bg.mean = append(bg.mean, math.Round(float64(x)/(fixedOne*float64(b.count))*meanSteps)/meanSteps)
	}
	bg.sum = crc32.ChecksumIEEE(bg.AppendBinary(nil))
	return bg, nil
}

// meanSteps is the number of steps in 1 that a mean vector is rounded to.
const meanSteps = 1 << 14

// Articles returns the number of articles.
func (b *Background) Articles() int { return b.frequencies.Documents() }

// Sum returns a checksum. Log-odds with two backgrounds differ if their sums do.
func (b *Background) Sum() uint32 { return b.sum }

// In returns the background for another embedding space, given the mean vector of general news in
// it. nil: it is not known, and that of each corpus is taken.
func (b *Background) In(mean []float32) *Background {
	out := *b
	out.mean = nil
	for _, x := range mean {
		out.mean = append(out.mean, float64(x))
	}
	return &out
}

// AppendBinary appends the background to data: a magic string and, as little-endian numbers of 4
// bytes, the format and the CRC-32 of what follows: the document frequencies, and the numbers of
// the mean vector in steps of 1/meanSteps, as signed varints after their number.
func (b *Background) AppendBinary(data []byte) []byte {
	body := b.frequencies.AppendBinary(nil)
	body = binary.AppendUvarint(body, uint64(len(b.mean)))
	for _, x := range b.mean {
		body = binary.AppendVarint(body, int64(math.Round(x*meanSteps)))
	}
	data = append(data, backgroundMagic...)
	data = binary.LittleEndian.AppendUint32(data, backgroundFormat)
	data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(body))
	return append(data, body...)
}

// ParseBackground reads the output of AppendBinary, which must be all of data.
func ParseBackground(data []byte) (*Background, error) {
	head := len(backgroundMagic) + 8
	if len(data) < head || !slices.Equal(data[:len(backgroundMagic)], backgroundMagic) {
		return nil, errors.New("background: unknown content")
	}
	format, sum := binary.LittleEndian.Uint32(data[head-8:]), binary.LittleEndian.Uint32(data[head-4:])
	body := data[head:]
	if format != backgroundFormat {
		return nil, fmt.Errorf("background: unknown format (got %d, want %d)", format, backgroundFormat)
	}
	if crc32.ChecksumIEEE(body) != sum {
		return nil, errors.New("background: damaged, wrong checksum")
	}
	frequencies, body, err := lexical.DecodeFrequencies(body)
	if err != nil {
		return nil, fmt.Errorf("background: %w", err)
	}
	n, size := binary.Uvarint(body)
	if size <= 0 || n > uint64(len(body)) {
		return nil, errors.New("background: damaged, length of the mean vector")
	}
	b := &Background{frequencies: frequencies, sum: crc32.ChecksumIEEE(data)}
	for body = body[size:]; uint64(len(b.mean)) < n; body = body[size:] {
		var x int64
		if x, size = binary.Varint(body); size <= 0 {
			return nil, errors.New("background: damaged, mean vector too short")
		}
		b.mean = append(b.mean, float64(x)/meanSteps)
	}
	switch {
	case len(body) > 0:
		return nil, errors.New("background: damaged, bytes at the end")
	case b.Articles() < LeastBackground:
		return nil, fmt.Errorf("background: too few articles (got %d, want at least %d)", b.Articles(), LeastBackground)
	}
	return b, nil
}

// Same returns an error that says how two backgrounds differ: in their terms at all, or in a mean
// vector by more than processors differ.
func (b *Background) Same(c *Background) error {
	const most = 4.0 / meanSteps
	if string(b.frequencies.AppendBinary(nil)) != string(c.frequencies.AppendBinary(nil)) {
		return fmt.Errorf("background: other articles or terms (got %d articles, want %d)", b.Articles(), c.Articles())
	}
	if len(b.mean) != len(c.mean) {
		return fmt.Errorf("background: mean vector of another length (got %d, want %d)", len(b.mean), len(c.mean))
	}
	for i, x := range b.mean {
		if math.Abs(x-c.mean[i]) > most {
			return fmt.Errorf("background: number %d of the mean vector (got %v, want %v)", i, x, c.mean[i])
		}
	}
	return nil
}
