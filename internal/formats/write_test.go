package formats

import (
	"testing"

	"throughline/internal/news"
)

// Every text of an article is written, and read again.
func TestEveryTextIsWritten(t *testing.T) {
	var a news.Article
	for name, s := range a.Texts() {
		*s = name
	}
	a.URL, a.Language = "https://example.com/url", "de"
	valid, err := news.Validate(a)
	if err != nil {
		t.Fatal(err)
	}
	a = valid.Article()
	line, err := MarshalJSONLine(a)
	if err != nil {
		t.Fatal(err)
	}
	back, errs := parse("x.jsonl", line, Options{})
	if len(errs) > 0 || len(back) != 1 {
		t.Fatalf("%d articles, errors %v, from %s", len(back), errs, line)
	}
	for name, s := range a.Texts() {
		if got := *textOf(&back[0], name); got != *s {
			t.Errorf("%s is %q, was %q", name, got, *s)
		}
	}
}
