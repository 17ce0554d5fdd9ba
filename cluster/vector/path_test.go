package vector

import "testing"

// eachPath runs f on every path that this processor has.
func eachPath(t *testing.T, f func(t *testing.T)) {
	before := current
	defer func() { current = before }()
	for l := range levelNames {
		if level(l) > supported() {
			t.Logf("%s is not tested: this processor lacks it", levelNames[l])
			continue
		}
		current = level(l)
		t.Run(levelNames[l], f)
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		wish string
		best level
		want level
		fail bool
	}{
		{"", avx512, avx512, false},
		{"", portable, portable, false},
		{"portable", avx512, portable, false},
		{"avx2", avx512, avx2, false},
		{"avx512", avx512, avx512, false},
		{"avx512", avx2, avx2, true},
		{"sse9", avx2, avx2, true},
	} {
		got, err := choose(c.wish, c.best)
		if got != c.want || (err != nil) != c.fail {
			t.Errorf("choose(%q, %s) = %s, %v", c.wish, levelNames[c.best], levelNames[got], err)
		}
	}
	if Path() != levelNames[current] {
		t.Errorf("Path() = %q", Path())
	}
}
