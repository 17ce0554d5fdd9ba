package minilm

// The kernels for NEON with dot products (Apple's processors, and servers since about 2019). What takes little time beside the
// products is portable.

var neon = &kernels{
	name:     "neon",
	expand:   expandPortable,
	norm:     normPortable,
	quantize: quantizePortable,
	linear: func(out []float32, q *quantized, l *linear, first, rows int) {
		k := l.inputs
		a, ranges := q.bytes[:rows*k], q.ranges[:rows*k/groupSize*2]
		for j := first; j < first+48; j += panelWidth {
			out, bias := out[j:][:(rows-1)*l.outputs+panelWidth], l.bias[j:][:panelWidth]
			weight := l.weight[j*k:][:panelWidth*k]
			scale, offset := l.scale[j*k/groupSize:][:panelWidth*k/groupSize], l.offset[j*k/groupSize:][:panelWidth*k/groupSize]
			linearNEON(&out[0], l.outputs, &a[0], k, &ranges[0], &weight[0], &scale[0], &offset[0], &bias[0], rows)
		}
	},
	gelu:      func(x []float32) { geluNEON(&x[0], len(x), &geluVectors[0]) },
	transpose: transposePortable,
	multiply: func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int) {
		c, a, b = c[:(rows-1)*ldC+columns], a[:(rows-1)*ldA+inner], b[:(inner-1)*ldB+columns]
		multiplyNEON(&c[0], ldC, &a[0], ldA, &b[0], ldB, rows, inner, columns)
	},
	softmax: softmaxPortable,
	pool:    poolPortable,
}

// geluVectors are the coefficients, the end of the polynomial and one half, each four times.
var geluVectors = func() (all [4 * (len(geluCoefficients) + 2)]float32) {
	for i := range all {
		switch at := i / 4; {
		case at < len(geluCoefficients):
			all[i] = geluCoefficients[at]
		case at == len(geluCoefficients):
			all[i] = geluEnd
		default:
			all[i] = 0.5
		}
	}
	return all
}()

//go:noescape
func linearNEON(out *float32, ldOut int, a *uint8, k int, ranges *float32, weight *int8, scale, offset, bias *float32, rows int)

//go:noescape
func geluNEON(x *float32, n int, coefficients *float32)

//go:noescape
func multiplyNEON(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner, columns int)
