package score

import (
	"encoding/json"
	"fmt"
	"testing"

	"throughline/internal/evaltest"
	"throughline/internal/lexical"
	"throughline/internal/news"
)

// results makes a notice of the results of a company.
func results(company string, quarter int) Features {
	return FeaturesOf(&news.Article{ID: fmt.Sprint(company, quarter), Title: company + " reports", Sections: []news.Section{{Text: fmt.Sprintf(
		"The profit of %s was %d million crowns in the quarter, against %d million in the same quarter a year before. Sales reached %d million crowns. "+
			"The board of %s expects a profit of more than %d million for the year and will pay a dividend.",
		company, 10+quarter, 7*quarter, 100*quarter, company, 40+3*quarter)}}}, nil)
}

func TestTemplates(t *testing.T) {
	companies := []string{"Munro", "Nordwind", "Halden Lines", "Penhale Steel", "Lask Salt"}
	var fs []Features
	for i, c := range companies {
		fs = append(fs, results(c, i+1))
	}
	report := FeaturesOf(&news.Article{ID: "report", Sections: []news.Section{{Text: "Shares of Munro fell by a tenth on Monday after the retailer said that " +
		"hackers had stolen the data of 40,000 customers. Munro expects to pay 3 million crowns to them, and its chief, Ada Velt, will leave in May."}}}, nil)
	made := func(of []Features, f Features) bool { return TemplatesOf(of).Made(&f.Lex) }
	if all := append(fs, report); !made(all, fs[0]) || !made(all, results("Cerau Wine", 9)) || made(all, report) {
		t.Errorf("made by a form: %v of those counted, %v of a new one, %v of a report; want true, true, false",
			made(all, fs[0]), made(all, results("Cerau Wine", 9)), made(all, report))
	}
	if made(fs[:2], fs[0]) {
		t.Error("two articles show a form")
	}
	var copies []Features
	for range 20 {
		copies = append(copies, fs[0])
	}
	if made(copies, fs[0]) {
		t.Error("copies show a form")
	}
	if made(append(copies, fs[1], fs[2]), fs[0]) {
		t.Error("copies show a form with two others")
	}
	if known := TemplatesOf(fs); len(known.With(nil)) != len(known) || len(known.With(known)) != len(known) || !Templates(nil).With(known).Made(&fs[0].Lex) {
		t.Error("With adds forms or loses some")
	}
}

// Of an article made by a form only the names and numbers are evidence, and its subject stays.
func TestTemplatesAreWeighed(t *testing.T) {
	fs := []Features{results("Munro", 1), results("Nordwind", 2), results("Lask Salt", 3)}
	for i := range fs {
		fs[i].Dense = []float32{0.6, 0.8}
	}
	fs[2].Dense = []float32{0.8, 0.6}
	st := NewState(Default(), StatsOf(fs, DefaultBackground()))
	before := st.Compare(&fs[0], &fs[1])
	st.Templates = TemplatesOf(fs)
	after := st.Compare(&fs[0], &fs[1])
	if before.Lexical < .4 || before.Centred < .9 || after.Lexical > .1 || after.Lead > .1 || after.Centred != 0 || after.Names != before.Names {
		t.Errorf("two notices of one form: %+v; before the form was known: %+v", after, before)
	}
	if w := st.Weigh(&fs[0]); len(w.Subject) == 0 || w.Centred != nil {
		t.Errorf("subject %v, centred %v", w.Subject, w.Centred)
	}
	if again := st.Compare(&fs[0], &fs[0]); again.Names < .99 || again.Lexical < .99 || !again.Copy {
		t.Errorf("a notice and itself: %+v", again)
	}
}

// Hardly any article of the labelled sets, which are of reports, is taken for one made by a form.
// Of old wire news one in seven is: results, dividends, prices.
func TestTemplatesOfSets(t *testing.T) {
	for set, bounds := range map[string][2]float64{
		"basil": {0, 0}, "newswcl50": {0, 0}, "allsides": {0, 0}, "ecbplus": {0, 0}, "groundnews": {0, 0}, "headlines": {0, 0}, "groundexcerpts": {0, 0},
		"gunviolence": {.01, .04}, "background/reuters21578": {.1, .2},
	} {
		var fs []Features
		evaltest.Lines(t, set, func(line []byte) error {
			var r struct{ Title, Text string }
			err := json.Unmarshal(line, &r)
			fs = append(fs, Features{Lex: lexical.Analyze(r.Title, r.Text)})
			return err
		})
		templates, n := TemplatesOf(fs), 0
		for i := range fs {
			if templates.Made(&fs[i].Lex) {
				n++
			}
		}
		t.Logf("%s: %d of %d articles", set, n, len(fs))
		if share := float64(n) / float64(len(fs)); share < bounds[0] || share > bounds[1] {
			t.Errorf("%s: %d of %d articles are made by a form, want a share of %v", set, n, len(fs), bounds)
		}
	}
}
