package formats

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"throughline/internal/news"
)

// TestBadInput: each bad item is one typed error that says where, and the items around it come
// through.
func TestBadInput(t *testing.T) {
	good := `{"title":"t","text":"Some text."}`
	for _, tt := range []struct {
		name, file string
		data       string
		articles   int
		kind       error
		at, field  string
	}{
		{name: "empty", file: "a.txt", data: "", kind: news.ErrEmpty, at: "a.txt"},
		{name: "white space", file: "a.txt", data: " \n\t\r\n\uFEFF\n", kind: news.ErrEmpty, at: "a.txt"},
		{name: "empty JSONL", file: "a.jsonl", data: "\n\n", kind: news.ErrEmpty, at: "a.jsonl"},
		{name: "empty array", file: "a.json", data: "[]", kind: news.ErrEmpty, at: "a.json"},
		{name: "empty feed", file: "a.xml", data: "<rss><channel></channel></rss>", kind: news.ErrEmpty, at: "a.xml"},
		{name: "binary", file: "a.txt", data: "abc\x00\x01\x02", kind: news.ErrBinary, at: "a.txt"},
		{name: "PDF", file: "a.txt", data: "%PDF-1.7\nabc", kind: news.ErrBinary, at: "a.txt"},
		{name: "PNG", file: "a.html", data: "\x89PNG\r\n\x1a\nrest", kind: news.ErrBinary, at: "a.html"},
		{name: "zip", file: "a.json", data: "PK\x03\x04rest\xff\xfe", kind: news.ErrBinary, at: "a.json"},
		{name: "gzip of binary", file: "a.gz", data: gz("abc\x00"), kind: news.ErrBinary, at: "a.gz"},
		{name: "gzip of gzip", file: "a.gz", data: gz(gz("Some text.")), kind: news.ErrBinary, at: "a.gz"},
		{name: "broken gzip", file: "a.gz", data: gz("Some text of an article.")[:20], kind: news.ErrSyntax, at: "a.gz:1"},
		{name: "corrupt gzip header", file: "a.gz", data: "\x1f\x8b\x00\x00", kind: news.ErrSyntax, at: "a.gz"},
		{name: "JSONL line 3 of 5", file: "a.jsonl", data: strings.Join([]string{good, good, `{"title": "x", "text": "cut`, good, good}, "\n"),
			articles: 4, kind: news.ErrSyntax, at: "a.jsonl:3"},
		{name: "JSONL line 3 of 5, no name", file: "-", data: strings.Join([]string{good, good, `{"title": }`, good, good}, "\n"),
			articles: 4, kind: news.ErrSyntax, at: "-:3"},
		{name: "JSONL line 1 of 2, no name", file: "-", data: "{\"title\": \"cut\n" + good + "\n", articles: 1, kind: news.ErrSyntax, at: "-:1"},
		{name: "JSONL not an object", file: "a.jsonl", data: good + "\n[1]\n" + good, articles: 2, kind: news.ErrField, at: "a.jsonl:2"},
		{name: "JSONL invalid UTF-8", file: "a.jsonl", data: good + "\n{\"title\":\"\xff\"}\n" + good, articles: 2, kind: news.ErrEncoding, at: "a.jsonl:2"},
		{name: "JSONL date", file: "a.jsonl", data: good + "\n" + `{"title":"t","date":"30000-03-29"}`, articles: 1, kind: news.ErrDate, at: "a.jsonl:2", field: "date"},
		{name: "JSONL field", file: "a.jsonl", data: `{"title":["t"],"text":"x"}`, kind: news.ErrField, at: "a.jsonl:1", field: "title"},
		{name: "JSONL url", file: "a.jsonl", data: `{"title":"t","url":"/relative"}`, kind: news.ErrField, at: "a.jsonl:1", field: "url"},
		{name: "JSONL language", file: "a.jsonl", data: `{"title":"t","language":"klingonish"}`, kind: news.ErrField, at: "a.jsonl:1", field: "language"},
		{name: "JSONL nothing in it", file: "a.jsonl", data: good + "\n{}", articles: 1, kind: news.ErrEmpty, at: "a.jsonl:2", field: "text"},
		{name: "array element", file: "a.json", data: "[\n" + good + ",\n{\"title\":\n nul},\n" + good + "]", articles: 2, kind: news.ErrSyntax, at: "a.json:4: item 2"},
		{name: "array without end", file: "a.json", data: "[\n" + good + ",\n" + good, articles: 2, kind: news.ErrSyntax, at: "a.json:3"},
		{name: "array of numbers", file: "a.json", data: "[1]", kind: news.ErrField, at: "a.json:1: item 1"},
		{name: "JSON that is not", file: "a.json", data: "\nno json", kind: news.ErrSyntax, at: "a.json:2"},
		{name: "JSON without end", file: "a.json", data: `{"title":"t","text":`, kind: news.ErrSyntax, at: "a.json:1"},
		{name: "JSON depth", file: "a.json", data: `[` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `,` + good + `]`,
			articles: 1, kind: news.ErrSyntax, at: "a.json:1: item 1"},
		{name: "plain invalid UTF-8", file: "a.txt", data: "Good one.\n---\nBad\n\xe9t\xe9.\n---\nGood one.", articles: 2, kind: news.ErrEncoding, at: "a.txt:4"},
		{name: "plain date block", file: "a.txt", data: "Title: x\nDate: 12 March 30000\n\nText.", kind: news.ErrDate, at: "a.txt:2", field: "date"},
		{name: "plain date run in", file: "a.txt", data: "\n date 30000-03-29 On a day.", kind: news.ErrDate, at: "a.txt:2", field: "date"},
		{name: "plain date before print", file: "a.txt", data: "date 1399-12-31 On a day.", kind: news.ErrDate, at: "a.txt:1", field: "date"},
		{name: "Markdown date", file: "a.md", data: "---\ntitle: x\ndate: 30000-01-01\n---\nText.", kind: news.ErrDate, at: "a.md:3", field: "date"},
		{name: "Markdown front matter", file: "a.md", data: "---\ntitle: x\nurl: [a\n---\nText.", kind: news.ErrSyntax, at: "a.md:2"},
		{name: "Markdown invalid UTF-8", file: "a.md", data: "# Title\n\nText \xff.", kind: news.ErrEncoding, at: "a.md:3"},
		{name: "Markdown marks", file: "a.md", data: "# T\n\n" + strings.Repeat("*a_ ", 50_000), kind: news.ErrTooDeep, at: "a.md"},
		{name: "Markdown quotes", file: "a.md", data: strings.Repeat(">", 100_000) + "x", kind: news.ErrTooDeep, at: "a.md"},
		{name: "Markdown lists", file: "a.md", data: nestedList(2_000), kind: news.ErrTooDeep, at: "a.md"},
		{name: "HTML depth", file: "a.html", data: "<html>" + strings.Repeat("<div>", 100_000) + "x", kind: news.ErrTooDeep, at: "a.html"},
		{name: "HTML elements", file: "a.html", data: "<html>" + strings.Repeat("<p>x", 60_000), kind: news.ErrTooLarge, at: "a.html"},
		{name: "HTML text", file: "a.html", data: "<html><p>" + strings.Repeat("word ", maxPageText/5+1), kind: news.ErrTooLarge, at: "a.html"},
		{name: "HTML date", file: "a.html", data: `<html><meta property="article:published_time" content="30000-01-01"><p>x`, kind: news.ErrDate, at: "a.html", field: "date"},
		{name: "HTML invalid UTF-8", file: "a.html", data: "<html><body><p>\n\xff</p>", kind: news.ErrEncoding, at: "a.html:2"},
		{name: "HTML in JSON", file: "a.jsonl", data: good + "\n" + `{"title":"t","html":"` + strings.Repeat("<b>", 600) + `"}`,
			articles: 1, kind: news.ErrTooDeep, at: "a.jsonl:2"},
		{name: "HTML empty", file: "a.html", data: "<html><body></body></html>", kind: news.ErrEmpty, at: "a.html", field: "text"},
		{name: "HTML empty, with a telling name", file: "ferry-runs-aground.html", data: "<html></html>", kind: news.ErrEmpty,
			at: "ferry-runs-aground.html", field: "text"},
		{name: "feed syntax", file: "a.xml", data: "<rss><channel>\n<item><title>x</item>", kind: news.ErrSyntax, at: "a.xml:2"},
		{name: "feed depth", file: "a.xml", data: "<rss><channel><item>" + strings.Repeat("<a>", 200_000), kind: news.ErrSyntax, at: "a.xml:1"},
		{name: "other XML", file: "a.xml", data: `<?xml version="1.0"?><svg></svg>`, kind: news.ErrUnsupported, at: "a.xml"},
		{name: "long title", file: "a.jsonl", data: `{"title":"` + strings.Repeat("x", news.MaxTitle+1) + `"}`, kind: news.ErrTooLarge, at: "a.jsonl:1", field: "title"},
		{name: "long text", file: "a.jsonl", data: `{"title":"t","text":"` + strings.Repeat("word ", news.MaxText/5+1) + `"}` + "\n" + good,
			articles: 1, kind: news.ErrTooLarge, at: "a.jsonl:1", field: "text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			articles, errs := parse(tt.file, []byte(tt.data), Options{})
			if len(articles) != tt.articles || len(errs) != 1 {
				t.Fatalf("%d articles, want %d; errors %v", len(articles), tt.articles, errs)
			}
			var item *news.ItemError
			if !errors.As(errs[0], &item) || !errors.Is(errs[0], tt.kind) {
				t.Fatalf("error %v is not an ItemError of %v", errs[0], tt.kind)
			}
			if item.Origin.String() != tt.at || item.Field != tt.field {
				t.Errorf("at %q, field %q; want %q, %q (%v)", item.Origin, item.Field, tt.at, tt.field, item)
			}
		})
	}
}

