//go:build !unix

package scoretest

// cpuSeconds returns 0, because the processor time is not known on this system.
func cpuSeconds() float64 { return 0 }
