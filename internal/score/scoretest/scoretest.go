// Package scoretest makes articles for tests.
package scoretest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/lexical"
	"throughline/internal/news"
	"throughline/internal/score"
)

// Dim is the length of the vectors.
const Dim = 16

// Features makes n articles on about n/3 events out of invented words. Some are undated, some have
// no vector. The same seed gives the same articles.
func Features(seed uint64, n int) []score.Features {
	r := rand.New(rand.NewPCG(seed, 1))
	events := max(1, n/3)
	fs := make([]score.Features, n)
	for i := range fs {
		event := rand.New(rand.NewPCG(seed, uint64(100+r.IntN(events))))
		dense := make([]float32, Dim)
		for d := range dense {
			dense[d] = float32(event.NormFloat64() + 0.5*r.NormFloat64())
		}
		vector.Normalize(dense)
		if r.IntN(10) == 0 {
			dense = nil
		}
		var words []string
		for range 1 + r.IntN(200) {
			word := fmt.Sprintf("w%c%c", 'a'+event.IntN(26), 'a'+event.IntN(26))
			if r.IntN(4) == 0 {
				word = fmt.Sprintf("Common%c", 'a'+r.IntN(26))
			}
			words = append(words, word)
		}
		var published time.Time
		if r.IntN(4) > 0 {
			published = time.Date(2024, 1, 1+event.IntN(60)+r.IntN(3), r.IntN(24), 0, 0, 0, time.UTC)
		}
		fs[i] = score.Features{ID: fmt.Sprint(i), Dense: dense, Published: published,
			Lex: lexical.Analyze(strings.Join(words[:min(6, len(words))], " "), strings.Join(words, " "))}
	}
	return fs
}

// Forms returns valid articles of every form that text comes in: without a title, without a text,
// in other scripts, with long and with many sections.
func Forms() []news.Article {
	day := time.Date(2031, 3, 3, 0, 0, 0, 0, time.UTC)
	long := strings.Repeat("The harbour of Tarvale was closed on Monday, Mayor Ilse Brandt's office said; 1,200 ships wait. ", 40)
	var out []news.Article
	for i, a := range []news.Article{
		{Title: "A headline without a text", Published: day},
		{Title: "Harbour closed", Source: "North Post", Published: day, DateOnly: true, Sections: []news.Section{{Text: "The U.S. closed it (e.g. the north quay) - “for a day”."}}},
		{Title: "Harbour still closed", Source: "West News", Published: day.Add(36 * time.Hour), Sections: []news.Section{{Text: long}, {Heading: "What Comes Next", Text: "Nobody knows."}, {Heading: "Background", Text: long}}},
		{Sections: []news.Section{{Text: "The harbour of Tarvale is open again. Ships leave it."}}},
		{Title: "Harbour & quay: 7.1 % fewer ships", Sections: []news.Section{{Text: "Ships, 3.5 m long --- and longer --- left.\n\nA second paragraph."}, {Heading: "12 March", Text: "More ships left the harbour."}}},
		{Title: "港が再開", Language: "ja", Sections: []news.Section{{Text: "港は月曜日に再開した。船が出港した。"}}},
		{Title: "Häfen geöffnet", Language: "de", Published: day.AddDate(0, 0, 9), Sections: []news.Section{{Text: "Die Straße zum Hafen ist frei, sagte Bürgermeisterin Müller."}}},
	} {
		a.ID = fmt.Sprint("form-", i)
		valid, err := news.Validate(a)
		if err != nil {
			panic(err) // the articles below are valid
		}
		out = append(out, valid.Article())
	}
	return out
}
