package derive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"throughline/internal/formats"
	"throughline/internal/news"
	"throughline/internal/seedtest"
)

// invented returns sources of different sizes: of one-offs, of many small stories, of large ones,
// of articles without dates, and of unlabelled articles only.
func invented() []Source {
	var out []Source
	for i, largest := range []int{1, 4, 120, 40, 9} {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		s := Source{Name: fmt.Sprintf("set%d", i)}
		for story := range int32(60) {
			day := time.Date(2031, 1, 1+r.IntN(90), 0, 0, 0, 0, time.UTC)
			for range 1 + r.IntN(largest) {
				label, published := story, day.Add(time.Duration(r.IntN(100))*time.Hour)
				if r.IntN(9) == 0 || i == 4 {
					label = -1
				}
				if i == 3 {
					published = time.Time{}
				}
				s.Story, s.Published = append(s.Story, label), append(s.Published, published)
				s.Names = append(s.Names, r.IntN(4))
			}
		}
		r.Shuffle(len(s.Story), func(a, b int) {
			s.Story[a], s.Story[b] = s.Story[b], s.Story[a]
			s.Published[a], s.Published[b] = s.Published[b], s.Published[a]
		})
		out = append(out, s)
	}
	return out
}

func TestDraw(t *testing.T) {
	sources := invented()
	rapid.Check(t, func(t *rapid.T) {
		opts := Options{
			Seed: rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "seed"), Amount: Amount(rapid.IntRange(0, int(Mixed)).Draw(t, "amount")),
			Odd: rapid.Bool().Draw(t, "odd"),
		}
		number := rapid.IntRange(0, 500).Draw(t, "number")
		c := Draw(sources, number, opts)
		if diff := cmp.Diff(c, Draw(sources, number, opts)); diff != "" {
			t.Fatalf("the same seed draws another corpus:\n%s", diff)
		}
		check(t, c, sources, opts)
		plain := opts
		plain.Odd = false
		if !slices.Equal(c.Sources, Draw(sources, number, plain).Sources) {
			t.Error("odd corpora have other sources")
		}
		reversed := slices.Clone(sources)
		slices.Reverse(reversed)
		if d := Draw(reversed, number, opts); d.Name != c.Name || !slices.Equal(d.Story, c.Story) {
			t.Errorf("%s is %s with the sources in another order", c.Name, d.Name)
		}
	})
}

// check compares a corpus with what its kind and the options say.
func check(t *rapid.T, c Corpus, sources []Source, opts Options) {
	type key struct {
		source, index, copied, template int
	}
	type exchanged struct {
		source, index, donor int
	}
	seen, templates := map[key]bool{}, map[exchanged]bool{}
	storyOf, numberOf := map[int32]storyKey{}, map[storyKey]int32{}
	var from []int
	size := map[int32]int{}
	for i, it := range c.Items {
		s := sources[it.Source]
		from = append(from, it.Source)
		if k := (key{it.Source, it.Index, it.Copy, it.Template}); seen[k] {
			t.Fatalf("%s: %+v is in it twice", c.Name, it)
		} else {
			seen[k] = true
		}
		if s.Story[it.Index] < 0 {
			t.Errorf("%s: %+v is unlabelled", c.Name, it)
		}
		story := storyKey{source: it.Source, story: s.Story[it.Index]}
		if it.Template > 0 {
			story = storyKey{template: it.Template}
			if k := (exchanged{it.Source, it.Index, it.Donor}); templates[k] {
				t.Errorf("%s: two templates have the same text: %+v", c.Name, it)
			} else {
				templates[k] = true
			}
			if s.Names[it.Index] < 2 || s.Names[it.Donor] < 2 || s.Story[it.Donor] == s.Story[it.Index] {
				t.Errorf("%s: %+v has too few names, or those of its own story", c.Name, it)
			}
		}
		number := c.Story[i]
		if other, ok := storyOf[number]; ok && other != story {
			t.Errorf("%s: story %d is of %v and of %v", c.Name, number, other, story)
		}
		if other, ok := numberOf[story]; ok && other != number {
			t.Errorf("%s: %v is story %d and %d", c.Name, story, other, number)
		}
		storyOf[number], numberOf[story] = story, number
		size[number]++
		if it.Undated != c.Items[0].Undated || it.Undated && (!opts.Odd || c.Kind == Window) || !opts.Odd && it.Copy+it.Template > 0 {
			t.Errorf("%s: %+v with %+v", c.Name, it, opts)
		}
		if it.Amount != opts.Amount && opts.Amount != Mixed || it.Amount == Mixed {
			t.Errorf("%s: %+v with %+v", c.Name, it, opts)
		}
	}
	slices.Sort(from)
	if from = slices.Compact(from); !slices.Equal(from, c.Sources) {
		t.Errorf("%s is drawn from %v, says %v", c.Name, from, c.Sources)
	}
	if want := (c.Kind == Mix); want != (len(c.Sources) > 1) {
		t.Errorf("%s is of %d sources", c.Name, len(c.Sources))
	}
	largest := 0
	for number, count := range size {
		largest = max(largest, count)
		if int(number) >= len(size) {
			t.Errorf("%s has story %d of %d", c.Name, number, len(size))
		}
	}
	switch {
	case c.Kind == Ones && largest != 1:
		t.Errorf("%s has a story of %d", c.Name, largest)
	case c.Kind == Giant && !opts.Odd && 2*largest < len(c.Items):
		t.Errorf("%s: its largest story has %d of %d articles", c.Name, largest, len(c.Items))
	case c.Kind == Window && len(sources[c.Sources[0]].Published) > 0 && sources[c.Sources[0]].Published[0].IsZero():
		t.Errorf("%s is a window of articles without dates", c.Name)
	}
}

