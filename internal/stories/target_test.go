package stories

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	"throughline/internal/score"
)

// A reclustering with a target of its own leaves a threshold by which articles are filed that
// arrive after it: one that shares half of its words with a story joins it unless stories are to be
// finer.
func TestFilingFollowsTheTargetOfReclustering(t *testing.T) {
	var joined []int
	steps := []int{-4, -2, 0, 2, 4}
	for _, g := range steps {
		h := setUp(t)
		h.fill()
		opts := ReclusterOptions{Target: &score.Target{Granularity: g}, DryRun: true}
		dry, err := h.Recluster(context.Background(), opts, nil)
		h.must(err)
		if h.states.Current().Threshold == dry.Summary.Threshold {
			t.Errorf("granularity %d: the dry run changed the threshold", g)
		}
		opts.DryRun = false
		a, err := h.Recluster(context.Background(), opts, nil)
		h.must(err)
		if a.Summary != dry.Summary || a.Summary.Target != *opts.Target || h.states.Current().Threshold != a.Summary.Threshold {
			t.Errorf("granularity %d: the run reports %+v, the dry run %+v; State %+v", g, a.Summary, dry.Summary, h.states.Current().Threshold)
		}
		words := slices.Concat(strings.Fields(told("match", 5))[:13], strings.Fields(told("fair", 0))[:11])
		h.putArticle(h.on("late", "match"), strings.Join(words, " "))
		h.file("late")
		if h.article("late").StoryID != "" {
			joined = append(joined, g)
		}
		h.check()
	}
	if len(joined) == 0 || !slices.Equal(joined, steps[:len(joined)]) || len(joined) == len(steps) {
		t.Errorf("the article joins the story at granularities %v of %v", joined, steps)
	}
}

func TestReclusteringHasTheTargetOfTheEngineUnlessItHasItsOwn(t *testing.T) {
	h := setUp(t)
	h.fill()
	h.cfg.Target = score.Target{Precision: .9}
	for _, own := range []*score.Target{nil, {}, {Granularity: -1}} {
		a, err := h.Recluster(context.Background(), ReclusterOptions{Target: own}, nil)
		h.must(err)
		if want := *cmp.Or(own, &h.cfg.Target); a.Summary.Target != want {
			t.Errorf("target %+v, want %+v", a.Summary.Target, want)
		}
	}
	if _, err := h.Recluster(context.Background(), ReclusterOptions{Target: &score.Target{Granularity: 9}}, nil); err == nil {
		t.Error("granularity 9 was accepted")
	}
}
