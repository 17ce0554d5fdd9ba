package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/qdrant/go-client/qdrant"
)

// maxQueries bounds one Query call: each query may answer with thousands of hits.
const maxQueries = 1024

// Query answers all queries with one batched request per collection, sent side by side, and, when sections are among them,
// one more that checks their articles. Result i belongs to query i, best first; equal scores are ordered by article id,
// section, story id. While articles are being put, a query over sections may return a few hits fewer than asked for. Which
// of several equal hits are inside the limit is up to the server.
func (s *Store) Query(ctx context.Context, queries []Query) ([][]Hit, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	if len(queries) > maxQueries {
		return nil, &InvalidError{Field: "queries", Reason: fmt.Sprintf("%d; at most %d", len(queries), maxQueries)}
	}
	plans := map[Collection]*plan{}
	for i := range queries {
		q := &queries[i]
		request, err := s.request(q)
		if err != nil {
			var invalid *InvalidError
			if errors.As(err, &invalid) {
				return nil, &InvalidError{Field: fmt.Sprintf("queries[%d].%s", i, invalid.Field), Reason: invalid.Reason}
			}
			return nil, err
		}
		if request == nil {
			continue
		}
		if plans[q.Of] == nil {
			plans[q.Of] = &plan{}
		}
		plans[q.Of].at = append(plans[q.Of].at, i)
		plans[q.Of].requests = append(plans[q.Of].requests, request)
	}

	found := make([][]found, len(queries))
	var wait sync.WaitGroup
	for of, p := range plans {
		wait.Go(func() { p.err = s.run(ctx, s.collectionOf(of), p, found) })
	}
	wait.Wait()
	for _, p := range plans {
		if p.err != nil {
			return nil, p.err
		}
	}
	if plans[Sections] != nil {
		if err := s.dropInvisible(ctx, queries, plans[Sections].at, found); err != nil {
			return nil, err
		}
	}
	out := make([][]Hit, len(queries))
	for i := range queries {
		out[i] = rank(found[i], queries[i].Limit)
	}
	return out, nil
}

// plan is what is asked of one collection.
type plan struct {
	at       []int // which queries
	requests []*qdrant.QueryPoints
	err      error
}

// found is a hit before its article was looked at.
type found struct {
	Hit
	revision int64
}

func (s *Store) collectionOf(of Collection) string {
	switch of {
	case Sections:
		return s.names.sections
	case Stories:
		return s.names.stories
	default:
		return s.names.articles
	}
}

// spare is how many sections more than asked for are fetched, for those of revisions that are being replaced.
func spare(limit int) int { return limit/8 + 4 }

// request translates a query; nil finds nothing.
func (s *Store) request(q *Query) (*qdrant.QueryPoints, error) {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return nil, &InvalidError{Field: "limit", Reason: fmt.Sprintf("%d; 1 to %d", q.Limit, MaxLimit)}
	}
	c := &checker{}
	sparse := len(q.Dense) == 0
	using := q.Using
	switch {
	case !sparse && len(q.Sparse.Terms) > 0:
		c.fail("dense", "given together with sparse")
	case !sparse:
		using = cmp.Or(using, Dense)
		c.dense("dense", q.Dense, s.cfg.Space.Dimensions)
	default:
		using = cmp.Or(using, Lexical)
		c.sparse("sparse", q.Sparse)
	}
	switch {
	case q.Of != Articles && q.Of != Sections && q.Of != Stories:
		c.fail("of", "%d is no collection", q.Of)
	case sparse == (using == Dense), !slices.Contains([]string{Dense, Lexical, Lead, Names}, using),
		q.Of == Sections && (using == Lead || using == Names):
		c.fail("using", "%q is not a vector for this query", using)
	}
	if err := c.result(); err != nil {
		return nil, err
	}

	limit := q.Limit
	fields := []string{fieldArticle}
	conditions := q.Filter.conditions
	switch q.Of {
	case Sections:
		limit += spare(limit)
		fields = []string{fieldArticle, fieldIndex, fieldRevision}
	case Stories:
		fields = []string{fieldStory}
		conditions = q.Filter.storyConditions
	}
	filter, err := conditions()
	if err != nil {
		return nil, err
	}
	if sparse && len(q.Sparse.Terms) == 0 {
		return nil, nil
	}
	request := &qdrant.QueryPoints{Using: qdrant.PtrOf(using), Filter: filter, Limit: qdrant.PtrOf(uint64(limit)),
		WithPayload: withPayload(fields), CollectionName: s.collectionOf(q.Of)}
	if sparse {
		request.Query = qdrant.NewQuerySparse(q.Sparse.Terms, q.Sparse.Weights)
	} else {
		request.Query = qdrant.NewQueryDense(q.Dense)
	}
	if q.Exact {
		request.Params = &qdrant.SearchParams{Exact: qdrant.PtrOf(true)}
	}
	return request, nil
}

// run sends one batch and puts the hits of each query in their place.
func (s *Store) run(ctx context.Context, collection string, p *plan, out [][]found) error {
	results, err := s.conn.query(ctx, collection, p.requests)
	if err != nil {
		return err
	}
	for i, result := range results {
		hits := make([]found, 0, len(result.GetResult()))
		for _, point := range result.GetResult() {
			f := payload(point.GetPayload())
			hits = append(hits, found{revision: f.number(fieldRevision), Hit: Hit{ArticleID: f.text(fieldArticle),
				Section: int(f.number(fieldIndex)), StoryID: f.text(fieldStory), Score: point.GetScore()}})
		}
		out[p.at[i]] = hits
	}
	return nil
}

// dropInvisible removes the sections whose article does not name their revision, and those whose copy of the article's
// assignment let them through a filter that the article itself would not pass.
func (s *Store) dropInvisible(ctx context.Context, queries []Query, at []int, found [][]found) error {
	var ids []string
	for _, i := range at {
		for _, hit := range found[i] {
			ids = append(ids, hit.ArticleID)
		}
	}
	articles := map[string]Article{}
	err := s.read(ctx, ids, filingFields, func(p payload) {
		a := decodeArticle(p)
		articles[a.ID] = a
	})
	if err != nil {
		return err
	}
	for _, i := range at {
		kept := found[i][:0]
		for _, hit := range found[i] {
			a, ok := articles[hit.ArticleID]
			if ok && hit.revision == a.Revision && queries[i].Filter.passesFiling(&a) {
				kept = append(kept, hit)
			}
		}
		found[i] = kept
	}
	return nil
}

// passesFiling repeats the part of the filter that is about the assignment.
func (f *Filter) passesFiling(a *Article) bool {
	if len(f.StoryIDs) > 0 && !slices.Contains(f.StoryIDs, a.StoryID) {
		return false
	}
	if a.StoryID != "" && slices.Contains(f.ExcludeStoryIDs, a.StoryID) {
		return false
	}
	return len(f.TopicIDs) == 0 || slices.ContainsFunc(a.TopicIDs, func(id string) bool { return slices.Contains(f.TopicIDs, id) })
}

// rank orders the hits and cuts them to the limit.
func rank(hits []found, limit int) []Hit {
	slices.SortFunc(hits, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ArticleID, b.ArticleID),
			cmp.Compare(a.Section, b.Section), cmp.Compare(a.StoryID, b.StoryID))
	})
	out := make([]Hit, min(len(hits), limit))
	for i := range out {
		out[i] = hits[i].Hit
	}
	return out
}
