package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"throughline/internal/score"
)

func TestStoryFlags(t *testing.T) {
	for word, want := range map[string]granularity{"finer": 1, "coarser": -1, "0": 0, "3": 3, "+3": 3, "-4": -4} {
		var g granularity
		if err := g.UnmarshalText([]byte(word)); err != nil || g != want {
			t.Errorf("%s: %d, %v", word, g, err)
		}
		if got := (StoryFlags{Granularity: &g}).target(); got != (score.Target{Granularity: int(want)}) {
			t.Errorf("%s: target %+v", word, got)
		}
	}
	// One that is 0 does not contradict the other, which overrides the environment.
	share, none, steps, zero := 0.9, 0.0, granularity(2), granularity(0)
	for _, f := range []StoryFlags{{}, {Precision: &share}, {Precision: &share, Granularity: &zero}, {Precision: &none, Granularity: &steps}, {Granularity: &steps}} {
		if err := f.check(); err != nil {
			t.Errorf("%+v: %v", f.target(), err)
		}
	}
}

// TestClusterGranularity compares files, the store, a server, a dry run and its application at
// several targets.
func TestClusterGranularity(t *testing.T) {
	ctx := context.Background()
	reports := reports + `{"id":"n1","title":"Rents in Norland fall for the first time in years","text":"Landlords asked for less in April, and more flats stand empty. Inflation is past its peak, economists say.","date":"2031-05-02"}` + "\n"
	file := write(t, "reports.jsonl", reports)
	found := map[string]string{}
	for _, target := range []string{"--granularity=-4", "--granularity=coarser", "--granularity=0", "--granularity=finer", "--granularity=4", "--precision=.999"} {
		t.Run(target, func(t *testing.T) {
			data := t.TempDir()
			execute(ctx, data, reports, "ingest", "-").mustSucceed(t)
			cluster := func(args ...string) string {
				t.Helper()
				return execute(ctx, data, "", append([]string{"cluster", "-o", "-", target}, args...)...).mustSucceed(t).stdout
			}
			local := cluster()
			found[target] = storiesOf(t, local)
			if files := storiesOf(t, cluster(file)); files != found[target] {
				t.Errorf("from files %s, from the store %s", files, found[target])
			}
			addr, stop := serving(t, data, "--granularity=-3") // the request overrides it
			remote, applied := cluster("--addr", addr), storiesOf(t, cluster("--addr", addr, "--apply"))
			stop()
			if remote != local {
				t.Errorf("a server finds\n%sthis process\n%s", remote, local)
			}
			if applied != found[target] {
				t.Errorf("the dry run announces %s, applied was %s", found[target], applied)
			}
			if again := execute(ctx, data, "", "cluster", target).mustSucceed(t); !strings.Contains(again.stderr, "0 articles moved") {
				t.Errorf("after it was applied: %s", again.stderr)
			}
		})
	}
	if found["--granularity=0"] != "b1 b2 | q1 q2 q3" || found["--granularity=4"] == found["--granularity=0"] || found["--granularity=-4"] == found["--granularity=0"] ||
		found["--precision=.999"] == found["--granularity=0"] {
		t.Errorf("stories %v", found)
	}
	// Without flags a server uses its own.
	data := t.TempDir()
	execute(ctx, data, reports, "ingest", "-").mustSucceed(t)
	addr, stop := serving(t, data, "--granularity=4")
	defer stop()
	x := execute(ctx, filepath.Join(data, "elsewhere"), "", "cluster", "--addr", addr, "-o", "-").mustSucceed(t)
	if got := storiesOf(t, x.stdout); got != found["--granularity=4"] {
		t.Errorf("stories %s, want %s", got, found["--granularity=4"])
	}
}
