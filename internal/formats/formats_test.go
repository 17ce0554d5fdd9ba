package formats

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"throughline/internal/news"
)

var update = flag.Bool("update", false, "write what the tests get as what they want")

// parse is ReadFrom for data in memory.
func parse(name string, data []byte, opts Options) ([]news.Article, []error) {
	var articles []news.Article
	var errs []error
	for a, err := range ReadFrom(context.Background(), name, bytes.NewReader(data), opts) {
		if err != nil {
			errs = append(errs, err)
		} else {
			articles = append(articles, a.Article())
		}
	}
	return articles, errs
}

// TestFormats reads every file of the archives in testdata/formats and compares what comes out with
// the archive's "want".
func TestFormats(t *testing.T) {
	archives, err := filepath.Glob("testdata/formats/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			want := ""
			kept := archive.Files[:0]
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				kept = append(kept, f)
				articles, errs := parse(f.Name, f.Data, Options{Keep: []string{"story", "topic"}})
				for _, a := range articles {
					got.WriteString(describe(a))
				}
				for _, err := range errs {
					fmt.Fprintf(&got, "error: %v\n\n", err)
				}
			}
			if *update {
				archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got.String())})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("%s (-want +got; go test -update accepts it):\n%s", path, diff)
			}
		})
	}
}

// describe writes an article for people to compare.
func describe(a news.Article) string {
	var b strings.Builder
	fmt.Fprintf(&b, "== %s\nid: %s\ntitle: %s", a.Origin, a.ID, a.Title)
	if a.TitleDerived {
		b.WriteString(" (derived)")
	}
	b.WriteString("\n")
	for _, f := range []struct{ name, value string }{
		{"url", a.URL}, {"source", a.Source}, {"language", a.Language}, {"authors", strings.Join(a.Authors, " + ")},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, "%s: %s\n", f.name, f.value)
		}
	}
	switch {
	case a.Published.IsZero():
	case a.DateOnly:
		fmt.Fprintf(&b, "date: %s\n", a.Published.Format(time.DateOnly))
	default:
		fmt.Fprintf(&b, "date: %s\n", a.Published.Format(time.RFC3339))
	}
	if len(a.Extra) > 0 {
		fmt.Fprintf(&b, "extra: %v\n", a.Extra)
	}
	for _, s := range a.Sections {
		fmt.Fprintf(&b, "[%s]\n%s\n", s.Heading, s.Text)
	}
	return b.String() + "\n"
}