func nestedList(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
	}
	return b.String()
}

func gz(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, s)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return b.String()
}

// TestLargeInput reads inputs that are far larger than an article may be, from a stream that is
// never in memory, and looks at how much is allocated on the way.
func TestLargeInput(t *testing.T) {
	const mb = 1 << 20
	line := `{"title":"t","text":"Some text."}` + "\n"
	limit := Options{MaxItem: mb}
	for _, tt := range []struct {
		name, file string
		stream     func() io.Reader
		articles   int
		kind       error
		at         string
	}{
		{"one line of plain text", "a.txt", func() io.Reader { return repeat("word ", 50*mb) }, 0, news.ErrTooLarge, "a.txt:1"},
		{"one line in JSONL", "a.jsonl", func() io.Reader {
			return io.MultiReader(strings.NewReader(line+`{"title":"`), repeat("x", 50*mb), strings.NewReader("\"}\n"+line))
		}, 2, news.ErrTooLarge, "a.jsonl:2"},
		{"one line, no name", "-", func() io.Reader {
			return io.MultiReader(strings.NewReader(`{"title":"`), repeat("x", 50*mb), strings.NewReader("\"}\n"+line))
		}, 1, news.ErrTooLarge, "-:1"},
		{"an element of an array", "a.json", func() io.Reader {
			return io.MultiReader(strings.NewReader("["+line+`,{"title":"`), repeat("x", 50*mb), strings.NewReader("\"},"+line+"]"))
		}, 2, news.ErrTooLarge, "a.json:2: item 2"},
		{"HTML", "a.html", func() io.Reader { return io.MultiReader(strings.NewReader("<html>"), repeat("<p>x", 50*mb)) }, 0, news.ErrTooLarge, "a.html"},
		{"Markdown", "a.md", func() io.Reader { return repeat("# x\n\ny\n\n", 50*mb) }, 0, news.ErrTooLarge, "a.md"},
		{"feed", "a.xml", func() io.Reader { return io.MultiReader(strings.NewReader("<rss><channel>"), repeat("<item/>", 50*mb)) }, 0, news.ErrTooLarge, "a.xml"},
		{"white space", "a.txt", func() io.Reader { return repeat("\n", 20*mb) }, 0, news.ErrTooLarge, "a.txt:1"},
		{"a gzip bomb", "a.jsonl.gz", func() io.Reader { return packed(repeat("\n", 70*mb)) }, 0, news.ErrTooLarge, "a.jsonl.gz"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stream := tt.stream()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var articles int
			var errs []error
			for _, err := range ReadFrom(t.Context(), tt.file, stream, limit) {
				if err != nil {
					errs = append(errs, err)
				} else {
					articles++
				}
			}
			runtime.ReadMemStats(&after)
			if articles != tt.articles || len(errs) != 1 || !errors.Is(errs[0], tt.kind) {
				t.Fatalf("%d articles, want %d; errors %v", articles, tt.articles, errs)
			}
			var item *news.ItemError
			if errors.As(errs[0], &item); !strings.HasPrefix(item.Origin.String(), tt.at) {
				t.Errorf("at %q, want %q", item.Origin, tt.at)
			}
			// Growing a buffer to feedFactor MB allocates a few times that in total.
			if got := after.TotalAlloc - before.TotalAlloc; got > 6*feedFactor*mb {
				t.Errorf("allocated %d MB", got/mb)
			}
		})
	}
}

