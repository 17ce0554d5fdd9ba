package evaluate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/embed"
	"throughline/embed/embedtest"
	"throughline/internal/chunk"
	"throughline/internal/derive"
	"throughline/internal/news"
	"throughline/internal/producttest"
)

// reported is a labelled file of invented events: so many reports of each, all with the same ids in
// every file.
func reported(reports ...int) iter.Seq2[Labelled, error] {
	return func(yield func(Labelled, error) bool) {
		at := 0
		for event, count := range reports {
			for range count {
				a := news.Article{
					ID: fmt.Sprint(at), Title: fmt.Sprintf("Report %d from Place%c%c", at, 'a'+event, 'a'+event),
					Sections: []news.Section{{Text: fmt.Sprintf("Witness %d saw event %d. Another sentence follows it.", at, event)},
						{Heading: "More", Text: "And a second section, which is the same in all reports."}},
				}
				at++
				valid, err := news.Validate(a)
				if !yield(Labelled{ID: a.ID, Valid: valid, Story: fmt.Sprintf("event %d", event)}, err) {
					return
				}
			}
		}
	}
}

// collected returns a collection of two files.
func collected(t *testing.T, model embed.Embedder, whole ...embed.Embedder) *Collection {
	t.Helper()
	c := &Collection{Model: model}
	for i, name := range []string{"dir/one.jsonl", "dir/two.jsonl.gz"} {
		if _, err := c.Add(name, reported(3, 1, 2, 1, 1), whole[i]); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// read returns the articles of a corpus by id, and its stories.
func (c *Collection) read(t *testing.T, corpus derive.Corpus) (map[string]news.Article, map[string][]string, embed.Embedder) {
	t.Helper()
	items, embedder, err := c.Corpus(context.Background(), corpus)
	if err != nil {
		t.Fatal(err)
	}
	articles, stories := map[string]news.Article{}, map[string][]string{}
	for item, err := range items {
		if err != nil {
			t.Fatal(err)
		}
		articles[item.ID] = item.Valid.Article()
		stories[item.Story] = append(stories[item.Story], item.ID)
	}
	if len(articles) != len(corpus.Items) {
		t.Fatalf("%s: %d ids of %d articles", corpus.Name, len(articles), len(corpus.Items))
	}
	return articles, stories, embedder
}

func TestCollectionKeepsLabels(t *testing.T) {
	model := &embedtest.Hashed{}
	c := collected(t, nil, model, model)
	_, corpora := c.Draw(20, nil, derive.Options{Seed: "labels"})
	mixed := 0
	for _, corpus := range corpora {
		articles, stories, _ := c.read(t, corpus)
		if got := c.Drawn(corpus); corpus.Kind == derive.Mix {
			mixed++
			if !slices.Equal(got.Sources, []string{"one", "two"}) || len(articles) != 16 || len(stories) != 10 {
				t.Errorf("%s: drawn from %v, %d articles, stories %v", corpus.Name, got.Sources, len(articles), stories)
			}
		}
		for story, ids := range stories {
			// Articles 0 to 2 are of one event, 4 and 5 of another one.
			for _, id := range ids {
				file, number, _ := strings.Cut(id, "/")
				first, _, _ := strings.Cut(ids[0], "/")
				if file != first || len(ids) > 1 && !strings.Contains("0 1 2 4 5", number) {
					t.Errorf("%s: %s has %v", corpus.Name, story, ids)
				}
			}
		}
	}
	if mixed == 0 {
		t.Error("no mix")
	}
}

// Whole articles have the vectors of the array, also for their sections; all others those of the
// model.
func TestCollectionVectors(t *testing.T) {
	rows := [][]float32{}
	for i := range 8 {
		row := make([]float32, 16)
		row[i] = 1
		rows = append(rows, row)
	}
	model := &embedtest.Hashed{Dims: 16, Model: embed.MiniLM}
	c := collected(t, model, opened(t, rows...), opened(t, rows...))
	for number, amount := range []derive.Amount{derive.Whole, derive.First, derive.Title} {
		corpus := derive.Draw(c.sources, number, derive.Options{Amount: amount})
		articles, _, embedder := c.read(t, corpus)
		for id, a := range articles {
			texts := []string{chunk.LeadText(a)}
			for _, s := range chunk.Split(a, chunk.LimitFor(embedder))[:min(1, len(a.Sections))] {
				texts = append(texts, chunk.EmbedText(a.Title, s))
			}
			got, err := embedder.Embed(context.Background(), embed.Document, texts)
			if err != nil {
				t.Fatal(err)
			}
			want, err := model.Embed(context.Background(), embed.Document, texts[:1])
			if err != nil {
				t.Fatal(err)
			}
			if amount == derive.Whole {
				want = [][]float32{rows[id[len(id)-1]-'0']}
			}
			for i := range got {
				if !slices.Equal(got[i], want[0]) {
					t.Errorf("%s: text %d of %s has the vector %v, want %v", corpus.Name, i, id, got[i], want[0])
				}
			}
		}
	}
	c = collected(t, nil, opened(t, rows...), opened(t, rows...))
	_, _, embedder := c.read(t, derive.Draw(c.sources, 0, derive.Options{}))
	if _, err := embedder.Embed(context.Background(), embed.Document, []string{"another text"}); !errors.Is(err, ErrVectors) {
		t.Errorf("another text: %v", err)
	}
}

func TestCollectionSaysWhatIsLeftOut(t *testing.T) {
	model := &embedtest.Hashed{}
	c := new(Collection)
	notes, err := c.Add("a.jsonl", labelled("a x -", "b x -", "!broken", "a y -", "c - -"), model)
	if err != nil || len(notes.Rejected) != 1 || len(notes.Duplicates) != 1 {
		t.Errorf("%+v, %v", notes, err)
	}
	if _, err := c.Add("b.jsonl", labelled("a - -", "!broken"), model); !errors.Is(err, ErrUnlabelled) || !strings.Contains(err.Error(), "b.jsonl") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("unlabelled: %v", err)
	}
	if _, err := c.Add("b.jsonl", labelled("a x -"), opened(t, []float32{1, 2})); !errors.Is(err, ErrSpaces) {
		t.Errorf("another space: %v", err)
	}
	if _, err := c.Add("b.jsonl", labelled("a x -"), opened(t, []float32{1, 2}, []float32{1, 2})); !errors.Is(err, ErrVectors) {
		t.Errorf("two rows: %v", err)
	}
}

// A corpus is measured as a file is.
func TestDerivedThroughTheProduct(t *testing.T) {
	model := &embedtest.Hashed{}
	c := collected(t, model, model, model)
	derived, corpora := c.Draw(6, []derive.Kind{derive.Giant, derive.Sub}, derive.Options{Seed: "product"})
	var results []*Result
	for _, corpus := range corpora {
		items, embedder, err := c.Corpus(context.Background(), corpus)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(context.Background(), enginesOf(t, producttest.Options{Embedder: embedder}), corpus.Name, items, Options{Now: time.Now, Ask: -1})
		if err != nil {
			t.Fatal(err)
		}
		if r.Articles != len(corpus.Items) || !r.Stories.F1.Known() || len(r.Rejected) > 0 {
			t.Errorf("%+v of %d items", r, len(corpus.Items))
		}
		r.Drawn = c.Drawn(corpus)
		results = append(results, r)
	}
	report := NewDerivedReport("m", derived, results)
	var kinds []string
	for _, k := range report.Derived.F1 {
		kinds = append(kinds, fmt.Sprint(k.Kind, " ", k.Count))
	}
	if got := strings.Join(kinds, ", "); got != "sub 2, giant 1, all 3" {
		t.Errorf("kinds %s", got)
	}
	if back := kept(t, report); back.CoversDerived(derived) != nil {
		t.Error(back.CoversDerived(derived))
	}
}

// drawn is a report of corpora with given F1.
func drawn(f1 map[string]Score) *Report {
	d := &Derived{Sources: []string{"a", "b"}, Seed: "1", Count: 4}
	var results []*Result
	for _, name := range slices.Sorted(maps.Keys(f1)) {
		r := measured(name, name, f1[name], unknown, Interval{})
		r.Stories.Precision, r.Stories.Recall = 1, f1[name]
		r.Drawn = &Drawn{Kind: derive.Thin, Sources: []string{"a"}}
		if strings.Contains(name, "mix") {
			r.Drawn.Kind = derive.Mix
		}
		results = append(results, r)
	}
	return NewDerivedReport("m", d, results)
}

func TestDerivedTables(t *testing.T) {
	old := kept(t, drawn(map[string]Score{"000-thin-a": .5, "001-thin-a": .9, "002-mix-a+b": .8, "003-mix-a+b": .6}))
	now := drawn(map[string]Score{"000-thin-a": .9, "001-thin-a": .9, "002-mix-a+b": .7, "003-mix-a+b": .66})
	check := func(got, want string) {
		t.Helper()
		var lines []string
		for line := range strings.Lines(got) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		if diff := cmp.Diff(want, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	var table bytes.Buffer
	if err := WriteDerived(&table, old); err != nil {
		t.Fatal(err)
	}
	check(table.String(), `STORY F1 OF CORPORA MEAN 10TH PERCENTILE WORST
thin 2 .700 .500 .500
mix 2 .700 .600 .600
all 4 .700 .500 .500

WORST CORPORA ARTICLES FOUND/GOLD P R F1
000-thin-a 10 0/0 1.000 .500 .500
003-mix-a+b 10 0/0 1.000 .600 .600
002-mix-a+b 10 0/0 1.000 .800 .800
001-thin-a 10 0/0 1.000 .900 .900`)
	c, err := Compare(old, now)
	if err != nil {
		t.Fatal(err)
	}
	table.Reset()
	if err := WriteComparison(&table, c); err != nil {
		t.Fatal(err)
	}
	check(table.String(), `CHANGED IN MEAN NEW 10TH PERCENTILE NEW WORST NEW
thin .700 .900 .500 .900 .500 .900
mix .700 .680 .600 .660 .600 .660
all .700 .790 .500 .660 .500 .660

CHANGED MOST F1 NEW DIFFERENCE
000-thin-a .500 .900 +0.400
002-mix-a+b .800 .700 -0.100
003-mix-a+b .600 .660 +0.060`)
	if dropped := c.Dropped(0); len(dropped) != 0 {
		t.Errorf("dropped %v", dropped)
	}

	for name, change := range map[string]func(d *Derived){
		"seed": func(d *Derived) { d.Seed = "2" }, "amount": func(d *Derived) { d.Amount = derive.Title }, "odd": func(d *Derived) { d.Odd = true },
		"count": func(d *Derived) { d.Count = 5 }, "kinds": func(d *Derived) { d.Kinds = []derive.Kind{derive.Mix} },
		"sources": func(d *Derived) { d.Sources = []string{"a"} },
	} {
		other := *now.Derived
		change(&other)
		if err := old.CoversDerived(&other); !errors.Is(err, ErrIncomparable) || strings.Count(err.Error(), other.String()) != 1 {
			t.Errorf("another %s: %v", name, err)
		}
	}
}
