//go:build !unix

package minilm

// cpuSeconds is not known here; the benchmarks report wall time only.
func cpuSeconds() float64 { return 0 }
