package related

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"throughline/cluster/vector"
	"throughline/internal/corpus"
	"throughline/internal/evidence"
	"throughline/internal/store"
)

// candidate is an article that might be an answer.
type candidate struct {
	stored      *store.Stored
	weighed     *evidence.Weighed
	section     float64 // best similarity of a seed section and one of its sections, as far as the search saw it
	signals     evidence.Signals
	probability float64
	score       float64
	relation    evidence.Relation
	copyRoot    string
	near        int // the stem it was judged by
}

const (
	// perQuery is how many hits the queries of articles ask for, all stems together: enough that what is cut off later
	// (copies, caps, excluded relations) does not leave a short list.
	perQuery = 150
	// perSection is the same for the queries of sections. They find what the article as a whole does not show, and each
	// hit costs as much.
	perSection = 200
	// leastPerQuery is how many one query asks for at least.
	leastPerQuery = 20
)

// maxCandidates bounds how many articles are fetched and compared for one question: somewhat more than a list holds, and
// what the store reads in one request.
const maxCandidates = 256

// gather finds candidates by meaning and by words, among articles and among sections, and fetches their vectors. A store
// that does not answer for sections makes the answer partial; without articles there is none. byWords are the articles
// that a query's words were found in a section of, best first.
func (e *Engine) gather(ctx context.Context, s *seed, f Shape) (found []candidate, byWords []string, partial bool, err error) {
	filter := f.Filter
	filter.ExcludeArticleIDs = concat(filter.ExcludeArticleIDs, f.ExcludeArticles, s.exclude)
	filter.ExcludeStoryIDs = concat(filter.ExcludeStoryIDs, f.ExcludeStories)

	searched := 0
	for _, st := range s.stems {
		searched += st.searched
	}
	limit, sectionLimit := max(perQuery/len(s.stems), leastPerQuery), max(perSection/max(searched, 1), leastPerQuery)
	var byArticle, bySection []store.Query
	for _, st := range s.stems {
		byArticle = append(byArticle, store.Query{Of: store.Articles, Dense: st.dense, Filter: filter, Limit: limit})
		if len(st.lexical.Terms) > 0 {
			byArticle = append(byArticle, store.Query{Of: store.Articles, Sparse: st.lexical, Using: store.Lexical, Filter: filter, Limit: limit})
		}
		for _, section := range st.sections[:st.searched] {
			bySection = append(bySection, store.Query{Of: store.Sections, Dense: section.Dense, Filter: filter, Limit: sectionLimit})
			words := section.Lexical
			if !s.query {
				words = e.rarest(words)
			}
			if len(words.Terms) > 0 {
				bySection = append(bySection, store.Query{Of: store.Sections, Sparse: words, Using: store.Lexical, Filter: filter, Limit: sectionLimit})
			}
		}
	}
	hits, sectionHits, partial, err := e.query(ctx, byArticle, bySection)
	if err != nil {
		return nil, nil, false, err
	}
	ids := inTurn(append(append([][]store.Hit(nil), hits...), sectionHits...))
	ids = ids[:min(len(ids), maxCandidates)]
	best := make(map[string]float64)
	for i, list := range sectionHits {
		if bySection[i].Dense == nil {
			byWords = append(byWords, inTurn([][]store.Hit{list})...)
			continue
		}
		for _, h := range list {
			best[h.ArticleID] = max(best[h.ArticleID], float64(h.Score))
		}
	}
	stored, err := e.cfg.Store.Get(ctx, ids, store.WithVectors)
	if err != nil {
		return nil, nil, false, err
	}
	found = make([]candidate, 0, len(stored))
	for i, st := range stored {
		if st == nil {
			continue // deleted since the query
		}
		found = append(found, candidate{
			stored: st, weighed: e.cfg.Corpus.Weigh(corpus.Profile(st)), section: best[ids[i]], copyRoot: copyRoot(&st.Article),
		})
	}
	return found, byWords, partial, nil
}

// sectionTerms is how many words of a section look for other sections: the rarest, which name what it is about. All of them
// cost several times as much and find hardly anything else.
const sectionTerms = 12

// rarest are the words of a section that weigh most in this corpus, the lower term among equals.
func (e *Engine) rarest(words vector.Sparse) vector.Sparse {
	if len(words.Terms) <= sectionTerms {
		return words
	}
	weights := e.queryWeights(words)
	order := make([]int, len(words.Terms))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b)) })
	order = order[:sectionTerms]
	slices.Sort(order)
	out := vector.Sparse{Terms: make([]uint32, sectionTerms), Weights: make([]float32, sectionTerms)}
	for to, from := range order {
		out.Terms[to], out.Weights[to] = words.Terms[from], words.Weights[from]
	}
	return out
}

// query asks both collections at the same time.
func (e *Engine) query(ctx context.Context, byArticle, bySection []store.Query) (hits, sectionHits [][]store.Hit, partial bool, err error) {
	var failed error
	var wait sync.WaitGroup
	if len(bySection) > 0 {
		wait.Go(func() { sectionHits, failed = e.cfg.Store.Query(ctx, bySection) })
	}
	hits, err = e.cfg.Store.Query(ctx, byArticle)
	wait.Wait()
	switch {
	case err != nil:
		return nil, nil, false, err
	case errors.Is(failed, store.ErrUnavailable) || errors.Is(failed, store.ErrOverloaded):
		e.cfg.Logger.WarnContext(ctx, "sections are not searched", "error", failed)
		return hits, nil, true, nil
	case failed != nil:
		return nil, nil, false, failed
	}
	return hits, sectionHits, false, nil
}

func concat(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// inTurn merges lists of hits into one of articles, taking the first of each list, then the second of each, so that a cut
// takes the best of all.
func inTurn(lists [][]store.Hit) []string {
	var ids []string
	seen := make(map[string]bool)
	for rank, more := 0, true; more; rank++ {
		more = false
		for _, list := range lists {
			if rank >= len(list) {
				continue
			}
			more = true
			if id := list[rank].ArticleID; !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}
