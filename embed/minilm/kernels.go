package minilm

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// kernels is an implementation of the arithmetic of the forward pass. The comments here define what
// every implementation computes; the tests compare all of them with the portable one. Integer
// results have the same bits everywhere. Float32 results differ in the last places, because
// implementations add in different orders. In every implementation the result of a row is
// independent of other rows, so the vector of a text is independent of its batch.
//
// Matrices are row-major. ld is the distance between the starts of two rows, in elements.
type kernels struct {
	name string

	// expand sets dst[i] = src[i] * scale. The length is a multiple of 16.
	expand func(dst []float32, src []int8, scale float32)

	// norm adds y to x, normalises x to mean 0 and variance 1, and scales and shifts it by gain and
	// bias. All have the length hidden.
	norm func(x, y, gain, bias []float32)

	// quantize writes row r of q. For each group of groupSize values v[i] = x[i] * smooth[i], low
	// is the smallest, scale is (largest - low) / 255, and a number is (v[i] - low) * (255 /
	// (largest - low)) rounded to the nearest integer (ties to even), or 0 when all values of the
	// group are equal. Every step is rounded to float32. The length is a multiple of groupSize.
	quantize func(q *quantized, r int, x, smooth []float32)

	// linear computes 48 outputs of l, from output first (a multiple of 48), for rows rows (a
	// multiple of 4) of q: out[r][first+j] = bias[j] + sum over groups g of scale[j][g] *
	// q.scale[r][g] * (exact int32 sum over the group of q[r][i] * weight[j][i]) + offset[j][g] *
	// q.low[r][g]. The ld of out is l.outputs.
	linear func(out []float32, q *quantized, l *linear, first, rows int)

	// gelu replaces each x by x * Phi(x), with an error below 6e-5 + 5e-6 |x|. The length is a
	// multiple of 16.
	gelu func(x []float32)

	// transpose sets dst[d][r] = src[r][d] for d < headSize and r < rows, a multiple of 8.
	transpose func(dst []float32, ldDst int, src []float32, ldSrc, rows int)

	// multiply sets c = a b for a of rows x inner and b of inner x columns. rows is a multiple of
	// 4, columns of 32.
	multiply func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int)

	// softmax replaces x by exp(scale*x) over its sum. The length is a multiple of 16, scale is
	// positive.
	softmax func(x []float32, scale float32)

	// pool sets out to the sum of rows (at least one) contiguous rows of x, scaled to length 1, or
	// to NaN when the sum is zero. The length of out is a multiple of 64.
	pool func(out, x []float32, rows int)
}

// quantized is the input of a product with weights: bytes with a scale and a lowest value (low) for
// every group of a row.
type quantized struct {
	bytes []uint8 // [rows][inputs]
	words []int16 // the same for kernels that multiply 16-bit words, each four in the order 0, 2, 1, 3
	// ranges has scale and low of every group, in the order that products need:
	// [rows/4][inputs/groupSize][4][2].
	ranges []float32
	panel  []int16 // working memory of products
}

// rangeAt returns the index in ranges of a group of a row, for rows with that many inputs.
func rangeAt(inputs, row, group int) int {
	return ((row/4*(inputs/groupSize)+group)*4 + row%4) * 2
}

// newQuantized has room for rows rows, a multiple of 4, of inputs numbers.
func newQuantized(rows, inputs int) *quantized {
	return &quantized{
		bytes:  make([]uint8, rows*inputs),
		words:  make([]int16, rows*inputs),
		ranges: make([]float32, rows*inputs/groupSize*2),
		panel:  make([]int16, panelWidth*panelInputs),
	}
}

// tiniest is the smallest difference between the values of a group that is not treated as zero. The
// inverse of a smaller one would overflow.
const tiniest = 1e-30

// ErrKernels means that the requested kernels do not exist or do not run on this processor.
var ErrKernels = errors.New("kernels not available")

// Kernels returns the names of the kernels that run on this processor, fastest first. The last one
// is "portable".
func Kernels() []string {
	var names []string
	for _, k := range available() {
		names = append(names, k.name)
	}
	return names
}

// EnvironmentError returns an ErrKernels when THROUGHLINE_CPU does not name kernels of this
// processor. [New] fails with it unless its options name the kernels.
func EnvironmentError() error {
	_, err := selectKernels("")
	return err
}

// selectKernels returns the kernels with a name; "" is the value of THROUGHLINE_CPU, or else the
// fastest.
func selectKernels(name string) (*kernels, error) {
	source := "minilm: Options.Kernels"
	if name == "" {
		name, source = os.Getenv("THROUGHLINE_CPU"), "THROUGHLINE_CPU"
	}
	wanted := strings.ToLower(strings.TrimSpace(name))
	for _, k := range available() {
		if wanted == "" || k.name == wanted {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s: %w (got %q, want one of %s)", source, ErrKernels, name, strings.Join(Kernels(), ", "))
}
