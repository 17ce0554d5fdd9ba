package store

import (
	"errors"
	"testing"
)

func TestScale(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		if got, err := s.Scale(t.Context()); err != nil || got != nil {
			t.Fatalf("before anything was measured: %+v, %v", got, err)
		}
		for _, want := range []Scale{{Factor: 1.25, Separation: .93, Articles: 96, Corpus: 400}, {Factor: .75, Separation: .8, Articles: 30, Corpus: 4000}} {
			if err := s.PutScale(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Scale(t.Context()); err != nil || *got != want {
				t.Errorf("stored %+v, %v; want %+v", got, err, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.PutScale(t.Context(), Scale{}); !errors.Is(err, ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
		if got, err := e.open(t).Scale(t.Context()); err != nil || got == nil || got.Factor != .75 {
			t.Errorf("after reopening %+v, %v", got, err)
		}
	})
}
