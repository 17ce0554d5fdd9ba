// Package vector computes dot products for search: of float32 rows, of int8 rows, one to one, one
// to many, many to many, of sparse vectors.
//
// It knows numbers only, not what a row means or where it is stored. Its kernels allocate nothing.
//
// Three paths compute the same results: AVX-512 with VNNI, AVX2, and portable Go. The fastest one
// that the processor has is chosen when the program starts. The environment variable
// THROUGHLINE_CPU (portable, avx2 or avx512) chooses a slower one, for measurements and to exclude
// the assembly when something looks wrong. [PathError] reports any other value.
//
// Results do not depend on the path: int8 products are exact in wrapping 32-bit arithmetic, and
// float32 products have a fixed order of roundings (see [Dot]). So a search or a clustering gives
// the same bytes on every machine.
//
// Other processors, arm64 among them, use the portable path. On one Zen 5 core portable is 12 times
// slower than AVX2 for float32 (190 against 16 ns for 256 dimensions) and 35 times for int8 (280
// against 8 ns; 1.5 ns with VNNI). Measure with THROUGHLINE_CPU=portable go test -run xxx -bench .
//
// A wrong length of a slice panics, like an index out of range. Callers check lengths that come
// from outside.
package vector
