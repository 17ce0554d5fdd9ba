//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package batch

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// peakMemory returns the peak of the resident memory of this process in bytes; 0: unknown.
func peakMemory() int64 {
	if peak := highWater(); peak > 0 {
		return peak
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss) // in bytes there, in KiB elsewhere
	}
	return int64(usage.Maxrss) << 10
}

// highWater returns the peak that Linux counts for this program alone; 0: unknown. Getrusage also
// counts the program that ran in the process before.
func highWater() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// cpuSeconds returns the CPU time of this process on all cores; 0: unknown.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
