package batch

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

const (
	// processMemory is the memory that the garbage collector does not account for: pages of the
	// program.
	processMemory = 48 << 20
	// collecting is the part of the memory, one in so many, that fills while the garbage collector
	// works. Less was measured to be too little for a million rows.
	collecting = 16
)

// MemoryError says that a task does not fit into the memory that a job may use.
type MemoryError struct {
	Task        string
	Need, Limit int64 // bytes
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s: too little memory (needs about %s, limit %s)", e.Task, MB(e.Need), MB(e.Limit))
}

// MB formats bytes as megabytes, rounded up.
func MB(bytes int64) string { return fmt.Sprintf("%d MB", (bytes+999_999)/1_000_000) }

// LimitMemory has the garbage collector keep the process within a number of bytes, 0 for no limit,
// until restore is called.
func LimitMemory(limit int64) (restore func()) {
	if limit == 0 {
		return func() {}
	}
	before := debug.SetMemoryLimit(max((limit-processMemory)*(collecting-1)/collecting, 1<<20))
	return func() { debug.SetMemoryLimit(before) }
}

// CheckMemory returns a *MemoryError when a task that needs bytes beside what is in use now exceeds
// a limit. A limit of 0 is none.
func CheckMemory(task string, bytes, limit int64) error {
	if limit == 0 {
		return nil
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	inUse := m.HeapAlloc + m.StackInuse + m.MSpanInuse + m.MCacheInuse + m.GCSys + m.OtherSys
	if need := needed(bytes + int64(inUse)); need > limit {
		return &MemoryError{task, need, limit}
	}
	return nil
}

// needed is the memory of a process whose garbage collector accounts for some bytes.
func needed(accounted int64) int64 { return accounted*collecting/(collecting-1) + processMemory }

// ArticlesMemory is the number of bytes that clustering articles takes beside their texts: vectors,
// weighted words, neighbours, linkage. Measured with 4,000 and 16,000 headlines and full texts and
// with vectors of 384 numbers: 9 to 13.5 kB an article; see docs/benchmarks.md.
func ArticlesMemory(articles, dim int) int64 { return int64(articles) * int64(8000+20*dim) }
