// Package vector holds the arithmetic that search and clustering spend their time in: dot products of float32 and int8
// rows, one to one, one to many and many to many, and sparse vectors.
//
// It knows numbers only: not what a row means, not where it is kept. It imports nothing of this module and allocates
// nothing in its kernels.
//
// Three paths compute the same results: AVX-512 with VNNI, AVX2, and portable Go. The best one that the processor has is
// chosen when the program starts; the environment variable THROUGHLINE_CPU (portable, avx2 or avx512) lowers the choice,
// for measurements and for ruling the assembly out when something looks wrong. [PathError] reports any other value.
//
// Results are a contract and not an accident of the path: int8 products are exact in wrapping 32-bit arithmetic, and
// float32 products are defined by a fixed order of roundings (see [Dot]) that every path follows. So a search or a
// clustering gives the same bytes on every machine, with any number of workers.
//
// On arm64 and other processors the portable path runs. Measured on one Zen 5 core, portable against AVX2: 12 times slower for
// float32 (190 against 16 ns for 256 dimensions) and 35 times for int8 (280 against 8 ns; 1.5 ns with VNNI). The commands are
// THROUGHLINE_CPU=portable go test -run xxx -bench . and the same with avx2 or avx512.
//
// The kernels work on raw slices, so a wrong length is an error of the program, not of its input: like an index out of
// range, it panics. Callers check what comes from outside before it gets here.
package vector
