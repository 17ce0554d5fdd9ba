package vector

// dotFloat32Portable follows the order that Dot documents. It computes the 32 partial sums in four
// passes of eight, because the compiler keeps eight in registers. The conversions float32(x*y)
// prevent the compiler from fusing the product with the sum, as it would on arm64.
func dotFloat32Portable(a, b []float32) float32 {
	var sum [lanes]float32
	whole := len(a) &^ (lanes - 1)
	for l := 0; l < lanes; l += 8 {
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for i := l; i < whole; i += lanes {
			x, y := a[i:i+8:i+8], b[i:i+8:i+8]
			s0 += float32(x[0] * y[0])
			s1 += float32(x[1] * y[1])
			s2 += float32(x[2] * y[2])
			s3 += float32(x[3] * y[3])
			s4 += float32(x[4] * y[4])
			s5 += float32(x[5] * y[5])
			s6 += float32(x[6] * y[6])
			s7 += float32(x[7] * y[7])
		}
		sum[l], sum[l+1], sum[l+2], sum[l+3] = s0, s1, s2, s3
		sum[l+4], sum[l+5], sum[l+6], sum[l+7] = s4, s5, s6, s7
	}
	for i := whole; i < len(a); i++ {
		sum[i-whole] += float32(a[i] * b[i])
	}
	for half := lanes / 2; half > 0; half /= 2 {
		for l := range half {
			sum[l] += sum[l+half]
		}
	}
	return sum[0]
}

func dotsFloat32Portable(q, rows, out []float32) {
	for i := range out {
		out[i] = dotFloat32Portable(q, rows[i*len(q):(i+1)*len(q)])
	}
}

func dotsManyFloat32Portable(qs, rows []float32, dim int, out []float32) {
	nr := len(rows) / dim
	for i := range len(qs) / dim {
		dotsFloat32Portable(qs[i*dim:(i+1)*dim], rows, out[i*nr:(i+1)*nr])
	}
}

func dotInt8Portable(a, b []int8) int32 {
	var s0, s1, s2, s3 int32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += int32(x[0]) * int32(y[0])
		s1 += int32(x[1]) * int32(y[1])
		s2 += int32(x[2]) * int32(y[2])
		s3 += int32(x[3]) * int32(y[3])
	}
	for ; i < len(a); i++ {
		s0 += int32(a[i]) * int32(b[i])
	}
	return s0 + s1 + s2 + s3
}

func dotsInt8Portable(q, rows []int8, out []int32) {
	for i := range out {
		out[i] = dotInt8Portable(q, rows[i*len(q):(i+1)*len(q)])
	}
}
