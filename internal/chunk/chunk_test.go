package chunk

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"pgregory.net/rapid"

	"throughline/internal/news"
)

// counters are tokenizers of different kinds: exact, by the byte as the estimate of an unknown
// model, and one that is not additive.
var counters = []func(string) int{
	countWordsOf,
	func(s string) int { return (len(s) + 3) / 4 },
	utf8.RuneCountInString,
	func(s string) int { // like WordPiece: long words are one unknown token, others a piece per three letters
		n := 0
		for _, w := range strings.Fields(s) {
			if len(w) > 100 {
				n++
			} else {
				n += (len(w) + 2) / 3
			}
		}
		return n
	},
}

// checkSplit compares Split with what it promises, by reading its output beside its input.
func checkSplit(t interface {
	Helper()
	Fatalf(string, ...any)
}, a news.Article, limit Limit) {
	t.Helper()
	sections := Split(a, limit)
	want := newMarks(a.Sections)
	for i, s := range sections {
		if !utf8.ValidString(s.Heading) || !utf8.ValidString(s.Text) {
			t.Fatalf("section %d is not UTF-8", i)
		}
		if s.Heading == "" && s.Text == "" {
			t.Fatalf("section %d is empty", i)
		}
		if err := want.read(s); err != nil {
			t.Fatalf("section %d of %d: %v\nin  %q\nout %q", i, len(sections), err, a.Sections, sections)
		}
		if limit.Tokens == 0 || limit.Count == nil {
			continue
		}
		allowed, title := limit.Tokens, a.Title
		if 4*limit.Count(EmbedText(a.Title, news.Section{})) > 3*limit.Tokens {
			allowed, title = max(limit.Tokens/4, 1), ""
		}
		if n := limit.Count(EmbedText(title, s)); n > allowed && !oneGrapheme(s.Text) {
			t.Fatalf("section %d has %d tokens, the limit is %d: %q", i, n, allowed, s)
		}
	}
	if rest := want.rest(); rest != "" {
		t.Fatalf("lost %q\nin  %q\nout %q", rest, a.Sections, sections)
	}
}

func oneGrapheme(s string) bool {
	it := graphemes.FromString(s)
	return it.Next() && it.End() == len(s)
}

// marks is an article's headings and texts without white space, in the order in which they have to
// come out of Split.
type marks struct {
	runs     []run
	at, used int // the run being read and how much of it has been
}

type run struct {
	heading bool
	text    string
	under   string // for a text: its heading
}

func newMarks(sections []news.Section) *marks {
	m := &marks{}
	for _, s := range sections {
		if h := bare(s.Heading); h != "" {
			m.runs = append(m.runs, run{heading: true, text: h})
		}
		if t := bare(s.Text); t != "" {
			m.runs = append(m.runs, run{text: t, under: bare(s.Heading)})
		}
	}
	return m
}

func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// read takes one output section off. Its heading is either the one due or, in the middle of a text,
// a repetition of that text's.
func (m *marks) read(s news.Section) error {
	if h := bare(s.Heading); h != "" {
		var due run
		if m.at < len(m.runs) {
			due = m.runs[m.at]
		}
		switch {
		case m.used == 0 && due.heading && due.text == h:
			m.at++
		case m.used > 0 && !due.heading && due.under == h:
		default:
			return fmt.Errorf("heading %q where %q was due", h, due.text[m.used:])
		}
	}
	for text := bare(s.Text); text != ""; {
		if m.at == len(m.runs) {
			return fmt.Errorf("more text than there was: %q", text)
		}
		due := m.runs[m.at].text[m.used:]
		n := min(len(due), len(text))
		if due[:n] != text[:n] {
			return fmt.Errorf("text %q where %q was due", text, due)
		}
		text = text[n:]
		if m.used += n; n == len(due) {
			m.at, m.used = m.at+1, 0
		}
	}
	return nil
}

func (m *marks) rest() string {
	if m.at == len(m.runs) {
		return ""
	}
	return m.runs[m.at].text[m.used:]
}

