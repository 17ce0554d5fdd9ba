package stories

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"throughline/cluster/vector"
	"throughline/internal/news"
	"throughline/internal/store"
)

func TestIndependent(t *testing.T) {
	for _, c := range []struct {
		name             string
		articles         []*news.Article
		reports, sources int
	}{
		{"none", nil, 0, 0},
		{"two reports", []*news.Article{{ID: "a", Source: "Post"}, {ID: "b", Source: "Times"}}, 2, 2},
		{"two of one outlet", []*news.Article{{ID: "a", Source: "Post"}, {ID: "b", Source: "post"}}, 2, 1},
		{"a wire report in three outlets, and one of an outlet's own", []*news.Article{
			{ID: "wire", Source: "Wire"}, {ID: "b", Source: "Times", Membership: news.Membership{CopyOf: "wire"}}, {ID: "c", Source: "Herald", Membership: news.Membership{CopyOf: "wire"}}, {ID: "d", Source: "Post"}}, 2, 2},
		{"an outlet that copied and wrote", []*news.Article{{ID: "wire", Source: "Wire"}, {ID: "b", Source: "Times", Membership: news.Membership{CopyOf: "wire"}}, {ID: "c", Source: "Times"}}, 2, 2},
		{"unknown outlets", []*news.Article{{ID: "a"}, {ID: "b", Membership: news.Membership{CopyOf: "a"}}, {ID: "c"}}, 2, 0},
	} {
		if reports, sources := independent(c.articles); reports != c.reports || sources != c.sources {
			t.Errorf("%s: %d reports of %d sources, want %d of %d", c.name, reports, sources, c.reports, c.sources)
		}
	}
}

// The words of a large story are those of a sample, which an article more hardly changes.
func TestWordsOfALargeStory(t *testing.T) {
	var members []*store.Stored
	for i := range 3 * store.MaxSampled {
		a := &store.Stored{Article: news.Article{ID: fmt.Sprint(i)}, Vectors: store.Vectors{Dense: []float32{1}}}
		a.Vectors.Lex.Full = vector.Sparse{Terms: []uint32{7, uint32(1000 + i)}, Weights: []float32{1, 1}}
		members = append(members, a)
	}
	terms := func(members []*store.Stored) map[uint32]bool {
		var s store.Story
		describe(&s, members)
		if s.Articles != len(members) {
			t.Errorf("%d articles, want %d", s.Articles, len(members))
		}
		out := make(map[uint32]bool)
		for _, term := range s.Lex.Full.Terms {
			out[term] = true
		}
		return out
	}
	all, fewer := terms(members), terms(members[1:])
	if len(all) != store.MaxSampled+1 || !all[7] {
		t.Errorf("%d terms, want %d", len(all), store.MaxSampled+1)
	}
	maps.DeleteFunc(fewer, func(term uint32, _ bool) bool { return all[term] })
	if len(fewer) > 1 {
		t.Errorf("an article fewer brings %d other terms", len(fewer))
	}
}

func TestRepresentative(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2031, 5, d, 0, 0, 0, 0, time.UTC) }
	member := func(id string, published time.Time, x, y float32) *store.Stored {
		return &store.Stored{Article: news.Article{ID: id, Published: published, Language: "en"}, Vectors: store.Vectors{Dense: []float32{x, y}}}
	}
	with := func(m *store.Stored, change func(*news.Article)) *store.Stored {
		change(&m.Article)
		return m
	}
	for _, c := range []struct {
		name    string
		members []*store.Stored
		want    string
	}{
		{"the nearest", []*store.Stored{member("far", day(1), .6, .8), member("near", day(2), .96, .28), member("b", day(3), 1, 0)}, "near"},
		{"of those nearly as near the earliest", []*store.Stored{member("late", day(9), 1, 0), member("early", day(2), .98, .199), member("mid", day(3), .98, -.199)}, "early"},
		{"an unknown time is no early one", []*store.Stored{member("a", time.Time{}, 1, 0), member("z", day(9), 1, 0)}, "z"},
		{"equals by id", []*store.Stored{member("b", day(1), 1, 0), member("a", day(1), 1, 0)}, "a"},
		{"with a title of its own", []*store.Stored{with(member("a", day(1), 1, 0), func(a *news.Article) { a.TitleDerived = true }), member("b", day(2), .8, .6)}, "b"},
		{"an original", []*store.Stored{with(member("a", day(1), 1, 0), func(a *news.Article) { a.CopyOf = "b" }), member("b", day(2), 1, 0)}, "b"},
		{"in the language of most", []*store.Stored{with(member("a", day(1), 1, 0), func(a *news.Article) { a.Language = "es" }), member("b", day(2), 1, 0), member("c", day(3), 1, 0)}, "b"},
		{"in either of two languages", []*store.Stored{with(member("a", day(1), 1, 0), func(a *news.Article) { a.Language = "es" }), member("b", day(2), 1, 0)}, "a"},
	} {
		if got := representative(c.members, meanDense(c.members), "").Article.ID; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	// The representative that a story has stays, unless it is clearly worse.
	members := []*store.Stored{member("near", day(1), 1, 0), member("less", day(2), .87, .493), member("far", day(3), .6, .8),
		with(member("copy", day(4), 1, 0), func(a *news.Article) { a.CopyOf = "near" }), with(member("untitled", day(5), 1, 0), func(a *news.Article) { a.TitleDerived = true })}
	for was, want := range map[string]string{"": "near", "near": "near", "less": "less", "far": "near", "copy": "copy", "untitled": "near", "gone": "near"} {
		if got := representative(members, []float32{1, 0}, was).Article.ID; got != want {
			t.Errorf("it was %q: %s, want %s", was, got, want)
		}
	}
	// Without vectors there is one all the same.
	if got := representative([]*store.Stored{{Article: news.Article{ID: "b"}}, {Article: news.Article{ID: "a"}}}, nil, "").Article.ID; got != "a" {
		t.Errorf("without vectors: %s", got)
	}
}
