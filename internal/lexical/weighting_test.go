package lexical

import (
	"fmt"
	"math"
	"testing"
)

// frequenciesOf counts texts.
func frequenciesOf(texts ...string) *Frequencies {
	f := NewFrequencies()
	for _, text := range texts {
		v := Analyze("", text)
		f.Add(&v)
	}
	return f
}

// usual is a background in which every article has the word people, and few have others.
func usual() *Frequencies {
	var texts []string
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf("many people saw the museum of the town Quorn%d open while harbour %d burned", i, i%10))
	}
	return frequenciesOf(texts...)
}

func TestTheBackgroundKnowsCommonWords(t *testing.T) {
	w := NewFrequencies().Weighting(usual())
	common, rare := w.IDF(Full, id(t, "people")), w.IDF(Full, id(t, "paleontologist"))
	if !(rare > 1.5*common) || common <= 0 {
		t.Errorf("in an empty corpus people weighs %v, paleontologist %v; want the second half as much again", common, rare)
	}
}

// In a corpus about one event the words of the event are not usual. In one of as many articles
// about different people and places, the words that all of them share are.
func TestAnEventIsNotUsual(t *testing.T) {
	var one, many []string
	for i := range 300 {
		one = append(one, "people in Zarnow saw Orlin Vask open the paleontologist museum in town")
		many = append(many, fmt.Sprintf("people in Zarnow%d saw Orlin%d Vask%d open the paleontologist museum in town", i, i, i))
	}
	weight := func(texts []string) float32 {
		return frequenciesOf(texts...).Weighting(usual()).IDF(Full, id(t, "paleontologist"))
	}
	empty := NewFrequencies().Weighting(usual()).IDF(Full, id(t, "paleontologist"))
	if event, kind := weight(one), weight(many); event < .8*empty || kind > .5*empty {
		t.Errorf("the word weighs %v in an empty corpus, %v in one of one event, %v in one of many", empty, event, kind)
	}
}

// Whatever the size of a corpus, it counts for a part only, so that weights hardly move as it
// grows.
func TestTheOwnShareIsBounded(t *testing.T) {
	f, n := NewFrequencies(), 0
	for _, articles := range []int{0, 1, 40, 1500, 6000} {
		for ; n < articles; n++ {
			v := Analyze("", fmt.Sprintf("many people saw the town of Vask%d while harbour 3 burned", n))
			f.Add(&v)
		}
		w := f.Weighting(usual())
		if own := w.OwnShare(); own < 0 || own > float64(mostOwn)/(mostOwn+backgroundDocuments)+1e-9 || own > float64(n)/backgroundDocuments+1e-9 {
			t.Errorf("%d articles count for %v", n, own)
		}
		for _, word := range []string{"people", "Vask1", "zyx"} {
			if idf := w.IDF(Full, id(t, word)); !(idf > 0) || math.IsInf(float64(idf), 0) {
				t.Errorf("%d articles: %s weighs %v", n, word, idf)
			}
		}
	}
}

// In a corpus of another language the background says nothing, and its own common words are usual.
func TestAnotherLanguageHasItsOwnUsualWords(t *testing.T) {
	var texts []string
	for i := range 400 {
		texts = append(texts, fmt.Sprintf("jokapäiväinen uutinen kertoo paikasta Kylä%d ja asiasta%d", i, i))
	}
	w := frequenciesOf(texts...).Weighting(usual())
	common, rare := w.IDF(Full, id(t, "uutinen")), w.IDF(Full, id(t, "asiasta7"))
	if common > rare/4 {
		t.Errorf("a word of every article weighs %v, one of one article %v", common, rare)
	}
	if w.OwnShare() < .5 {
		t.Errorf("the corpus counts for %v, the background of another language for the rest", w.OwnShare())
	}
}
