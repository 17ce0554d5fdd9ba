package hierarchy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"throughline/embed"
	"throughline/embed/minilm"
	"throughline/internal/chunk"
	"throughline/internal/news"
	"throughline/internal/score"
)

// event is what reports of an event are made of: beginnings, and facts in several wordings.
type event struct {
	leads []string
	facts [][]string
}

var events = []event{
	{
		leads: []string{
			"The car ferry Halden Star ran aground off Skarvoy on Friday night with 212 people on board.",
			"All 212 people aboard the Halden Star were taken off after the ferry hit rocks near Skarvoy.",
			"Lifeboats evacuated a ferry on the reef at Skarvoy in heavy seas late on Friday.",
			"A ferry with more than two hundred passengers is stuck on rocks off the island of Skarvoy.",
			"Passengers of the Halden Star spent five hours on deck before the last of them left the stranded ship.",
		},
		facts: [][]string{
			{"Captain Runa Thorsen ordered everyone into life jackets within minutes.", "Runa Thorsen, the captain, was the last to leave the ship.", "The captain, Runa Thorsen, has commanded the ferry for nine years."},
			{"The coast guard counted four injured, none of them badly.", "Four people were treated for broken bones and cold, the coast guard said.", "Nobody died; four passengers are in hospital in Brevika."},
			{"The ferry was on its way from Brevika to Skarvoy when its engines failed.", "An engine failure had left the ship drifting on the crossing from Brevika.", "Both engines stopped an hour out of Brevika, the shipping line said."},
			{"Some 30 tonnes of fuel are still in the tanks.", "Booms were laid out around the wreck in case fuel leaks.", "Divers will look for holes in the hull before the fuel is pumped out."},
			{"Halden Lines has cancelled all sailings until Monday.", "The company, Halden Lines, said that its other ship would be checked as well.", "Islanders have no ferry until Halden Lines charters a replacement."},
		},
	},
	{
		leads: []string{
			"Voters in Merrow rejected the plan for a tram line by 52 to 48 percent on Sunday.",
			"Merrow will not get its tram: a narrow majority voted against the project.",
			"A referendum on Sunday stopped the tram that the city of Merrow had planned for a decade.",
			"The tram in Merrow has failed at the ballot box.",
		},
		facts: [][]string{
			{"Mayor Petra Lindqvist called the result a lost chance.", "Petra Lindqvist, the mayor, accepted the verdict on election night.", "For mayor Petra Lindqvist it is the first defeat in office."},
			{"The line was to cost 640 million crowns.", "At 640 million crowns it would have been the largest project in the history of the city.", "Opponents had doubted the estimate of 640 million crowns."},
			{"Turnout was 61 percent.", "Six of ten voters took part.", "More people voted than in the last council election."},
			{"The northern districts voted for it, the old town against.", "Shopkeepers in the old town had led the campaign against the tracks.", "In Norrby two thirds wanted the tram."},
			{"Buses will be renewed instead, the council said.", "The council now wants electric buses.", "A bus line with lanes of its own is to take its place."},
		},
	},
}

// subjects are what one-offs are about, with words of their own.
var subjects = strings.Split(`a museum of clocks in Vallby gets a new roof
a beekeeper in Ostra counts record honey
chess champion Mila Roth retires at 34
a bakery strike ends in Port Lune
the opera of Grauburg sells its costumes
wolves return to the forest of Harnwick
a school in Tolleby teaches in three languages
scientists map the caves below Mount Ferrow
the price of salt doubles in Lask
a comet can be seen from the coast of Dorne
football club Athletic Penhale hires coach Ruben Ocampo
the library of Sankt Olof lends out tools
a storm drain in Wexcombe floods a cinema
the airline Nordwind buys eleven jets
vintners in Cerau fear early frost
a lost painting by Ada Velt is found in an attic
the court in Brunn acquits a banker
bridge tolls fall in Eastmoor
a clinic in Jarrow tests a vaccine against Lyme disease
the town of Pellworm votes on wind turbines
a startup from Tartuva prints houses of clay
cyclist Jon Ekeberg wins the mountain stage
the harbour of Quessant bans cruise ships
a meteorologist explains the warm February
rail workers in Silvermark get a pay rise
an orchid thought extinct flowers in Malaga
the parliament of Karlia lowers the voting age
hackers publish data of the retailer Munro
a sculptor carves a whale out of ice
the dam at Great Lyn is nearly empty`, "\n")

// reports makes n reports of an event. The same seed makes the same.
func reports(r *rand.Rand, e event, n int, name string, day time.Time) []news.Article {
	var out []news.Article
	for i := range n {
		var text []string
		for _, k := range r.Perm(len(e.facts))[:4] {
			text = append(text, e.facts[k][r.IntN(len(e.facts[k]))])
		}
		lead := e.leads[r.IntN(len(e.leads))]
		out = append(out, news.Article{ID: fmt.Sprintf("%s-%04d", name, i), Title: strings.TrimSuffix(lead, "."), Source: fmt.Sprint("paper ", i%17),
			Published: day.AddDate(0, 0, r.IntN(2)), Sections: []news.Section{{Text: e.leads[r.IntN(len(e.leads))] + " " + strings.Join(text, " ")}}})
	}
	return out
}

