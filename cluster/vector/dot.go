package vector

// lanes is the number of partial sums of a float32 dot product; see [Dot].
const lanes = 32

// Dot returns the dot product of a and b, which must be equally long.
//
// Its rounding is fixed: the product of element i is rounded to float32 and added to partial sum i
// mod 32, in order of i. The 32 partial sums are then added by halves: l and l+16, then l and l+8,
// down to one. Multiplication and addition are never fused. Two AVX-512 or four AVX2 registers hold
// 32 sums. Dot(a, b) and Dot(b, a) have the same bits.
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic("vector: Dot of vectors of different lengths")
	}
	if len(a) == 0 {
		return 0
	}
	return dotFloat32(a, b)
}

// Dots sets out[i] to Dot(q, row i). rows has len(out) rows of len(q) values, one after the other.
func Dots(q, rows, out []float32) {
	if len(rows) != len(q)*len(out) {
		panic("vector: Dots: rows are not len(out) rows of len(q)")
	}
	if len(q) == 0 {
		clear(out)
		return
	}
	dotsFloat32(q, rows, out)
}

// DotsMany sets out[i*nrows+j] to Dot(query i, row j), for len(qs)/dim queries and nrows =
// len(rows)/dim rows.
func DotsMany(qs, rows []float32, dim int, out []float32) {
	nq, nr := shape(len(qs), len(rows), dim, len(out))
	if nq == 0 || nr == 0 {
		return
	}
	dotsManyFloat32(qs, rows, dim, out)
}

// DotInt8 returns the dot product of a and b, which must be equally long. It is exact up to 133,144
// elements and modulo 2^32 beyond.
func DotInt8(a, b []int8) int32 {
	if len(a) != len(b) {
		panic("vector: DotInt8 of vectors of different lengths")
	}
	if len(a) == 0 {
		return 0
	}
	return dotInt8(a, b)
}

// DotsInt8 sets out[i] to DotInt8(q, row i). rows has len(out) rows of len(q) values, one after the
// other.
func DotsInt8(q, rows []int8, out []int32) {
	if len(rows) != len(q)*len(out) {
		panic("vector: DotsInt8: rows are not len(out) rows of len(q)")
	}
	if len(q) == 0 {
		clear(out)
		return
	}
	dotsInt8(q, rows, out)
}

// DotsManyInt8 sets out[i*nrows+j] to DotInt8(query i, row j), for len(qs)/dim queries and nrows =
// len(rows)/dim rows. It works on tiles, so that a loaded row serves several queries. It is fastest
// when the queries fit the first-level cache, a few dozen at a time.
func DotsManyInt8(qs, rows []int8, dim int, out []int32) {
	nq, nr := shape(len(qs), len(rows), dim, len(out))
	if nq == 0 || nr == 0 {
		return
	}
	dotsManyInt8(qs, rows, dim, out)
}

// shape returns the numbers of queries and rows of a many-to-many product. It panics when the
// lengths do not fit.
func shape(qs, rows, dim, out int) (nq, nr int) {
	if dim <= 0 || qs%dim != 0 || rows%dim != 0 || out != (qs/dim)*(rows/dim) {
		panic("vector: many-to-many product: lengths do not fit the dimension")
	}
	return qs / dim, rows / dim
}
