package cluster

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeywordsTellSiblingsApart(t *testing.T) {
	clusters := [][]Document{
		{
			{"Gunmen attack Crocus City Hall near Moscow", "The Crocus City Hall was full when gunmen opened fire. Moscow mourns."},
			{"Death toll at Crocus City Hall rises", "Investigators in Moscow named four suspects after the attack."},
			{"What is known about the Moscow attack", "The attack at the Crocus City Hall was claimed by a branch of Islamic State."},
		},
		{
			{"Earthquake near Moscow, Idaho", "A light earthquake shook Moscow in Idaho. No attack, no damage."},
			{"Idaho town feels earthquake", "Seismologists registered the earthquake at noon."},
		},
	}
	got := Keywords(clusters, KeywordOptions{N: 4})
	if got[0][0] != "Crocus City Hall" {
		t.Errorf("first keyword of the attack: %q", got[0])
	}
	if !slices.Contains(got[1], "earthquake") && !slices.Contains(got[1], "Earthquake") {
		t.Errorf("keywords of the earthquake: %q", got[1])
	}
	for _, k := range got[0] {
		if k == "Crocus" || k == "City Hall" || k == "Hall" || k == "Crocus City" {
			t.Errorf("%q is a fragment of a name", k)
		}
	}
}

func TestKeywordsAreWhole(t *testing.T) {
	common := func(w string) float64 {
		switch w {
		case "country", "asked", "big":
			return .2
		}
		return 0
	}
	for _, c := range []struct {
		name      string
		documents []Document
		want, not string // separated by "|"
	}{
		{"a name longer than a phrase", []Document{
			{"Regulator closes bank", "The Federal Deposit Insurance Corporation took over the lender on Friday."},
			{"Lender fails", "Customers of the lender queued. The Federal Deposit Insurance Corporation paid them."},
		}, "lender", "Federal Deposit Insurance|Deposit Insurance Corporation|Federal Deposit|Insurance Corporation|Insurance|Deposit|Federal"},
		{"a given name of two people", []Document{
			{"England beaten", "A shot by Lauren Hemp hit the bar, and Lauren James was missed. The keeper saved a penalty."},
			{"A penalty saved", "Fans sang for Lauren James. They had seen Lauren Hemp come close, and a penalty saved."},
		}, "Lauren Hemp|Lauren James|penalty", "Lauren|Hemp|James"},
		{"a surname that stands alone", []Document{
			{"Suspect charged", "The police named Ryan Routh. In court Routh said nothing, and a rifle was shown to Routh."},
			{"A rifle in the bushes", "An agent saw a rifle. He fired, and Routh fled. The police say Routh had waited for hours."},
		}, "Routh|rifle", "Ryan|Ryan Routh"},
		{"half a name and half a sentence", []Document{
			{"Jet lands safely", "An Alaska Airlines jet lost a panel. The regulator approved Casgevy too. In the Alaska Airlines jet nobody died."},
			{"Panel found", "A panel of the Alaska Airlines jet lay in a garden. Britain approved Casgevy."},
		}, "Alaska Airlines|jet|panel|Casgevy", "Alaska Airlines jet|Airlines jet|approved Casgevy|Alaska"},
		{"a possessive", []Document{
			{"Quake", "Japan's Noto peninsula shook. The peninsula is remote."},
			{"Rescue", "Roads on Japan's Noto peninsula are cut. Soldiers walked to villages on the peninsula of Noto."},
		}, "Japan|Noto|peninsula", "Japan Noto|Japan Noto peninsula"},
		{"headlines in capitals", []Document{
			{"Gold Price Falls Again", ""}, {"Gold Price Hits Low", ""}, {"Why The Gold Price Fell", ""},
		}, "Gold Price", "Gold|Price"},
		{"headlines in capitals above text", []Document{
			{"Biden Signs Forceful Defense Bill", "The president put his name to a bill on armour. The bill passed easily."},
			{"Biden Signs Bill After Long Forceful Defense", "It is a bill that many opposed, but Biden wants more armour."},
		}, "bill|armour", "Biden Signs|Forceful Defense|Bill"},
		{"words with a curly apostrophe", []Document{
			{"Ferry strike", "We’re on strike, they said, and don’t expect a ferry."}, {"Strike", "Don’t wait for a ferry: we’re on strike."},
		}, "ferry|strike", "don’t|Don’t|we’re|We’re"},
		{"the beginnings of sentences", []Document{
			{"Gunmen storm hall", "Gunmen fired at the crowd. The gunmen fled by car."},
			{"Gunmen caught", "Gunmen were caught. Police say the gunmen confessed."},
		}, "gunmen", "Gunmen"},
		{"forms of a word", []Document{
			{"Earthquakes in the night", "Two earthquakes struck. The first earthquake was the stronger."},
			{"After the earthquake", "Tents for those whom the earthquake made homeless; more earthquakes may come."},
		}, "earthquake", "earthquakes"},
		{"numbers", []Document{
			{"A tremor of magnitude 7.8", "It had a magnitude of 7.8, and 1,200 houses fell."}, {"Magnitude 7.8", "In Osk 1,200 houses fell after a tremor of magnitude 7.8."},
		}, "magnitude 7.8", "magnitude 7|200 houses"},
		{"words of every report", []Document{
			{"A big day", "The country asked for a referendum."}, {"Big questions", "A referendum was what the country asked for."},
		}, "referendum", "country asked"},
	} {
		got := Keywords([][]Document{c.documents, {{"A concert", "A choir sang."}, {"Rain", "It rained on the hills."}}}, KeywordOptions{N: 8, Common: common})[0]
		for want := range strings.SplitSeq(c.want, "|") {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q are without %q", c.name, got, want)
			}
		}
		for bad := range strings.SplitSeq(c.not, "|") {
			if slices.Contains(got, bad) {
				t.Errorf("%s: %q is among %q", c.name, bad, got)
			}
		}
	}
	clusters := [][]Document{{{"A big referendum", "The big country asked."}, {"Referendum in a big country", "It asked."}}}
	if got := Keywords(clusters, KeywordOptions{N: 9, Common: common})[0]; got[0] != "referendum" {
		t.Errorf("first of %q is a word that every report may have", got)
	}
}

