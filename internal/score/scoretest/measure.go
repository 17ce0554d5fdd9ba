package scoretest

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// Measure runs do for every iteration of a benchmark and reports, of one iteration, the processor
// time of the process in seconds ("cpu-s", 0 where the system does not say) and by how much the
// heap, garbage included, was at most larger than before ("peak-MB").
func Measure(b *testing.B, do func()) {
	b.Helper()
	b.ReportAllocs()
	runtime.GC()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	size := func() uint64 {
		metrics.Read(heap)
		return heap[0].Value.Uint64()
	}
	before, peak := size(), make(chan uint64)
	stop := make(chan struct{})
	go func() {
		most := before
		for ticker := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-ticker.C:
				most = max(most, size())
			case <-stop:
				ticker.Stop()
				peak <- most
				return
			}
		}
	}()
	cpu := cpuSeconds()
	for b.Loop() {
		do()
	}
	cpu = cpuSeconds() - cpu
	close(stop)
	b.ReportMetric(cpu/float64(b.N), "cpu-s")
	b.ReportMetric(float64(<-peak-before)/1e6, "peak-MB")
}
