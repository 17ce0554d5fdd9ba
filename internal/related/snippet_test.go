package related

import (
	"strings"
	"testing"
	"unicode/utf8"

	"throughline/internal/lexical"
)

func TestSnippet(t *testing.T) {
	long := strings.Repeat("word ", 100)
	for _, c := range []struct{ name, text, words, want string }{
		{"nothing", "", "flood", ""},
		{"white space", " \n\t ", "flood", ""},
		{"one sentence", "The flood came at night.", "flood", "The flood came at night."},
		{"lines are joined", "The flood\ncame  at night.", "flood", "The flood came at night."},
		{"the sentence that tells", "Nothing here. The flood came at night. Nothing there.", "flood night", "The flood came at night."},
		{"two that tell", "Nothing here. The flood came. It was night. Nothing there.", "flood night", "The flood came. It was night."},
		{"nothing shared: the beginning", "Nothing here. Nothing there.", "flood", "Nothing here."},
		{"no space where there was none", "洪水が来た。町は沈んだ。", "洪水 町は", "洪水が来た。町は沈んだ。"},
		{"paragraphs are apart", "The flood\n\nThe flood came.", "flood came", "The flood The flood came."},
		{"no words", "Nothing here. Nothing there.", "", "Nothing here."},
		{"a long sentence is cut at a word", "The flood " + long, "flood", "The flood " + strings.Repeat("word ", 53) + "word…"},
		{"a long sentence without spaces is cut anywhere", strings.Repeat("é", 300), "flood", strings.Repeat("é", 279) + "…"},
		{"sentences too far apart: the one that says more", "The flood rose. " + long + ". The flood and the dam.", "flood dam", "The flood and the dam."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := snippet(c.text, lexical.QueryTerms(c.words)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzSnippet(f *testing.F) {
	f.Add("Nothing here. The flood came at night! Mr. Smith said so? Yes.", "flood smith")
	f.Add(strings.Repeat("a long sentence without an end ", 30)+". Short.", "end short")
	f.Add("洪水が来た。町は沈んだ。", "洪水")
	f.Add("\xff broken \xc3", "broken")
	f.Fuzz(func(t *testing.T, text, words string) {
		text = strings.ToValidUTF8(text, "\ufffd") // as every stored text is
		got := snippet(text, lexical.QueryTerms(words))
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > SnippetRunes {
			t.Fatalf("%d runes, valid %v", utf8.RuneCountInString(got), utf8.ValidString(got))
		}
		flat := strings.Join(strings.Fields(text), " ")
		if kept := strings.TrimSpace(strings.TrimSuffix(got, "…")); got != flat && !strings.Contains(flat, kept) {
			t.Fatalf("%q is not in %q", kept, flat)
		}
		if got == "" && flat != "" {
			t.Fatalf("nothing of %q", flat)
		}
	})
}