func TestKeywordsOfLittle(t *testing.T) {
	got := Keywords([][]Document{nil, {{"", ""}}, {{"The of and", "to be or not to be"}}, {{"Rain", ""}}}, KeywordOptions{N: 3})
	for i, want := range []int{0, 0, 0, 1} {
		if len(got[i]) != want {
			t.Errorf("cluster %d: %q, want %d keywords", i, got[i], want)
		}
	}
	if got[3][0] != "Rain" {
		t.Errorf("got %q", got[3])
	}
}

// No keyword begins or ends with a stop word or contains another, every keyword occurs in its
// cluster, and the order of the documents does not matter.
func TestKeywordsProperties(t *testing.T) {
	words := []string{"Moscow", "attack", "the", "of", "hall", "city", "Crocus", "storm", "and", "vote", "2024", "budget", "école", "東京"}
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(append(words, ".", ",")), 0, 20).Draw(t, "words"), " ")
	})
	document := rapid.Custom(func(t *rapid.T) Document { return Document{text.Draw(t, "title"), text.Draw(t, "text")} })
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfN(rapid.SliceOfN(document, 0, 6), 0, 4).Draw(t, "clusters")
		got := Keywords(clusters, KeywordOptions{N: 5})
		var reversed [][]Document
		for _, c := range clusters {
			r := slices.Clone(c)
			slices.Reverse(r)
			reversed = append(reversed, r)
		}
		again := Keywords(reversed, KeywordOptions{N: 5})
		for c, keywords := range got {
			if !slices.Equal(keywords, again[c]) {
				t.Fatalf("order matters: %q, %q", keywords, again[c])
			}
			all := ""
			for _, d := range clusters[c] {
				all += " " + d.Title + " . " + d.Text + " . "
			}
			for i, k := range keywords {
				w := strings.Fields(strings.ToLower(k))
				if stopWords[w[0]] || stopWords[w[len(w)-1]] || len(w) > phraseWords {
					t.Fatalf("keyword %q", k)
				}
				if !strings.Contains(all, k) {
					t.Fatalf("keyword %q does not occur", k)
				}
				for _, other := range keywords[:i] {
					if repeats(strings.ToLower(k), strings.ToLower(other)) || repeats(strings.ToLower(other), strings.ToLower(k)) {
						t.Fatalf("keywords %q", keywords)
					}
				}
			}
		}
	})
}

func BenchmarkKeywords(b *testing.B) {
	words := strings.Fields("storm vote budget attack harbour bridge court minister strike flood rescue election price market police union")
	clusters := make([][]Document, 10)
	for c := range clusters {
		for d := range 200 {
			var text []string
			for i := range 150 {
				text = append(text, words[(c*3+d*i+i*i)%len(words)])
			}
			clusters[c] = append(clusters[c], Document{words[c] + " " + words[d%len(words)], strings.Join(text, " ")})
		}
	}
	for b.Loop() {
		Keywords(clusters, KeywordOptions{N: 8})
	}
}
