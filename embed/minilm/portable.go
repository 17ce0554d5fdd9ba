package minilm

import "math"

// The portable kernels are the reference for the others and run on processors without other
// kernels.

var portable = &kernels{
	name:      "portable",
	expand:    expandPortable,
	norm:      normPortable,
	quantize:  quantizePortable,
	linear:    linearPortable,
	gelu:      geluPortable,
	transpose: transposePortable,
	multiply:  multiplyPortable,
	softmax:   softmaxPortable,
	pool:      poolPortable,
}

func expandPortable(dst []float32, src []int8, scale float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = float32(v) * scale
	}
}

func normPortable(x, y, gain, bias []float32) {
	y, gain, bias = y[:len(x)], gain[:len(x)], bias[:len(x)]
	var sum float32
	for i, v := range y {
		x[i] += v
		sum += x[i]
	}
	mean := sum / float32(len(x))
	var squares float32
	for i := range x {
		x[i] -= mean
		squares += x[i] * x[i]
	}
	inverse := float32(1 / math.Sqrt(float64(squares)/float64(len(x))+epsilon))
	for i := range x {
		x[i] = x[i]*inverse*gain[i] + bias[i]
	}
}

func quantizePortable(q *quantized, r int, x, smooth []float32) {
	smooth = smooth[:len(x)]
	var values [groupSize]float32
	for group := range len(x) / groupSize {
		low, high := float32(math.Inf(1)), float32(math.Inf(-1))
		for i := range values {
			v := x[group*groupSize+i] * smooth[group*groupSize+i]
			values[i], low, high = v, min(low, v), max(high, v)
		}
		span, inverse := high-low, float32(0)
		if span >= tiniest {
			inverse = 255 / span
		}
		at := rangeAt(len(x), r, group)
		q.ranges[at], q.ranges[at+1] = span/255, low
		bytes := (*[groupSize]uint8)(q.bytes[r*len(x)+group*groupSize:])
		for i, v := range values {
			// A float32 of 2^23 and more has no fraction, so adding 2^23 rounds to the nearest
			// integer, ties to even. The conversions prevent a fused operation, which would round
			// once instead of twice.
			bytes[i] = uint8(math.Float32bits(float32(float32(v-low)*inverse) + 0x1p23))
		}
	}
}

// Sums of products of bytes and weights are computed three at a time: the 64-bit product of an
// input and w0 + w1*2^fieldBits + w2*2^(2*fieldBits) has three products, and so has a sum of such
// products while each part fits its bits. That holds for fieldInputs inputs: 32*255*127 < 2^20. A
// negative part borrows from the part above it; addTriple corrects that. This is exact and nearly
// five times as fast as products of float32.
const (
	fieldBits   = 21
	fieldInputs = 32
)

// linearPortable computes 12 outputs at a time, because four sums of three fit the registers.
func linearPortable(out []float32, q *quantized, l *linear, first, rows int) {
	const columns = 12
	k := l.inputs
	var triples [groupSize][columns / 3]int64
	var scale, offset [columns]float32
	for column := first; column < first+48; column += columns {
		for group := range k / groupSize {
			for j := range columns {
				panel, lane, shift := (column+j)/panelWidth, (column+j)%panelWidth, j%3*fieldBits
				at := panel*panelWidth*(k/groupSize) + group*panelWidth + lane
				scale[j], offset[j] = l.scale[at], l.offset[at]
				weight := l.weight[panel*panelWidth*k+group*groupSize*panelWidth+4*lane:]
				for i := range triples {
					w := int64(weight[i/4*4*panelWidth+i%4]) << shift
					if shift == 0 {
						triples[i][j/3] = w
					} else {
						triples[i][j/3] += w
					}
				}
			}
			for r := range rows {
				row := (*[groupSize]uint8)(q.bytes[r*k+group*groupSize:])
				var sums [columns]int32
				for start := 0; start < groupSize; start += fieldInputs {
					s0, s1, s2, s3 := multiplyTriples((*[fieldInputs]uint8)(row[start:]), (*[fieldInputs][4]int64)(triples[start:]))
					addTriple((*[3]int32)(sums[0:]), s0)
					addTriple((*[3]int32)(sums[3:]), s1)
					addTriple((*[3]int32)(sums[6:]), s2)
					addTriple((*[3]int32)(sums[9:]), s3)
				}
				o := (*[columns]float32)(out[r*l.outputs+column:])
				if group == 0 {
					*o = *(*[columns]float32)(l.bias[column:])
				}
				at := rangeAt(k, r, group)
				step, low := q.ranges[at], q.ranges[at+1]
				for j, sum := range sums {
					o[j] += float32(sum)*step*scale[j] + low*offset[j]
				}
			}
		}
	}
}

