package minilm

import "math"

// The kernels for NEON with dot products (Apple's processors, servers since about 2019). Operations
// of one token or one head are portable.

var neon = &kernels{
	name:   "neon",
	expand: expandPortable,
	norm: func(x, y, gain, bias []float32) {
		n := len(x)
		normNEON(&x[0], &y[:n][0], &gain[:n][0], &bias[:n][0], n, epsilon)
	},
	quantize: func(q *quantized, r int, x, smooth []float32) {
		n := len(x)
		at, end := rangeAt(n, r, 0), rangeAt(n, r, n/groupSize-1)+2
		quantizeNEON(&q.bytes[r*n:][:n][0], &q.ranges[at:end][0], &x[0], &smooth[:n][0], n/groupSize, &quantizeLimits[0])
	},
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
	softmax: func(x []float32, scale float32) { softmaxNEON(&x[0], len(x), scale*math.Log2E, &expVectors[0]) },
	pool:    poolPortable,
}

// Constants, four times each, because Go's assembler has no instruction to fill a vector from
// memory.
var (
	geluVectors    = fourTimes(append(geluCoefficients[:], geluEnd, 0.5)...)
	expVectors     = fourTimes(append(expCoefficients[:], smallestExponent)...)
	quantizeLimits = append([]float32{255, tiniest, 0, 0}, fourTimes(math.MaxFloat32, -math.MaxFloat32)...)
)

func fourTimes(numbers ...float32) (all []float32) {
	for _, v := range numbers {
		all = append(all, v, v, v, v)
	}
	return all
}

//go:noescape
func linearNEON(out *float32, ldOut int, a *uint8, k int, ranges *float32, weight *int8, scale, offset, bias *float32, rows int)

//go:noescape
func normNEON(x, y, gain, bias *float32, n int, epsilon float32)

//go:noescape
func quantizeNEON(bytes *uint8, ranges, x, smooth *float32, groups int, limits *float32)

//go:noescape
func softmaxNEON(x *float32, n int, scale float32, coefficients *float32)

//go:noescape
func geluNEON(x *float32, n int, coefficients *float32)

//go:noescape
func multiplyNEON(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner, columns int)
