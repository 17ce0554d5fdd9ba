package chunk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"throughline/internal/news"
)

// own holds the texts of articles that have nothing in common.
var own = []string{
	"The library of Alder Bay opens on Sundays from March. Twelve volunteers will run the desk, the council said.",
	"A cargo ship lost nine containers in a storm off Cape Orr. None of them held dangerous goods.",
	"The national choir sang before a full house in Weldon. It returns next year with a requiem.",
	"Dairy farmers blocked two roads near Holt with tractors. They ask for a higher price of milk.",
	"An old mill in Tarn will become a school for carpenters. Building begins in the autumn.",
	"Scientists counted more seals than ever on the Skerries. Mild winters helped the pups, they think.",
}

func articlesWith(texts []string, around func(i int, text string) string) []news.Article {
	var out []news.Article
	for i, text := range texts {
		out = append(out, news.Article{ID: fmt.Sprint(i), Title: "Report " + strings.Fields(text)[2] + " " + strings.Fields(text)[4],
			Sections: []news.Section{{Text: around(i, text)}}})
	}
	return out
}

func TestFurniture(t *testing.T) {
	footer := "\n\nWrite to us at desk 4.\nFollow the Courier! It is free.\n\n© 2031 Courier Media"
	for name, c := range map[string]struct {
		articles []news.Article
		gone     []string // from the first article
	}{
		"a footer": {
			articlesWith(own, func(_ int, text string) string { return text + footer }),
			[]string{"Write to us", "Follow the Courier", "It is free", "Courier Media"},
		},
		"a first line": {
			articlesWith(own, func(_ int, text string) string { return "Courier exclusive. " + text }),
			[]string{"Courier exclusive"},
		},
		"a sentence with other figures": {articlesWith(own, func(i int, text string) string { return text + fmt.Sprintf(" It cost %d crowns.", i) }), nil},
		"in two articles only": {
			articlesWith(own, func(i int, text string) string { return text + strings.Repeat("\n\nSee page four.", max(0, 2-i)) }), nil,
		},
		"in less than half of the articles": {
			articlesWith(append(slices.Clone(own), "Fog closed the airport of Dunmore. Flights went to Perrin.", "Chess club wins the northern league. It had four grandmasters."),
				func(i int, text string) string {
					if i < 3 {
						return text + "\n\nThe strike began in May."
					}
					return text
				}),
			nil,
		},
		"one text under several titles": {articlesWith(slices.Repeat(own[:1], 5), func(_ int, text string) string { return text }), nil},
		"three revisions": {
			func() []news.Article {
				out := articlesWith(slices.Repeat(own[:1], 3), func(i int, text string) string { return text + strings.Repeat(" More follows.", i) })
				for i := range out {
					out[i].Title = "Library opens"
				}
				return out
			}(), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "one text under several titles" {
				for i := range c.articles {
					c.articles[i].Title = strings.Repeat("Library ", i+1)
				}
			}
			first := c.articles[0].Sections
			kept, some := FurnitureOf(c.articles).Without(first)
			if some != (len(c.gone) > 0) || !some && !slices.Equal(kept, first) {
				t.Fatalf("kept %q, furniture: %v", kept, some)
			}
			for _, gone := range c.gone {
				if strings.Contains(kept[0].Text, gone) {
					t.Errorf("%q is in %q", gone, kept[0].Text)
				}
			}
			if !strings.Contains(kept[0].Text, own[0]) {
				t.Errorf("kept %q", kept[0].Text)
			}
		})
	}
}

// Furniture takes whole sentences out and nothing else, in every section, and leaves the sections
// that it was given.
func TestWithoutFurnitureIsWhatIsLeft(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"Rain fell. ", "Dr. Low left.\n", "Oslo, 4 May\n\n", "see 12", "ü! "}), 0, 12)
		section := rapid.Custom(func(rt *rapid.T) news.Section { return news.Section{Text: strings.Join(words.Draw(rt, "words"), "")} })
		sections := rapid.SliceOfN(section, 0, 4).Draw(rt, "sections")
		before := slices.Clone(sections)
		var articles []news.Article
		for i := range 4 {
			articles = append(articles, news.Article{Title: fmt.Sprint("title ", 'a'+i, strings.Repeat("x", i)), Sections: []news.Section{section.Draw(rt, "other")}})
		}
		kept, some := FurnitureOf(articles).Without(sections)
		if !slices.Equal(sections, before) || len(kept) != len(sections) {
			rt.Fatalf("%q became %q", before, sections)
		}
		for i := range kept {
			if !some && kept[i] != sections[i] || len(kept[i].Text) > len(sections[i].Text) {
				rt.Fatalf("%q of %q, furniture: %v", kept[i].Text, sections[i].Text, some)
			}
		}
	})
}
