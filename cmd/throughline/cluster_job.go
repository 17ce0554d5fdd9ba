package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"throughline/internal/checkpoint"
)

// size is a number of bytes, written with or without a unit.
type size int64

// UnmarshalText reads a size such as 700MB, 1.5GiB or 1000000. Units of a thousand and of 1024 are told apart as usual.
func (s *size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(strings.ToLower(string(text)), "bikmgt ")
	scale := 1.
	switch unit := strings.TrimSpace(strings.ToLower(string(text))[len(number):]); unit {
	case "", "b":
	case "k", "kb", "m", "mb", "g", "gb", "t", "tb":
		scale = math.Pow(1000, float64(strings.IndexByte("kmgt", unit[0])+1))
	case "kib", "mib", "gib", "tib", "ki", "mi", "gi", "ti":
		scale = math.Pow(1024, float64(strings.IndexByte("kmgt", unit[0])+1))
	default:
		return fmt.Errorf("%q is no size; write for example 700MB or 2GB", text)
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(x >= 0 && x*scale < math.MaxInt64) {
		return fmt.Errorf("%q is no size; write for example 700MB or 2GB", text)
	}
	*s = size(x * scale)
	return nil
}

// memoryError says that a job cannot stay within --max-memory.
type memoryError struct {
	What        string // what needs it
	Need, Limit int64  // bytes
}

func (e *memoryError) Error() string {
	return fmt.Sprintf("%s would need about %s of memory, and --max-memory allows %s: give it %s or more, or cluster in parts",
		e.What, inMB(e.Need), inMB(e.Limit), inMB(e.Need))
}

func inMB(bytes int64) string { return fmt.Sprintf("%d MB", (bytes+999_999)/1_000_000) }

// stageCost is what a finished stage took.
type stageCost struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds,omitempty"`
	Peak    int64   `json:"peak_memory_bytes,omitempty"` // of the process so far
	Kept    bool    `json:"resumed,omitempty"`           // an earlier run had finished it
	Detail  string  `json:"detail,omitempty"`
}

// job accounts for the stages of a batch job, shows how far it is, and keeps what finished stages made.
type job struct {
	p       *program
	bar     *stages
	started time.Time
	limit   int64 // bytes; 0: none
	restore int64 // the limit of the garbage collector before
	work    string
	made    []string // directories to remove, when nothing is in them, at the end
	kept    *checkpoint.Dir
	notes   []string

	done  []stageCost
	stage string // running
	began time.Time
	cpu   float64
	shown time.Time // when something was last printed
}

// processMemory is what the process takes beside what the garbage collector accounts for: the pages of the program that are in use.
const processMemory = 48 << 20

// collecting is the share of memory, one in so many, that is filled while the garbage collector is at work on what it was started for. With
// a million rows, less was measured to be too little.
const collecting = 16

func (c *clusterCmd) newJob(p *program) *job {
	j := &job{p: p, bar: p.stages(), started: time.Now(), limit: int64(c.MaxMemory), restore: -1, work: c.Work}
	if j.work == "" {
		j.work = filepath.Join(p.cli.Data, "work")
		j.made = append(j.made, j.work)
		if _, err := os.Stat(p.cli.Data); errors.Is(err, os.ErrNotExist) {
			j.made = append(j.made, p.cli.Data)
		}
	}
	if j.limit > 0 {
		j.restore = debug.SetMemoryLimit(max((j.limit-processMemory)*(collecting-1)/collecting, 1<<20))
	}
	return j
}

// close ends the bar, and lifts the limit again.
func (j *job) close() error {
	j.bar.done()
	if j.restore >= 0 {
		debug.SetMemoryLimit(j.restore)
	}
	return nil
}

