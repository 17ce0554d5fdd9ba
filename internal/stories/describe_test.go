package stories

import (
	"testing"

	"throughline/internal/points"
)

func TestIndependent(t *testing.T) {
	for _, c := range []struct {
		name             string
		articles         []*points.Article
		reports, sources int
	}{
		{"none", nil, 0, 0},
		{"two reports", []*points.Article{{ID: "a", Source: "Post"}, {ID: "b", Source: "Times"}}, 2, 2},
		{"two of one outlet", []*points.Article{{ID: "a", Source: "Post"}, {ID: "b", Source: "post"}}, 2, 1},
		{"a wire report in three outlets, and one of an outlet's own", []*points.Article{
			{ID: "wire", Source: "Wire"}, {ID: "b", Source: "Times", CopyOf: "wire"}, {ID: "c", Source: "Herald", CopyOf: "wire"}, {ID: "d", Source: "Post"}}, 2, 2},
		{"an outlet that copied and wrote", []*points.Article{{ID: "wire", Source: "Wire"}, {ID: "b", Source: "Times", CopyOf: "wire"}, {ID: "c", Source: "Times"}}, 2, 2},
		{"unknown outlets", []*points.Article{{ID: "a"}, {ID: "b", CopyOf: "a"}, {ID: "c"}}, 2, 0},
	} {
		if reports, sources := independent(c.articles); reports != c.reports || sources != c.sources {
			t.Errorf("%s: %d reports of %d sources, want %d of %d", c.name, reports, sources, c.reports, c.sources)
		}
	}
}
