package seedtest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"throughline/internal/formats"
	"throughline/internal/news"
)

// read gives the expectations and the articles in seeds/ by id; a rejected article fails the test.
func read(t *testing.T) (Expected, map[string]news.Article) {
	t.Helper()
	e, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]news.Article{}
	for valid, err := range formats.Read(context.Background(), []string{dir}, formats.Options{}) {
		if err != nil {
			t.Errorf("rejected: %v", err)
			continue
		}
		a := valid.Article()
		if other, twice := found[a.ID]; twice {
			t.Errorf("id %s is in %v and in %v", a.ID, other.Origin, a.Origin)
		}
		found[a.ID] = a
	}
	return e, found
}

func TestExpectationsAndSeedsNameTheSameArticles(t *testing.T) {
	e, found := read(t)
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]bool{}
	for _, want := range e.Articles {
		expected[want.ID] = true
		a, ok := found[want.ID]
		if !ok {
			t.Errorf("%s: expected in %s, not there", want.Handle(), want.File)
			continue
		}
		file, err := filepath.Rel(dir, a.Origin.Path)
		if err != nil {
			t.Fatal(err)
		}
		if got := filepath.ToSlash(file); got != want.File {
			t.Errorf("%s: read from %s, expected in %s", want.Handle(), got, want.File)
		}
		// Formats that carry a language say "en"; plain text says nothing where it is English.
		if a.Language != want.Language && !(want.Language == "" && a.Language == "en") {
			t.Errorf("%s: language %q, expected %q", want.Handle(), a.Language, want.Language)
		}
	}
	for id, a := range found {
		if !expected[id] {
			t.Errorf("%v: %q (%s) has no expectation", a.Origin, a.Title, id)
		}
	}
}

func TestSeedsAreEnoughAndVaried(t *testing.T) {
	e, found := read(t)
	if len(found) < 80 || len(e.Stories) < 18 || len(e.Topics) < 6 {
		t.Errorf("%d articles, %d stories, %d topics; want at least 80, 18, 6", len(found), len(e.Stories), len(e.Topics))
	}
	var oneOffs, copies, truncated, undated, untitled, headed, long, bare, foreign int
	kinds := map[Kind]int{}
	extensions := map[string]int{}
	perFile := map[string]int{}
	for _, want := range e.Articles {
		a := found[want.ID]
		kinds[want.Kind]++
		extensions[filepath.Ext(want.File)]++
		perFile[want.File]++
		words := len(strings.Fields(a.Text()))
		headings := 0
		for _, s := range a.Sections {
			if s.Heading != "" {
				headings++
			}
		}
		for count, is := range map[*int]bool{
			&oneOffs: want.Story == "", &copies: want.CopyOf != "", &truncated: want.Truncated, &undated: a.Published.IsZero(),
			&untitled: a.TitleDerived, &headed: headings > 0, &long: words >= 1200 && headings >= 3, &bare: words == 0,
			&foreign: want.Language != "",
		} {
			if is {
				*count++
			}
		}
	}
	for name, check := range map[string]bool{
		"at least 12 one-offs":                  oneOffs >= 12,
		"two wire texts carried elsewhere":      copies >= 2,
		"a truncated copy":                      truncated >= 1,
		"one undated article":                   undated == 1,
		"articles without a title":              untitled >= 1,
		"headings in about half":                4*headed >= len(found) && 4*headed <= 3*len(found),
		"a long article":                        long >= 1,
		"a headline without text":               bare >= 1,
		"another language":                      foreign >= 1,
		"plain text mostly":                     2*extensions[".txt"] > len(found),
		"every other format":                    extensions[".md"] > 0 && extensions[".html"] > 0 && extensions[".json"] > 0 && extensions[".xml"] > 0,
		"an object a line":                      perFile["briefs.jsonl"] > 1,
		"a compressed file of several":          perFile["economy/credit-suisse.txt.gz"] > 1,
		"reports, briefs, follow-ups and more":  len(kinds) == 4,
		"a story of four angles, Crocus":        len(e.Members("crocus-attack")) >= 5,
		"look-alikes":                           len(e.LookAlikes) >= 4,
		"sequels that are stories of their own": len(e.Sequels) >= 1,
	} {
		if !check {
			t.Errorf("missing: %s", name)
		}
	}
}

