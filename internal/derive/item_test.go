package derive

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/internal/news"
)

var (
	flood = news.Article{
		ID: "flood", Title: "Floods hit Tarvale after dam breaks", Published: time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC), Language: "en",
		Sections: []news.Section{
			{Text: "Mr. Brandt said 1,250 people left Tarvale in 2031. Rescuers from Oskel arrived on Monday, and Tarvale's mayor thanked them."},
			{Heading: "What Oskel sent", Text: strings.Repeat("Boats and tents. ", 30)},
		},
	}
	strike = news.Article{
		ID: "strike", Title: "Drivers in Merrow strike over pay", Published: time.Date(2031, 4, 2, 0, 0, 0, 0, time.UTC), DateOnly: true,
		Sections: []news.Section{{Text: "Trains stood still as drivers in Merrow and Hollin walked out, said their union, Verkon."}},
	}
	untitled = news.Article{ID: "untitled", Sections: []news.Section{{Text: "The ferry to Lund was cancelled on Friday, its owner said. It sails again next week."}}}
)

// article makes an item of flood, strike and untitled, which are indices 0, 1 and 2.
func article(t *testing.T, it Item) news.Article {
	t.Helper()
	valid, err := it.Article(func(source, index int) news.Article {
		v, err := news.Validate([]news.Article{flood, strike, untitled}[index])
		if err != nil {
			t.Fatal(err)
		}
		return v.Article()
	})
	if err != nil {
		t.Fatal(err)
	}
	return valid.Article()
}

func TestAmounts(t *testing.T) {
	first := "Mr. Brandt said 1,250 people left Tarvale in 2031."
	lead := first + " Rescuers from Oskel arrived on Monday, and Tarvale's mayor thanked them. What Oskel sent Boats and tents. Boats and tents. Boats"
	for _, c := range []struct {
		index       int
		amount      Amount
		title, text string
	}{
		{0, Whole, flood.Title, flood.Text()},
		{0, Lead, flood.Title, lead},
		{0, First, flood.Title, first},
		{0, Title, flood.Title, ""},
		{2, Lead, "The ferry to Lund was cancelled on Friday, its owner said", untitled.Text()},
		{2, First, "The ferry to Lund was cancelled on Friday, its owner said", "The ferry to Lund was cancelled on Friday, its owner said."},
		{2, Title, "The ferry to Lund was cancelled on Friday, its owner said.", ""},
	} {
		a := article(t, Item{Index: c.index, Amount: c.amount})
		if a.Title != c.title || strings.TrimSpace(a.Text()) != strings.TrimSpace(c.text) {
			t.Errorf("%v of article %d: %q, %q, want %q, %q", c.amount, c.index, a.Title, a.Text(), c.title, c.text)
		}
	}
	if n := len(strings.Fields(article(t, Item{Amount: Lead}).Text())); n != leadWords {
		t.Errorf("a lead has %d words", n)
	}
}

func TestCopiesAndDates(t *testing.T) {
	whole := article(t, Item{})
	copied := article(t, Item{Copy: 3})
	if copied.ID != "flood/copy-3" {
		t.Errorf("the id of a copy is %s", copied.ID)
	}
	if copied.ID = whole.ID; cmp.Diff(whole, copied) != "" {
		t.Error(cmp.Diff(whole, copied))
	}
	undated := article(t, Item{Index: 1, Undated: true})
	if !undated.Published.IsZero() || undated.DateOnly || undated.Title != strike.Title {
		t.Errorf("undated: %+v", undated)
	}
}

func TestTemplate(t *testing.T) {
	a := article(t, Item{Index: 0, Template: 1, Donor: 1})
	want := news.Article{
		ID: "flood/template-1", Title: "Floods hit Merrow after dam breaks", Published: strike.Published, DateOnly: true, Language: "en",
		Sections: []news.Section{
			{Text: "Mr. Brandt said 3,472 people left Merrow in 2031. Rescuers from Hollin arrived on Monday, and Merrow's mayor thanked them."},
			{Heading: "What Hollin sent", Text: strings.TrimSpace(strings.Repeat("Boats and tents. ", 30))},
		},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if title := article(t, Item{Index: 0, Template: 2, Donor: 1, Amount: Title, Copy: 1}); title.Title != want.Title || title.ID != "flood/template-2/copy-1" || len(title.Sections) > 0 {
		t.Errorf("title of a template: %+v", title)
	}
}

// Names are counted in titles, and recognised with the help of the text where a title is in
// headline case.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		title, text string
		want        int
	}{
		{flood.Title, "", 1},
		{"Floods Hit Tarvale After Dam Breaks", "", 0},
		{"Floods Hit Tarvale After Dam Breaks", "The town of Tarvale is cut off.", 1},
		{"Rescuers of Oskel leave for Tarvale in March", "", 2},
		{"Rain floods The Hague", "The rain fell on the coast.", 1},
		{"", "", 0},
	} {
		if got := Names(news.Article{Title: c.title, Sections: []news.Section{{Text: c.text}}}); got != c.want {
			t.Errorf("%q: %d names, want %d", c.title, got, c.want)
		}
	}
}

// A template of sample articles has another title for each donor, whatever amount is left.
func TestTemplatesOfSamplesDiffer(t *testing.T) {
	all := samples(t)
	var named []int
	for i, a := range all {
		if Names(a) >= 2 {
			named = append(named, i)
		}
	}
	if len(named) < len(all)/5 {
		t.Fatalf("%d of %d sample articles have two names in their titles", len(named), len(all))
	}
	of := func(_, index int) news.Article { return all[index] }
	for k, i := range named {
		donor := named[(k+1)%len(named)]
		made, err := Item{Index: i, Amount: Title, Template: 1, Donor: donor}.Article(of)
		if err != nil {
			t.Fatal(err)
		}
		if got := made.Article().Title; got == all[i].Title {
			t.Errorf("%q with the names of %q is the same", got, all[donor].Title)
		}
	}
}