// needs refuses what takes more memory than is allowed. bytes is what it takes beside what is in use already.
func (j *job) needs(what string, bytes int64) error {
	if j.limit == 0 {
		return nil
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	need := bytes + int64(m.HeapAlloc+m.StackInuse+m.MSpanInuse+m.MCacheInuse+m.GCSys+m.OtherSys)
	need = need*collecting/(collecting-1) + processMemory
	if need > j.limit {
		return &memoryError{what, need, j.limit}
	}
	return nil
}

// begin starts the clock of a stage.
func (j *job) begin(stage string) {
	j.stage, j.began, j.cpu = stage, time.Now(), cpuSeconds()
	j.shown = j.began
	j.bar.at(stage, 0)
}

// quietFor is how long a log that is no terminal hears nothing of a stage that goes on.
const quietFor = 20 * time.Second

// at says what a stage is doing, and how much of that is done.
func (j *job) at(what string, done float64) {
	j.bar.at(what, done)
	if j.bar.on == nil && !j.p.cli.JSON && time.Since(j.shown) > quietFor {
		j.shown = time.Now()
		fmt.Fprintf(j.p.stderr, "%-10s %s: %.0f %%\n", j.stage, what, 100*done)
	}
}

// end reports a stage.
func (j *job) end(detail string) { j.ended(stageCost{Detail: detail}) }

// resumed reports a stage that an earlier run has finished.
func (j *job) resumed() { j.ended(stageCost{Kept: true, Detail: "from an earlier run"}) }

func (j *job) ended(s stageCost) {
	s.Name, s.Seconds, s.CPU, s.Peak = j.stage, since(j.began), max(0, cpuSeconds()-j.cpu), peakMemory()
	j.done = append(j.done, s)
	runtime.GC() // so that the next stage takes the room of what this one has left, and no more
	if j.p.cli.JSON {
		_ = json.NewEncoder(j.p.stderr).Encode(map[string]any{"stage": s}) // a terminal that went away is no reason to stop
		return
	}
	j.bar.clear()
	line := fmt.Sprintf("%-10s %7.1f s", s.Name, s.Seconds)
	if s.Peak > 0 {
		line += fmt.Sprintf(" %7.1f CPU s %7s", s.CPU, inMB(s.Peak))
	}
	if s.Detail != "" {
		line += "  " + s.Detail
	}
	fmt.Fprintln(j.p.stderr, line)
}

// keep opens the checkpoints of this job. Where they cannot be kept the job goes on without.
func (j *job) keep(name string, key checkpoint.Key) {
	kept, err := checkpoint.Open(j.work, name, key)
	if err != nil {
		j.notes = append(j.notes, fmt.Sprintf("an interrupted run would start anew: %v", err))
		return
	}
	j.kept = kept
}

// load reads a stage that an earlier run finished.
func (j *job) load(stage string, read func(*checkpoint.Reader) error) bool {
	if j.kept == nil {
		return false
	}
	err := j.kept.Load(stage, read)
	if err != nil && !errors.Is(err, checkpoint.ErrNone) {
		j.notes = append(j.notes, fmt.Sprintf("done again: %v", err))
	}
	return err == nil
}

// save keeps a finished stage. A disk that is full does not end the job.
func (j *job) save(stage string, write func(*checkpoint.Writer) error) {
	if j.kept == nil {
		return
	}
	if err := j.kept.Save(stage, write); err != nil {
		j.notes = append(j.notes, fmt.Sprintf("an interrupted run would do this again: %v", err))
	}
}

// finished removes what was kept: the outputs are written.
func (j *job) finished() error {
	if j.kept == nil {
		return nil
	}
	if err := j.kept.Remove(); err != nil {
		return err
	}
	for _, dir := range j.made {
		_ = os.Remove(dir) // unless something else is in it
	}
	return nil
}

// report writes the summary, with what the job took. It goes to stderr, so that labels on stdout stay alone.
func (a *arrangement) report(w io.Writer, asJSON bool, j *job) error {
	peak, took := peakMemory(), since(j.started)
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"summary": struct {
			*totals
			Changes *changes    `json:"changes,omitempty"`
			Notes   []string    `json:"notes,omitempty"`
			Stages  []stageCost `json:"stages"`
			Seconds float64     `json:"seconds"`
			CPU     float64     `json:"cpu_seconds,omitempty"`
			Peak    int64       `json:"peak_memory_bytes,omitempty"`
		}{a.totals, a.changes, a.notes, j.done, took, cpuSeconds(), peak}})
	}
	var failed error
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(w, format+"\n", args...); err != nil && failed == nil {
			failed = err
		}
	}
	for _, note := range a.notes {
		say("%s", note)
	}
	t := a.totals
	say("%s: %s, the largest of %d; %d in no story; %s, %s", plural(t.Items, a.one, a.many), plural(t.Stories, "story", "stories"), t.Largest,
		t.OneOffs, plural(t.Topics, "topic", "topics"), plural(t.Themes, "theme", "themes"))
	if ch := a.changes; ch != nil {
		say("stories: %d created, %d merged, %d split, %d renamed, %d deleted; %s moved", ch.Created, ch.Merged, ch.Split, ch.Renamed, ch.Deleted,
			plural(ch.Moved, "article", "articles"))
		if !ch.Applied {
			say("nothing was changed: --apply writes this back")
		}
	}
	if peak > 0 {
		say("%.1f s, %.1f CPU s, peak memory %s", took, cpuSeconds(), inMB(peak))
	} else {
		say("%.1f s", took)
	}
	return failed
}
