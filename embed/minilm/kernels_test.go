package minilm

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// numbers are n values as the model sees them: most of about one size, some far out, some zero.
func numbers(r *rand.Rand, n int) []float32 {
	size := float32(math.Exp(r.Float64()*8 - 5))
	values := make([]float32, n)
	for i := range values {
		switch v := float32(r.NormFloat64()) * size; r.IntN(50) {
		case 0:
			values[i] = 0
		case 1:
			values[i] = 30 * v
		default:
			values[i] = v
		}
	}
	return values
}

func positive(r *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = 0.01 + r.Float32()
	}
	return values
}

func randomInt8s(r *rand.Rand, n int) []int8 {
	values := make([]int8, n)
	for i := range values {
		values[i] = int8(r.IntN(255) - 127)
	}
	return values
}

func randomLinear(r *rand.Rand, inputs, outputs int) *linear {
	n := outputs * inputs / groupSize
	return &linear{
		inputs: inputs, outputs: outputs,
		smooth: positive(r, inputs), bias: numbers(r, outputs),
		scale: positive(r, n), offset: numbers(r, n), weight: randomInt8s(r, outputs*inputs),
	}
}

// randomQuantized is what a product may get, in both forms.
func randomQuantized(r *rand.Rand, rows, inputs int) *quantized {
	q := newQuantized(rows, inputs)
	for i := range q.bytes {
		q.bytes[i] = uint8(r.IntN(256))
	}
	q.ranges = numbers(r, len(q.ranges))
	q.widen()
	return q
}

// wordAt is where words have the number that bytes have at i.
func wordAt(i int) int { return i&^3 | (i&1)<<1 | (i&2)>>1 }

func (q *quantized) widen() {
	for i, b := range q.bytes {
		q.words[wordAt(i)] = int16(b)
	}
}

// at returns the weight of input i in output j, and where its scale and offset are.
func (l *linear) at(j, i int) (weight int8, group int) {
	panel, lane := j/panelWidth, j%panelWidth
	return l.weight[((panel*l.inputs/4+i/4)*panelWidth+lane)*4+i%4], (panel*(l.inputs/groupSize)+i/groupSize)*panelWidth + lane
}

// guarded is a slice with room around it that must stay as it is.
type guarded[T uint8 | int16 | float32] struct{ all, inside []T }

const guard = 64

func newGuarded[T uint8 | int16 | float32](n int, initial []T) guarded[T] {
	all := make([]T, n+2*guard)
	for i := range all {
		all[i] = 77
	}
	g := guarded[T]{all, all[guard : guard+n : guard+n]}
	copy(g.inside, initial)
	return g
}

func (g guarded[T]) check(t *testing.T, name string) {
	t.Helper()
	for _, edge := range [][]T{g.all[:guard], g.all[len(g.all)-guard:]} {
		if slices.ContainsFunc(edge, func(v T) bool { return v != 77 }) {
			t.Errorf("%s writes outside its output", name)
		}
	}
}

// near compares with a tolerance of a share of the largest number there is.
func near(t *testing.T, name string, got, want []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range want {
		if difference := math.Abs(float64(got[i]) - float64(want[i])); !(difference <= tolerance*largest) {
			t.Fatalf("%s: number %d is %g, want %g", name, i, got[i], want[i])
		}
	}
}

