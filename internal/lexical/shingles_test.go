package lexical

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func shinglesOf(text string) Shingles { return Analyze("", text).Shingles }

func TestShinglesOfLittle(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "one two three four": 0, "One two, three four five.": 1, "one two three four five six": 2,
		"a b c d e a b c d e": 5, // ten words, six runs, the first and the last the same
	} {
		if got := len(shinglesOf(text)); got != want {
			t.Errorf("%q: %d shingles, want %d", text, got, want)
		}
	}
	if a, b := shinglesOf("The mayor's office said: no MORE trams."), shinglesOf("the mayor office said no more tram"); !slices.Equal(a, b) {
		t.Error("case, punctuation and plurals matter")
	}
	if a := Analyze("A title of five words", "text"); len(a.Shingles) != 0 {
		t.Error("the title has shingles: it is what outlets change")
	}
}

// Contained is what counting the runs of two texts gives: exactly where both are short, else within
// the error of a sample.
func TestShinglesContained(t *testing.T) {
	runs := func(words []string) map[string]bool {
		set := make(map[string]bool)
		for i := range len(words) - shingleWords + 1 {
			set[strings.Join(words[i:i+shingleWords], " ")] = true
		}
		return set
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[b-df-hj-np-rtv-z][aeiou][b-df-hj-np-rtv-z][aeiou]`) // no plurals, no numbers
		common := rapid.SliceOfN(word, 0, 400).Draw(t, "common")
		a := slices.Concat(rapid.SliceOfN(word, 0, 200).Draw(t, "a"), common)
		b := slices.Concat(common, rapid.SliceOfN(word, 0, 200).Draw(t, "b"))
		inA, inB := runs(a), runs(b)
		shared := 0
		for r := range inA {
			if inB[r] {
				shared++
			}
		}
		sa, sb := shinglesOf(strings.Join(a, " ")), shinglesOf(strings.Join(b, " "))
		got, of := sa.Contained(sb)
		back, ofBack := sb.Contained(sa)
		if got != back || of != ofBack {
			t.Fatalf("%v of %d one way, %v of %d the other", got, of, back, ofBack)
		}
		shorter := min(len(inA), len(inB))
		if shorter == 0 {
			if got != 0 || of != 0 {
				t.Fatalf("%v of %d of nothing", got, of)
			}
			return
		}
		want := float64(shared) / float64(shorter)
		tolerance := 0.0
		if max(len(inA), len(inB)) > maxShingles {
			tolerance = 3 / math.Sqrt(float64(max(of, 1))) // six standard deviations of a share of .5, the widest
		} else if of != shorter {
			t.Fatalf("a share of %d shingles, there are %d", of, shorter)
		}
		if math.Abs(got-want) > tolerance+1e-12 {
			t.Fatalf("%.3f of %d, counting gives %.3f of %d", got, of, want, shorter)
		}
	})
}

// The sample of a long text shows which part of it another text is.
func TestShinglesOfLongTexts(t *testing.T) {
	var words []string
	for i := range 3000 {
		words = append(words, "w"+strings.Repeat(string(rune('a'+i%23)), 1+i%7)+string(rune('a'+i*i%19))+string(rune('a'+i/23%26)))
	}
	whole := shinglesOf(strings.Join(words, " "))
	if len(whole) != maxShingles {
		t.Fatalf("%d shingles are kept of a long text", len(whole))
	}
	if share, of := whole.Contained(shinglesOf(strings.Join(words[:1000], " "))); share < .9 || of < 25 {
		t.Errorf("%.2f of %d of the first third are in the whole", share, of)
	}
	if share, of := shinglesOf(strings.Join(words[:1500], " ")).Contained(shinglesOf(strings.Join(words[1500:], " "))); share > .1 {
		t.Errorf("%.2f of %d of one half are in the other", share, of)
	}
}

func TestUnquoted(t *testing.T) {
	for text, want := range map[string]string{
		"no quotation": "no quotation", `He said: "We will rebuild," and left.`: "He said:   and left.", "“Never,” she said. “Never.”": "  she said.  ",
		`a "quotation" and "another"`: "a   and  ", "an inch is 5\" and no quotation": "an inch is 5\" and no quotation",
		"“not closed\n\nand so no quotation”": "“not closed\n\nand so no quotation”", "„deutsch“ und «français»": "  und  ", "“": "“", `("in brackets")`: "( )",
		"“" + strings.Repeat("long ", 300) + "”": "“" + strings.Repeat("long ", 300) + "”", "\xff\"": "\uFFFD\"",
	} {
		if got := unquoted(text); got != want {
			t.Errorf("%.40q is %.60q, want %.60q", text, got, want)
		}
	}
	words := func(from, n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("w" + strings.Repeat(string(rune('a'+(from+i)%26)), 1+(from+i)/26) + " ")
		}
		return b.String()
	}
	statement := `"` + words(0, 60) + `" `
	if share, _ := shinglesOf(words(100, 60) + statement).Contained(shinglesOf(words(200, 60) + statement)); share != 0 {
		t.Errorf("two reports share %.2f but for a statement that both quote", share)
	}
	if share, of := shinglesOf(words(100, 10) + statement).Contained(shinglesOf(words(200, 10) + statement)); share < .5 || of < 50 {
		t.Errorf("two texts that are mostly quotation share %.2f of %d", share, of)
	}
}
