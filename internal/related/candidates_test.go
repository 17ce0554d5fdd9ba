package related

import (
	"context"
	"slices"
	"sync"
	"testing"

	"throughline/internal/news"
	"throughline/internal/store"
)

// recorder keeps the queries that a store was asked.
type recorder struct {
	Store
	mu      sync.Mutex
	queries []store.Query
}

func (r *recorder) QueryMarks(ctx context.Context, queries []store.Query) ([][]store.Hit, map[string]*store.Mark, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries = append(r.queries, queries...)
	return r.Store.QueryMarks(ctx, queries)
}

// Candidates are looked for by meaning and by words, among articles and among sections.
func TestCandidatesComeFromEverywhere(t *testing.T) {
	h := setUp(t)
	h.fill()
	r := &recorder{Store: h.store}
	h.Engine.cfg.Store = r
	for _, seed := range []Seed{{ArticleID: "seed"}, {Draft: draft(words("flood", 0, 30) + "\n\n" + words("dam", 0, 30))}} {
		r.queries = nil
		h.related(Request{Seed: seed})
		counts := make(map[string]int)
		for _, q := range r.queries {
			kind := "articles"
			if q.Of == store.Sections {
				kind = "sections"
			}
			if q.Dense != nil {
				kind += " by meaning"
			} else {
				kind += " by words"
			}
			counts[kind]++
			if n := len(q.Sparse.Terms); q.Of == store.Sections && q.Dense == nil && (n == 0 || n > sectionTerms || !slices.IsSorted(q.Sparse.Terms)) {
				t.Errorf("%d words look for sections: %v", n, q.Sparse.Terms)
			}
		}
		articles := 1
		if seed.Draft != nil {
			articles = 2 // to find the stored article that it is, too
		}
		if counts["articles by meaning"] != articles || counts["articles by words"] != articles || counts["sections by meaning"] < 2 || counts["sections by words"] != counts["sections by meaning"] {
			t.Errorf("%+v: %v", seed, counts)
		}
	}
}

// The words that look for other sections are the rare ones of this corpus.
func TestRarest(t *testing.T) {
	h := setUp(t)
	for range 20 {
		h.put(news.Article{ID: "common", Title: "Common"}, words("rain", 0, 20)+" "+words("flood", 0, 4))
	}
	for i := range 12 {
		h.put(news.Article{ID: "other" + string(rune('a'+i)), Title: "Common"}, words("rain", 0, 20))
	}
	prepared := h.prepare(news.Article{ID: "x", Title: "X"}, words("rain", 0, 20)+" "+words("flood", 0, 8))
	s := &seed{state: h.states.state}
	all, rare := prepared.Sections[0].Lexical, s.rarest(prepared.Sections[0].Lexical)
	if len(rare.Terms) != sectionTerms || !rare.Valid() {
		t.Fatalf("%d words of %d", len(rare.Terms), len(all.Terms))
	}
	floods := h.prepare(news.Article{ID: "y", Title: "Y"}, words("flood", 0, 8)).Sections[0].Lexical
	for _, term := range floods.Terms {
		if !slices.Contains(rare.Terms, term) {
			t.Errorf("the rare word %d is not among %v", term, rare.Terms)
		}
	}
	if short := s.rarest(floods); !slices.Equal(short.Terms, floods.Terms) {
		t.Errorf("of few words %v are left", short.Terms)
	}
}
