package related

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"throughline/cluster/vector"
	"throughline/internal/features"
	"throughline/internal/score"
	"throughline/internal/store"
)

type candidate struct {
	*features.Article
	section     float64       // largest cosine between a section of the seed and one of its sections, among those that were compared
	signals     score.Signals // between item and article; of a story, means over its articles
	logit       float64       // the same
	ordered     score.Signals // what the score follows: the same signals, or those of the section that the seed is limited to
	orderLogit  float64
	probability float64
	score       float64
	relation    score.Relation
	item        int // index of the query item that it was scored by
}

const (
	// perQuery is the number of hits that the queries of articles by vector ask for together, and
	// those by words too. It is several times the length of a page, because copies, caps and
	// relations remove some.
	perQuery = 150
	// perSection is the same for the queries of sections. They find articles of which only a part
	// is related, and each hit costs as much.
	perSection = 200
	// minPerQuery is the smallest number of hits that one query asks for.
	minPerQuery = 20
)

// maxCandidates is the number of articles that are compared for one question: somewhat more than
// Depth, and as many as the store reads in one request.
const maxCandidates = 256

// gather finds candidates by vector and by words, among articles and among sections, and reads what
// they are compared by. If the query of sections fails because the store is not available, it
// returns partial; if that of articles fails, an error. Of a search, byWords has the ids of the
// articles with a section that contains words of the query, best first.
func (e *Engine) gather(ctx context.Context, s *seed, f ListOptions) (found []candidate, byWords []string, partial bool, err error) {
	filter := f.Filter
	filter.ExcludeArticleIDs = slices.Concat(filter.ExcludeArticleIDs, f.ExcludeArticles, s.exclude)
	filter.ExcludeStoryIDs = slices.Concat(filter.ExcludeStoryIDs, f.ExcludeStories)

	searched := 0
	for _, it := range s.items {
		searched += it.searched
	}
	limit, sectionLimit := max(perQuery/len(s.items), minPerQuery), max(perSection/max(searched, 1), minPerQuery)
	var byArticle, bySection []store.Query
	add := func(to *[]store.Query, q store.Query, words vector.Sparse) {
		q.Filter = filter
		*to = append(*to, q)
		if len(words.Terms) > 0 {
			q.Dense, q.Sparse = nil, words
			*to = append(*to, q)
		}
	}
	for _, it := range s.items {
		add(&byArticle, store.Query{Of: store.Articles, Dense: it.dense, Limit: limit}, it.lexical)
		for _, section := range it.sections[:it.searched] {
			words := section.Lexical
			if !s.query {
				words = s.rarest(words)
			}
			add(&bySection, store.Query{Of: store.Sections, Dense: section.Dense, Limit: sectionLimit}, words)
		}
	}
	hits, sectionHits, marks, partial, err := e.query(ctx, byArticle, bySection)
	if err != nil {
		return nil, nil, false, err
	}
	ids := interleave(slices.Concat(hits, sectionHits)...)
	ids = ids[:min(len(ids), maxCandidates)]
	best := make(map[string]float64, len(ids))
	for i, list := range sectionHits {
		if bySection[i].Dense == nil {
			if s.query {
				byWords = append(byWords, interleave(list)...)
			}
			continue
		}
		for _, h := range list {
			best[h.ArticleID] = max(best[h.ArticleID], float64(h.Score))
		}
	}
	articles, err := e.cfg.Features.Read(ctx, s.state, ids, marks)
	if err != nil {
		return nil, nil, false, err
	}
	found = make([]candidate, 0, len(articles))
	for i, a := range articles {
		if a != nil { // not deleted since the query
			found = append(found, candidate{Article: a, section: best[ids[i]]})
		}
	}
	return found, byWords, partial, nil
}

// sectionTerms is the number of words of a section that are searched for in other sections: its
// rarest words. All of them cost several times as much and find hardly any more.
const sectionTerms = 12

// rarest returns the words of a section with the largest weights in this corpus; of equal weights
// the lower term.
func (s *seed) rarest(words vector.Sparse) vector.Sparse {
	if len(words.Terms) <= sectionTerms {
		return words
	}
	weights, order := s.queryWeights(words), upTo(len(words.Terms))
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b)) })
	order = order[:sectionTerms]
	slices.Sort(order)
	var out vector.Sparse
	for _, i := range order {
		out.Terms, out.Weights = append(out.Terms, words.Terms[i]), append(out.Weights, words.Weights[i])
	}
	return out
}

// upTo returns the numbers 0 to n-1.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// query queries articles and sections at the same time. marks has the marks of all that it found.
func (e *Engine) query(ctx context.Context, byArticle, bySection []store.Query) (hits, sectionHits [][]store.Hit, marks map[string]*store.Mark, partial bool, err error) {
	var failed error
	var ofSections map[string]*store.Mark
	var wait sync.WaitGroup
	if len(bySection) > 0 {
		wait.Go(func() { sectionHits, ofSections, failed = e.cfg.Store.QueryMarks(ctx, bySection) })
	}
	hits, marks, err = e.cfg.Store.QueryMarks(ctx, byArticle)
	wait.Wait()
	switch {
	case err != nil:
		return nil, nil, nil, false, err
	case errors.Is(failed, store.ErrUnavailable) || errors.Is(failed, store.ErrOverloaded):
		e.cfg.Logger.WarnContext(ctx, "sections not searched; the list is partial", "error", failed)
		return hits, nil, marks, true, nil
	case failed != nil:
		return nil, nil, nil, false, failed
	}
	maps.Copy(marks, ofSections)
	return hits, sectionHits, marks, false, nil
}

// interleave merges lists of hits into one list of article ids, each once: the first hit of each
// list, then the second of each, so that its beginning has the best of every list.
func interleave(lists ...[]store.Hit) []string {
	longest := 0
	for _, list := range lists {
		longest = max(longest, len(list))
	}
	ids, seen := make([]string, 0, 2*longest), make(map[string]bool, 2*longest)
	for rank, more := 0, true; more; rank++ {
		more = false
		for _, list := range lists {
			if rank < len(list) {
				more = true
				if id := list[rank].ArticleID; !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		}
	}
	return ids
}
