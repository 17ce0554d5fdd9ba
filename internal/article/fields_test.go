package article

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"2024-03-29":                          "2024-03-29",
		"2024/3/9":                            "2024-03-09",
		"20240329":                            "2024-03-29",
		"2024.03.29":                          "2024-03-29",
		"29 March 2024":                       "2024-03-29",
		"29 Mar 2024":                         "2024-03-29",
		"29-Mar-24":                           "2024-03-29",
		"March 29, 2024":                      "2024-03-29",
		"Mar. 29, 2024":                       "2024-03-29",
		"Sept. 5, 2024":                       "2024-09-05",
		"March 29 2024":                       "2024-03-29",
		"March 3rd, 2024":                     "2024-03-03",
		"Friday, 29 March 2024":               "2024-03-29",
		"Friday 29th March 2024":              "2024-03-29",
		"29.03.2024":                          "2024-03-29",
		"03.04.2024":                          "2024-04-03",
		"29/03/2024":                          "2024-03-29",
		"03/29/2024":                          "2024-03-29",
		"04/04/2024":                          "2024-04-04",
		"1400-01-01":                          "1400-01-01",
		"2024-03-29T18:05:00Z":                "2024-03-29T18:05:00Z",
		"2024-03-29T18:05:00.25Z":             "2024-03-29T18:05:00.25Z",
		"2024-03-29T18:05:00+02:00":           "2024-03-29T16:05:00Z",
		"2024-03-29T18:05:00+0200":            "2024-03-29T16:05:00Z",
		"2024-03-29T18:05":                    "2024-03-29T18:05:00Z",
		"2024-03-29 18:05:09":                 "2024-03-29T18:05:09Z",
		"2024-03-29 18:05:09.123456":          "2024-03-29T18:05:09.123456Z",
		"2024-03-29 18:05:09 UTC":             "2024-03-29T18:05:09Z",
		"2024-03-29 18:05:09 +0000 UTC":       "2024-03-29T18:05:09Z",
		"2024-03-29 18:05 EDT":                "2024-03-29T22:05:00Z",
		"20240329180509":                      "2024-03-29T18:05:09Z",
		"20240329T180509Z":                    "2024-03-29T18:05:09Z",
		"Fri, 29 Mar 2024 18:05:00 GMT":       "2024-03-29T18:05:00Z",
		"Fri, 29 Mar 2024 18:05:00 +0100":     "2024-03-29T17:05:00Z",
		"Fri, 29 Mar 2024 18:05:00 EST":       "2024-03-29T23:05:00Z",
		"Fri, 9 Mar 2024 8:05:00 +0000 (UTC)": "2024-03-09T08:05:00Z",
		"29 Mar 24 18:05 GMT":                 "2024-03-29T18:05:00Z",
		"March 29, 2024 6:05 pm":              "2024-03-29T18:05:00Z",
		"March 29, 2024 at 6:05 p.m.":         "2024-03-29T18:05:00Z",
		"March 29, 2024, 6:05 PM EST":         "2024-03-29T23:05:00Z",
		"29/03/2024 18:05":                    "2024-03-29T18:05:00Z",
		"Fri Mar 29 18:05:00 2024":            "2024-03-29T18:05:00Z",
		"Fri Mar 29 18:05:00 CEST 2024":       "2024-03-29T16:05:00Z",
		"March 29, 2024 | 6:05 pm":            "2024-03-29T18:05:00Z",
		"29.03.2024 - 18:05":                  "2024-03-29T18:05:00Z",
		"PT15M":                               "error: unknown time zone M",
		"18:05, 29 March 2024":                "2024-03-29T18:05:00Z",
		"1711735500":                          "2024-03-29T18:05:00Z",
		"1711735500.5":                        "2024-03-29T18:05:00.5Z",
		"1711735500000":                       "2024-03-29T18:05:00Z",
		"1711735500000000":                    "2024-03-29T18:05:00Z",
		"1711735500000000000":                 "2024-03-29T18:05:00Z",
		"-86400000":                           "1967-04-07",
		"2024-03-29T00:00:00Z":                "2024-03-29", // midnight is how feeds write a date
		"2024-03-29T00:00:00+02:00":           "2024-03-29", // and the date is the one that was written
		"":                                    "",
		"  null ":                             "",
		"N/A":                                 "",
		"0":                                   "",
		"30000-03-29":                         "error: impossible year: 30000",
		"29 March 30000":                      "error: impossible year: 30000",
		"+30000-01-01T00:00:00Z":              "error: impossible year: 30000",
		"9999-12-31":                          "error: impossible year: 9999",
		"0001-01-01T00:00:01Z":                "error: impossible year: 1 ",
		"1399-12-31":                          "error: impossible year: 1399",
		"99999999999":                         "error: impossible year: 5138",
		"2024":                                "error: cannot read \"2024\"",
		"2024-02-30":                          "error: cannot read",
		"2024-13-01":                          "error: cannot read",
		"03/04/2024":                          "error: \"03/04/2024\" may be day or month first",
		"31/31/2024":                          "error: cannot read",
		"yesterday":                           "error: cannot read \"yesterday\"",
		"2024-03-29 18:05 XYZ":                "error: unknown time zone XYZ",
		"2024-03-29T25:00:00Z":                "error: cannot read",
		"12345678901234567890123":             "error: cannot read",
	} {
		got := ""
		published, dateOnly, err := parseDate(in)
		switch {
		case err != nil:
			got = "error: " + strings.TrimPrefix(err.Error(), "date: invalid date: ")
			if !errors.Is(err, ErrDate) {
				t.Errorf("%q: %v is not ErrDate", in, err)
			}
			if strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, want) {
				continue
			}
		case published.IsZero():
		case dateOnly:
			got = published.Format(time.DateOnly)
		default:
			got = published.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestCanonicalURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com/a":                               "https://example.com/a",
		"http://www.Example.com:80/a/#top":                    "https://example.com/a",
		"HTTPS://user:pass@example.com:443":                   "https://example.com",
		"https://example.com./a":                              "https://example.com/a",
		"https://example.com:8443/a":                          "https://example.com:8443/a",
		"https://[::1]:443/a":                                 "https://[::1]/a",
		"https://[::1]:8443/a":                                "https://[::1]:8443/a",
		"https://example.com/a?utm_source=x&id=7&fbclid=1":    "https://example.com/a?id=7",
		"https://example.com/a?b=2&a=1&b=1":                   "https://example.com/a?a=1&b=2&b=1",
		"https://example.com/a?UTM_Source=x&WT.nav=top&a":     "https://example.com/a?a",
		"https://example.com/a?utm%5Fsource=x":                "https://example.com/a",
		"https://example.com/a?&&":                            "https://example.com/a",
		"https://example.com/a%2Fb/%C3%BC":                    "https://example.com/a%2Fb/%C3%BC",
		"https://example.com/ü":                               "https://example.com/%C3%BC",
		"https://m.example.com/amp/a":                         "https://m.example.com/amp/a",
		"https://www.com/a":                                   "https://www.com/a",
		"https://wwww.example.com/a":                          "https://wwww.example.com/a",
		"urn:isbn:1":                                          "urn:isbn:1",
		"ftp://www.example.com/a?utm_source=x":                "ftp://www.example.com/a?utm_source=x",
		"not a url %zz":                                       "not a url %zz",
		"https://example.com/a?reference=1&refer=2&campaign=": "https://example.com/a?campaign=&refer=2&reference=1",
	} {
		got := CanonicalURL(in)
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if again := CanonicalURL(got); again != got {
			t.Errorf("%q: canonical form of %q is %q", in, got, again)
		}
	}
}

