package vector_test

import (
	"fmt"

	"throughline/cluster/vector"
)

func ExampleQuantize() {
	a, b := []float32{0.6, 0.8}, []float32{0.8, -0.6}
	qa, qb := make([]int8, 2), make([]int8, 2)
	sa, sb := vector.Quantize(a, qa), vector.Quantize(b, qb)
	fmt.Println(qa, qb)
	fmt.Printf("%.3f instead of %.3f\n", sa*sb*float32(vector.DotInt8(qa, qb)), vector.Dot(a, b))
	// Output:
	// [95 127] [127 -95]
	// 0.000 instead of 0.000
}

func ExampleSparse_Dot() {
	a := vector.Sparse{Terms: []uint32{2, 5, 9}, Weights: []float32{1, 2, 3}}
	b := vector.Sparse{Terms: []uint32{5, 9, 11}, Weights: []float32{10, 100, 1000}}
	fmt.Println(a.Dot(b))
	// Output: 320
}
