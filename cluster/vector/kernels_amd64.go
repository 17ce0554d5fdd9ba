package vector

import "golang.org/x/sys/cpu"

func supported() level {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasBMI1 || !x.HasBMI2 {
		return portable
	}
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512VL || !x.HasAVX512DQ || !x.HasAVX512VNNI {
		return avx2
	}
	return avx512
}

// The kernels below read whole rows of dim values and write only their outputs. Lengths are
// positive. stride is the distance in elements between the outputs of two queries.

// floatRows512 multiplies one query with n rows.
//
//go:noescape
func floatRows512(q, rows *float32, dim, n int, out *float32)

// floatTile512 multiplies four queries with n rows, n even.
//
//go:noescape
func floatTile512(q, rows *float32, dim, n int, out *float32, stride int)

//go:noescape
func floatRows256(q, rows *float32, dim, n int, out *float32)

// floatTile256 multiplies two queries with n rows.
//
//go:noescape
func floatTile256(q, rows *float32, dim, n int, out *float32, stride int)

//go:noescape
func byteRows512(q, rows *int8, dim, n int, out *int32)

// byteTile512 multiplies four queries with n rows, n a multiple of 4.
//
//go:noescape
func byteTile512(q, rows *int8, dim, n int, out *int32, stride int)

// byteRows256 and byteTile256 read only the first whole elements of rows of dim elements. whole is
// a multiple of 16 and more than zero.
//
//go:noescape
func byteRows256(q, rows *int8, dim, whole, n int, out *int32)

// byteTile256 multiplies four queries with n rows, n even.
//
//go:noescape
func byteTile256(q, rows *int8, dim, whole, n int, out *int32, stride int)

// above256 writes the positions of scores above bar and returns their number. n is a multiple of 8.
//
//go:noescape
func above256(scores *int32, n int, bar int32, out *int32) int

// bytes256 takes n values, n a multiple of 8 and more than zero.
//
//go:noescape
func bytes256(v *float32, n int, scale float32, out *int8)

// largest256 and quantize256 take n values, n a multiple of 8 (of 16 for 512 bits) and more than
// zero.
//
//go:noescape
func largest256(v *float32, n int) float32

//go:noescape
func quantize256(v *float32, n int, inverse float64, out *int8)

//go:noescape
func largest512(v *float32, n int) float32

//go:noescape
func quantize512(v *float32, n int, inverse float64, out *int8)

func dotFloat32(a, b []float32) float32 {
	var out float32
	switch current {
	case avx512:
		floatRows512(&a[0], &b[0], len(a), 1, &out)
	case avx2:
		floatRows256(&a[0], &b[0], len(a), 1, &out)
	default:
		out = dotFloat32Portable(a, b)
	}
	return out
}

func dotsFloat32(q, rows, out []float32) {
	if len(out) == 0 {
		return
	}
	switch current {
	case avx512:
		floatRows512(&q[0], &rows[0], len(q), len(out), &out[0])
	case avx2:
		floatRows256(&q[0], &rows[0], len(q), len(out), &out[0])
	default:
		dotsFloat32Portable(q, rows, out)
	}
}

func dotsManyFloat32(qs, rows []float32, dim int, out []float32) {
	if current == portable {
		dotsManyFloat32Portable(qs, rows, dim, out)
		return
	}
	nq, nr := len(qs)/dim, len(rows)/dim
	i := 0
	if current == avx512 {
		for ; i+4 <= nq && nr >= 2; i += 4 {
			floatTile512(&qs[i*dim], &rows[0], dim, nr&^1, &out[i*nr], nr)
			if nr&1 != 0 {
				for k := i; k < i+4; k++ {
					out[k*nr+nr-1] = dotFloat32(qs[k*dim:(k+1)*dim], rows[(nr-1)*dim:])
				}
			}
		}
	} else {
		for ; i+2 <= nq; i += 2 {
			floatTile256(&qs[i*dim], &rows[0], dim, nr, &out[i*nr], nr)
		}
	}
	for ; i < nq; i++ {
		dotsFloat32(qs[i*dim:(i+1)*dim], rows, out[i*nr:(i+1)*nr])
	}
}

