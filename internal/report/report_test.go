package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"throughline/cluster"
)

// sample has topics of stories of articles, and some articles in none.
func sample(topics, stories, each, single int) Input {
	in := Input{Title: "sample.jsonl", One: "article", Many: "articles"}
	random := rand.New(rand.NewPCG(1, 2))
	places := []string{"Harbour", "Forest", "Market", "Glacier", "Tunnel", "Orchard", "Stadium", "Library"}
	things := []string{"flood", "strike", "festival", "fire", "vote", "trial", "storm", "merger", "blockade"}
	var docs []Document
	for t := range topics {
		for s := range stories {
			label := int32(t*stories + s)
			for a := range each + s {
				docs = append(docs, Document{ID: fmt.Sprintf("%d-%d", label, a), Source: fmt.Sprintf("Paper %d", a%3), URL: fmt.Sprintf("https://news.example/%d/%d", label, a),
					Title:     fmt.Sprintf("%s %s, report %d of story %d", places[t%len(places)], things[(t+s)%len(things)], a, label),
					Published: time.Date(2024, 3, 1+t+2*s+a%4, 9, 0, 0, 0, time.UTC)})
				in.Story, in.Topic, in.Theme = append(in.Story, label), append(in.Topic, int32(t)), append(in.Theme, int32(t/3))
				in.Strength = append(in.Strength, float32(random.Float64()))
			}
		}
	}
	for i := range single {
		docs = append(docs, Document{ID: fmt.Sprint("single", i)})
		in.Story, in.Topic, in.Theme, in.Strength = append(in.Story, -1), append(in.Topic, -1), append(in.Theme, -1), append(in.Strength, 0)
	}
	in.Documents = func(i int) Document { return docs[i] }
	for t := range topics {
		in.Names.Topics = append(in.Names.Topics, Name{fmt.Sprintf("%s %d, mayor", places[t%len(places)], t), []string{"mayor", "council"}})
		in.Names.Themes = append(in.Names.Themes, Name{Title: fmt.Sprintf("Town %d", t)})
		for s := range stories {
			in.Names.Stories = append(in.Names.Stories, Name{Title: fmt.Sprintf("What happened in %d of %d", s, t)})
		}
	}
	in.Means = cluster.Matrix{Rows: topics, Dim: 6}
	for t := range topics {
		for d := range 6 {
			x := random.NormFloat64() * .4
			if d == t/3%6 {
				x++
			}
			in.Means.Data = append(in.Means.Data, float32(x))
		}
	}
	return in
}

func written(t testing.TB, in Input) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// element is what tests look at in a page.
type element struct {
	name  string
	attrs map[string]string
}

// elements parses a page and checks that it is one that loads nothing, runs nothing, and whose
// links lead somewhere.
func elements(t testing.TB, text string) []element {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var all []element
	ids := map[string]bool{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		e := element{n.Data, map[string]string{}}
		for _, a := range n.Attr {
			e.attrs[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q> would run", n.Data, a.Key, a.Val)
			}
		}
		if id, ok := e.attrs["id"]; ok {
			if ids[id] {
				t.Errorf("two elements have the id %q", id)
			}
			ids[id] = true
		}
		all = append(all, e)
	}
	for _, e := range all {
		switch e.name {
		case "script", "img", "link", "iframe", "object", "embed", "base", "form", "image", "use", "video", "audio":
			t.Errorf("a page has <%s>", e.name)
		}
		for key, value := range e.attrs {
			if key == "src" || key == "srcset" || key == "action" || strings.Contains(value, "NaN") {
				t.Errorf("<%s %s=%q>", e.name, key, value)
			}
		}
		href, ok := e.attrs["href"]
		if !ok {
			continue
		}
		if target, inside := strings.CutPrefix(href, "#"); inside {
			if !ids[target] {
				t.Errorf("%s leads nowhere", href)
			}
		} else if !strings.HasPrefix(href, "https://news.example/") {
			t.Errorf("a link to %s", href)
		}
	}
	for _, outside := range []string{"url(", "@import", "javascript:"} {
		if strings.Contains(text, outside) {
			t.Errorf("a page has %q", outside)
		}
	}
	return all
}

func with(all []element, name, attr, prefix string) int {
	n := 0
	for _, e := range all {
		if v, ok := e.attrs[attr]; e.name == name && ok && strings.HasPrefix(v, prefix) {
			n++
		}
	}
	return n
}