// TestStreams: a file of any length is read in constant memory, one article at a time.
func TestStreams(t *testing.T) {
	const mb = 1 << 20
	body := strings.Repeat("word ", 2_000)
	for name, unit := range map[string]string{
		"a.jsonl": `{"title":"t","text":"` + body + `"}` + "\n",
		"a.json":  `{"title":"t","text":"` + body + `"}` + "\n",
		"a.txt":   "Title: t\n\n" + body + "\n---\n",
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			var most uint64
			inUse := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := inUse()
			for _, err := range ReadFrom(t.Context(), name, repeat(unit, 10*mb), Options{}) {
				if err != nil && n < 950 {
					t.Fatal(err)
				}
				if n++; n%250 == 0 {
					most = max(most, inUse())
				}
			}
			if n < 950 {
				t.Errorf("%d articles", n)
			}
			if most > before+2*mb {
				t.Errorf("%d kB in use", (most-before)>>10)
			}
		})
	}
}

// repeat is a stream of n bytes.
func repeat(s string, n int64) io.Reader {
	return io.LimitReader(&repeater{s: strings.Repeat(s, 1+4096/len(s))}, n)
}

type repeater struct {
	s  string
	at int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.s[r.at:])
	r.at = (r.at + n) % len(r.s)
	return n, nil
}