func dotInt8(a, b []int8) int32 {
	var out int32
	switch {
	case current == avx512:
		byteRows512(&a[0], &b[0], len(a), 1, &out)
	case current == avx2 && len(a) >= 16:
		whole := len(a) &^ 15
		byteRows256(&a[0], &b[0], len(a), whole, 1, &out)
		out += dotInt8Portable(a[whole:], b[whole:])
	default:
		out = dotInt8Portable(a, b)
	}
	return out
}

func dotsInt8(q, rows []int8, out []int32) {
	if len(out) == 0 {
		return
	}
	dim := len(q)
	switch {
	case current == avx512:
		byteRows512(&q[0], &rows[0], dim, len(out), &out[0])
	case current == avx2 && dim >= 16:
		whole := dim &^ 15
		byteRows256(&q[0], &rows[0], dim, whole, len(out), &out[0])
		if whole < dim {
			addTails(q, rows, dim, whole, out)
		}
	default:
		dotsInt8Portable(q, rows, out)
	}
}

func dotsManyInt8(qs, rows []int8, dim int, out []int32) {
	nq, nr := len(qs)/dim, len(rows)/dim
	i := 0
	switch {
	case current == avx512 && nr >= 4 && nq >= 4:
		for i < nq {
			// The last tiles overlap the ones before. That is faster than single products.
			at := min(i, nq-4)
			byteTile512(&qs[at*dim], &rows[0], dim, nr&^3, &out[at*nr], nr)
			if nr&3 != 0 {
				byteTile512(&qs[at*dim], &rows[(nr-4)*dim], dim, 4, &out[at*nr+nr-4], nr)
			}
			i += 4
		}
	case current == avx2 && dim >= 16:
		whole := dim &^ 15
		for ; i+4 <= nq && nr >= 2; i += 4 {
			tiled := nr &^ 1
			byteTile256(&qs[i*dim], &rows[0], dim, whole, tiled, &out[i*nr], nr)
			for k := i; k < i+4; k++ {
				if whole < dim {
					addTails(qs[k*dim:(k+1)*dim], rows, dim, whole, out[k*nr:k*nr+tiled])
				}
				if tiled < nr {
					out[k*nr+tiled] = dotInt8(qs[k*dim:(k+1)*dim], rows[tiled*dim:])
				}
			}
		}
	}
	for ; i < nq; i++ {
		dotsInt8(qs[i*dim:(i+1)*dim], rows, out[i*nr:(i+1)*nr])
	}
}

// addTails adds the products of the elements from whole on, which the AVX2 kernels leave out: 0 to
// 15 for each row.
func addTails(q, rows []int8, dim, whole int, out []int32) {
	for j := range out {
		out[j] += dotInt8Portable(q[whole:], rows[j*dim+whole:(j+1)*dim])
	}
}

func above(scores []int32, bar int32, out []int32) int {
	if current == portable {
		return abovePortable(scores, bar, out)
	}
	whole := len(scores) &^ 7
	count := 0
	if whole > 0 {
		count = above256(&scores[0], whole, bar, &out[0])
	}
	for i := whole; i < len(scores); i++ {
		if scores[i] > bar {
			out[count] = int32(i)
			count++
		}
	}
	return count
}

func toBytes(v []float32, scale float32, out []int8) {
	whole := 0
	if current != portable && len(v) >= 8 {
		whole = len(v) &^ 7
		bytes256(&v[0], whole, scale, &out[0])
	}
	toBytesPortable(v[whole:], scale, out[whole:])
}

func largest(v []float32) float32 {
	switch {
	case current == avx512 && len(v) >= 16:
		whole := len(v) &^ 15
		return max(largest512(&v[0], whole), largestPortable(v[whole:]))
	case current == avx2 && len(v) >= 8:
		whole := len(v) &^ 7
		return max(largest256(&v[0], whole), largestPortable(v[whole:]))
	}
	return largestPortable(v)
}

func quantize(v []float32, inverse float64, out []int8) {
	whole := 0
	switch {
	case current == avx512 && len(v) >= 16:
		whole = len(v) &^ 15
		quantize512(&v[0], whole, inverse, &out[0])
	case current == avx2 && len(v) >= 8:
		whole = len(v) &^ 7
		quantize256(&v[0], whole, inverse, &out[0])
	}
	quantizePortable(v[whole:], inverse, out[whole:])
}
