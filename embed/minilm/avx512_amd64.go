package minilm

// The kernels for AVX-512 with VNNI (Intel's servers since 2019, AMD since 2022). Transposing takes
// too little time for a kernel of its own.

var avx512 = &kernels{
	name: "avx512",
	expand: func(dst []float32, src []int8, scale float32) {
		n := len(src)
		expandAVX512(&dst[:n][0], &src[0], n, scale)
	},
	norm: func(x, y, gain, bias []float32) {
		n := len(x)
		normAVX512(&x[0], &y[:n][0], &gain[:n][0], &bias[:n][0], n)
	},
	quantize: func(q *quantized, r int, x, smooth []float32) {
		n := len(x)
		at, end := rangeAt(n, r, 0), rangeAt(n, r, n/groupSize-1)+2
		quantizeAVX512(&q.bytes[r*n:][:n][0], &q.ranges[at:end][0], &x[0], &smooth[:n][0], n/groupSize)
	},
	linear: func(out []float32, q *quantized, l *linear, first, rows int) {
		k := l.inputs
		out, a, ranges := out[first:][:(rows-1)*l.outputs+48], q.bytes[:rows*k], q.ranges[:rows*k/groupSize*2]
		weight, bias := l.weight[first*k:][:48*k], l.bias[first:][:48]
		scale, offset := l.scale[first*k/groupSize:][:48*k/groupSize], l.offset[first*k/groupSize:][:48*k/groupSize]
		linearAVX512(&out[0], l.outputs, &a[0], k, &ranges[0], &weight[0], &scale[0], &offset[0], &bias[0], rows,
			l.after((first+48)*k), share(48, rows/4))
	},
	gelu:      func(x []float32) { geluAVX512(&x[0], len(x), &geluCoefficients[0]) },
	transpose: avx2.transpose,
	multiply: func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int) {
		c, a, b = c[:(rows-1)*ldC+columns], a[:(rows-1)*ldA+inner], b[:(inner-1)*ldB+columns]
		multiplyAVX512(&c[0], ldC, &a[0], ldA, &b[0], ldB, rows, inner, columns)
	},
	softmax: func(x []float32, scale float32) { softmaxAVX512(&x[0], len(x), scale, &expCoefficients[0]) },
	pool: func(out, x []float32, rows int) {
		n := len(out)
		poolAVX512(&out[0], n, &x[:rows*n][0], rows)
	},
}

//go:noescape
func expandAVX512(dst *float32, src *int8, n int, scale float32)

//go:noescape
func normAVX512(x, y, gain, bias *float32, n int)

//go:noescape
func quantizeAVX512(bytes *uint8, ranges, x, smooth *float32, groups int)

//go:noescape
func linearAVX512(out *float32, ldOut int, a *uint8, k int, ranges *float32, weight *int8, scale, offset, bias *float32, rows int, next *int8, lines int)

//go:noescape
func geluAVX512(x *float32, n int, coefficients *float32)

//go:noescape
func multiplyAVX512(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner, columns int)

//go:noescape
func softmaxAVX512(x *float32, n int, scale float32, coefficients *float32)

//go:noescape
func poolAVX512(out *float32, n int, x *float32, rows int)
