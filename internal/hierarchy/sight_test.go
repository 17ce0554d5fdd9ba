package hierarchy

import (
	"testing"
)

func TestMeanMargins(t *testing.T) {
	margins := meanMargins(pairsAndChain(2, 1, -1))
	for _, c := range []struct{ at, want float64 }{
		{6, 2},    // all apart; more than mostMargin above the pairs
		{2, 1},    // all apart
		{1.5, .5}, // all apart
		{1, 2},    // a join at the logit itself is made: pairs, 2 above the next join
		{0, 1},    // pairs
		{-.5, .5}, // pairs
		{-3, 2},   // one group, with no next join
	} {
		if got := margins[stepAbove(c.at)-1]; got != c.want {
			t.Errorf("margin at %v: got %v, want %v", c.at, got, c.want)
		}
	}
}