// packed compresses a stream ahead of time.
func packed(r io.Reader) io.Reader {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one of the package's own
	}
	_, err = io.Copy(w, r)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return &b
}

func TestReadPaths(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"b.txt":          "Title of b\n\nText.",
		"a/z.jsonl":      `{"title":"Line in a/z"}`,
		"a/y.md.gz":      gz("# Title of y\n\nText."),
		".hidden":        "Hidden.",
		"_skipped.txt":   "Skipped.",
		".git/config":    "Hidden.",
		"c.bin":          "\x00\x01",
		"d.txt":          "\ufeffWith a mark, which is no part of the title",
		"e-utf16.txt":    utf16le("Überschrift\n\nText."),
		"f-latin1.html":  "<html><head><meta charset=iso-8859-1><title>\xdcber</title></head><body><p>Gr\xfc\xdfe</p></body></html>",
		"g-latin1.rss":   "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><rss><channel><item><title>Gr\xfc\xdfe</title></item></channel></rss>",
		"empty/.keep":    "",
		"h-pretty-json":  "{\n  \"title\": \"Pretty\"\n}\n",
		"i-xhtml":        "<?xml version=\"1.0\"?>\n<!-- c -->\n<html><body><h1>XHTML</h1><p>Text.</p></body></html>",
		"j-less-than":    "<3 is what they wrote on the wall. Nobody knows who.",
		"k-bracket":      "[Updated] The ferry is free. Nobody was hurt.",
		"l-crlf.txt":     "Title: CR LF\r\nDate: 2024-03-29\r\n\r\nOne.\r\n\r\nA Heading Here\r\n\r\nTwo.\r\n---\r\nSecond article\r\n",
		"m-numbered.txt": "1. The first item of a list.\n2. The second.",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "a", "z.jsonl"), filepath.Join(dir, "n-link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "o-circle")); err != nil {
		t.Fatal(err)
	}
	var got []string
	missing := filepath.Join(dir, "missing")
	opts := Options{Stdin: strings.NewReader("From standard input")}
	for valid, err := range Read(t.Context(), []string{missing, dir, "-", filepath.Join(dir, ".hidden")}, opts) {
		if err != nil {
			var item *news.ItemError
			if !errors.As(err, &item) {
				t.Fatalf("%v is not an ItemError", err)
			}
			got = append(got, "error: "+strings.ReplaceAll(err.Error(), dir, "DIR"))
			continue
		}
		a := valid.Article()
		got = append(got, strings.ReplaceAll(a.Origin.String(), dir, "DIR")+" = "+a.Title)
	}
	want := []string{
		"error: DIR/missing: stat DIR/missing: no such file or directory",
		"DIR/a/y.md.gz:1 = Title of y",
		"DIR/a/z.jsonl:1 = Line in a/z",
		"DIR/b.txt:1 = Title of b",
		"error: DIR/c.bin: not text: a NUL byte",
		"DIR/d.txt:1 = With a mark, which is no part of the title",
		"DIR/e-utf16.txt:1 = Überschrift",
		"DIR/f-latin1.html = Über",
		"DIR/g-latin1.rss: item 1 = Grüße",
		"DIR/h-pretty-json:1 = Pretty",
		"DIR/i-xhtml = XHTML",
		"DIR/j-less-than:1 = J less than",
		"DIR/k-bracket:1 = [Updated] The ferry is free",
		"DIR/l-crlf.txt:1 = CR LF",
		"DIR/l-crlf.txt:10 = Second article",
		"DIR/m-numbered.txt:1 = 1. The first item of a list",
		"DIR/n-link:1 = Line in a/z",
		"-:1 = From standard input",
		"DIR/.hidden:1 = Hidden",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, r := range s {
		b = append(b, byte(r), byte(r>>8))
	}
	return string(b)
}