func TestIdentity(t *testing.T) {
	id := func(a Article) string {
		t.Helper()
		if err := Finish(&a); err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	text := []Section{{Text: "Some text."}}
	base := Article{Title: "t", Source: "s", Sections: text}
	if got := id(Article{ID: " given ", Title: "t", URL: "https://example.com"}); got != "given" {
		t.Errorf("given id became %q", got)
	}
	byURL := id(Article{Title: "t", URL: "http://www.example.com/a/?utm_source=x"})
	if want := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://example.com/a")).String(); byURL != want {
		t.Errorf("id %s, want %s", byURL, want)
	}
	if id(Article{Title: "other", URL: "https://example.com/a", Sections: text}) != byURL {
		t.Error("the title counts though there is a URL")
	}
	day := time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		a, b Article
		same bool
	}{
		"date":             {base, Article{Title: "t", Source: "s", Sections: text, Published: day}, true},
		"date of headline": {Article{Title: "t", Published: day}, Article{Title: "t", Published: day.AddDate(0, 0, 1)}, false},
		"source":           {base, Article{Title: "t", Source: "other", Sections: text}, false},
		"title":            {base, Article{Title: "other", Source: "s", Sections: text}, false},
		"derived title":    {Article{Sections: text}, Article{Title: "From a file name", TitleDerived: true, Sections: text}, true},
		"text":             {base, Article{Title: "t", Source: "s", Sections: []Section{{Text: "Other text."}}}, false},
		"title is no text": {Article{Title: "a", Sections: []Section{{Text: "b"}}}, Article{Title: "ab"}, false},
	} {
		if same := id(tt.a) == id(tt.b); same != tt.same {
			t.Errorf("%s: same id %t", name, same)
		}
	}
}

