package formats

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"throughline/internal/news"
)

// checkParse reads data and checks what holds for whatever comes out.
func checkParse(t *testing.T, name string, data []byte) []news.Article {
	t.Helper()
	articles, errs := parse(name, data, Options{Keep: []string{"story"}})
	if len(articles)+len(errs) == 0 {
		t.Fatal("neither an article nor an error")
	}
	for _, err := range errs {
		var item *news.ItemError
		if !errors.As(err, &item) || item.Origin.Path != name {
			t.Fatalf("%v is not an ItemError of %s", err, name)
		}
		known := false
		for _, kind := range []error{news.ErrEmpty, news.ErrBinary, news.ErrUnsupported, news.ErrTooLarge, news.ErrTooDeep, news.ErrEncoding, news.ErrSyntax, news.ErrDate, news.ErrField} {
			known = known || errors.Is(err, kind)
		}
		if !known || !utf8.ValidString(err.Error()) {
			t.Fatalf("error %q is of no kind", err)
		}
	}
	for _, a := range articles {
		checkArticle(t, a)
	}
	return articles
}

// checkArticle checks what holds for every valid article, whatever it was made of.
func checkArticle(t *testing.T, a news.Article) {
	t.Helper()
	if a.ID == "" || a.Title == "" {
		t.Fatalf("without id or title: %+v", a)
	}
	for _, s := range append([]string{a.ID, a.Title, a.URL, a.Source, a.Language}, a.Authors...) {
		if !utf8.ValidString(s) {
			t.Fatalf("not UTF-8: %q", s)
		}
	}
	for _, s := range a.Sections {
		if s == (news.Section{}) || s.Heading != news.CleanLine(s.Heading) || s.Text != news.CleanText(s.Text) || !utf8.ValidString(s.Text+s.Heading) {
			t.Fatalf("section is not clean: %q", s)
		}
	}
	again, err := news.Validate(a)
	if err != nil || again.Article().Hash() != a.Hash() {
		t.Fatalf("validated twice: %v\n%s", err, cmp.Diff(a, again.Article()))
	}
	line, err := MarshalJSONLine(a)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(line), "\n"); n != 1 || line[len(line)-1] != '\n' {
		t.Fatalf("not a line: %q", line)
	}
	back, errs := parse("x.jsonl", line, Options{})
	if len(errs) > 0 || len(back) != 1 {
		t.Fatalf("written and read: %d articles, errors %v, from %s", len(back), errs, line)
	}
	if back[0].Hash() != a.Hash() {
		t.Fatalf("written and read: %s", cmp.Diff(a, back[0]))
	}
}

// seeds are the beginnings that all parsers get: the members of the golden archives are covered by
// TestFormats.
var seeds = []string{
	"Title line\n\n date 2024-03-29 A lede. Of two sentences.\n\nA Heading Here\n\nText below it.\n---\nSecond: article\n",
	"---\ntitle: x\ndate: 2024-03-29\nauthors: [a, b]\n---\n# Head\n\n*Text* [link](u) <b>html</b>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
	"<html lang=en><head><title>T</title><meta property=\"article:published_time\" content=\"2024-03-29\"></head><body><article><h1>T</h1><p>One.<p>Two.<br>Three</article>",
	`{"articles":[{"title":"a","text":"b","publishedAt":1711735500,"source":{"name":"s"}},{"headline":{"main":"x"},"sections":[{"heading":"h","text":"t"}]}]}`,
	"{\"title\":\"a\",\"content\":\"<p>b</p>\",\"authors\":[\"x\",{\"name\":\"y\"}]}\n{\"title\": broken\n{\"title\":\"c\"}\n",
	"<rss><channel><title>c</title><item><title>t</title><link>https://e.example/a</link><pubDate>Fri, 29 Mar 2024 18:05:00 GMT</pubDate><description>&lt;p&gt;d</description></item></channel></rss>",
	"<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><title>t</title><updated>2024-03-29T18:05:00Z</updated><content type=\"html\">&lt;h2&gt;x</content></entry></feed>",
	"\xff\xfeT\x00e\x00x\x00t\x00",
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
	"\x1f\x8b\x08A00000070",
}

func fuzzFormat(f *testing.F, name string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 20_000 {
			t.Skip("size has tests of its own")
		}
		checkParse(t, name, data)
	})
}

func FuzzUnknown(f *testing.F)  { fuzzFormat(f, "-") }
func FuzzMarkdown(f *testing.F) { fuzzFormat(f, "a.md") }
func FuzzHTML(f *testing.F)     { fuzzFormat(f, "a.html") }
func FuzzJSON(f *testing.F)     { fuzzFormat(f, "a.json") }
func FuzzFeed(f *testing.F)     { fuzzFormat(f, "a.xml") }

func withoutSpace(s string) string { return strings.Join(strings.Fields(s), "") }

// FuzzPlain also checks that the plain-text parser loses no word but those of the header.
func FuzzPlain(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 20_000 {
			t.Skip("size has tests of its own")
		}
		a, err := parsePlain([]byte("Title: given\nLanguage: en\n\n"+s), 1)
		if err != nil {
			return
		}
		if len(a.Authors) > 0 || a.ID+a.URL+a.Source != "" || !a.Published.IsZero() || strings.ContainsAny(s, "\u0085\u2028\u2029") ||
			strings.Contains(strings.ToLower(s), "title") || strings.Contains(strings.ToLower(s), "lang") || headerLine.MatchString(s) {
			t.Skip("more header")
		}
		if got, want := withoutSpace(news.CleanText(a.Text())), withoutSpace(news.CleanText(s)); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		checkParse(t, "a.txt", []byte(s))
	})
}

// FuzzJSONL checks that a line never depends on its neighbours.
func FuzzJSONL(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 20_000 || strings.Contains(a+b, "\n") || strings.TrimSpace(a) == "" || strings.TrimSpace(b) == "" {
			t.Skip("not two lines")
		}
		const first = `{"title":"first"}` + "\n"
		for _, file := range []string{a, b, first + a, first + b, first + a + "\n" + b} {
			if binaryKind([]byte(file)) != "" {
				t.Skip("a binary file as a whole")
			}
		}
		one := checkParse(t, "a.jsonl", []byte(first+a))
		two := checkParse(t, "a.jsonl", []byte(first+b))
		both := checkParse(t, "a.jsonl", []byte(first+a+"\n"+b))
		if len(both) != len(one)+len(two)-1 {
			t.Fatalf("%d articles together, %d and %d apart", len(both), len(one), len(two))
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, seed := range []string{"2024-03-29", "Fri, 29 Mar 2024 18:05:00 +0100", "March 3rd, 2024 at 6:05 p.m. EST", "1711735500.25", "29/03/2024 18:05", "30000-01-01"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		published, dateOnly, err := parseDate(s)
		if err != nil {
			if !errors.Is(err, news.ErrDate) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if published.IsZero() {
			return
		}
		if err := news.CheckTime(published); err != nil {
			t.Fatal(err)
		}
		// What is written out is read back.
		written := published.Format("2006-01-02T15:04:05.999999999Z07:00")
		again, againOnly, err := parseDate(written)
		if err != nil || !again.Equal(published) || againOnly != dateOnly {
			t.Fatalf("%q is %v, %t; %q is %v, %t, %v", s, published, dateOnly, written, again, againOnly, err)
		}
	})
}