// oneOffs makes n articles about different things.
func oneOffs(n int) []news.Article {
	var out []news.Article
	for i, subject := range subjects[:n] {
		title := strings.ToUpper(subject[:1]) + subject[1:]
		out = append(out, news.Article{ID: fmt.Sprintf("one-%02d", i), Title: title, Published: time.Date(2031, 2, 1+i, 0, 0, 0, 0, time.UTC),
			Sections: []news.Section{{Text: title + ", it was announced this week. Those who know " + strings.Join(strings.Fields(subject)[1:4], " ") + " had not expected it."}}})
	}
	return out
}

// arranged returns the stories of articles, by the model that is built in.
func arranged(t *testing.T, embedder embed.Embedder, articles []news.Article) *Hierarchy {
	t.Helper()
	fs := make([]score.Features, len(articles))
	texts := make([]string, len(articles))
	for i := range articles {
		texts[i] = chunk.LeadText(articles[i])
	}
	known := map[string][]float32{}
	for i, text := range texts {
		if known[text] == nil {
			vectors, err := embedder.Embed(context.Background(), embed.Document, []string{text})
			if err != nil {
				t.Fatal(err)
			}
			known[text] = vectors[0]
		}
		fs[i] = score.FeaturesOf(&articles[i], known[text])
	}
	h, err := Arrange(context.Background(), stateOf(fs), fs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sizes returns the number of articles of each story, and the number of one-offs.
func sizes(h *Hierarchy) (stories map[int32]int, ones int) {
	stories = map[int32]int{}
	for _, s := range h.Story {
		if s < 0 {
			ones++
		} else {
			stories[s]++
		}
	}
	return stories, ones
}

// TestOneEventIsOneStory arranges corpora that are about one event and little else.
func TestOneEventIsOneStory(t *testing.T) {
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2031, 3, 7, 0, 0, 0, 0, time.UTC)
	for _, n := range []int{2, 10, 40, 90, 300} {
		for _, others := range []int{0, min(n, 30)} {
			h := arranged(t, embedder, append(reports(rand.New(rand.NewPCG(uint64(n), 1)), events[0], n, "ferry", day), oneOffs(others)...))
			stories, ones := sizes(h)
			if largest := stories[h.Story[0]]; largest < n-n/10 || len(stories) > 1+n/40 {
				t.Errorf("%d reports of one event and %d one-offs: the largest story has %d, there are %d stories and %d one-offs; threshold %+v",
					n, others, largest, len(stories), ones, h.Threshold)
			}
		}
	}
}

// TestManyCopiesAreOneStory arranges one text, a hundred and five thousand times.
func TestManyCopiesAreOneStory(t *testing.T) {
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 100, 5000} {
		one := reports(rand.New(rand.NewPCG(3, 3)), events[1], 1, "tram", time.Time{})[0]
		articles := make([]news.Article, n)
		for i := range articles {
			articles[i] = one
			articles[i].ID = fmt.Sprintf("tram-%04d", i)
		}
		h := arranged(t, embedder, articles)
		copies := map[int32]int{}
		for _, c := range h.Copy {
			copies[c]++
		}
		if stories, ones := sizes(h); len(stories) != 1 || ones > 0 || len(copies) != 1 || copies[-1] > 0 {
			t.Errorf("%d copies: %d stories, %d one-offs, %d copy groups", n, len(stories), ones, len(copies))
		}
	}
}

// TestOneOffsAreNoStory arranges articles of which no two are about one event.
func TestOneOffsAreNoStory(t *testing.T) {
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 10, 30} {
		if stories, _ := sizes(arranged(t, embedder, oneOffs(n))); len(stories) > 0 {
			t.Errorf("%d one-offs make %d stories", n, len(stories))
		}
	}
}

// TestTenArticlesOfTwoEventsAreTwoStories holds for any split.
func TestTenArticlesOfTwoEventsAreTwoStories(t *testing.T) {
	embedder, err := minilm.New(minilm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2031, 3, 7, 0, 0, 0, 0, time.UTC)
	for _, first := range []int{5, 3, 8} {
		r := rand.New(rand.NewPCG(7, uint64(first)))
		h := arranged(t, embedder, append(reports(r, events[0], first, "ferry", day), reports(r, events[1], 10-first, "tram", day)...))
		if stories, ones := sizes(h); len(stories) != 2 || ones > 0 || stories[h.Story[0]] != first {
			t.Errorf("%d and %d reports: stories %v, %d one-offs", first, 10-first, stories, ones)
		}
	}
}
