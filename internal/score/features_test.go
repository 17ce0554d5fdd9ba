package score

import (
	"testing"

	"throughline/internal/news"
)

// A text that stands for one that could not be had has no words, so it is like no other. Short
// reports and headlines have theirs.
func TestPlaceholdersSayNothing(t *testing.T) {
	dense := []float32{1}
	for text, placeholder := range map[string]bool{
		"No summary was provided by the outlet.":       true,
		"Sign up to keep reading.":                     true,
		"Rates held.":                                  true, // too little to tell two such reports apart
		"Fire destroys school in Leeds, three injured": false,
		"Ofsted inspects 12 schools.":                  false,
		"Rates are held again as inflation slows and wages rise faster than expected": false,
	} {
		read := func(title string) *Weighted {
			v, err := news.Validate(news.Article{ID: "a", Title: title, Sections: []news.Section{{Text: text}}})
			if err != nil {
				t.Fatal(err)
			}
			a := v.Article()
			f := FeaturesOf(&a, dense)
			return stateOf(nil).Weigh(&f)
		}
		if w := read(""); (len(w.Full.Terms) == 0) != placeholder || (w.Centred == nil) != placeholder {
			t.Errorf("%q: %d terms, want none: %v", text, len(w.Full.Terms), placeholder)
		}
		if w := read("What the budget means"); len(w.Full.Terms) == 0 {
			t.Errorf("%q with a title: no terms", text)
		}
	}
}
