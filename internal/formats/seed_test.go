package formats

import (
	"os"
	"slices"
	"strings"
	"testing"

	"throughline/internal/chunk"
	"throughline/internal/evaltest"
)

// TestSeedDocument reads the document that the plain-text format comes from.
func TestSeedDocument(t *testing.T) {
	path := evaltest.Path(t, "seed/moscow-concert-hall.txt")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	articles, errs := parse(path, data, Options{})
	if len(errs) > 0 || len(articles) != 1 {
		t.Fatalf("got %d articles, errors %v", len(articles), errs)
	}
	a := articles[0]
	if got := a.Published.Format("2006-01-02"); got != "2024-03-29" || !a.DateOnly {
		t.Errorf("date %s, date only %t", got, a.DateOnly)
	}
	if !a.TitleDerived || a.Title != "Moscow concert hall" {
		t.Errorf("title %q, derived %t", a.Title, a.TitleDerived)
	}
	var headings []string
	for _, s := range a.Sections {
		headings = append(headings, s.Heading)
	}
	want := []string{"", "Unheeded Warnings and Security Oversights", "The Aftermath and Accountability", "Reflections on a Tragedy"}
	if !slices.Equal(headings, want) {
		t.Errorf("headings %q", headings)
	}
	if lede := a.Sections[0].Text; !strings.HasPrefix(lede, "On a day that") || !strings.HasSuffix(lede, "intelligence failures.") {
		t.Errorf("lede %q", lede)
	}
	if got := len(chunk.Split(a, chunk.Limit{Tokens: 254, Count: countWordsOf})); got != 4 {
		t.Errorf("%d sections after Split", got)
	}
}

// countWordsOf stands in for a tokenizer: a token a word.
func countWordsOf(s string) int { return len(strings.Fields(s)) }
