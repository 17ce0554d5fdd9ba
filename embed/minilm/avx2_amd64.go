package minilm

// The kernels for AVX2 and FMA (2013 and later). The assembly takes pointers; the functions here
// check lengths by slicing.

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
	quantize: func(q *quantized, r int, x, smooth []float32) {
		n := len(x)
		at, end := rangeAt(n, r, 0), rangeAt(n, r, n/groupSize-1)+2
		quantizeAVX2(&q.words[r*n:][:n][0], &q.ranges[at:end][0], &x[0], &smooth[:n][0], n/groupSize)
	},
	linear: func(out []float32, q *quantized, l *linear, first, rows int) {
		k := l.inputs
		a, ranges := q.words[:rows*k], q.ranges[:rows*k/groupSize*2]
		for j := first; j < first+48; j += panelWidth {
			out, bias := out[j:][:(rows-1)*l.outputs+panelWidth], &l.bias[j:][:panelWidth][0]
			weight, scale, offset := l.weight[j*k:][:panelWidth*k], l.scale[j*k/groupSize:], l.offset[j*k/groupSize:]
			for i := 0; i < k; i += panelInputs {
				n := min(panelInputs, k-i)
				groups, at := n/groupSize, i/groupSize*panelWidth
				widenAVX2(&q.panel[:panelWidth*n][0], &weight[i*panelWidth:][:n*panelWidth][0], n)
				productAVX2(&out[0], l.outputs, &a[i], k, &ranges[rangeAt(k, 0, i/groupSize)], &q.panel[0],
					&scale[at:][:groups*panelWidth][0], &offset[at:][:groups*panelWidth][0], bias, groups, rows,
					l.after(j*k+(i+n)*panelWidth), share(panelWidth*panelInputs/cacheLine, rows/4))
				bias = nil
			}
		}
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
	softmax: func(x []float32, scale float32) { softmaxAVX2(&x[0], len(x), scale, &expCoefficients[0]) },
	pool: func(out, x []float32, rows int) {
		n := len(out)
		poolAVX2(&out[0], n, &x[:rows*n][0], rows)
	},
}

// Products prefetch the weights of the next product, because the processor does not look ahead far
// enough for memory that is not in the second-level cache. That saves 5 % of the time.

// cacheLine is the number of bytes that one instruction fetches.
const cacheLine = 64

// after returns a pointer to the weights from at on, or to the first ones when there are none.
func (l *linear) after(at int) *int8 {
	if at >= len(l.weight) {
		at = 0
	}
	return &l.weight[at]
}

// share divides lines among steps, rounded up. Prefetching too much is harmless.
func share(lines, steps int) int { return (lines + steps - 1) / steps }

//go:noescape
func expandAVX2(dst *float32, src *int8, n int, scale float32)

//go:noescape
func normAVX2(x, y, gain, bias *float32, n int)

//go:noescape
func quantizeAVX2(words *int16, ranges, x, smooth *float32, groups int)

//go:noescape
func widenAVX2(panel *int16, weight *int8, inputs int)

//go:noescape
func productAVX2(out *float32, ldOut int, a *int16, k int, ranges *float32, panel *int16, scale, offset, bias *float32, groups, rows int, next *int8, lines int)

//go:noescape
func geluAVX2(x *float32, n int, coefficients *float32)

//go:noescape
func transposeAVX2(dst *float32, ldDst int, src *float32, ldSrc, rows int)

//go:noescape
func multiplyAVX2(c *float32, ldC int, a *float32, ldA int, b *float32, ldB int, rows, inner, columns int)

//go:noescape
func softmaxAVX2(x *float32, n int, scale float32, coefficients *float32)

//go:noescape
func poolAVX2(out *float32, n int, x *float32, rows int)
