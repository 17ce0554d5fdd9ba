package cluster

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Progress is the progress of a long computation: Done of Total steps of a stage. The size of a
// step has no meaning.
type Progress struct {
	Stage       string
	Done, Total int
}

// meter reports progress at most a hundred times, never concurrently and never backwards. Without a
// function it does nothing.
type meter struct {
	report      func(Progress)
	stage       string
	total       int
	mutex       sync.Mutex
	done, shown int
}

func newMeter(report func(Progress), stage string, total int) *meter {
	m := &meter{report: report, stage: stage, total: total}
	if report != nil {
		report(Progress{Stage: stage, Done: 0, Total: total})
	}
	return m
}

func (m *meter) add(n int) {
	if m.report == nil || n == 0 {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.done += n
	if m.done-m.shown < m.total/100 && m.done < m.total {
		return
	}
	m.shown = m.done
	m.report(Progress{Stage: m.stage, Done: m.done, Total: m.total})
}

// workersOr returns the number of goroutines to use: workers, or GOMAXPROCS when that is 0.
func workersOr(workers int) int {
	if workers > 0 {
		return workers
	}
	return runtime.GOMAXPROCS(0)
}

// parallel divides 0..n into chunks of the given size, calls f for each on one of the workers, and
// returns when all calls have. f gets the number of its worker, for scratch space. Results must not
// depend on which worker gets which chunk. When ctx ends, no further chunk starts and parallel
// returns its error.
func parallel(ctx context.Context, workers, n, size int, f func(worker, from, to int)) error {
	chunks := (n + size - 1) / size
	workers = min(workers, chunks)
	if workers <= 1 {
		for from := 0; from < n; from += size {
			if err := ctx.Err(); err != nil {
				return err
			}
			f(0, from, min(from+size, n))
		}
		return ctx.Err()
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for worker := range workers {
		wait.Go(func() {
			for ctx.Err() == nil {
				chunk := int(next.Add(1)) - 1
				if chunk >= chunks {
					return
				}
				f(worker, chunk*size, min(chunk*size+size, n))
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}
