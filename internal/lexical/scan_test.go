package lexical

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// terms lists the ids of a text's words that are not stop words, in reading order.
func terms(text string) (ids []uint32) {
	var s scanner
	s.reset(text)
	for {
		t, ok := s.next()
		if !ok {
			return ids
		}
		if !t.stop {
			ids = append(ids, t.id)
		}
	}
}

func TestSpellingsOfOneTerm(t *testing.T) {
	for _, same := range [][2]string{
		{"Officers", "officer"},
		{"officer's", "officer"},
		{"officer’s", "officer"},
		{"officers'", "officer"},
		{"cities", "city"},
		{"crashes", "crash"},
		{"Erdoğan", "ERDOGAN"},
		{"Erdog\u0306an", "Erdoğan"},
		{"straße", "strasse"},
		{"U.S.", "US"},
		{"U.S", "US"},
		{"F.B.I.", "FBI"},
		{"1,000", "1000"},
		{"1000.0", "1000"},
		{"21st", "21"},
		{"007", "7"},
		{"three", "3"},
		{"Covid-19", "covid 19"},
		{"anti\u2014war", "anti war"},
		{"ice\xffberg", "ice berg"},
	} {
		a, b := terms(same[0]), terms(same[1])
		if len(a) == 0 || len(a) != len(b) {
			t.Errorf("%q has terms %v, %q has %v", same[0], a, same[1], b)
			continue
		}
		for i := range a {
			if a[i] != b[i] {
				t.Errorf("%q and %q differ in term %d", same[0], same[1], i)
			}
		}
	}
}

func TestSpellingsOfTwoTerms(t *testing.T) {
	for _, different := range [][2]string{
		{"3.5", "35"},
		{"1.000", "1000"},
		{"2013", "2014"},
		{"US", "use"},
		{"boss", "bo"},
		{"virus", "viru"},
		{"東京都", "京東都"},
		{"20", "20s"},
		{"killed", "killing"},
	} {
		a, b := terms(different[0]), terms(different[1])
		if len(a) > 0 && len(a) == len(b) && a[0] == b[0] && a[len(a)-1] == b[len(b)-1] {
			t.Errorf("%q and %q are the same term", different[0], different[1])
		}
	}
	if got := terms("what they said of us and them"); len(got) != 0 {
		t.Errorf("stop words left %v", got)
	}
}

func TestUnspacedScriptsBecomePairs(t *testing.T) {
	if n := len(terms("東京都知事")); n != 4 {
		t.Errorf("five characters gave %d pairs, want 4", n)
	}
	if n := len(terms("雪")); n != 1 {
		t.Errorf("a lone character gave %d terms, want 1", n)
	}
	if a, b := terms("東京 2020"), terms("東京2020"); len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1] != b[1] {
		t.Errorf("a space between script and number changed the terms: %v, %v", a, b)
	}
}

func TestSentenceStarts(t *testing.T) {
	text := "Police met. Officers of the U.S. Senate heard Mr. Jones say: \"Nothing in St. Louis!\" Then J. Doe left\nQuietly so."
	want := map[string]bool{"Police": true, "Officers": true, "Nothing": true, "Then": true, "Quietly": true}
	var s scanner
	s.reset(text)
	for {
		before := s.at
		tok, ok := s.next()
		if !ok {
			break
		}
		word := strings.Trim(text[before:s.at], " \n\".:!")
		if tok.upper && tok.begins != want[word] {
			t.Errorf("%q: begins a sentence = %v, want %v", word, tok.begins, want[word])
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{"", "U.S. and U.S", "1,000.50 1,, 1.", "it's 'quoted' o'", "東京2020年", "a\xff\xfeb", "Erdog\u0306an", "....", "U.a.bb", "0.0", "00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s scanner
		s.reset(text)
		for range len(text) + 1 {
			before := s.at
			_, ok := s.next()
			if s.at < before || s.at > len(text) {
				t.Fatalf("went from %d to %d of %d bytes", before, s.at, len(text))
			}
			if !ok {
				if s.at != len(text) {
					t.Fatalf("stopped at %d of %d bytes", s.at, len(text))
				}
				return
			}
			if s.at == before {
				t.Fatalf("a term of no text at %d", before)
			}
			if len(s.word) > maxWord+2*utf8.UTFMax {
				t.Fatalf("word of %d bytes", len(s.word))
			}
		}
		t.Fatal("more terms than bytes")
	})
}