// Without a source for them, kinds are left out. A source that is left out is not drawn from.
func TestDrawFromFewSources(t *testing.T) {
	sources := invented()
	kinds := func(sources []Source) (out []string) {
		for number := range 12 {
			if name := Draw(sources, number, Options{Seed: "few"}).Kind.String(); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
		return out
	}
	for _, c := range []struct {
		name    string
		sources []Source
		want    string
	}{
		{"all", sources, "sub thin ones giant mix window"},
		{"one", sources[1:2], "sub thin ones giant window"},
		{"one without dates", sources[3:4], "sub thin ones giant"},
		{"two", sources[1:3], "sub thin ones giant mix window"},
	} {
		if got := strings.Join(kinds(c.sources), " "); got != c.want {
			t.Errorf("%s: kinds %s, want %s", c.name, got, c.want)
		}
	}
	if c := Draw(sources[4:], 0, Options{}); len(c.Items) > 0 {
		t.Errorf("%d articles without a label are drawn", len(c.Items))
	}
}

// Every oddity occurs, and about as often as Options says.
func TestOddities(t *testing.T) {
	sources := invented()
	count := map[string]int{}
	const draws = 1200
	for number := range draws {
		for _, part := range strings.Split(Draw(sources, number, Options{Seed: "odd", Odd: true}).Name, "-")[3:] {
			count[part]++
		}
	}
	// An eighth of 1,200 is 150, and a third of those of the kind Giant 67; not all kinds have all,
	// and not all articles have names.
	for _, name := range []string{"undated", "duplicates", "templates", "alone"} {
		if count[name] < 50 || count[name] > 180 {
			t.Errorf("%d of %d corpora have %s", count[name], draws, name)
		}
	}
	if len(count) != 4 {
		t.Errorf("oddities %v", count)
	}
}

func TestNamesOfKindsAndAmounts(t *testing.T) {
	for _, k := range Kinds() {
		var back Kind
		if text, err := k.MarshalText(); err != nil || back.UnmarshalText(text) != nil || back != k {
			t.Errorf("%v is read as %v", k, back)
		}
	}
	for a := Whole; a <= Mixed; a++ {
		var back Amount
		if text, err := a.MarshalText(); err != nil || back.UnmarshalText(text) != nil || back != a {
			t.Errorf("%v is read as %v", a, back)
		}
	}
	var a Amount
	if err := a.UnmarshalText([]byte("half")); err == nil || err.Error() != `got "half", want one of whole, lead, first, title, mixed` {
		t.Error(err)
	}
}

func TestSummarize(t *testing.T) {
	scores := []float64{1, .5, .9, .8, .7, .6, 1, 1, 1, 1, .2}
	want := Summary{Count: 11, Mean: 8.7 / 11, Tenth: .5, Worst: .2}
	got := Summarize(scores)
	if got.Mean = float64(int(1e9*got.Mean+.5)) / 1e9; got.Count != want.Count || got.Tenth != want.Tenth || got.Worst != want.Worst || got.Mean-want.Mean > 1e-8 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if scores[1] != .5 {
		t.Error("the scores were sorted in place")
	}
}

// samples returns the sample articles.
func samples(t *testing.T) []news.Article {
	t.Helper()
	dir, err := seedtest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	var out []news.Article
	for valid, err := range formats.Read(context.Background(), []string{dir}, formats.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, valid.Article())
	}
	return out
}