func TestHash(t *testing.T) {
	base := func() Article {
		return Article{
			ID: "i", Title: "t", URL: "https://example.com", Source: "s", Language: "en", Authors: []string{"a", "b"},
			Published: time.Date(2024, 3, 29, 18, 5, 0, 0, time.UTC), Sections: []Section{{"h", "x"}, {"", "y"}},
		}
	}
	seen := map[string]string{base().Hash(): "base"}
	for name, change := range map[string]func(*Article){
		"id":           func(a *Article) { a.ID = "j" },
		"title":        func(a *Article) { a.Title = "" },
		"derived":      func(a *Article) { a.TitleDerived = true },
		"url":          func(a *Article) { a.URL += "/" },
		"source":       func(a *Article) { a.Source = "t" },
		"language":     func(a *Article) { a.Language = "de" },
		"authors":      func(a *Article) { a.Authors = []string{"ab"} },
		"fewer author": func(a *Article) { a.Authors = a.Authors[:1] },
		"published":    func(a *Article) { a.Published = a.Published.Add(1) },
		"undated":      func(a *Article) { a.Published = time.Time{} },
		"date only":    func(a *Article) { a.DateOnly = true },
		"heading":      func(a *Article) { a.Sections[0] = Section{"", "hx"} },
		"text":         func(a *Article) { a.Sections[1].Text = "z" },
		"sections":     func(a *Article) { a.Sections = a.Sections[:1] },
	} {
		a := base()
		change(&a)
		if other, dup := seen[a.Hash()]; dup {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[a.Hash()] = name
	}
	same := base()
	same.Origin, same.Extra = Origin{Path: "p", Line: 1}, map[string]string{"story": "s"}
	same.Published = same.Published.In(time.FixedZone("", 3600))
	if same.Hash() != base().Hash() {
		t.Error("origin, extra fields or the time zone count")
	}
}

func TestFinish(t *testing.T) {
	midnight := time.Date(2024, 3, 29, 0, 0, 0, 0, time.FixedZone("", 7200))
	for name, tt := range map[string]struct {
		in    Article
		want  Article
		err   error
		field string
	}{
		"cleans": {
			in: Article{ID: "i", Title: " A\n title\x00 ", Language: "en-US", Authors: []string{" x ", "", "y"}, Published: midnight,
				Sections: []Section{{" h\t", " x \r\ny\n\n\n\nz "}, {"", " "}}},
			want: Article{ID: "i", Title: "A title", Language: "en", Authors: []string{"x", "y"}, DateOnly: true,
				Published: time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC), Sections: []Section{{"h", "x\ny\n\nz"}}},
		},
		"derives": {
			in: Article{ID: "i", URL: "www.example.com/a", Sections: []Section{{Text: "A ferry ran aground. Nobody was hurt."}}},
			want: Article{ID: "i", Title: "A ferry ran aground", TitleDerived: true, URL: "https://www.example.com/a", Source: "example.com",
				Sections: []Section{{Text: "A ferry ran aground. Nobody was hurt."}}},
		},
		"a date only for the undated": {in: Article{ID: "i", Title: "t", DateOnly: true}, want: Article{ID: "i", Title: "t"}},
		"nothing":                     {in: Article{ID: "i"}, err: ErrEmpty, field: "text"},
		"invisible text":              {in: Article{Sections: []Section{{Text: "\u200b\x01"}}}, err: ErrEmpty, field: "text"},
		"not UTF-8 in text":           {in: Article{Sections: []Section{{Text: "a\xff"}}}, err: ErrEncoding, field: "text"},
		"not UTF-8 in heading":        {in: Article{Sections: []Section{{Heading: "a\xff"}}}, err: ErrEncoding, field: "heading"},
		"not UTF-8 in source":         {in: Article{Title: "t", Source: "\xff"}, err: ErrEncoding, field: "source"},
		"not UTF-8 in authors":        {in: Article{Title: "t", Authors: []string{"\xff"}}, err: ErrEncoding, field: "authors"},
		"long id":                     {in: Article{Title: "t", ID: strings.Repeat("x", maxID+1)}, err: ErrTooLarge, field: "id"},
		"many authors":                {in: Article{Title: "t", Authors: make([]string, maxAuthors+1)}, err: ErrTooLarge, field: "authors"},
		"many sections":               {in: Article{Title: "t", Sections: make([]Section, maxParts+1)}, err: ErrTooLarge, field: "sections"},
		"long text":                   {in: Article{Sections: []Section{{Text: strings.Repeat("x", MaxText+1)}}}, err: ErrTooLarge, field: "text"},
		"far date":                    {in: Article{Title: "t", Published: time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC)}, err: ErrDate, field: "date"},
		"relative URL":                {in: Article{Title: "t", URL: "a/b"}, err: ErrField, field: "url"},
		"URL without host":            {in: Article{Title: "t", URL: "https://"}, err: ErrField, field: "url"},
		"URL that is none":            {in: Article{Title: "t", URL: "https://a b/%zz"}, err: ErrField, field: "url"},
		"language":                    {in: Article{Title: "t", Language: "e"}, err: ErrField, field: "language"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.in.Origin = Origin{Path: "p", Line: 7}
			err := Finish(&tt.in)
			if tt.err != nil {
				var item *ItemError
				if !errors.As(err, &item) || !errors.Is(err, tt.err) || item.Field != tt.field || item.Origin != tt.in.Origin {
					t.Errorf("error %v, want %v of field %q", err, tt.err, tt.field)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Origin = tt.in.Origin
			if diff := cmp.Diff(tt.want, tt.in); diff != "" {
				t.Error(diff)
			}
			again := tt.in
			if err := Finish(&again); err != nil || again.Hash() != tt.in.Hash() {
				t.Errorf("a second time gives %+v, %v", again, err)
			}
		})
	}
}

