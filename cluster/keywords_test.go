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
	got := Keywords(clusters, 4)
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

func TestKeywordsOfLittle(t *testing.T) {
	got := Keywords([][]Document{nil, {{"", ""}}, {{"The of and", "to be or not to be"}}, {{"Rain", ""}}}, 3)
	for i, want := range []int{0, 0, 0, 1} {
		if len(got[i]) != want {
			t.Errorf("cluster %d: %q, want %d keywords", i, got[i], want)
		}
	}
	if got[3][0] != "Rain" {
		t.Errorf("got %q", got[3])
	}
}

// No keyword begins or ends with a stop word or contains another, every keyword occurs in its cluster, and the order of
// the documents does not matter.
func TestKeywordsProperties(t *testing.T) {
	words := []string{"Moscow", "attack", "the", "of", "hall", "city", "Crocus", "storm", "and", "vote", "2024", "budget", "école", "東京"}
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(append(words, ".", ",")), 0, 20).Draw(t, "words"), " ")
	})
	document := rapid.Custom(func(t *rapid.T) Document { return Document{text.Draw(t, "title"), text.Draw(t, "text")} })
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfN(rapid.SliceOfN(document, 0, 6), 0, 4).Draw(t, "clusters")
		got := Keywords(clusters, 5)
		var reversed [][]Document
		for _, c := range clusters {
			r := slices.Clone(c)
			slices.Reverse(r)
			reversed = append(reversed, r)
		}
		again := Keywords(reversed, 5)
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
					if within(strings.ToLower(k), strings.ToLower(other)) || within(strings.ToLower(other), strings.ToLower(k)) {
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
		Keywords(clusters, 8)
	}
}