func TestSplit(t *testing.T) {
	sentence := "One two three four five six seven eight nine ten. "
	for _, tt := range []struct {
		name     string
		sections []news.Section
		limit    Limit
		want     []news.Section
	}{
		{name: "nothing", want: nil},
		{name: "white space", sections: []news.Section{{Text: " \n"}}, want: nil},
		{
			name:     "under the limit",
			sections: []news.Section{{Text: "One two three."}},
			limit:    Limit{Tokens: 10},
			want:     []news.Section{{Text: "One two three."}},
		},
		{
			name:     "at sentence ends, evenly",
			sections: []news.Section{{Heading: "Heading", Text: strings.TrimSpace(strings.Repeat(sentence, 4))}},
			limit:    Limit{Tokens: 36},
			want: []news.Section{
				{Heading: "Heading", Text: strings.TrimSpace(strings.Repeat(sentence, 2))},
				{Heading: "Heading", Text: strings.TrimSpace(strings.Repeat(sentence, 2))},
			},
		},
		{
			name:     "not after an abbreviation",
			sections: []news.Section{{Text: "It was said by Dr. Smith of the U.S. Navy today. It was said again by Gen. Jones of it later."}},
			limit:    Limit{Tokens: 16, MinWords: -1},
			want:     []news.Section{{Text: "It was said by Dr. Smith of the U.S. Navy today."}, {Text: "It was said again by Gen. Jones of it later."}},
		},
		{
			name:     "a sentence over the limit, at words",
			sections: []news.Section{{Text: "one two three four five six seven eight"}},
			limit:    Limit{Tokens: 4, MinWords: -1},
			want:     []news.Section{{Text: "one two three four"}, {Text: "five six seven eight"}},
		},
		{
			name:     "a short section joins the one before",
			sections: []news.Section{{Text: strings.TrimSpace(sentence)}, {Heading: "Note", Text: "Too short."}},
			want:     []news.Section{{Text: strings.TrimSpace(sentence) + "\n\nNote\n\nToo short."}},
		},
		{
			name:     "a short lede joins the one after",
			sections: []news.Section{{Text: "Too short."}, {Heading: "Body", Text: strings.TrimSpace(sentence)}},
			want:     []news.Section{{Text: "Too short.\n\nBody\n\n" + strings.TrimSpace(sentence)}},
		},
		{
			name:     "a heading without text joins what follows",
			sections: []news.Section{{Text: strings.TrimSpace(sentence)}, {Heading: "Part One"}, {Heading: "Body", Text: strings.TrimSpace(sentence)}},
			want:     []news.Section{{Text: strings.TrimSpace(sentence)}, {Heading: "Part One", Text: "Body\n\n" + strings.TrimSpace(sentence)}},
		},
		{
			name:     "equal headings of two sections both stay",
			sections: []news.Section{{Heading: "Update", Text: strings.TrimSpace(sentence)}, {Heading: "Update", Text: "Short."}},
			want:     []news.Section{{Heading: "Update", Text: strings.TrimSpace(sentence) + "\n\nUpdate\n\nShort."}},
		},
		{
			name:     "no room to join",
			sections: []news.Section{{Text: strings.TrimSpace(sentence)}, {Heading: "Note", Text: "Too short."}},
			limit:    Limit{Tokens: 11},
			want:     []news.Section{{Text: strings.TrimSpace(sentence)}, {Heading: "Note", Text: "Too short."}},
		},
		{
			name:     "a heading over the limit is text",
			sections: []news.Section{{Heading: "one two three four five", Text: "six seven eight"}},
			limit:    Limit{Tokens: 4, MinWords: -1},
			want:     []news.Section{{Text: "one two three four"}, {Text: "five"}, {Text: "six seven eight"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.limit.Count = countWordsOf
			a := news.Article{Sections: tt.sections}
			got := Split(a, tt.limit)
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			checkSplit(t, a, tt.limit)
		})
	}
}

func TestSplitTitle(t *testing.T) {
	text := strings.Repeat("One two three four five six seven eight nine ten. ", 10)
	a := news.Article{Title: "a b c d e f g h i j", Sections: []news.Section{{Text: text}}}
	for _, tokens := range []int{11, 12, 13, 14, 20, 40, 200} {
		checkSplit(t, a, Limit{Tokens: tokens, Count: countWordsOf})
	}
	long := news.Article{Title: strings.Repeat("word ", 200), Sections: []news.Section{{Text: text}}}
	if n := countWordsOf(EmbedText(long.Title, news.Section{})); n != titleBytes/len("word ") {
		t.Errorf("%d words of an endless title are embedded", n)
	}
	checkSplit(t, long, Limit{Tokens: 100, Count: countWordsOf})
}

func TestSplitProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"word", "Sentence one. ", "Is it? ", "Mr. ", "e.g. ", "\n\n", "\n", " ", "日本語の文章。", "ไทยภาษา", "👩‍👩‍👧‍👦", "é", "e\u0301", "\u200d", ". ", "“Quote,” ",
		"https://example.com/a/b?c=d#e", strings.Repeat("x", 150), "…", "؟ ", "हिन्दी", "\u00a0", "1.5 ", "A.B. ",
	})
	heading := rapid.SampledFrom([]string{"", "", "Heading", "Other Heading", "A Rather Long Heading of Many Words in It", "見出し"})
	rapid.Check(t, func(t *rapid.T) {
		a := news.Article{Title: rapid.SampledFrom([]string{"", "Title", "A title of several words"}).Draw(t, "title")}
		for range rapid.IntRange(0, 5).Draw(t, "sections") {
			a.Sections = append(a.Sections, news.Section{
				Heading: heading.Draw(t, "heading"),
				Text:    strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "text"), ""),
			})
		}
		checkSplit(t, a, Limit{
			Tokens:   rapid.IntRange(0, 40).Draw(t, "tokens"),
			Count:    rapid.SampledFrom(counters).Draw(t, "count"),
			MinWords: rapid.IntRange(-1, 12).Draw(t, "min words"),
		})
	})
}

