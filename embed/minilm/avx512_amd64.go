package minilm

// The kernels for AVX-512 with VNNI (server processors since 2019, AMD's since 2022). What is not worth a wider version is
// AVX2's.

var avx512 = &kernels{
	name:     "avx512",
	expand:   avx2.expand,
	norm:     avx2.norm,
	quantize: avx2.quantize,
	linear: func(out []float32, a []int16, scales []float32, l *linear, first, rows int) {
		k := l.inputs
		out, a, scales = out[first:][:(rows-1)*l.outputs+48], a[:rows*k], scales[:rows]
		weight, scale, bias := l.weight[first*k:][:48*k], l.scale[first*k/groupSize:][:48*k/groupSize], l.bias[first:][:48]
		linearAVX512(&out[0], l.outputs, &a[0], k, &scales[0], &weight[0], &scale[0], &bias[0], rows)
	},
	gelu:       avx2.gelu,
	transpose:  avx2.transpose,
	multiply:   avx2.multiply,
	softmax:    avx2.softmax,
	accumulate: avx2.accumulate,
}

//go:noescape
func linearAVX512(out *float32, ldOut int, a *int16, k int, scales *float32, weight *int8, scale, bias *float32, rows int)
