package state

import (
	"math"
	"testing"

	"throughline/internal/score"
)

// steps is how far the threshold in force is from the break-even, in steps of granularity.
func steps(o *Owner) float64 {
	th := o.Current().Threshold
	return (th.Logit - th.BreakEven) / score.GranularityStep
}

// Every calibration keeps to the target of the process, and its threshold stays in force until the
// next one.
func TestCalibrationsKeepToTheTarget(t *testing.T) {
	w := newWorld(t)
	run := func(granularity, from, to int) *Owner {
		t.Helper()
		w.restart()
		w.cfg.Target.Granularity = granularity
		o := w.load()
		w.take(o, from, to)
		o.maintain(t.Context())
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		return o
	}
	const slack = 0.5 // each step goes into a gap near by
	for _, c := range []struct {
		granularity, from, to int
		want                  float64
		why                   string
	}{
		{2, 0, 20, 2, "too few articles: steps from the default of the model"},
		{-1, 20, 30, -1, "too few articles, another process"},
		{2, 30, 100, 2, "the first calibration"},
		{0, 100, 120, 2, "no calibration: the threshold in the store"},
		{-2, 120, 210, -2, "the second calibration"},
		{0, 210, 420, 0, "the third one"},
	} {
		if got := steps(run(c.granularity, c.from, c.to)); math.Abs(got-c.want) > slack {
			t.Errorf("granularity %d, articles %d to %d: %.2f steps, want %.0f: %s", c.granularity, c.from, c.to, got, c.want, c.why)
		}
	}
}
