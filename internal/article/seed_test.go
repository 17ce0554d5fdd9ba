package article

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// seedPath is the document that the plain-text format comes from. It is not part of the repository.
const seedPath = "../../../shared/seed/moscow-concert-hall.txt"

func TestSeedDocument(t *testing.T) {
	data, err := os.ReadFile(seedPath)
	if err != nil {
		t.Skipf("needs the seed document beside the checkout, as %s: %v", seedPath, err)
	}
	articles, errs := Parse(seedPath, data, Options{})
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
	if got := len(Split(a, Limit{Tokens: 254, Count: countWordsOf})); got != 4 {
		t.Errorf("%d sections after Split", got)
	}
}

// countWordsOf stands in for a tokenizer: a token a word.
func countWordsOf(s string) int { return len(strings.Fields(s)) }