func TestReadMissing(t *testing.T) {
	for _, err := range Read(t.Context(), []string{filepath.Join(t.TempDir(), "x")}, Options{}) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
	for _, err := range Read(t.Context(), []string{t.TempDir()}, Options{}) {
		if !errors.Is(err, news.ErrEmpty) {
			t.Errorf("error %v for an empty directory", err)
		}
	}
}

func TestReadStops(t *testing.T) {
	data := strings.Repeat(`{"title":"t"}`+"\n", 10)
	for _, name := range []string{"a.jsonl", "a.json", "a.txt", "a.xml"} {
		if name == "a.txt" {
			data = strings.Repeat("Title\n---\n", 10)
		}
		if name == "a.xml" {
			data = "<rss><channel>" + strings.Repeat("<item><title>t</title></item>", 10) + "</channel></rss>"
		}
		n := 0
		for range ReadFrom(t.Context(), name, strings.NewReader(data), Options{}) {
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%s: %d items", name, n)
		}
	}
}

func TestReadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range ReadFrom(ctx, "a.jsonl", repeat(`{"title":"t"}`+"\n", 1<<40), Options{}) {
		if n++; n == 10 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("after %d items: %v", n, last)
	}
	n = 0
	for _, err := range Read(ctx, []string{"a", "b", "c"}, Options{}) {
		n++
		last = err
	}
	if n != 1 {
		t.Errorf("%d errors of a cancelled read, the last %v", n, last)
	}
}

// TestReadFails: an error of the stream is reported once, after what came before it.
func TestReadFails(t *testing.T) {
	broken := errors.New("cable cut")
	for _, name := range []string{"a.jsonl", "a.json", "a.txt"} {
		data := `{"title":"t"}` + "\n"
		if name == "a.txt" {
			data = "Title\n---\n"
		}
		articles := 0
		var errs []error
		stream := io.MultiReader(repeat(data, int64(10*len(data))), &failing{broken})
		for _, err := range ReadFrom(t.Context(), name, stream, Options{}) {
			if err != nil {
				errs = append(errs, err)
			} else {
				articles++
			}
		}
		if articles < 9 || len(errs) != 1 || !errors.Is(errs[0], broken) {
			t.Errorf("%s: %d articles, errors %v", name, articles, errs)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
