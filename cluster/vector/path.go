package vector

import (
	"fmt"
	"os"
)

// PathVariable is the environment variable that lowers the choice of a path.
const PathVariable = "THROUGHLINE_CPU"

// level orders the paths: each needs all that the one below it needs.
type level int

const (
	portable level = iota
	avx2
	avx512
)

var levelNames = [...]string{portable: "portable", avx2: "avx2", avx512: "avx512"}

var current, pathError = choose(os.Getenv(PathVariable), supported())

// Path names the code that runs: "avx512", "avx2" or "portable".
func Path() string { return levelNames[current] }

// PathError says, for a program to report when it starts, that THROUGHLINE_CPU asks for what does not exist or what this
// processor lacks. The best path that the processor has is used then.
func PathError() error { return pathError }

// choose applies the wish to what the processor has.
func choose(wish string, best level) (level, error) {
	if wish == "" {
		return best, nil
	}
	for l, name := range levelNames {
		if name != wish {
			continue
		}
		if level(l) > best {
			return best, fmt.Errorf("%s=%s: this processor has only %s", PathVariable, wish, levelNames[best])
		}
		return level(l), nil
	}
	return best, fmt.Errorf("%s=%s: want portable, avx2 or avx512", PathVariable, wish)
}
