package vector

import "math"

// Normalize scales v to unit length in place. It reports false and does not change v when v is
// empty or zero or has a NaN or an infinity. The length is computed in float64, so that it does not
// overflow.
func Normalize(v []float32) bool {
	var square float64
	for _, x := range v {
		square += float64(float64(x) * float64(x))
	}
	if !(square > 0) || math.IsInf(square, 1) {
		return false
	}
	scale := 1 / math.Sqrt(square)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return true
}

// Quantize rounds v to eight bits: v[i] is about scale*out[i] with out[i] in -127 to 127, rounded
// to nearest, halves away from zero. The scale is the largest absolute value over 127, so nothing
// is clipped and the error of an element is at most scale/2. A zero vector has scale 0. Elements
// must be finite, and out as long as v.
//
// The dot product of two vectors is about the product of their scales and the integer dot product.
// For unit vectors of a few hundred dimensions the error is a few thousandths.
func Quantize(v []float32, out []int8) (scale float32) {
	if len(out) != len(v) {
		panic("vector: Quantize into a slice of another length")
	}
	top := largest(v)
	if top == 0 {
		clear(out)
		return 0
	}
	quantize(v, 127/float64(top), out)
	return top / 127
}

func largestPortable(v []float32) float32 {
	var top float32
	for _, x := range v {
		top = max(top, x, -x)
	}
	return top
}

func quantizePortable(v []float32, inverse float64, out []int8) {
	for i, x := range v {
		scaled := float64(x) * inverse
		// Rounding of the scale can carry the largest element past 127 by less than half a step.
		if scaled >= 0 {
			out[i] = int8(scaled + 0.5)
		} else {
			out[i] = int8(scaled - 0.5)
		}
	}
}

// Bytes sets out[i] to v[i]*scale (rounded to float32), clipped to -127 to 127 and rounded to
// nearest, halves away from zero. Unlike Quantize it uses a given scale, so that products of many
// vectors can be compared without their scales. A NaN gives an unspecified value. out must be as
// long as v.
func Bytes(v []float32, scale float32, out []int8) {
	if len(out) != len(v) {
		panic("vector: Bytes into a slice of another length")
	}
	toBytes(v, scale, out)
}

func toBytesPortable(v []float32, scale float32, out []int8) {
	for i, x := range v {
		scaled := max(-127, min(127, float32(x*scale)))
		if scaled >= 0 {
			out[i] = int8(scaled + 0.5)
		} else {
			out[i] = int8(scaled - 0.5)
		}
	}
}
