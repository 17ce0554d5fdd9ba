package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/qdrant/go-client/qdrant"

	"throughline/internal/news"
)

// maxQueries bounds one Query call: each query may answer with thousands of hits.
const maxQueries = 1024

// Query sends all queries in one batched request per collection, side by side, and then reads the
// marks of the articles of the sections that were found, to check them. Result i belongs to query
// i, best first; equal scores are ordered by article id, then section. The server decides which of
// several equal hits are inside the limit. While articles are being put, a query over sections may
// return a few hits fewer than its limit.
func (s *Store) Query(ctx context.Context, queries []Query) ([][]Hit, error) {
	hits, _, err := s.QueryMarks(ctx, queries)
	return hits, err
}

// QueryMarks is Query. It also returns the marks of all articles that it found, by their ids.
func (s *Store) QueryMarks(ctx context.Context, queries []Query) ([][]Hit, map[string]*Mark, error) {
	if err := s.readable(); err != nil {
		return nil, nil, err
	}
	if len(queries) > maxQueries {
		return nil, nil, &InvalidError{Field: "queries", Reason: fmt.Sprintf("too many (got %d, want at most %d)", len(queries), maxQueries)}
	}
	queries, err := s.resolveQueries(ctx, queries)
	if err != nil {
		return nil, nil, err
	}
	batches := map[Collection]*queryBatch{}
	for i := range queries {
		q := &queries[i]
		request, err := s.request(q)
		if err != nil {
			if invalid, ok := errors.AsType[*InvalidError](err); ok {
				return nil, nil, &InvalidError{Field: fmt.Sprintf("queries[%d].%s", i, invalid.Field), Reason: invalid.Reason}
			}
			return nil, nil, err
		}
		if request == nil {
			continue
		}
		if batches[q.Of] == nil {
			batches[q.Of] = &queryBatch{}
		}
		batches[q.Of].at = append(batches[q.Of].at, i)
		batches[q.Of].requests = append(batches[q.Of].requests, request)
	}

	hits := make([][]uncheckedHit, len(queries))
	var wait sync.WaitGroup
	for of, b := range batches {
		wait.Go(func() { b.err = s.run(ctx, of, b, hits) })
	}
	wait.Wait()
	for _, b := range batches {
		if b.err != nil {
			return nil, nil, b.err
		}
	}
	marks := make(map[string]*Mark)
	if b := batches[Sections]; b != nil {
		var err error
		if marks, err = s.dropInvisible(ctx, queries, b.at, hits); err != nil {
			return nil, nil, err
		}
	}
	if b := batches[Articles]; b != nil {
		for i := range b.marks {
			marks[b.marks[i].ArticleID] = &b.marks[i]
		}
	}
	out := make([][]Hit, len(queries))
	for i := range queries {
		out[i] = rank(hits[i], queries[i].Limit)
	}
	return out, marks, nil
}

// resolveQueries resolves the filters of queries. Usually all have the same.
func (s *Store) resolveQueries(ctx context.Context, queries []Query) ([]Query, error) {
	queries = slices.Clone(queries)
	var last, resolved news.Filter
	for i := range queries {
		f := &queries[i].Filter
		if !slices.Equal(f.TopicIDs, last.TopicIDs) || !slices.Equal(f.StoryIDs, last.StoryIDs) || !slices.Equal(f.ExcludeStoryIDs, last.ExcludeStoryIDs) {
			last, resolved = *f, *f
			if err := s.resolve(ctx, &resolved); err != nil {
				return nil, err
			}
		}
		f.TopicIDs, f.StoryIDs, f.ExcludeStoryIDs = resolved.TopicIDs, resolved.StoryIDs, resolved.ExcludeStoryIDs
	}
	return queries, nil
}

// queryBatch holds the queries of one collection.
type queryBatch struct {
	at       []int // index of each in the arguments of Query
	requests []*qdrant.QueryPoints
	marks    []Mark // of the articles that were found as such
	err      error
}

// uncheckedHit is a hit whose article was not read yet.
type uncheckedHit struct {
	Hit
	revision int64
}

func (s *Store) collectionOf(of Collection) string {
	if of == Sections {
		return s.names.sections
	}
	return s.names.articles
}

// spare is how many sections are fetched beyond the limit, because some may be of revisions that
// are being replaced.
func spare(limit int) int { return limit/8 + 4 }