func TestCrocusAnglesHaveTheIdsOfTheDocumentation(t *testing.T) {
	e, found := read(t)
	for _, id := range []string{"crocus-breaking", "crocus-warnings", "crocus-mourning", "crocus-suspects"} {
		want, ok := e.Article(id)
		if !ok || want.ID != id || want.Story != "crocus-attack" {
			t.Errorf("%s: %+v, want an explicit id in crocus-attack", id, want)
		}
		if a := found[id]; a.Published.Format("2006-01") != "2024-03" || len(a.Sections) < 3 {
			t.Errorf("%s: published %v in %d sections, want March 2024 and at least three", id, a.Published, len(a.Sections))
		}
	}
}

func TestFollowUpsComeAfterTheirStoryBegan(t *testing.T) {
	e, found := read(t)
	for _, want := range e.Articles {
		a := found[want.ID]
		if want.Kind != FollowUp || a.Published.IsZero() {
			continue
		}
		earlier := slices.ContainsFunc(e.Members(want.Story), func(id string) bool {
			other := found[id]
			return !other.Published.IsZero() && other.Published.Before(a.Published)
		})
		if !earlier {
			t.Errorf("%s is a follow-up and nothing in %q is older", want.Handle(), want.Story)
		}
	}
	for _, want := range e.Articles {
		if want.CopyOf != "" && found[want.ID].Published.Before(found[want.CopyOf].Published) {
			t.Errorf("%s is older than what it copies", want.Handle())
		}
	}
}

// Outlets are invented, and so are their addresses: nothing here can be taken for what a real
// publisher wrote.
func TestSourcesAreInvented(t *testing.T) {
	_, found := read(t)
	for _, a := range found {
		if a.URL == "" {
			continue
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(a.URL, "https://"), "/")
		if !strings.HasSuffix(host, ".example") {
			t.Errorf("%v: %s is not under .example", a.Origin, a.URL)
		}
	}
}

// shingle is how many words in a row two articles may not share unless one copies the other: longer
// than names, titles of office and set phrases.
const shingle = 10

func TestOnlyCopiesShareText(t *testing.T) {
	e, found := read(t)
	owner := map[string]string{} // shingle to the article that had it first
	group := map[string]string{}
	for _, want := range e.Articles {
		group[want.ID] = want.ID
		if want.CopyOf != "" {
			group[want.ID] = want.CopyOf
		}
	}
	shared := map[[2]string]bool{}
	for _, want := range e.Articles {
		for _, s := range shingles(found[want.ID].Text()) {
			first, ok := owner[s]
			if !ok {
				owner[s] = want.ID
				continue
			}
			pair := [2]string{first, want.ID}
			if group[first] != group[want.ID] && !shared[pair] {
				shared[pair] = true
				t.Errorf("%s and %s share %q", first, want.ID, s)
			}
		}
	}
}

func TestCopiesShareMostOfTheirText(t *testing.T) {
	e, found := read(t)
	for _, want := range e.Articles {
		if want.CopyOf == "" {
			continue
		}
		original := map[string]bool{}
		for _, s := range shingles(found[want.CopyOf].Text()) {
			original[s] = true
		}
		own := shingles(found[want.ID].Text())
		same := 0
		for _, s := range own {
			if original[s] {
				same++
			}
		}
		if 2*same < len(own) {
			t.Errorf("%s: %d of %d runs of %d words are the original's, want most", want.Handle(), same, len(own), shingle)
		}
		if got := 10*len(own) < 8*len(original); got != want.Truncated {
			t.Errorf("%s: %d runs of the original's %d, truncated is %t", want.Handle(), len(own), len(original), want.Truncated)
		}
		if a := found[want.ID]; a.Title == found[want.CopyOf].Title || a.Source == found[want.CopyOf].Source || a.Hash() == found[want.CopyOf].Hash() {
			t.Errorf("%s: a copy has a headline and an outlet of its own", want.Handle())
		}
	}
}

