package minilm

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// kernels is one implementation of the arithmetic of the forward pass. Every implementation computes the same thing; the
// doc comments here are the definition, the portable implementation is the executable one, and the tests compare the
// others with it. Integer results are the same to the bit everywhere for the same input; float32 results differ in the last
// places, because implementations add in different orders. Within one implementation the result of a row never depends on the rows beside
// it, which is what makes the vector of a text independent of its batch.
//
// Matrices are row-major. ld is the distance between the starts of two rows, in elements.
type kernels struct {
	name string

	// expand sets dst[i] = src[i] * scale. The length is a multiple of 16.
	expand func(dst []float32, src []int8, scale float32)

	// norm adds y to x and normalises x to mean 0 and variance 1 over the row, then scales and shifts it by gain and bias.
	// All have the length hidden.
	norm func(x, y, gain, bias []float32)

	// quantize writes row r of q: for each group of groupSize of the values v[i] = x[i] * smooth[i], low is the smallest of
	// them, scale is (largest - low) / 255, and a number is (v[i] - low) * (255 / (largest - low)) rounded to the nearest
	// integer (ties to even), or 0 when the group is of one value. Every step is rounded to float32. The length is a
	// multiple of groupSize.
	quantize func(q *quantized, r int, x, smooth []float32)

	// linear computes 48 of the outputs of l, from output first (a multiple of 48), for rows rows (a multiple of 4) of q:
	// out[r][first+j] = bias[j] + sum over groups g of scale[j][g] * q.scale[r][g] * (exact int32 sum over the group of
	// q[r][i] * weight[j][i]) + offset[j][g] * q.low[r][g]. The ld of out is l.outputs.
	linear func(out []float32, q *quantized, l *linear, first, rows int)

	// gelu replaces each x by x * Phi(x), with an error below 6e-5 + 5e-6 |x|. The length is a multiple of 16.
	gelu func(x []float32)

	// transpose sets dst[d][r] = src[r][d] for d < headSize and r < rows, a multiple of 8.
	transpose func(dst []float32, ldDst int, src []float32, ldSrc, rows int)

	// multiply sets c = a b for a of rows x inner, rows a multiple of 4, and b of inner x columns, columns a multiple
	// of 32.
	multiply func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int)

	// softmax replaces x by exp(scale*x) divided by the sum of these. The length is a multiple of 16, scale positive.
	softmax func(x []float32, scale float32)

	// pool sets out to the sum of rows rows of x, at least one, which follow each other without gaps, scaled to length 1, or to no
	// numbers (NaN) when the sum is zero. The length of out is a multiple of 64.
	pool func(out, x []float32, rows int)
}

// quantized is the input of a product with weights, in bytes with a scale and a lowest value for every group of a row.
type quantized struct {
	bytes []uint8 // [rows][inputs]
	words []int16 // the same for kernels that multiply words, which use it instead; each four in the order 0, 2, 1, 3
	// ranges are scale and low of every group, four rows together as products take them: [rows/4][inputs/groupSize][4][2].
	ranges []float32
	panel  []int16 // working memory of products
}

// rangeAt returns where scale and low of a group of a row are, of a row with that many inputs.
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

// tiniest is the smallest difference between the values of a group that counts as one: the inverse of less would overflow.
const tiniest = 1e-30

// ErrKernels means that the requested kernels do not exist or do not run on this processor.
var ErrKernels = errors.New("kernels not available")

// Kernels returns the names of the kernels that run on this processor, fastest first. The last one is "portable".
func Kernels() []string {
	var names []string
	for _, k := range available() {
		names = append(names, k.name)
	}
	return names
}

// EnvironmentError returns an ErrKernels when THROUGHLINE_CPU does not name kernels of this processor.
// [New] fails with it unless its options name the kernels.
func EnvironmentError() error {
	_, err := selectKernels("")
	return err
}

// selectKernels returns the kernels with a name; "" is the value of THROUGHLINE_CPU, or else the fastest.
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
