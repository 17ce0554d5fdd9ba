package main

import (
	"path/filepath"
	"strings"
	"testing"

	"throughline/embed/minilm"
	"throughline/internal/storetest"
)

// TestShowingNeedsNoState has commands read a store whose State is torn: those that show what is
// stored do not look at it, and those that score make it anew.
func TestShowingNeedsNoState(t *testing.T) {
	ctx, data := t.Context(), t.TempDir()
	execute(ctx, data, reports, "--prefix", "test", "ingest", "-").mustSucceed(t)
	model, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("tear", func(t *testing.T) { // its end closes the store
		s := storetest.Open(t, storetest.Options{Space: model.Space(), Path: filepath.Join(data, storeFile)})
		if err := s.SaveState(ctx, []byte("torn")); err != nil {
			t.Fatal(err)
		}
	})
	for _, command := range []string{"article q1", "stories", "topics", "export"} {
		x := execute(ctx, data, "", append([]string{"--prefix", "test"}, strings.Fields(command)...)...).mustSucceed(t)
		if !strings.Contains(x.stdout, "Tarvale") && command != "topics" || x.stderr != "" {
			t.Errorf("%s prints %q and %q", command, x.stdout, x.stderr)
		}
	}
	x := execute(ctx, data, "", "--prefix", "test", "related", "q1").mustSucceed(t)
	if !strings.Contains(x.stderr, "calibrating") || !strings.Contains(x.stdout, "q2") {
		t.Errorf("related prints %q and %q", x.stdout, x.stderr)
	}
}