// shingles gives every run of words of a text, in lower case without punctuation.
func shingles(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var out []string
	for i := 0; i+shingle <= len(words); i++ {
		out = append(out, strings.Join(words[i:i+shingle], " "))
	}
	return out
}

func TestLabels(t *testing.T) {
	e := Expected{
		Themes:  []Theme{{Slug: "th", Topics: []string{"a", "b"}}},
		Stories: []Story{{Slug: "s", Topic: "a"}, {Slug: "u", Topic: "b"}},
		Articles: []Article{
			{ID: "1", Story: "s"}, {ID: "2", Story: "u"}, {ID: "3", Topic: "a"}, {ID: "4"}, {ID: "5", Story: "s"},
		},
	}
	ids := []string{"5", "2", "1", "3", "4", "unknown"}
	for _, c := range []struct {
		name      string
		got, want []int32
	}{
		{"stories", e.StoryLabels(ids), []int32{0, 1, 0, 2, 3, -1}},
		{"topics", e.TopicLabels(ids), []int32{0, 1, 0, 0, -1, -1}},
		{"themes", e.ThemeLabels(ids), []int32{0, 0, 0, 0, -1, -1}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestParseRefusesInconsistencies(t *testing.T) {
	const valid = `{
		"themes": [{"slug": "th", "title": "Th", "topics": ["a"]}],
		"topics": [{"slug": "a", "title": "A"}],
		"stories": [{"slug": "s", "title": "S", "topic": "a"}, {"slug": "u", "title": "U", "topic": "a"}],
		"look_alikes": [{"stories": ["s", "u"], "why": "both"}],
		"sequels": [{"story": "u", "follows": "s"}],
		"articles": [
			{"id": "1", "file": "1", "story": "s", "kind": "report"}, {"id": "2", "file": "2", "story": "s", "kind": "brief", "copy_of": "1"},
			{"id": "3", "file": "3", "story": "u", "kind": "report"}, {"id": "4", "file": "4", "story": "u", "kind": "follow_up"},
			{"id": "5", "file": "5", "topic": "a", "kind": "report"}]}`
	if _, err := parse([]byte(valid)); err != nil {
		t.Fatalf("valid: %v", err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown field", `"topic": "a", "kind"`, `"theme": "a", "kind"`, "unknown field"},
		{"two values", `"kind": "report"}]}`, `"kind": "report"}]} {}`, "more than one"},
		{"same id", `"id": "5"`, `"id": "4"`, "listed twice"},
		{"unknown story", `"id": "5", "file": "5", "topic": "a"`, `"id": "5", "file": "5", "story": "x"`, `unknown story "x"`},
		{"unknown topic", `"file": "5", "topic": "a"`, `"file": "5", "topic": "x"`, `unknown topic "x"`},
		{"two topics", `"id": "1",`, `"id": "1", "topic": "a",`, "cannot have another"},
		{"unknown kind", `"follow_up"`, `"later"`, `unknown kind "later"`},
		{"dangling copy", `"copy_of": "1"`, `"copy_of": "9"`, `copy_of "9"`},
		{"copy in another story", `"copy_of": "1"`, `"copy_of": "3"`, `copy_of "3"`},
		{"truncated original", `"id": "1",`, `"id": "1", "truncated": true,`, "no copy"},
		{"story of one", `"story": "u", "kind": "follow_up"`, `"kind": "follow_up"`, "a story needs two"},
		{"look-alike of itself", `["s", "u"]`, `["s", "s"]`, "listed twice"},
		{"sequel of itself", `"story": "u", "follows"`, `"story": "s", "follows"`, "not two known stories"},
		{"topic without theme", `"topics": ["a"]`, `"topics": []`, "0 of 1 topics"},
		{"no file", `"file": "3"`, `"file": ""`, "no file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := strings.Replace(valid, c.old, c.new, 1)
			if broken == valid {
				t.Fatal("the case changes nothing")
			}
			if _, err := parse([]byte(broken)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
