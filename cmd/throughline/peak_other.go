//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package main

// peakMemory is 0, unknown: this system does not tell.
func peakMemory() int64 { return 0 }

// cpuSeconds is 0, unknown.
func cpuSeconds() float64 { return 0 }
