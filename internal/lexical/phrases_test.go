package lexical

import (
	"slices"
	"strings"
	"testing"
)

func phrasesOf(text string) []Phrase { return Analyze("", text).Phrases }

func TestPhrasesOfLittle(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "rain fell on Tarvale.": 0, "rain fell over all of it": 0, // too short; without a name
		"rain fell on Tarvale today.": 1, "rain fell on Tarvale Bay North today.": 1, // names in a row are one word
		"rain fell on Tarvale today and snow.":               3,
		strings.Repeat("rain fell on Tarvale today and ", 9): 5, // a form counts once
	} {
		if got := phrasesOf(text); len(got) != want {
			t.Errorf("%q: %d phrases, want %d", text, len(got), want)
		}
	}
}

// Texts of one form have the same forms, and the same phrases where they have the same names and
// numbers.
func TestPhrasesOfOneForm(t *testing.T) {
	fill := func(place, degrees, wind string) []Phrase {
		return phrasesOf("The day begins dry in " + place + " with light clouds. Later it is up to " + degrees + " degrees warm, and the wind comes from the " +
			"west at " + wind + " kilometres an hour. In the night it cools down by half, with fog in the valleys around " + place + " and frost above.")
	}
	a, b, same := fill("Tarvale", "21", "30"), fill("Great Lyn", "7", "1,200"), fill("Tarvale", "21", "30")
	if len(a) != maxPhrases || !slices.Equal(a, same) {
		t.Fatalf("%d phrases; of the same text %v and %v", len(a), a, same)
	}
	for i := range a {
		if a[i].Form != b[i].Form || a[i].Whole == b[i].Whole {
			t.Errorf("phrase %d: %v and %v; want one form and two wholes", i, a[i], b[i])
		}
		if i > 0 && a[i].Form <= a[i-1].Form {
			t.Errorf("phrases %v; want ascending forms", a)
		}
	}
	if other := fill("Tarvale", "21", "40"); slices.Equal(other, a) {
		t.Error("another number makes no other phrase")
	}
}
