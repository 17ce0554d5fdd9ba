package main

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// stages is a progress bar for a job that knows how far it is: on a terminal, and nothing elsewhere.
type stages struct {
	on    *progressbar.ProgressBar
	stage string
}

// permille is how finely a bar moves.
const permille = 1000

func (p *program) stages() *stages {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &stages{}
	}
	return &stages{on: progressbar.NewOptions(permille, progressbar.OptionSetWriter(f), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetRenderBlankState(true))}
}

// at says what the job is doing and how much of that is done, 0 to 1. It is not called concurrently. A terminal that went
// away is no reason to stop.
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
