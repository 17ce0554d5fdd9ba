//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package batch

// peakMemory returns 0: unknown on this system.
func peakMemory() int64 { return 0 }

// cpuSeconds returns 0: unknown on this system.
func cpuSeconds() float64 { return 0 }