func TestFirstClause(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"A ferry ran aground.":           "A ferry ran aground",
		"Why? Because the light is out.": "Why? Because the light is out",
		"Who pays for the broken light? Nobody knows.":              "Who pays for the broken light?",
		"The wait goes on... and on for all of them.":               "The wait goes on... and on for all of them",
		"Dr. A. Smith of the U.S. Navy said no. Later he said yes.": "Dr. A. Smith of the U.S. Navy said no",
		"MOSCOW (Reuters) - A ferry ran aground on the river.":      "A ferry ran aground on the river",
		"NORTH QUAY, Maine — A ferry ran aground near the light.":   "A ferry ran aground near the light",
		"First paragraph without an end\n\nSecond paragraph.":       "First paragraph without an end",
		"渡船在码头搁浅。没有人受伤，官员说。":                                        "渡船在码头搁浅。没有人受伤，官员说",
		"On a day that was meant for the opening of the new quay, a ferry with 212 people aboard ran aground on the old one, leaving the mayor without words.": "On a day that was meant for the opening of the new quay, a ferry with 212 people aboard ran aground on the old one",
		"The ferry (built in 1974, rebuilt twice, and painted every other year since then by volunteers) ran aground again on Friday night near the light":     "The ferry (built in 1974, rebuilt twice, and painted every other year since then by volunteers) ran aground again on…",
		strings.Repeat("x", 300): strings.Repeat("x", longTitle-1) + "…",
	} {
		if got := firstClause(in); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
}

