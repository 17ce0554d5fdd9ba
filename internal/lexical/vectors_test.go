package lexical

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"throughline/cluster/vector"
)

func id(t *testing.T, word string) uint32 {
	t.Helper()
	ids := terms(word)
	if len(ids) != 1 {
		t.Fatalf("%q has %d terms, want 1", word, len(ids))
	}
	return ids[0]
}

func weight(v vector.Sparse, term uint32) float32 {
	if i, ok := slices.BinarySearch(v.Terms, term); ok {
		return v.Weights[i]
	}
	return 0
}

func TestAnalyzeFields(t *testing.T) {
	body := "A blaze destroyed the harbour at Kirkwall. Blaze crews from Aberdeen came. " + strings.Repeat("water ", 400) + "epilogue"
	v := Analyze("Blaze at harbour", body)
	for _, c := range []struct {
		field string
		v     vector.Sparse
		word  string
		want  float64 // frequency
	}{
		{"full", v.Full, "blaze", 4},
		{"full", v.Full, "kirkwall", 1},
		{"full", v.Full, "epilogue", 0},
		{"lead", v.Lead, "blaze", 3},
		{"names", v.Names, "kirkwall", 1},
		{"names", v.Names, "aberdeen", 1},
		{"names", v.Names, "blaze", 0}, // in lower case elsewhere
		{"names", v.Names, "water", 0},
	} {
		want := 0.0
		if c.want > 0 {
			want = 1 + math.Log(c.want)
		}
		if got := weight(c.v, id(t, c.word)); math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("%s weight of %q = %v, want %v", c.field, c.word, got, want)
		}
	}
	if want := 3 + countFields(body); v.Words != want || want <= 3+bodyWords {
		t.Errorf("words = %d, want %d, more than the %d that are read", v.Words, want, 3+bodyWords)
	}
	if v := Analyze("停电", "西班牙和葡萄牙全国停电"); v.Words < 5 {
		t.Errorf("words = %d in a script without spaces, want those that are read", v.Words)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		title, body string
		names, not  []string
	}{
		{"", "Yesterday Merkel met Macron in Aachen.", []string{"merkel", "macron", "aachen"}, nil},
		{"", "Merkel resigned. Critics cheered as critics do.", []string{"merkel"}, []string{"critics"}},
		{"Merkel Meets Macron Over Great Steel", "Great was the joy in the steel towns.", []string{"merkel", "macron"}, []string{"great", "steel"}},
		{"Steel tariffs worry Berlin", "", []string{"berlin"}, []string{"tariffs", "worry"}},
		{"", "They paid 4,500 euros on 12 May.", []string{"4500", "12"}, []string{"euros"}},
		{"", "House prices fell. Outside the House of Commons it rained.", []string{"house", "commons"}, []string{"prices"}},
	} {
		v := Analyze(c.title, c.body)
		for _, name := range c.names {
			if weight(v.Names, id(t, name)) == 0 {
				t.Errorf("%q %q: %q is not among the names", c.title, c.body, name)
			}
		}
		for _, word := range c.not {
			if weight(v.Names, id(t, word)) != 0 {
				t.Errorf("%q %q: %q is among the names", c.title, c.body, word)
			}
		}
	}
}

func TestAnalyzeWithoutWords(t *testing.T) {
	if v := Analyze("", " \n…\xff "); !reflect.DeepEqual(v, Vectors{Words: 1}) {
		t.Errorf("got %+v", v)
	}
	if q := QueryTerms("the of and"); len(q.Terms) != 0 {
		t.Errorf("stop words gave %v", q)
	}
}

func checkSparse(t *testing.T, v vector.Sparse) {
	t.Helper()
	if len(v.Terms) != len(v.Weights) {
		t.Fatalf("%d terms, %d weights", len(v.Terms), len(v.Weights))
	}
	for i, w := range v.Weights {
		if i > 0 && v.Terms[i] <= v.Terms[i-1] {
			t.Fatalf("terms not ascending at %d", i)
		}
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			t.Fatalf("weight %v", w)
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	f.Add("Title Of Something", "Body. Of 1,000 words's U.S. 東京\xff")
	f.Add("", strings.Repeat("x", 10_000))
	f.Fuzz(func(t *testing.T, title, body string) {
		frequencies := NewFrequencies()
		v := Analyze(title, body)
		frequencies.Add(&v)
		for i := range fields {
			checkSparse(t, v.of(i))
			weighed := frequencies.Weighting(frequencies).Weigh(i, v.of(i))
			checkSparse(t, weighed)
			if n := weighed.Norm(); len(v.of(i).Terms) > 0 && math.Abs(float64(n)-1) > 1e-4 {
				t.Fatalf("length %v", n)
			}
		}
		checkSparse(t, QueryTerms(body))
		if again := Analyze(title, body); !reflect.DeepEqual(v, again) {
			t.Fatal("two readings of the same text differ")
		}
		frequencies.Remove(&v)
		if frequencies.Documents() != 0 || len(frequencies.counts[Full])+len(frequencies.counts[Lead])+len(frequencies.counts[Names]) != 0 {
			t.Fatal("removing the only article left counts behind")
		}
	})
}

// article is some 600 words of varied text.
var article = func() string {
	var b strings.Builder
	words := strings.Fields("The mayor of Springfield, Ms. O'Hara, told 1,200 workers on Friday that the U.S. plant would close; unions reacted angrily. “Nobody asked us,” said Zoë Müller.")
	for i := range 600 {
		b.WriteString(words[(i*7+i/26)%len(words)])
		b.WriteByte(' ')
	}
	return b.String()
}()

func BenchmarkAnalyze(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Analyze("Springfield plant closes, unions angry", article)
	}
}