// request translates a query; nil for one that finds nothing.
func (s *Store) request(q *Query) (*qdrant.QueryPoints, error) {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return nil, &InvalidError{Field: "limit", Reason: fmt.Sprintf("out of range (got %d, want 1 to %d)", q.Limit, MaxLimit)}
	}
	c := &checker{}
	dense := len(q.Dense) > 0
	switch {
	case dense && len(q.Sparse.Terms) > 0:
		c.fail("dense", "given together with sparse (want one of them)")
	case dense:
		c.dense("dense", q.Dense, s.cfg.Space.Dimensions)
	default:
		c.sparse("sparse", q.Sparse)
	}
	if q.Of != Articles && q.Of != Sections {
		c.fail("of", "unknown collection (got %d)", q.Of)
	}
	if q.Of == Sections && q.Filter.Pending {
		c.fail("filter.pending", "not for sections (want a query over articles)")
	}
	if c.err != nil {
		return nil, c.err
	}
	filter, err := conditions(&q.Filter)
	if err != nil {
		return nil, err
	}
	limit, fields := q.Limit, markFields
	if q.Of == Sections {
		limit += spare(limit)
		fields = hitFields
	}
	request := &qdrant.QueryPoints{Filter: filter, Limit: qdrant.PtrOf(uint64(limit)), WithPayload: withPayload(fields), CollectionName: s.collectionOf(q.Of)}
	switch {
	case dense:
		request.Using, request.Query = qdrant.PtrOf(denseName), qdrant.NewQueryDense(q.Dense)
	case len(q.Sparse.Terms) == 0:
		return nil, nil
	default:
		request.Using, request.Query = qdrant.PtrOf(lexicalName), qdrant.NewQuerySparse(q.Sparse.Terms, q.Sparse.Weights)
	}
	return request, nil
}

// run sends one batch, sets out[i] of each of its queries i, and keeps the marks of articles.
func (s *Store) run(ctx context.Context, of Collection, b *queryBatch, out [][]uncheckedHit) error {
	results, err := s.conn.query(ctx, s.collectionOf(of), b.requests)
	if err != nil {
		return err
	}
	if of == Articles {
		found := 0
		for _, result := range results {
			found += len(result.GetResult())
		}
		b.marks = make([]Mark, 0, found)
	}
	for i, result := range results {
		hits := make([]uncheckedHit, len(result.GetResult()))
		for j, point := range result.GetResult() {
			f := payload(point.GetPayload())
			hits[j] = uncheckedHit{revision: f.number(fieldRevision), Hit: Hit{ArticleID: f.text(fieldArticle),
				Section: int(f.number(fieldIndex)), Score: point.GetScore()}}
			if of == Articles {
				b.marks = append(b.marks, decodeMark(f))
			}
		}
		out[b.at[i]] = hits
	}
	return nil
}

// dropInvisible removes the sections whose article does not name their revision, and those that
// passed a filter only by their own copy of the membership: the article's counts. It returns the
// marks of all articles of sections.
func (s *Store) dropInvisible(ctx context.Context, queries []Query, at []int, hits [][]uncheckedHit) (map[string]*Mark, error) {
	var ids []string
	for _, i := range at {
		for _, hit := range hits[i] {
			ids = append(ids, hit.ArticleID)
		}
	}
	articles, err := s.Marks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, i := range at {
		visible := hits[i][:0]
		for _, hit := range hits[i] {
			a, ok := articles[hit.ArticleID]
			if ok && hit.revision == a.Revision && passesMembership(&queries[i].Filter, a) {
				visible = append(visible, hit)
			}
		}
		hits[i] = visible
	}
	return articles, nil
}

// passesMembership reports whether an article passes the part of a filter that is about
// memberships.
func passesMembership(f *news.Filter, a *Mark) bool {
	if len(f.StoryIDs) > 0 && !slices.Contains(f.StoryIDs, a.StoryID) {
		return false
	}
	if a.StoryID != "" && slices.Contains(f.ExcludeStoryIDs, a.StoryID) {
		return false
	}
	return len(f.TopicIDs) == 0 || slices.Contains(f.TopicIDs, a.TopicID) || slices.Contains(f.TopicIDs, a.ThemeID)
}

// rank orders the hits and cuts them to the limit.
func rank(hits []uncheckedHit, limit int) []Hit {
	slices.SortFunc(hits, func(a, b uncheckedHit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ArticleID, b.ArticleID),
			cmp.Compare(a.Section, b.Section))
	})
	out := make([]Hit, min(len(hits), limit))
	for i := range out {
		out[i] = hits[i].Hit
	}
	return out
}