// compare runs every kernel of k and of the oracle on the same random data.
func compare(t *testing.T, k, oracle *kernels, r *rand.Rand) {
	t.Helper()
	n := 16 * (1 + r.IntN(96))
	{
		src, scale := randomInt8s(r, n), r.Float32()
		got, want := newGuarded[float32](n, nil), make([]float32, n)
		k.expand(got.inside, src, scale)
		oracle.expand(want, src, scale)
		near(t, "expand", got.inside, want, 0)
		got.check(t, "expand")
	}
	{
		x, y, gain, bias := numbers(r, hidden), numbers(r, hidden), numbers(r, hidden), numbers(r, hidden)
		got := newGuarded(hidden, x)
		k.norm(got.inside, y, gain, bias)
		oracle.norm(x, y, gain, bias)
		near(t, "norm", got.inside, x, 2e-5)
		got.check(t, "norm")
	}
	{
		rows, n := 4*(1+r.IntN(2)), groupSize*(1+r.IntN(6))
		got, want := newQuantized(rows, n), newQuantized(rows, n)
		bytes, words, ranges := newGuarded[uint8](rows*n, nil), newGuarded[int16](rows*n, nil), newGuarded[float32](len(want.ranges), nil)
		got.bytes, got.words, got.ranges = bytes.inside, words.inside, ranges.inside
		clear(got.bytes)
		clear(got.words)
		for row := range rows {
			x, smooth := numbers(r, n), positive(r, n)
			switch group := x[groupSize*r.IntN(n/groupSize):][:groupSize]; r.IntN(6) {
			case 0:
				clear(group)
			case 1: // nearly of one value
				for i := range group {
					group[i] *= 1e-35
				}
			}
			k.quantize(got, row, x, smooth)
			oracle.quantize(want, row, x, smooth)
		}
		if slices.Max(got.words) > 0 { // this kernel uses words
			for i := range got.bytes {
				got.bytes[i] = uint8(got.words[wordAt(i)])
			}
		}
		if !slices.Equal(got.bytes, want.bytes) || !slices.Equal(got.ranges, want.ranges) {
			t.Fatalf("quantize: %v\n%v, want %v\n%v", got.bytes, got.ranges, want.bytes, want.ranges)
		}
		bytes.check(t, "quantize")
		words.check(t, "quantize")
		ranges.check(t, "quantize")
	}
	{
		inputs := groupSize * (1 + r.IntN(4))
		if r.IntN(4) == 0 { // more than a kernel may widen at a time
			inputs = panelInputs + groupSize*r.IntN(8)
		}
		l := randomLinear(r, inputs, 48*(1+r.IntN(3)))
		rows := 4 * (1 + r.IntN(3))
		q := randomQuantized(r, rows, l.inputs)
		if r.IntN(4) == 0 { // the largest sums there can be
			for i := range q.bytes {
				q.bytes[i] = 255
			}
			for i := range l.weight {
				l.weight[i] = int8(127 - 254*r.IntN(2))
			}
			q.widen()
		}
		got, want := newGuarded[float32](rows*l.outputs, nil), make([]float32, rows*l.outputs)
		for first := 0; first < l.outputs; first += 48 {
			k.linear(got.inside, q, l, first, rows)
			oracle.linear(want, q, l, first, rows)
		}
		near(t, "linear", got.inside, want, 1e-6)
		got.check(t, "linear")
	}
	{
		x := numbers(r, n)
		got := newGuarded(n, x)
		k.gelu(got.inside)
		for i := range x {
			want := []float32{x[i]}
			oracle.gelu(want)
			if difference := math.Abs(float64(got.inside[i] - want[0])); !(difference <= 6e-5+5e-6*math.Abs(float64(x[i]))) {
				t.Fatalf("gelu(%g) = %g, want %g", x[i], got.inside[i], want[0])
			}
		}
		got.check(t, "gelu")
	}
	{
		rows, columns, ld := 8*(1+r.IntN(4)), 8*(1+r.IntN(4)), headSize+r.IntN(40)
		columns = max(columns, rows)
		src := numbers(r, rows*ld)
		got, want := newGuarded[float32](headSize*columns, nil), make([]float32, headSize*columns)
		for i := range want {
			want[i] = 77
		}
		copy(got.inside, want)
		k.transpose(got.inside, columns, src, ld, rows)
		oracle.transpose(want, columns, src, ld, rows)
		near(t, "transpose", got.inside, want, 0)
		got.check(t, "transpose")
	}
	{
		rows, inner, columns := 4*(1+r.IntN(3)), 1+r.IntN(70), 32*(1+r.IntN(3))
		ldA, ldB, ldC := inner+r.IntN(9), columns+r.IntN(9), columns+r.IntN(9)
		a, b := numbers(r, rows*ldA), numbers(r, inner*ldB)
		got, want := newGuarded[float32]((rows-1)*ldC+columns, nil), newGuarded[float32]((rows-1)*ldC+columns, nil)
		for i := range got.inside {
			got.inside[i], want.inside[i] = 77, 77
		}
		k.multiply(got.inside, ldC, a, ldA, b, ldB, rows, inner, columns)
		oracle.multiply(want.inside, ldC, a, ldA, b, ldB, rows, inner, columns)
		near(t, "multiply", got.inside, want.inside, 1e-5)
		got.check(t, "multiply")
	}
	{
		x, scale := numbers(r, min(n, 256)), 0.1+r.Float32()
		for i := len(x) - r.IntN(16); i < len(x); i++ {
			x[i] = masked
		}
		got := newGuarded(len(x), x)
		k.softmax(got.inside, scale)
		oracle.softmax(x, scale)
		near(t, "softmax", got.inside, x, 1e-5)
		got.check(t, "softmax")
	}
	{
		rows, n := 1+r.IntN(9), 64*(1+r.IntN(7))
		x, want := numbers(r, rows*n), make([]float32, n)
		got := newGuarded[float32](n, nil)
		k.pool(got.inside, x, rows)
		oracle.pool(want, x, rows)
		near(t, "pool", got.inside, want, 1e-5)
		got.check(t, "pool")
		clear(x)
		if k.pool(got.inside, x, rows); got.inside[0] == got.inside[0] {
			t.Errorf("pool makes %g of nothing", got.inside[0])
		}
	}
}

