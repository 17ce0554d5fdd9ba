package minilm

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// kernels is one implementation of the arithmetic of the forward pass. Every implementation computes the same thing; the
// doc comments here are the definition, the portable implementation is the executable one, and the tests compare the
// others with it. Integer results are the same to the bit everywhere; float32 results differ in the last places, because
// implementations add in different orders. Within one implementation the result of a row never depends on the rows beside
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

	// quantize sets dst[i] to x[i] * smooth[i] / scale, rounded to the nearest integer (ties to even), and returns the
	// scale that makes the largest magnitude 32767. A row of zeros has scale 0. The length is a multiple of 16.
	quantize func(dst []int16, x, smooth []float32) (scale float32)

	// linear computes 48 of the outputs of l, from output first (a multiple of 48), for rows rows (a multiple of 4) of
	// quantised inputs a with ld l.inputs: out[r][first+j] = bias[j] + scales[r] * sum over groups g of
	// l.scale[j][g] * (exact int32 sum over the group of a[r][i] * l.weight[j][i]). The ld of out is l.outputs.
	linear func(out []float32, a []int16, scales []float32, l *linear, first, rows int)

	// gelu replaces each x by x * Phi(x), with an error below 6e-5 + 5e-6 |x|. The length is a multiple of 16.
	gelu func(x []float32)

	// transpose sets dst[d][r] = src[r][d] for d < headSize and r < rows, a multiple of 8.
	transpose func(dst []float32, ldDst int, src []float32, ldSrc, rows int)

	// multiply sets c = a b for a of rows x inner, rows a multiple of 4, and b of inner x columns, columns a multiple
	// of 32.
	multiply func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int)

	// softmax replaces x by exp(scale*x) divided by the sum of these. The length is a multiple of 16, scale positive.
	softmax func(x []float32, scale float32)

	// accumulate adds x to sum. The length is a multiple of 16.
	accumulate func(sum, x []float32)
}

// Environment is the environment variable that names the kernels to use where [Options].Kernels does not.
const Environment = "THROUGHLINE_CPU"

// ErrKernels means that the kernels asked for do not exist or do not run on this processor.
var ErrKernels = errors.New("minilm: kernels not available")

// Kernels returns the names of the kernels that run on this processor, fastest first. The last one is "portable".
func Kernels() []string {
	var names []string
	for _, k := range available() {
		names = append(names, k.name)
	}
	return names
}

// selectKernels returns the kernels of that name, of the name in the environment when it is empty, or the fastest.
func selectKernels(name string) (*kernels, error) {
	from := ""
	if name == "" {
		name, from = os.Getenv(Environment), " in "+Environment
	}
	list := available()
	if name == "" {
		return list[0], nil
	}
	for _, k := range list {
		if k.name == strings.ToLower(strings.TrimSpace(name)) {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: %q%s; this processor runs %s", ErrKernels, name, from, strings.Join(Kernels(), ", "))
}