// TestSplitEffort bounds the work for texts that are hard to cut: the bytes given to the counter
// per byte of text.
func TestSplitEffort(t *testing.T) {
	const size = 200_000
	for name, unit := range map[string]string{
		"sentences":        "The quick brown fox jumps over the lazy dog, and then some more. ",
		"no sentence":      "word ",
		"no space":         "x",
		"no space, CJK":    "字",
		"abbreviations":    "A. ",
		"full stops":       ".",
		"dense and sparse": strings.Repeat("x", 20_000) + " " + strings.Repeat("a b ", 5_000),
		"lines":            "a\n",
		"paragraphs":       "a\n\n",
		"spaces":           "a" + strings.Repeat(" ", 5_000),
	} {
		for i, count := range counters {
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				a := news.Article{Title: "Title", Sections: []news.Section{{Text: strings.Repeat(unit, size/len(unit))}}}
				bytes := 0
				limit := Limit{Tokens: 250, Count: func(s string) int { bytes += len(s); return count(s) }}
				Split(a, limit)
				if most := 30 * size; bytes > most {
					t.Errorf("counted %d bytes for a text of %d", bytes, size)
				}
				t.Logf("%.1f bytes counted per byte", float64(bytes)/size)
				limit.Count = count
				checkSplit(t, a, limit)
			})
		}
	}
	t.Run("many short sections", func(t *testing.T) {
		a := news.Article{Sections: make([]news.Section, 20_000)}
		for i := range a.Sections {
			a.Sections[i] = news.Section{Heading: "H", Text: "a b"}
		}
		bytes := 0
		limit := Limit{Tokens: 250, Count: func(s string) int { bytes += len(s); return countWordsOf(s) }}
		checkSplit(t, a, limit)
		if bytes > 50_000_000 {
			t.Errorf("counted %d bytes", bytes)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("Title", "Heading", "One sentence. And another, e.g. this one.\n\nA paragraph.", "Note", "Short.", uint8(12), uint8(3), uint8(0))
	f.Add("", "見出し", "日本語の文章。もう一つの文。", "", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦", uint8(3), uint8(8), uint8(2))
	f.Add("A title that is longer than all of the text", "", "a", "B", "", uint8(1), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, title, h1, t1, h2, t2 string, tokens, minWords, counter uint8) {
		a := news.Article{ID: "x", Title: title, Sections: []news.Section{{Text: h2}, {Heading: h1, Text: t1}, {Heading: h2, Text: t2}, {Heading: h1, Text: t2 + t1}}}
		valid, err := news.Validate(a)
		if err != nil {
			t.Skip("not an article")
		}
		checkSplit(t, valid.Article(), Limit{Tokens: int(tokens), Count: counters[int(counter)%len(counters)], MinWords: int(minWords) - 1})
	})
}

// Sections that Split made are left as they are, so that an export of an article is the same
// article.
func TestSplitOfWhatWasSplit(t *testing.T) {
	sentence := rapid.SampledFrom([]string{"The river rose again overnight. ", "Nobody was hurt. ", "It rained.\n\n", "Officials said on Tuesday that the dam had held, against all fears. "})
	rapid.Check(t, func(t *rapid.T) {
		a := news.Article{Title: "A title of several words"}
		for range rapid.IntRange(1, 4).Draw(t, "sections") {
			a.Sections = append(a.Sections, news.Section{
				Heading: rapid.SampledFrom([]string{"", "Heading"}).Draw(t, "heading"),
				Text:    strings.TrimSpace(strings.Join(rapid.SliceOfN(sentence, 1, 60).Draw(t, "text"), "")),
			})
		}
		limit := Limit{Tokens: rapid.IntRange(40, 120).Draw(t, "tokens"), Count: func(s string) int { return len(strings.Fields(s)) }}
		once := a
		once.Sections = Split(a, limit)
		if again := Split(once, limit); !slices.Equal(again, once.Sections) {
			t.Fatalf("split into\n%q\nand again into\n%q", once.Sections, again)
		}
	})
}

func TestLeadText(t *testing.T) {
	sentence := "One two three four five six seven eight nine ten. "
	for name, tt := range map[string]struct {
		a    news.Article
		want string
	}{
		"headline":   {news.Article{Title: "Title"}, "Title"},
		"no title":   {news.Article{Sections: []news.Section{{Text: "Text."}}}, "Text."},
		"all of it":  {news.Article{Title: "Title", Sections: []news.Section{{Text: "Text."}, {Heading: "Head", Text: "More."}}}, "Title\nText.\n\nHead\n\nMore."},
		"sentences":  {news.Article{Title: "Title", Sections: []news.Section{{Text: strings.Repeat(sentence, 20)}}}, "Title\n" + strings.TrimSpace(strings.Repeat(sentence, 10))},
		"one long":   {news.Article{Title: "Title", Sections: []news.Section{{Text: strings.Repeat("word ", 300)}}}, "Title\n" + strings.TrimSpace(strings.Repeat("word ", leadWords))},
		"derived":    {news.Article{Title: "One two", TitleDerived: true, Sections: []news.Section{{Text: "One two, three."}}}, "One two, three."},
		"file name":  {news.Article{Title: "Harbour news", TitleDerived: true, Sections: []news.Section{{Text: "One two, three."}}}, "Harbour news\nOne two, three."},
		"ideographs": {news.Article{Sections: []news.Section{{Text: strings.Repeat("字", 300)}}}, strings.Repeat("字", leadWords)},
		"late long":  {news.Article{Sections: []news.Section{{Text: strings.Repeat(sentence, 6) + "Word " + strings.Repeat("word ", 300)}}}, strings.TrimSpace(strings.Repeat(sentence, 6))},
	} {
		if got := LeadText(tt.a); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func countWordsOf(s string) int { return len(strings.Fields(s)) }