func TestPageOfArticles(t *testing.T) {
	in := sample(9, 4, 3, 7)
	text := written(t, in)
	if again := written(t, in); again != text {
		t.Error("other bytes for the same input")
	}
	all := elements(t, text)
	for what, got := range map[string][2]int{
		"bubbles":  {with(all, "a", "class", "bubble"), 9},
		"topics":   {with(all, "article", "id", "topic-"), 9},
		"stories":  {with(all, "tr", "id", "story-"), 36},
		"lanes":    {with(all, "a", "class", "lane"), 36},
		"missing":  {strings.Count(text, "data-missing>"), 0},
		"sections": {with(all, "section", "aria-labelledby", ""), 4},
	} {
		if got[0] != got[1] {
			t.Errorf("%d %s, want %d", got[0], what, got[1])
		}
	}
	for _, says := range []string{"<b>169</b> articles", "<b>36</b> stories", "<b>9</b> topics", "<b>3</b> themes", "<b>7</b> in no story", "7 without a date", "Harbour", "Paper 1",
		"<h3>Harbour 0, mayor</h3>", "mayor, council.", "part of “Town 2”", "<summary>What happened in 3 of 8</summary>"} {
		if !strings.Contains(text, says) {
			t.Errorf("no %q", says)
		}
	}
	if dir := os.Getenv("REPORT_DIR"); dir != "" { // to look at
		if err := os.WriteFile(dir+"/report.html", []byte(written(t, sample(40, 9, 4, 300))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPageOfPlainVectors(t *testing.T) {
	in := sample(5, 3, 3, 2)
	in.Documents, in.Names, in.One, in.Many = nil, Names{}, "row", "rows"
	text := written(t, in)
	all := elements(t, text)
	if with(all, "a", "class", "bubble") != 5 || with(all, "tr", "id", "story-") != 15 || with(all, "a", "class", "lane") != 0 {
		t.Error("parts are missing")
	}
	for _, says := range []string{"There are no titles", "There are no dates", "Story 3", "row 5"} {
		if !strings.Contains(text, says) {
			t.Errorf("no %q", says)
		}
	}
	in.Means, in.Strength = cluster.Matrix{}, nil
	if text = written(t, in); !strings.Contains(text, "There are no vectors") || strings.Contains(text, "Strength") {
		t.Error("it does not say what is missing")
	}
	elements(t, text)
}

func TestPageOfLittle(t *testing.T) {
	for name, in := range map[string]Input{
		"nothing": {},
		"singles": {Story: []int32{-1, -1}, Topic: []int32{-1, -1}, Theme: []int32{-1, -1}},
		"one":     {Story: []int32{0, 0}, Topic: []int32{0, 0}, Theme: []int32{0, 0}, Means: cluster.Matrix{Rows: 1, Dim: 2, Data: []float32{0, 0}}},
		"no topic": {Story: []int32{0, 0}, Topic: []int32{-1, -1}, Theme: []int32{-1, -1},
			Documents: func(int) Document { return Document{Published: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)} }},
	} {
		in.Title, in.One, in.Many = name, "row", "rows"
		elements(t, written(t, in))
	}
	if err := Write(&strings.Builder{}, Input{Story: []int32{0}}); err == nil {
		t.Error("layers of different lengths pass")
	}
	if err := Write(&strings.Builder{}, Input{Story: []int32{0}, Topic: []int32{3}, Theme: []int32{0}, Means: cluster.Matrix{Rows: 1, Dim: 1, Data: []float32{1}}}); err == nil {
		t.Error("too few means pass")
	}
}

// TestNothingFromArticlesIsMarkup puts markup wherever text comes from outside.
func TestNothingFromArticlesIsMarkup(t *testing.T) {
	for _, bad := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title></svg><iframe src=//x>`, `{{.}}`, "\x00\xff"} {
		in := sample(3, 2, 3, 1)
		in.Title, in.Notes = bad, []string{bad}
		name := []Name{{bad, []string{bad}}, {bad, nil}, {bad, nil}}
		in.Names = Names{name, name, name}
		in.Documents = func(i int) Document {
			return Document{ID: bad, Title: bad + fmt.Sprint(" ", i), Source: bad, URL: "javascript:alert(1)//" + bad, Published: time.Unix(int64(i)*86400, 0)}
		}
		elements(t, written(t, in))
	}
}

func TestWebAddress(t *testing.T) {
	for text, ok := range map[string]bool{"https://a.example/b?c=d": true, "http://a.example": true, "javascript:alert(1)": false, "//a.example": false, "data:text/html,x": false, "": false, "https://": false, "ht tp://a": false} {
		if got := webAddress(text) != ""; got != ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestLayoutKeepsDistances takes vectors that do lie in a plane, near enough, and expects their
// distances.
func TestLayoutKeepsDistances(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const n = 40
	m := cluster.Matrix{Rows: n, Dim: 5}
	for range n {
		m.Data = append(m.Data, 5, float32(random.NormFloat64()), float32(random.NormFloat64()), 0, 0)
	}
	at := layout(m, mapRounds)
	far := distances(m)
	var off, all float64
	for i := range n {
		for j := range i {
			d := math.Hypot(at[i].x-at[j].x, at[i].y-at[j].y)
			off += math.Abs(d - far[i*n+j])
			all += far[i*n+j]
		}
	}
	if off/all > 0.05 {
		t.Errorf("distances are off by %.3f of themselves", off/all)
	}
}

func TestCirclesAreApartAndInside(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(rt, "n")
		at, radius := make([]point, n), make([]float64, n)
		for i := range n {
			at[i] = point{float64(rapid.IntRange(0, 3).Draw(rt, "x")), float64(rapid.IntRange(0, 3).Draw(rt, "y"))} // many in one place
			radius[i] = rapid.Float64Range(3, 25).Draw(rt, "r")
		}
		out := fit(at, radius, mapWidth, mapHeight, 60)
		for i := range out {
			if !(out[i].x >= radius[i] && out[i].x <= mapWidth-radius[i] && out[i].y >= radius[i] && out[i].y <= mapHeight-radius[i]) {
				rt.Fatalf("circle %d at %v", i, out[i])
			}
			for j := range i {
				if d := math.Hypot(out[i].x-out[j].x, out[i].y-out[j].y); d < 0.7*(radius[i]+radius[j]) {
					rt.Fatalf("circles %d and %d overlap: %.1f apart, radii %.1f and %.1f", i, j, d, radius[i], radius[j])
				}
			}
		}
	})
}
