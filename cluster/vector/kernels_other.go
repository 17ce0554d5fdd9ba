//go:build !amd64

package vector

func supported() level { return portable }

func dotFloat32(a, b []float32) float32    { return dotFloat32Portable(a, b) }
func dotsFloat32(q, rows, out []float32)   { dotsFloat32Portable(q, rows, out) }
func dotInt8(a, b []int8) int32            { return dotInt8Portable(a, b) }
func dotsInt8(q, rows []int8, out []int32) { dotsInt8Portable(q, rows, out) }

func dotsManyFloat32(qs, rows []float32, dim int, out []float32) {
	dotsManyFloat32Portable(qs, rows, dim, out)
}

func dotsManyInt8(qs, rows []int8, dim int, out []int32) {
	nr := len(rows) / dim
	for i := range len(qs) / dim {
		dotsInt8Portable(qs[i*dim:(i+1)*dim], rows, out[i*nr:(i+1)*nr])
	}
}

func above(scores []int32, bar int32, out []int32) int { return abovePortable(scores, bar, out) }

func toBytes(v []float32, scale float32, out []int8) { toBytesPortable(v, scale, out) }

func largest(v []float32) float32 { return largestPortable(v) }

func quantize(v []float32, inverse float64, out []int8) { quantizePortable(v, inverse, out) }