func TestFileTitle(t *testing.T) {
	for in, want := range map[string]string{
		"x/moscow-concert-hall.txt":           "Moscow concert hall",
		"2024-03-29-ferry_runs.aground.md.gz": "Ferry runs aground",
		"20240329_ferry_runs_20240330.txt":    "Ferry runs",
		"ferry 17 aground.txt":                "Ferry 17 aground",
		"étude-numéro.txt":                    "Étude numéro",
		"article-17.txt":                      "",
		"news-article.html":                   "",
		"ferry.txt":                           "",
		"a8f3e1-ferry-aground.txt":            "",
		"-":                                   "",
		"":                                    "",
		"seed-ok-\xff.txt":                    "",
	} {
		if got := fileTitle(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHeadingLine(t *testing.T) {
	for in, want := range map[string]bool{
		"The Aftermath and Accountability": true,
		"Unheeded Warnings":                true,
		"WHAT WE KNOW":                     true,
		"Background":                       true,
		"A Tale of Two Ports":              true,
		"Plans for 2025 and Beyond":        true,
		"背景与影响":                            true,
		"“We Are Ready” Says the Mayor":    true,
		"Only the first word":              false,
		"the Lower Case Start":             false,
		"Ends Like a Sentence.":            false,
		"Does It End?":                     false,
		"Introduces a List:":               false,
		"By Ada Pilot":                     false,
		"Photo: Ada Pilot":                 false,
		"March 29, 2024":                   false,
		"Friday 22 August 2025 05:34, UK":  false,
		"(Edited by Ada Pilot)":            false,
		"- A List Item":                    false,
		"1. A Numbered Item":               false,
		"ada@harbour.example":              false,
		"1234":                             false,
		"":                                 false,
		"Two\nLines":                       false,
		"A Line Of So Very Many Words That Nobody Would Ever Call It A Heading":                                false,
		"Averyveryveryveryveryveryveryverylongword Averyveryveryveryveryveryveryverylongword Anotherlongoneee": false,
	} {
		if got := isHeadingLine(in); got != want {
			t.Errorf("%q: %t", in, got)
		}
	}
}

func TestLeadText(t *testing.T) {
	sentence := "One two three four five six seven eight nine ten. "
	for name, tt := range map[string]struct {
		a    Article
		want string
	}{
		"headline":   {Article{Title: "Title"}, "Title"},
		"no title":   {Article{Sections: []Section{{Text: "Text."}}}, "Text."},
		"all of it":  {Article{Title: "Title", Sections: []Section{{Text: "Text."}, {"Head", "More."}}}, "Title\nText.\n\nHead\n\nMore."},
		"sentences":  {Article{Title: "Title", Sections: []Section{{Text: strings.Repeat(sentence, 20)}}}, "Title\n" + strings.TrimSpace(strings.Repeat(sentence, 10))},
		"one long":   {Article{Title: "Title", Sections: []Section{{Text: strings.Repeat("word ", 300)}}}, "Title\n" + strings.TrimSpace(strings.Repeat("word ", leadWords))},
		"derived":    {Article{Title: "One two", TitleDerived: true, Sections: []Section{{Text: "One two, three."}}}, "One two, three."},
		"file name":  {Article{Title: "Harbour news", TitleDerived: true, Sections: []Section{{Text: "One two, three."}}}, "Harbour news\nOne two, three."},
		"ideographs": {Article{Sections: []Section{{Text: strings.Repeat("字", 300)}}}, strings.Repeat("字", leadWords)},
		"late long":  {Article{Sections: []Section{{Text: strings.Repeat(sentence, 6) + "Word " + strings.Repeat("word ", 300)}}}, strings.TrimSpace(strings.Repeat(sentence, 6))},
	} {
		if got := LeadText(tt.a); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
