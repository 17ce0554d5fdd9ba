package vector

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// level orders the paths: each needs all that the one below it needs.
type level int

const (
	portable level = iota
	avx2
	avx512
)

var levelNames = [...]string{portable: "portable", avx2: "avx2", avx512: "avx512"}

var current, pathError = choose(os.Getenv("THROUGHLINE_CPU"), supported())

// PathError returns an error when THROUGHLINE_CPU is not the name of a path that this processor
// has. The best path is used then; a program should refuse to start.
func PathError() error { return pathError }

// choose returns the path that a value of THROUGHLINE_CPU names.
func choose(value string, best level) (level, error) {
	names := slices.Clone(levelNames[:best+1])
	name := strings.ToLower(strings.TrimSpace(value))
	if at := slices.Index(names, name); at >= 0 {
		return level(at), nil
	}
	if runtime.GOARCH == "arm64" {
		names = append(names, "neon") // kernels of embed/minilm; this package has none for arm64
	}
	if name == "" || slices.Contains(names, name) {
		return best, nil
	}
	cause := "unknown value"
	if slices.Contains(levelNames[:], name) {
		cause = "not available on this processor"
	}
	slices.Reverse(names) // fastest first
	return best, fmt.Errorf("THROUGHLINE_CPU: %s (got %q, want one of %s)", cause, value, strings.Join(names, ", "))
}
