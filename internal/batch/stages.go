package batch

import (
	"runtime"
	"time"
)

// Cost is what something took.
type Cost struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds,omitempty"`       // on all cores; 0: unknown
	Peak    int64   `json:"peak_memory_bytes,omitempty"` // of the process so far; 0: unknown
}

// Stage is a finished stage.
type Stage struct {
	Name string `json:"name"`
	Cost
	Resumed bool   `json:"resumed,omitempty"` // an earlier run had finished it
	Detail  string `json:"detail,omitempty"`
}

// Observer follows a job. Its methods are called from one goroutine at a time.
type Observer interface {
	// Progress reports what a stage is doing, and how much of that is done, 0 to 1.
	Progress(stage, doing string, done float64)
	// Finished reports the end of a stage.
	Finished(Stage)
}

// Stages measures the stages of a job, one after another.
type Stages struct {
	observer Observer
	started  time.Time

	name  string // of the running stage
	began time.Time
	cpu   float64
}

// NewStages starts the clock of a job.
func NewStages(o Observer) *Stages { return &Stages{observer: o, started: time.Now()} }

// Begin starts a stage.
func (s *Stages) Begin(name string) {
	s.name, s.began, s.cpu = name, time.Now(), cpuSeconds()
	s.observer.Progress(name, name, 0)
}

// Progress reports what the running stage is doing, and how much of that is done, 0 to 1.
func (s *Stages) Progress(doing string, done float64) { s.observer.Progress(s.name, doing, done) }

// End ends the running stage. The detail, if any, is for people.
func (s *Stages) End(detail string) { s.end(Stage{Detail: detail}) }

// Resume ends the running stage, which an earlier run has finished.
func (s *Stages) Resume() { s.end(Stage{Resumed: true, Detail: "from an earlier run"}) }

func (s *Stages) end(stage Stage) {
	stage.Name = s.name
	stage.Cost = Cost{time.Since(s.began).Seconds(), max(0, cpuSeconds()-s.cpu), peakMemory()}
	runtime.GC() // so that the next stage uses the memory of this one, and no more
	s.observer.Finished(stage)
}

// Total returns what everything took until now.
func (s *Stages) Total() Cost {
	return Cost{time.Since(s.started).Seconds(), cpuSeconds(), peakMemory()}
}
