// Package evaltest opens the files of ../shared for tests. These are labelled news, vectors and a
// document, which lie beside the repository and are not part of it.
package evaltest

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// RequireVariable names the environment variable that, set to "require", makes tests fail instead
// of skip when a file is missing.
const RequireVariable = "THROUGHLINE_EVAL"

// Path returns the path of a file of ../shared. If the file is missing the test is skipped, or
// fails if the environment requires the files.
func Path(t testing.TB, name string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "..", "..", "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		missing := t.Skipf
		if os.Getenv(RequireVariable) == "require" {
			missing = t.Fatalf
		}
		missing("%s: file missing: put ../shared beside the repository", name)
	}
	return path
}

// Lines calls each for every line of a labelled set, such as "basil".
func Lines(t testing.TB, set string, each func(line []byte) error) {
	t.Helper()
	f, err := os.Open(Path(t, "eval/"+strings.TrimSuffix(set, ".jsonl.gz")+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(z)
	scanner.Buffer(nil, 1<<26)
	for scanner.Scan() {
		if err := each(scanner.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
}
