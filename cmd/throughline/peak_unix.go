//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"runtime"
	"syscall"
)

// peakMemory is the largest amount of memory this process has had resident, in bytes; 0: unknown.
func peakMemory() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss) // in bytes there, in KiB elsewhere
	}
	return int64(usage.Maxrss) << 10
}

// cpuSeconds is how long this process has computed, on all cores together; 0: unknown.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
