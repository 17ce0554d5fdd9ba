package minilm

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"unsafe"
)

// The shape of all-MiniLM-L6-v2.
const (
	hidden    = 384
	inner     = 1536 // of the feed-forward layers
	heads     = 12
	headSize  = hidden / heads
	layers    = 6
	maxTokens = 256 // it can read more, but it was trained and is served with this limit
	epsilon   = 1e-12
)

// The layout of weights in the file, see weights/export.py.
const (
	panelWidth = 16 // outputs that are stored together
	groupSize  = 64 // inputs that share a scale
	wordGroup  = 96 // numbers of a word vector that share a scale
	// panelInputs is the number of inputs of a panel that kernels widen to 16 bits at a time, so
	// that the 16 outputs (12 KB) and the inputs that they are multiplied with stay in the
	// first-level cache.
	panelInputs = hidden
	magic       = "MINILM8\x03"
)

//go:embed weights/minilm.bin
var weightFile string

// linear is a linear map with 8-bit weights. scale and weight are laid out for the kernels.
type linear struct {
	inputs, outputs int
	smooth          []float32 // [inputs], multiplied into the input before it is quantised
	bias            []float32 // [outputs]
	scale           []float32 // [outputs/16][inputs/64][16]
	offset          []float32 // [outputs/16][inputs/64][16]: scale times the sum of the group's weights
	weight          []int8    // [outputs/16][inputs/4][16][4], read-only memory of the binary
}

type layerNorm struct{ gain, bias []float32 }

type layer struct {
	attention       linear // query, key and value
	attentionOutput linear
	attentionNorm   layerNorm
	intermediate    linear
	output          linear
	outputNorm      layerNorm
}

type weights struct {
	wordScale []float32 // [vocabularySize][hidden/wordGroup]
	word      []int8    // [vocabularySize][hidden], read-only memory of the binary
	position  []float32 // [maxTokens][hidden]
	norm      layerNorm
	layers    [layers]layer
}

// loadWeights reads the weights once for all models of the process. The 8-bit weights stay in the
// read-only pages of the binary and are loaded when they are first used; scales and biases (2 MB)
// are copied, because the binary does not align them.
var loadWeights = sync.OnceValues(func() (*weights, error) {
	r := &weightReader{data: weightFile}
	if got := r.take(len(magic)); got != magic {
		return nil, fmt.Errorf("minilm: built-in weights: unknown format (got %q, want %q)", got, magic)
	}
	w := &weights{
		wordScale: r.float16s(vocabularySize * hidden / wordGroup),
		word:      r.int8s(vocabularySize * hidden),
		position:  r.float16s(maxTokens * hidden),
		norm:      r.layerNorm(),
	}
	for i := range w.layers {
		w.layers[i] = layer{
			attention:       r.linear(hidden, 3*hidden),
			attentionOutput: r.linear(hidden, hidden),
			attentionNorm:   r.layerNorm(),
			intermediate:    r.linear(hidden, inner),
			output:          r.linear(inner, hidden),
			outputNorm:      r.layerNorm(),
		}
	}
	if r.short || r.data != "" {
		return nil, fmt.Errorf("minilm: built-in weights: wrong size (got %d bytes)", len(weightFile))
	}
	return w, nil
})

// weightReader reads arrays from the beginning of data. At the end it returns zeros and sets short.
type weightReader struct {
	data  string
	short bool
}

func (r *weightReader) take(n int) string {
	if n > len(r.data) {
		r.short, r.data = true, ""
		return string(make([]byte, n))
	}
	head := r.data[:n]
	r.data = r.data[n:]
	return head
}

// int8s returns the bytes without copying them. They are read-only: writing to them crashes.
func (r *weightReader) int8s(n int) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.StringData(r.take(n)))), n)
}

func (r *weightReader) float32s(n int) []float32 {
	data, values := []byte(r.take(4*n)), make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}

func (r *weightReader) float16s(n int) []float32 {
	data, values := []byte(r.take(2*n)), make([]float32, n)
	for i := range values {
		values[i] = fromFloat16(binary.LittleEndian.Uint16(data[2*i:]))
	}
	return values
}

func (r *weightReader) int16s(n int) []float32 {
	data, values := []byte(r.take(2*n)), make([]float32, n)
	for i := range values {
		values[i] = float32(int16(binary.LittleEndian.Uint16(data[2*i:])))
	}
	return values
}

func (r *weightReader) layerNorm() layerNorm {
	return layerNorm{gain: r.float32s(hidden), bias: r.float32s(hidden)}
}

func (r *weightReader) linear(inputs, outputs int) linear {
	l := linear{
		inputs: inputs, outputs: outputs,
		smooth: r.float32s(inputs),
		bias:   r.float32s(outputs),
		scale:  r.float16s(outputs * inputs / groupSize),
		offset: r.int16s(outputs * inputs / groupSize),
		weight: r.int8s(outputs * inputs),
	}
	for i, scale := range l.scale {
		l.offset[i] *= scale
	}
	return l
}

// fromFloat16 converts a finite IEEE 754 binary16 number. The exponent bias of float32 is 112
// higher.
func fromFloat16(h uint16) float32 {
	return math.Float32frombits(uint32(h>>15)<<31|uint32(h&0x7fff)<<13) * 0x1p112
}
