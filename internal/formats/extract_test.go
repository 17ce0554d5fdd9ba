package formats

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/internal/news"
)

// story is a page's main text, which every way to look for it finds.
var story = "<h1>Ferry runs aground</h1>" + strings.Repeat("<p>A ferry with 212 people aboard ran aground off the north quay on Friday evening, the coast guard said, and two tugs were sent.</p>", 4)

func readPage(t *testing.T, body string) news.Article {
	t.Helper()
	articles, errs := parse("page.html", []byte("<!DOCTYPE html><html><head><title>Ferry</title></head><body>"+body+"</body></html>"), Options{})
	if len(articles) != 1 || len(errs) != 0 {
		t.Fatalf("%d articles, %v", len(articles), errs)
	}
	return articles[0]
}

func TestWhatIsAroundTheTextIsLeftOut(t *testing.T) {
	for name, body := range map[string]string{
		"navigation":        `<nav><a href="/">Unwanted</a></nav><article>` + story + `</article>`,
		"comments by id":    `<article>` + story + `<div id="comments"><p>Unwanted, says a reader, who thinks that ferries should be banned from the harbour altogether.</p></div></article>`,
		"comments by class": `<article>` + story + `<section class="wide comment-list"><p>Unwanted, says a reader, who thinks that ferries should be banned from the harbour altogether.</p></section></article>`,
		"figure caption":    `<article>` + story + `<figure><img src="f.jpg"><figcaption>Unwanted</figcaption></figure></article>`,
		"caption by class":  `<article>` + story + `<p class="photo-caption">Unwanted picture of the ferry</p></article>`,
		"list of links":     `<article>` + story + `<ul><li><a href="/1">Unwanted first</a></li><li><a href="/2">Unwanted second</a></li></ul></article>`,
		"read on":           `<article>` + story + `<p>See: <a href="/1">Unwanted article about ferries</a></p></article>`,
	} {
		text := readPage(t, body).Text()
		if strings.Contains(text, "Unwanted") || strings.Count(text, "ran aground off") != 4 {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestTextIsNotTakenForAnAside(t *testing.T) {
	long := `<p><a href="/1">` + strings.Repeat("Wanted words in a long link go on. ", 12) + `</a></p>`
	for name, body := range map[string]string{
		"a link in a sentence":         `<article>` + story + `<p>Wanted, the operator said in <a href="/1">a statement</a> that was published on Saturday.</p></article>`,
		"a long link":                  `<article>` + story + long + `</article>`,
		"a page that is all comments":  `<div class="comments">` + story + `<p>Wanted, and no reader wrote it, whatever the template calls the place that it is in.</p></div>`,
		"an article classed a comment": `<article class="comment">` + story + `<p>Wanted opinion of the editor, who thinks that somebody should have seen it coming.</p></article>`,
	} {
		if text := readPage(t, body).Text(); !strings.Contains(text, "Wanted") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestLinkedData(t *testing.T) {
	page := func(data string) news.Article {
		return readPage(t, `<script type="application/ld+json">`+data+`</script><article>`+story+`</article>`)
	}
	a := page(`[{"@type": "WebPage"}, {"@graph": [{"@type": "NewsArticle", "headline": "Ferry runs aground", "datePublished": "2024-03-29",
		"author": [{"name": "Ada Pilot"}, {"@type": "Person", "name": " Bo &amp; Co "}, "https://harbour.example/cy"], "publisher": {"name": "The Harbour Times"}}]}]`)
	if !slices.Equal(a.Authors, []string{"Ada Pilot", "Bo & Co"}) || a.Source != "The Harbour Times" || !a.Published.Equal(time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("authors %q, source %q, published %v", a.Authors, a.Source, a.Published)
	}
	if a := page(`{"author": {"name": ["odd"]}, "publisher": 7, "datePublished": {}}`); len(a.Authors) != 0 || a.Source != "" || !a.Published.IsZero() {
		t.Errorf("of odd data: authors %q, source %q, published %v", a.Authors, a.Source, a.Published)
	}
	if a := readPage(t, `<article>`+story+`<p class="byline">By Ada Pilot</p></article>`); !slices.Equal(a.Authors, []string{"Ada Pilot"}) {
		t.Errorf("byline %q", a.Authors)
	}
}

// Where readability takes the text for something else because of a name, and finds another, DOM
// Distiller is asked.
func TestASecondLookFindsMore(t *testing.T) {
	text := readPage(t, `<div class="article">`+strings.Repeat("<p>One short teaser, no more, is what stands in the article, says the template.</p>", 8)+
		`</div><div class="sponsor">`+strings.Repeat(story, 8)+`</div>`).Text()
	if !strings.Contains(text, "ran aground") {
		t.Errorf("not found: %s", text)
	}
}
