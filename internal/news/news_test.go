package news

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

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
		got := canonicalURL(in)
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if again := canonicalURL(got); again != got {
			t.Errorf("%q: canonical form of %q is %q", in, got, again)
		}
	}
}

func TestIdentity(t *testing.T) {
	id := func(a Article) string {
		t.Helper()
		valid, err := Validate(a)
		if err != nil {
			t.Fatal(err)
		}
		return valid.Article().ID
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
	for name := range new(Article).Texts() {
		a := base()
		for n, s := range a.Texts() {
			if n == name {
				*s = "another"
			}
		}
		if a.Hash() == base().Hash() {
			t.Errorf("%s does not count", name)
		}
	}
	same := base()
	same.Origin, same.Extra = Origin{Path: "p", Line: 1}, map[string]string{"story": "s"}
	same.Published = same.Published.In(time.FixedZone("", 3600))
	if same.Hash() != base().Hash() {
		t.Error("origin, extra fields or the time zone count")
	}
}

func TestValidate(t *testing.T) {
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
		"many authors":                {in: Article{Title: "t", Authors: make([]string, MaxAuthors+1)}, err: ErrTooLarge, field: "authors"},
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
			valid, err := Validate(tt.in)
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
			if diff := cmp.Diff(tt.want, valid.Article()); diff != "" {
				t.Error(diff)
			}
			again, err := Validate(valid.Article())
			if err != nil || again.Article().Hash() != valid.Article().Hash() {
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

func FuzzCanonicalURL(f *testing.F) {
	for _, seed := range []string{"http://www.Example.com:80/a/?utm_source=x&b=1#c", "https://[::1]:8080/%2f?%zz", "urn:x:y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := canonicalURL(s)
		if again := canonicalURL(once); again != once {
			t.Fatalf("%q is %q is %q", s, once, again)
		}
	})
}
