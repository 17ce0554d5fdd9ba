package vector

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// plain is Dot as its comment defines it, element by element.
func plain(a, b []float32) float32 {
	var sum [32]float32
	for i := range a {
		sum[i%32] += float32(a[i] * b[i])
	}
	for half := 16; half > 0; half /= 2 {
		for l := range half {
			sum[l] += sum[l+half]
		}
	}
	return sum[0]
}

func plainInt8(a, b []int8) int32 {
	var sum int32
	for i := range a {
		sum += int32(a[i]) * int32(b[i])
	}
	return sum
}

// TestEveryLength tries all lengths to well past two blocks of every kernel, at unaligned
// addresses, with the neighbouring values poisoned so that a kernel that reads or writes too far
// gives itself away.
func TestEveryLength(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		const nq, nr = 6, 7
		nan := float32(math.NaN())
		for dim := 1; dim <= 200; dim++ {
			shift := 1 + dim%3
			floats := func(rows int) []float32 {
				v := slices.Repeat([]float32{nan}, shift+rows*dim+70)
				for i := range rows * dim {
					v[shift+i] = float32(r.NormFloat64())
				}
				return v[shift : shift+rows*dim]
			}
			bytes := func(rows int) []int8 {
				v := slices.Repeat([]int8{101}, shift+rows*dim+70)
				for i := range rows * dim {
					// The ends of the range are where saturation would show.
					if v[shift+i] = int8(r.Uint32()); r.IntN(3) == 0 {
						v[shift+i] = int8(127 + r.IntN(2))
					}
				}
				return v[shift : shift+rows*dim]
			}
			checkFloats(t, floats(nq), floats(nr), dim)
			checkBytes(t, bytes(nq), bytes(nr), dim)
		}
	})
}

// TestExtremes multiplies the largest magnitudes, where 16-bit intermediate sums would saturate.
func TestExtremes(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, dim := range []int{1, 16, 64, 100, 256, 384, 4096} {
			for _, pair := range [][2]int8{{-128, -128}, {127, 127}, {-128, 127}, {127, -128}, {-1, -128}} {
				qs := slices.Repeat([]int8{pair[0]}, 4*dim)
				rows := slices.Repeat([]int8{pair[1]}, 5*dim)
				checkBytes(t, qs, rows, dim)
			}
		}
	})
}

func checkFloats(t *testing.T, qs, rows []float32, dim int) {
	t.Helper()
	nq, nr := len(qs)/dim, len(rows)/dim
	const guard = float32(12345)
	many := slices.Repeat([]float32{guard}, nq*nr+8)
	DotsMany(qs, rows, dim, many[:nq*nr])
	for i := range nq {
		q := qs[i*dim : (i+1)*dim]
		one := slices.Repeat([]float32{guard}, nr+8)
		Dots(q, rows, one[:nr])
		for j := range nr {
			row := rows[j*dim : (j+1)*dim]
			want := math.Float32bits(plain(q, row))
			if got := math.Float32bits(Dot(q, row)); got != want {
				t.Fatalf("dim %d: Dot = %x, want %x", dim, got, want)
			}
			if got := math.Float32bits(one[j]); got != want {
				t.Fatalf("dim %d, row %d of %d: Dots = %x, want %x", dim, j, nr, got, want)
			}
			if got := math.Float32bits(many[i*nr+j]); got != want {
				t.Fatalf("dim %d, query %d, row %d of %d: DotsMany = %x, want %x", dim, i, j, nr, got, want)
			}
		}
		if one[nr] != guard || many[nq*nr] != guard {
			t.Fatalf("dim %d: wrote past the end", dim)
		}
	}
}

func checkBytes(t *testing.T, qs, rows []int8, dim int) {
	t.Helper()
	nq, nr := len(qs)/dim, len(rows)/dim
	const guard = int32(-77)
	many := slices.Repeat([]int32{guard}, nq*nr+8)
	DotsManyInt8(qs, rows, dim, many[:nq*nr])
	for i := range nq {
		q := qs[i*dim : (i+1)*dim]
		one := slices.Repeat([]int32{guard}, nr+8)
		DotsInt8(q, rows, one[:nr])
		for j := range nr {
			row := rows[j*dim : (j+1)*dim]
			want := plainInt8(q, row)
			if got := DotInt8(q, row); got != want {
				t.Fatalf("dim %d: DotInt8 = %d, want %d", dim, got, want)
			}
			if one[j] != want {
				t.Fatalf("dim %d, row %d of %d: DotsInt8 = %d, want %d", dim, j, nr, one[j], want)
			}
			if got := many[i*nr+j]; got != want {
				t.Fatalf("dim %d, query %d, row %d of %d: DotsManyInt8 = %d, want %d", dim, i, j, nr, got, want)
			}
		}
		if one[nr] != guard || many[nq*nr] != guard {
			t.Fatalf("dim %d: wrote past the end", dim)
		}
	}
}

