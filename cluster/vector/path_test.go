package vector

import (
	"runtime"
	"strings"
	"testing"
)

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
		value string
		best  level
		want  level
		fails string
	}{
		{"", avx512, avx512, ""},
		{"", portable, portable, ""},
		{"portable", avx512, portable, ""},
		{"avx2", avx512, avx2, ""},
		{" AVX2\n", avx512, avx2, ""},
		{"avx512", avx512, avx512, ""},
		{"avx512", avx2, avx2, `THROUGHLINE_CPU: not available on this processor (got "avx512", want one of `},
		{"avx521", avx512, avx512, `THROUGHLINE_CPU: unknown value (got "avx521", want one of `},
	} {
		got, err := choose(c.value, c.best)
		if got != c.want || (err != nil) != (c.fails != "") || err != nil && !strings.HasPrefix(err.Error(), c.fails) {
			t.Errorf("choose(%q, %s) = %s, %v", c.value, levelNames[c.best], levelNames[got], err)
		}
	}
	if _, err := choose("neon", portable); (err == nil) != (runtime.GOARCH == "arm64") {
		t.Errorf("neon on %s: %v", runtime.GOARCH, err)
	}
}