// dumb computes what the kernels are defined to compute, in float64 and without any thought of
// speed.
var dumb = &kernels{
	name: "dumb",
	expand: func(dst []float32, src []int8, scale float32) {
		for i, v := range src {
			dst[i] = float32(v) * scale
		}
	},
	norm: func(x, y, gain, bias []float32) {
		n := float64(len(x))
		var mean, variance float64
		for i := range x {
			mean += (float64(x[i]) + float64(y[i])) / n
		}
		for i := range x {
			d := float64(x[i]) + float64(y[i]) - mean
			variance += d * d / n
		}
		for i := range x {
			x[i] = float32((float64(x[i])+float64(y[i])-mean)/math.Sqrt(variance+epsilon)*float64(gain[i]) + float64(bias[i]))
		}
	},
	quantize: func(q *quantized, r int, x, smooth []float32) {
		for group := range len(x) / groupSize {
			var values []float32
			for i := group * groupSize; i < (group+1)*groupSize; i++ {
				values = append(values, x[i]*smooth[i])
			}
			low := slices.Min(values)
			span := slices.Max(values) - low
			inverse := 255 / span
			if span < tiniest {
				inverse = 0
			}
			for i, v := range values {
				scaled := (v - low) * inverse
				q.bytes[r*len(x)+group*groupSize+i] = uint8(math.RoundToEven(float64(scaled)))
			}
			at := rangeAt(len(x), r, group)
			q.ranges[at], q.ranges[at+1] = span/255, low
		}
	},
	linear: func(out []float32, q *quantized, l *linear, first, rows int) {
		for r := range rows {
			for j := first; j < first+48; j++ {
				sum := float64(l.bias[j])
				for i := range l.inputs {
					w, group := l.at(j, i)
					at := rangeAt(l.inputs, r, i/groupSize)
					sum += float64(q.bytes[r*l.inputs+i]) * float64(q.ranges[at]) * float64(w) * float64(l.scale[group])
					if i%groupSize == 0 {
						sum += float64(q.ranges[at+1]) * float64(l.offset[group])
					}
				}
				out[r*l.outputs+j] = float32(sum)
			}
		}
	},
	gelu: func(x []float32) {
		for i, v := range x {
			x[i] = float32(float64(v) * 0.5 * (1 + math.Erf(float64(v)/math.Sqrt2)))
		}
	},
	transpose: func(dst []float32, ldDst int, src []float32, ldSrc, rows int) {
		for r := range rows {
			for d := range headSize {
				dst[d*ldDst+r] = src[r*ldSrc+d]
			}
		}
	},
	multiply: func(c []float32, ldC int, a []float32, ldA int, b []float32, ldB int, rows, inner, columns int) {
		for r := range rows {
			for j := range columns {
				sum := 0.0
				for i := range inner {
					sum += float64(a[r*ldA+i]) * float64(b[i*ldB+j])
				}
				c[r*ldC+j] = float32(sum)
			}
		}
	},
	softmax: func(x []float32, scale float32) {
		largest, sum := float64(slices.Max(x)), 0.0
		for _, v := range x {
			sum += math.Exp((float64(v) - largest) * float64(scale))
		}
		for i, v := range x {
			x[i] = float32(math.Exp((float64(v)-largest)*float64(scale)) / sum)
		}
	},
	pool: func(out, x []float32, rows int) {
		sums, squares := make([]float64, len(out)), 0.0
		for i := range sums {
			for r := range rows {
				sums[i] += float64(x[r*len(out)+i])
			}
			squares += sums[i] * sums[i]
		}
		for i, sum := range sums {
			out[i] = float32(sum / math.Sqrt(squares))
		}
	},
}

func TestPortableKernelsAreRight(t *testing.T) {
	for seed := range uint64(60) {
		compare(t, portable, dumb, rand.New(rand.NewPCG(seed, 1)))
	}
}

// FuzzKernels compares assembly with its portable twin.
func FuzzKernels(f *testing.F) {
	for seed := range uint64(100) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		for _, k := range available() {
			if k != portable {
				compare(t, k, portable, rand.New(rand.NewPCG(seed, 2)))
			}
		}
	})
}

func TestKernelsAreSelected(t *testing.T) {
	names := Kernels()
	for _, test := range []struct {
		option, environment, want string
	}{
		{"", "", names[0]},
		{"portable", "", "portable"},
		{"", "portable", "portable"},
		{"", " Portable\n", "portable"},
		{names[0], "portable", names[0]},
	} {
		t.Setenv("THROUGHLINE_CPU", test.environment)
		m, err := New(Options{Kernels: test.option})
		if err != nil || m.Kernels() != test.want {
			t.Errorf("option %q and environment %q: %v, %v; want %s", test.option, test.environment, m.Kernels(), err, test.want)
		}
	}
	t.Setenv("THROUGHLINE_CPU", "mmx")
	if _, err := New(Options{}); !errors.Is(err, ErrKernels) {
		t.Errorf("unknown kernels: %v", err)
	}
	if err := EnvironmentError(); !errors.Is(err, ErrKernels) || !strings.HasPrefix(err.Error(), `THROUGHLINE_CPU: kernels not available (got "mmx", want one of `) {
		t.Errorf("EnvironmentError() = %v", err)
	}
}
