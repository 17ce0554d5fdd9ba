package minilm

// The kernels for AVX2 and FMA (2013 and later). The assembly takes pointers; the functions here make sure that what it
// reads and writes is there.

var avx2 = &kernels{
	name: "avx2",
	expand: func(dst []float32, src []int8, scale float32) {
		n := len(src)
		expandAVX2(&dst[:n][0], &src[0], n, scale)
	},
	norm: func(x, y, gain, bias []float32) {
		n := len(x)
		normAVX2(&x[0], &y[:n][0], &gain[:n][0], &bias[:n][0], n)
	},
	quantize: func(dst []int16, x, smooth []float32) float32 {
		n := len(x)
		return quantizeAVX2(&dst[:n][0], &x[0], &smooth[:n][0], n)
	},
	linear: func(out []float32, a []int16, scales []float32, l *linear, first, rows int) {
		k := l.inputs
		out, a, scales = out[first:][:(rows-1)*l.outputs+48], a[:rows*k], scales[:rows]
		weight, scale, bias := l.weight[first*k:][:48*k], l.scale[first*k/groupSize:][:48*k/groupSize], l.bias[first:][:48]
		linearAVX2(&out[0], l.outputs, &a[0], k, &scales[0], &weight[0], &scale[0], &bias[0], rows)
	},
	gelu: func(x []float32) { geluAVX2(&x[0], len(x), &geluCoefficients[0]) },
	transpose: func(dst []float32, ldDst int, src []float32, ldSrc, rows int) {
		dst, src = dst[:(headSize-1)*ldDst+rows], src[:(rows-1)*ldSrc+headSize]
		transposeAVX2(&dst[0], ldDst, &src[0], ldSrc, rows)
	},
	multiply: func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int) {
		c, a, b = c[:(rows-1)*ldC+columns], a[:(rows-1)*ldA+inner], b[:(inner-1)*ldB+columns]
		multiplyAVX2(&c[0], ldC, &a[0], ldA, &b[0], ldB, rows, inner, columns)
	},
	softmax:    func(x []float32, scale float32) { softmaxAVX2(&x[0], len(x), scale, &expCoefficients[0]) },
	accumulate: func(sum, x []float32) { accumulateAVX2(&sum[:len(x)][0], &x[0], len(x)) },
}

//go:noescape
func expandAVX2(dst *float32, src *int8, n int, scale float32)

//go:noescape
func normAVX2(x, y, gain, bias *float32, n int)

//go:noescape
func quantizeAVX2(dst *int16, x, smooth *float32, n int) float32

//go:noescape
func linearAVX2(out *float32, ldOut int, a *int16, k int, scales *float32, weight *int8, scale, bias *float32, rows int)

//go:noescape
func geluAVX2(x *float32, n int, coefficients *float32)

//go:noescape
func transposeAVX2(dst *float32, ldDst int, src *float32, ldSrc, rows int)

//go:noescape
func multiplyAVX2(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner, columns int)

//go:noescape
func softmaxAVX2(x *float32, n int, scale float32, coefficients *float32)

//go:noescape
func accumulateAVX2(sum, x *float32, n int)