func TestShapes(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		rapid.Check(t, func(rt *rapid.T) {
			dim := rapid.IntRange(1, 150).Draw(rt, "dim")
			qs := make([]int8, dim*rapid.IntRange(0, 13).Draw(rt, "queries"))
			rows := make([]int8, dim*rapid.IntRange(0, 13).Draw(rt, "rows"))
			fq, fr := make([]float32, len(qs)), make([]float32, len(rows))
			for i := range qs {
				qs[i], fq[i] = int8(r.Uint32()), float32(r.NormFloat64())
			}
			for i := range rows {
				rows[i], fr[i] = int8(r.Uint32()), float32(r.NormFloat64())
			}
			checkBytes(t, qs, rows, dim)
			checkFloats(t, fq, fr, dim)
		})
	})
}

func TestAbove(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			scores := rapid.SliceOfN(rapid.Int32Range(-4, 4), 0, 50).Draw(rt, "scores")
			bar := rapid.Int32Range(-5, 5).Draw(rt, "bar")
			out := make([]int32, len(scores))
			got := out[:Above(scores, bar, out)]
			var want []int32
			for i, s := range scores {
				if s > bar {
					want = append(want, int32(i))
				}
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("Above(%v, %d) = %v, want %v", scores, bar, got, want)
			}
		})
	})
}

func TestBytes(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			v := rapid.SliceOfN(rapid.Float32Range(-3, 3), 0, 50).Draw(rt, "v")
			for i := range v { // halves, where the direction of rounding shows
				if i%3 == 0 {
					v[i] = float32(int(v[i]*100)) / 100
				}
			}
			scale := rapid.SampledFrom([]float32{50, 1, 100, 0}).Draw(rt, "scale")
			got, want := make([]int8, len(v)), make([]int8, len(v))
			Bytes(v, scale, got)
			for i, x := range v {
				want[i] = int8(math.Round(float64(max(-127, min(127, x*scale)))))
			}
			for i := range want {
				// 0.49999997 + 0.5 is 1 in float32.
				if got[i] != want[i] && math.Abs(float64(v[i]*scale)-float64(want[i])) < 0.4999 {
					rt.Fatalf("%v times %v became %d, want %d", v[i], scale, got[i], want[i])
				}
			}
			portable := make([]int8, len(v))
			toBytesPortable(v, scale, portable)
			if !slices.Equal(got, portable) {
				rt.Fatalf("%v became %v, portably %v", v, got, portable)
			}
		})
	})
}

// plainQuantize is Quantize as its comment defines it.
func plainQuantize(v []float32) ([]int8, float32) {
	var top float64
	for _, x := range v {
		top = max(top, math.Abs(float64(x)))
	}
	out := make([]int8, len(v))
	if top == 0 {
		return out, 0
	}
	for i, x := range v {
		out[i] = int8(math.Trunc(float64(x)*(127/top) + math.Copysign(0.5, float64(x))))
	}
	return out, float32(top) / 127
}

// checkQuantize compares every path with the definition, at unaligned addresses, between values
// that would show.
func checkQuantize(t *testing.T, v []float32) {
	t.Helper()
	want, wantScale := plainQuantize(v)
	padded := append(append([]float32{1e9}, v...), 1e9, 1e9)
	eachPath(t, func(t *testing.T) {
		got := slices.Repeat([]int8{99}, len(v)+40)
		scale := Quantize(padded[1:1+len(v)], got[1:1+len(v)])
		if scale != wantScale || !slices.Equal(got[1:1+len(v)], want) {
			t.Fatalf("%v: %v with scale %v, want %v with %v", v, got[1:1+len(v)], scale, want, wantScale)
		}
		if got[0] != 99 || got[1+len(v)] != 99 {
			t.Fatalf("%d values: wrote beside them", len(v))
		}
	})
}

func TestQuantizeEveryLength(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	for n := range 100 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		checkQuantize(t, v)
		for i := range v { // halves of a step, where rounding shows
			v[i] = float32(r.IntN(509)-254) / 254
		}
		checkQuantize(t, v)
		clear(v)
		checkQuantize(t, v)
	}
}

// FuzzQuantize feeds any finite numbers.
func FuzzQuantize(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))
	f.Add(binary.LittleEndian.AppendUint32(make([]byte, 64), math.Float32bits(math.MaxFloat32)))
	f.Add(binary.LittleEndian.AppendUint32(make([]byte, 64), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := make([]float32, len(data)/4)
		for i := range v {
			if v[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])); v[i]-v[i] != 0 {
				v[i] = 0
			}
		}
		checkQuantize(t, v)
	})
}

func BenchmarkQuantize(b *testing.B) {
	for _, dim := range []int{256, 384} {
		r := rand.New(rand.NewPCG(10, 11))
		v, out := make([]float32, dim), make([]int8, dim)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		b.Run(fmt.Sprint(dim), func(b *testing.B) {
			for b.Loop() {
				Quantize(v, out)
			}
		})
	}
}

