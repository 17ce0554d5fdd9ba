package main

import (
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// terminal returns stderr when it is a terminal, else nil.
func (p *program) terminal() *os.File {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// stages is a progress bar for a job whose progress is known. It is shown on a terminal only.
// Errors of the terminal are ignored: they are no reason to stop.
type stages struct {
	on    *progressbar.ProgressBar // nil: not shown
	stage string
}

// permille is how finely a bar moves.
const permille = 1000

func (p *program) stages() *stages {
	f := p.terminal()
	if f == nil {
		return &stages{}
	}
	return &stages{on: progressbar.NewOptions(permille, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetRenderBlankState(true))}
}

// at shows what the job is doing and how much of that is done, 0 to 1. It is not safe for
// concurrent use.
func (s *stages) at(stage string, done float64) {
	if s.on == nil {
		return
	}
	if stage != s.stage {
		s.stage = stage
		s.on.Describe(stage)
	}
	_ = s.on.Set(int(min(max(done, 0), 1) * (permille - 1))) // a full bar is a finished one
}

// clear makes room for a line of text; the bar comes back below it.
func (s *stages) clear() {
	if s.on != nil {
		_ = s.on.Clear()
	}
}

func (s *stages) done() {
	if s.on != nil {
		_ = s.on.Finish()
	}
}

// counter counts the items of the steps of a job on a terminal, where their number is not known
// before. The zero value shows nothing.
type counter struct {
	to     *os.File // nil: not shown
	prefix string
	step   string
	items  int
	on     *progressbar.ProgressBar // of the step
}

func (p *program) counter(prefix string) *counter { return &counter{to: p.terminal(), prefix: prefix} }

// count counts an item of a step.
func (c *counter) count(step string) {
	if c.to == nil {
		return
	}
	if step != c.step {
		c.done()
		c.step, c.items = step, 0
		c.on = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(c.to), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetRenderBlankState(true))
	}
	c.items++
	c.on.Describe(fmt.Sprintf("%s%s: %d", c.prefix, step, c.items))
	_ = c.on.Add(1)
}

func (c *counter) done() {
	if c.on != nil {
		_ = c.on.Finish()
	}
}
