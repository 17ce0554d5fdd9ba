package minilm

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
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
	return &linear{
		inputs: inputs, outputs: outputs,
		smooth: positive(r, inputs), bias: numbers(r, outputs),
		scale: positive(r, outputs*inputs/groupSize), weight: randomInt8s(r, outputs*inputs),
	}
}

// at returns weight and scale of the product of input i with output j.
func (l *linear) at(j, i int) (int8, float32) {
	panel, lane := j/panelWidth, j%panelWidth
	return l.weight[((panel*l.inputs/2+i/2)*panelWidth+lane)*2+i%2],
		l.scale[(panel*(l.inputs/groupSize)+i/groupSize)*panelWidth+lane]
}

// guarded is a slice with room around it that must stay as it is.
type guarded[T int16 | float32] struct{ all, inside []T }

const guard = 64

func newGuarded[T int16 | float32](n int, initial []T) guarded[T] {
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
		x, smooth := numbers(r, n), positive(r, n)
		if r.IntN(20) == 0 {
			clear(x)
		}
		got, want := newGuarded[int16](n, nil), make([]int16, n)
		gotScale, wantScale := k.quantize(got.inside, x, smooth), oracle.quantize(want, x, smooth)
		if gotScale != wantScale || !slices.Equal(got.inside, want) {
			t.Fatalf("quantize: %v with scale %g, want %v with %g", got.inside, gotScale, want, wantScale)
		}
		got.check(t, "quantize")
	}
	{
		l := randomLinear(r, groupSize*(1+r.IntN(4)), 48*(1+r.IntN(3)))
		rows := 4 * (1 + r.IntN(3))
		a := make([]int16, rows*l.inputs)
		for i := range a {
			a[i] = int16(r.IntN(2*maxInt16+1) - maxInt16)
		}
		if r.IntN(4) == 0 { // the largest sums there can be
			for i := range a {
				a[i] = maxInt16
			}
			for i := range l.weight {
				l.weight[i] = int8(127 - 254*r.IntN(2))
			}
		}
		scales := positive(r, rows)
		got, want := newGuarded[float32](rows*l.outputs, nil), make([]float32, rows*l.outputs)
		for first := 0; first < l.outputs; first += 48 {
			k.linear(got.inside, a, scales, l, first, rows)
			oracle.linear(want, a, scales, l, first, rows)
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
		x, sum := numbers(r, n), numbers(r, n)
		got := newGuarded(n, sum)
		k.accumulate(got.inside, x)
		oracle.accumulate(sum, x)
		near(t, "accumulate", got.inside, sum, 0)
		got.check(t, "accumulate")
	}
}

// dumb computes what the kernels are defined to compute, in float64 and without any thought of speed.
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
	quantize: func(dst []int16, x, smooth []float32) float32 {
		var largest float32
		for i := range x {
			largest = max(largest, float32(math.Abs(float64(x[i]*smooth[i]))))
		}
		for i := range x {
			if dst[i] = 0; largest > 0 {
				dst[i] = int16(math.RoundToEven(float64(x[i] * smooth[i] * (maxInt16 / largest))))
			}
		}
		return largest / maxInt16
	},
	linear: func(out []float32, a []int16, scales []float32, l *linear, first, rows int) {
		for r := range rows {
			for j := first; j < first+48; j++ {
				sum := 0.0
				for i := range l.inputs {
					w, scale := l.at(j, i)
					sum += float64(a[r*l.inputs+i]) * float64(w) * float64(scale)
				}
				out[r*l.outputs+j] = float32(sum*float64(scales[r]) + float64(l.bias[j]))
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
	accumulate: func(sum, x []float32) {
		for i := range x {
			sum[i] += x[i]
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
		t.Setenv(Environment, test.environment)
		m, err := New(Options{Kernels: test.option})
		if err != nil || m.Kernels() != test.want {
			t.Errorf("option %q and environment %q: %v, %v; want %s", test.option, test.environment, m.Kernels(), err, test.want)
		}
	}
	t.Setenv(Environment, "mmx")
	if _, err := New(Options{}); !errors.Is(err, ErrKernels) {
		t.Errorf("unknown kernels: %v", err)
	}
}