func TestEmpty(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		if Dot(nil, nil) != 0 || DotInt8(nil, nil) != 0 {
			t.Error("the product of empty vectors is not 0")
		}
		out, outs := []float32{1}, []int32{1}
		Dots(nil, nil, out)
		DotsInt8(nil, nil, outs)
		if out[0] != 0 || outs[0] != 0 {
			t.Error("the products of empty rows are not 0")
		}
		Dots([]float32{1}, nil, nil)
		DotsInt8([]int8{1}, nil, nil)
		DotsMany(nil, []float32{1}, 1, nil)
		DotsManyInt8([]int8{1}, nil, 1, nil)
		if Above(nil, 0, nil) != 0 {
			t.Error("found something in nothing")
		}
	})
}

func TestWrongLengthsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"Dot":          func() { Dot([]float32{1}, nil) },
		"Dots":         func() { Dots([]float32{1}, []float32{1, 2, 3}, make([]float32, 2)) },
		"DotsMany":     func() { DotsMany([]float32{1, 2}, []float32{1, 2}, 2, make([]float32, 2)) },
		"DotInt8":      func() { DotInt8([]int8{1}, nil) },
		"DotsInt8":     func() { DotsInt8([]int8{1}, []int8{1, 2, 3}, make([]int32, 2)) },
		"DotsManyInt8": func() { DotsManyInt8([]int8{1, 2, 3}, []int8{1, 2}, 2, make([]int32, 1)) },
		"dim 0":        func() { DotsManyInt8(nil, nil, 0, nil) },
		"Above":        func() { Above([]int32{1}, 0, nil) },
		"Quantize":     func() { Quantize([]float32{1}, nil) },
		"Bytes":        func() { Bytes([]float32{1}, 1, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("did not panic")
				}
			}()
			f()
		})
	}
}

// FuzzFloat32 feeds arbitrary bits, infinities and NaNs included. The bits of a NaN are not part of
// the contract.
func FuzzFloat32(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"))
	f.Add(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1)))))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := len(data) / 8
		a, b := make([]float32, n), make([]float32, n)
		for i := range n {
			a[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			b[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(n+i):]))
		}
		want := plain(a, b)
		eachPath(t, func(t *testing.T) {
			got := Dot(a, b)
			if math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) {
				t.Fatalf("Dot = %v, want %v", got, want)
			}
		})
	})
}

func FuzzInt8(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), byte(4))
	f.Fuzz(func(t *testing.T, data []byte, size byte) {
		dim := int(size) + 1
		v := make([]int8, len(data)/dim*dim)
		for i := range v {
			v[i] = int8(data[i])
		}
		half := len(v) / dim / 2 * dim
		eachPath(t, func(t *testing.T) { checkBytes(t, v[:half], v[half:], dim) })
	})
}

func BenchmarkFloat32(b *testing.B) {
	for _, dim := range []int{256, 384} {
		r := rand.New(rand.NewPCG(5, 6))
		const nq, nr = 16, 64
		qs, rows, out := make([]float32, nq*dim), make([]float32, nr*dim), make([]float32, nq*nr)
		for i := range qs {
			qs[i] = float32(r.NormFloat64())
		}
		for i := range rows {
			rows[i] = float32(r.NormFloat64())
		}
		b.Run(fmt.Sprintf("one/%d", dim), func(b *testing.B) {
			for b.Loop() {
				Dot(qs[:dim], rows[:dim])
			}
		})
		b.Run(fmt.Sprintf("rows/%d", dim), func(b *testing.B) {
			for b.Loop() {
				Dots(qs[:dim], rows, out[:nr])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nr), "ns/dot")
		})
		b.Run(fmt.Sprintf("tile/%d", dim), func(b *testing.B) {
			for b.Loop() {
				DotsMany(qs, rows, dim, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nr*nq), "ns/dot")
		})
	}
}

func BenchmarkInt8(b *testing.B) {
	for _, dim := range []int{256, 384} {
		r := rand.New(rand.NewPCG(7, 8))
		const nq, nr = 16, 64
		qs, rows, out := make([]int8, nq*dim), make([]int8, nr*dim), make([]int32, nq*nr)
		for i := range qs {
			qs[i] = int8(r.Uint32())
		}
		for i := range rows {
			rows[i] = int8(r.Uint32())
		}
		b.Run(fmt.Sprintf("one/%d", dim), func(b *testing.B) {
			for b.Loop() {
				DotInt8(qs[:dim], rows[:dim])
			}
		})
		b.Run(fmt.Sprintf("rows/%d", dim), func(b *testing.B) {
			for b.Loop() {
				DotsInt8(qs[:dim], rows, out[:nr])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nr), "ns/dot")
		})
		b.Run(fmt.Sprintf("tile/%d", dim), func(b *testing.B) {
			for b.Loop() {
				DotsManyInt8(qs, rows, dim, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nr*nq), "ns/dot")
		})
	}
}
