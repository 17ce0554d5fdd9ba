package cluster

import (
	"slices"
	"strings"
	"testing"
)

// A keyword is a thing: no verb, adjective, participle or adjective of a people, however often the
// texts have it.
func TestKeywordsAreNouns(t *testing.T) {
	clusters := [][]Document{
		{
			{"Earthquake strikes Orlu, killing dozens", "A strong earthquake struck the Turkish town of Orlu, killing dozens. Houses collapsed and trapped families. The earthquake was shallow."},
			{"Collapsed houses, trapped families", "The strong quake that struck Orlu collapsed the school. Soldiers searched the ruins, and Turkish engineers lifted trapped children out of the ruins."},
			{"Turkish rescuers search the ruins of Orlu", "Rescuers heard voices in the ruins. The earthquake struck the school first, killing teachers. The rescuers lifted a trapped boy slowly."},
			{"Orlu mourns", "The Turkish president flew to Orlu. The earthquake collapsed a dam too, and the rescuers left the ruins slowly."},
		},
		{
			{"Ferry operator seeks merger", "The Danish ferry operator seeks a merger with a federal port authority. A merger of the ferry lines would cut the cost of tickets."},
			{"Danish ferry merger approved", "Regulators approved the merger. The federal port authority will seek a refund, and the ferry lines approved of it quickly."},
			{"Ferry tickets get cheaper", "After the merger, tickets are cheaper. A federal judge approved the prices of the Danish ferry lines quickly."},
			{"Port authority waits", "The port authority seeks a share of the merger. It approved the tickets, and a federal court will seek to settle."},
		},
	}
	want := [][]string{{"Orlu", "earthquake", "ruins", "rescuers"}, {"merger", "port authority", "tickets"}}
	bad := strings.Fields("struck strikes killing collapsed trapped Turkish slowly lifted strong seeks seek federal Danish approved quickly cheaper cut")
	for c, words := range Keywords(clusters, KeywordOptions{N: 12}) {
		for _, w := range want[c] {
			if !slices.Contains(words, w) {
				t.Errorf("%q are without %q", words, w)
			}
		}
		for _, phrase := range words {
			parts := strings.Fields(phrase)
			if slices.Contains(bad, parts[len(parts)-1]) || slices.Contains(bad, parts[0]) && !slices.Contains([]string{"strong", "federal"}, parts[0]) {
				t.Errorf("%q is among %q", phrase, words)
			}
		}
	}
}

// What a word is follows from the sentences where the lists and the ending say little or nothing.
func TestUseInSentences(t *testing.T) {
	for _, c := range []struct {
		word, text string
		noun       bool
	}{
		{"blorn", "The blorn was found. They saw a blorn in the shed.", true},
		{"blorn", "They will blorn. He said she must blorn the shed, and the men blorn the house. Dogs blorn the yard.", false},
		{"blorn", "The blorn house fell. A blorn wall, a blorn roof and a blorn shed fell too.", false},
		{"blorn", "", true},
		{"hopeless", "", false},
		{"flooding", "They were flooding fields.", false},
		{"flooding", "The flooding was worst in May. They feared the flooding.", true},
		{"wounded", "The wounded were flown out. They saw the wounded.", false},
		{"struck", "The struck was odd.", false},
		{"drowning", "A man drowning in the lake was saved. A child drowning in the lake was not.", false},
		{"4-year-old", "The 4-year-old was found. They saw a 4-year-old.", false},
		{"assembly", "The assembly of Orlu met. He left the assembly.", true},
	} {
		r := newReading(KeywordOptions{})
		k := r.read([]Document{{"", c.text}})
		u := usage{}
		if at, ok := k.phrases[phraseKey{r.word(c.word).number}]; ok {
			u = k.list[at].use
		}
		if got := isNoun(c.word, u); got != c.noun {
			t.Errorf("%q in %q is a noun: got %v, want %v (%+v)", c.word, c.text, got, c.noun, u)
		}
	}
}

// Two keywords are not the same thing: neither forms of a word nor a name and its first letters.
func TestKeywordsDiffer(t *testing.T) {
	text := "The quake was felt by the Federal Aviation Administration. An earthquake, said the FAA, is a quake. The tories met a tory. A ban is one of many bans."
	got := Keywords([][]Document{{{"Quake", text}, {"Earthquake", text}}, {{"Rain", "It rains."}}}, KeywordOptions{N: 20})[0]
	for _, pair := range [][2]string{{"quake", "earthquake"}, {"FAA", "Federal Aviation Administration"}, {"tory", "tories"}, {"ban", "bans"}} {
		if a, b := slices.Contains(got, pair[0]), slices.Contains(got, pair[1]); a == b {
			t.Errorf("%q has both or none of %q", got, pair)
		}
	}
}

// Documents that have a chosen keyword count less for the next one, so that the first two keywords
// stand for both halves of a cluster.
func TestKeywordsStandForAll(t *testing.T) {
	clusters := [][]Document{{
		{"Glacier melts", "The glacier lost ice. The ice and the moraine were measured on the glacier."},
		{"Glacier measured", "The ice of the glacier is thin. Near the moraine the ice is gone."},
		{"Glacier hut closed", "The hut on the ice is closed. The glacier, its ice and the moraine move."},
		{"Orchard blooms", "The orchard has blossoms."},
		{"Orchard sold", "The orchard was sold."},
	}, {{"Vote", "A vote was held."}, {"Vote again", "Another vote was held."}}}
	got := Keywords(clusters, KeywordOptions{N: 3})[0]
	if len(got) < 2 || !slices.Contains(got[:2], "orchard") && !slices.Contains(got[:2], "Orchard") {
		t.Errorf("the first two of %q leave out the orchard", got)
	}
}