// multiplyTriples is a separate function so that its sums stay in registers.
//
//go:noinline
func multiplyTriples(x *[fieldInputs]uint8, w *[fieldInputs][4]int64) (s0, s1, s2, s3 int64) {
	for i, b := range x {
		x, w := int64(b), &w[i]
		s0 += x * w[0]
		s1 += x * w[1]
		s2 += x * w[2]
		s3 += x * w[3]
	}
	return s0, s1, s2, s3
}

// addTriple adds the three parts of s to sums.
func addTriple(sums *[3]int32, s int64) {
	const up = 64 - fieldBits
	low := s << up >> up
	s = (s - low) >> fieldBits
	middle := s << up >> up
	sums[0] += int32(low)
	sums[1] += int32(middle)
	sums[2] += int32((s - middle) >> fieldBits)
}

// geluEnd is the magnitude from which Phi is approximated by 0 or 1.
const geluEnd = 4.5

// geluCoefficients approximate Phi(u) - 1/2 by u * (c0 + c1 u^2 + c2 u^4 ...) for |u| <= geluEnd.
// They are a least-squares fit that was reweighted until the largest error of u*Phi(u) stopped
// falling, with the value at the end fixed to 1/2.
var geluCoefficients = [...]float32{
	0.398865669965744, -0.06630099564790726, 0.009808141738176346, -0.0011141044087707996, 9.620672790333629e-05,
	-6.169876996864332e-06, 2.8175958277643076e-07, -8.578096455380546e-09, 1.5491428972946863e-10, -1.2488104083815954e-12,
}

func geluPortable(x []float32) {
	for i, v := range x {
		u := min(max(v, -geluEnd), geluEnd)
		s := u * u
		p := geluCoefficients[9]
		for j := len(geluCoefficients) - 2; j >= 0; j-- {
			p = p*s + geluCoefficients[j]
		}
		x[i] = v * (p*u + 0.5)
	}
}

func transposePortable(dst []float32, ldDst int, src []float32, ldSrc, rows int) {
	for r := range rows {
		for d, v := range src[r*ldSrc:][:headSize] {
			dst[d*ldDst+r] = v
		}
	}
}

func multiplyPortable(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int) {
	for r := 0; r < rows; r += 2 {
		a0, a1 := a[r*ldA:][:inner], a[(r+1)*ldA:][:inner]
		c0, c1 := c[r*ldC:], c[(r+1)*ldC:]
		for j := 0; j < columns; j += 4 {
			var s00, s01, s02, s03, s10, s11, s12, s13 float32
			for i, x0 := range a0 {
				x1 := a1[i]
				w := (*[4]float32)(b[i*ldB+j:])
				s00 += x0 * w[0]
				s01 += x0 * w[1]
				s02 += x0 * w[2]
				s03 += x0 * w[3]
				s10 += x1 * w[0]
				s11 += x1 * w[1]
				s12 += x1 * w[2]
				s13 += x1 * w[3]
			}
			*(*[4]float32)(c0[j:]) = [4]float32{s00, s01, s02, s03}
			*(*[4]float32)(c1[j:]) = [4]float32{s10, s11, s12, s13}
		}
	}
}

// expCoefficients approximate 2^f for |f| <= 1/2 with a relative error of 2e-7.
var expCoefficients = [...]float32{1, 0.6931472, 0.24022651, 0.05550327, 0.009618039, 0.0013395279}

// smallestExponent is the least exponent of a power of 2.
const smallestExponent = -126

// exp2 returns 2^x for x <= 0, at least 2^smallestExponent.
func exp2(x float32) float32 {
	x = max(x, smallestExponent)
	n := float32(x+0x1.8p23) - 0x1.8p23
	f := x - n
	p := expCoefficients[5]
	for i := 4; i >= 0; i-- {
		p = p*f + expCoefficients[i]
	}
	return math.Float32frombits(math.Float32bits(p) + uint32(int32(n))<<23)
}

func softmaxPortable(x []float32, scale float32) {
	largest := x[0]
	for _, v := range x {
		largest = max(largest, v)
	}
	scale *= math.Log2E
	var sum float32
	for i, v := range x {
		x[i] = exp2((v - largest) * scale)
		sum += x[i]
	}
	inverse := 1 / sum
	for i := range x {
		x[i] *= inverse
	}
}

func poolPortable(out, x []float32, rows int) {
	copy(out, x)
	for r := 1; r < rows; r++ {
		for i, v := range x[r*len(out):][:len(out)] {
			out[i] += v
		}
	}
	var squares float32
	for _, v := range out {
		squares += v * v
	}
	inverse := 1 / float32(math.Sqrt(float64(squares)))
	for i := range out {
		out[i] *= inverse
	}
}
