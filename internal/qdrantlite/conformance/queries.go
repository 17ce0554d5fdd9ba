package conformance

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

func limit(n uint64) *uint64 { return &n }

func (s suite) dense(t *testing.T) {
	c := s.connect(t)
	name := plain(t, c)
	for i, v := range [][]float32{{1, 0}, {0, 2}, {3, 3}, {-1, 1}, {0, 0}} {
		upsert(t, c, name, point(uint64(i), d(v...), nil))
	}
	upsert(t, c, name, point(9, nil, nil)) // is not found: it has no vector
	hits := find(t, c, name, queryD(1, 2))
	wantScores(t, hits, 9, 4, 1, 1, 0)
	if ids := numbers(hits); ids[0] != 2 || ids[1] != 1 || ids[4] != 4 {
		t.Errorf("points %v", ids)
	}
	q := queryD(1, 2)
	q.Limit = limit(2)
	wantIDs(t, numbers(find(t, c, name, q)), 2, 1)
}

func (s suite) sparse(t *testing.T) {
	c := s.connect(t)
	name := mixed(t, c)
	docs := []struct {
		terms   []uint32
		weights []float32
	}{
		{[]uint32{1, 2}, []float32{1, 1}},
		{[]uint32{1, 3}, []float32{2, 1}},
		{[]uint32{1}, []float32{0.5}},
		{[]uint32{4000000000}, []float32{1}},
	}
	for i, d := range docs {
		v := qdrant.NewVectorSparse(d.terms, d.weights)
		upsert(t, c, name, point(uint64(i), qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": v, "rare": v}), nil))
	}
	upsert(t, c, name, point(9, nil, nil))
	search := func(using string, terms []uint32, weights ...float32) []*qdrant.ScoredPoint {
		t.Helper()
		return find(t, c, name, &qdrant.QueryPoints{Query: qdrant.NewQuerySparse(terms, weights), Using: &using})
	}
	t.Run("dot product", func(t *testing.T) {
		hits := search("words", []uint32{3, 1}, 10, 1)
		wantIDs(t, numbers(hits), 1, 0, 2) // only points that share a term
		wantScores(t, hits, 12, 1, 0.5)
	})
	t.Run("IDF", func(t *testing.T) {
		// Of the four points with this vector three have the term 1, one the term 2.
		idf := func(n float64) float64 { return math.Log((4-n+0.5)/(n+0.5) + 1) }
		hits := search("rare", []uint32{1, 2}, 1, 1)
		wantIDs(t, numbers(hits), 0, 1, 2)
		wantScores(t, hits, idf(3)+idf(1), 2*idf(3), 0.5*idf(3))
	})
	t.Run("largest index", func(t *testing.T) {
		wantIDs(t, numbers(search("words", []uint32{4000000000}, 1)), 3)
	})
	t.Run("unknown term", func(t *testing.T) {
		wantIDs(t, numbers(search("words", []uint32{77}, 1)))
	})
	t.Run("refused", func(t *testing.T) {
		for _, query := range []*qdrant.Query{
			qdrant.NewQuerySparse([]uint32{1, 1}, []float32{1, 1}), qdrant.NewQuerySparse([]uint32{1, 2}, []float32{1}), qdrant.NewQuery(1, 2),
		} {
			_, err := try(t, c, name, &qdrant.QueryPoints{Query: query, Using: qdrant.PtrOf("words")})
			wantCode(t, err, codes.InvalidArgument)
		}
	})
}

func (s suite) query(t *testing.T) {
	c := s.connect(t)
	name := mixed(t, c)
	for i := range uint64(6) {
		upsert(t, c, name, point(i, qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(float32(i), 1)}), map[string]any{"i": int64(i)}))
	}
	title := qdrant.PtrOf("title")
	t.Run("contents", func(t *testing.T) {
		hits := find(t, c, name, &qdrant.QueryPoints{Query: qdrant.NewQuery(1, 0), Using: title, Limit: limit(1), WithVectors: qdrant.NewWithVectors(true)})
		if diff := cmp.Diff([]float32{5, 1}, hits[0].GetVectors().GetVectors().GetVectors()["title"].GetDense().GetData()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("exact", func(t *testing.T) {
		hits := find(t, c, name, &qdrant.QueryPoints{Query: qdrant.NewQuery(1, 0), Using: title, Limit: limit(2), Params: &qdrant.SearchParams{Exact: yes}})
		wantIDs(t, numbers(hits), 5, 4)
	})
	t.Run("refused", func(t *testing.T) {
		for why, q := range map[string]*qdrant.QueryPoints{
			"too long":          {Query: qdrant.NewQuery(1, 2, 3), Using: title},
			"unknown vector":    {Query: qdrant.NewQuery(1, 2), Using: qdrant.PtrOf("summary")},
			"no unnamed vector": {Query: qdrant.NewQuery(1, 2)},
			"no limit":          {Query: qdrant.NewQuery(1, 2), Using: title, Limit: limit(0)},
			"sparse for dense":  {Query: qdrant.NewQuerySparse([]uint32{1}, []float32{1}), Using: title},
		} {
			t.Run(why, func(t *testing.T) {
				_, err := try(t, c, name, q)
				wantCode(t, err, codes.InvalidArgument)
			})
		}
	})
}

func (s suite) queryBatch(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	for i := range uint64(8) {
		upsert(t, c, name, point(i, qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"title": qdrant.NewVector(float32(i), float32(8-i)), "words": qdrant.NewVectorSparse([]uint32{uint32(i % 2)}, []float32{float32(i)}),
		}), map[string]any{"i": int64(i)}))
	}
	queries := []*qdrant.QueryPoints{
		{Query: qdrant.NewQuery(1, 0), Using: qdrant.PtrOf("title"), Limit: limit(2)},
		{Query: qdrant.NewQuery(0, 1), Using: qdrant.PtrOf("title"), Limit: limit(2), Filter: mustAll(qdrant.NewRange("i", &qdrant.Range{Gte: qdrant.PtrOf(2.0)}))},
		{Query: qdrant.NewQuerySparse([]uint32{1}, []float32{1}), Using: qdrant.PtrOf("words"), Limit: limit(2), WithPayload: qdrant.NewWithPayload(true)},
	}
	for _, q := range queries {
		q.CollectionName = name
	}
	results, err := c.QueryBatch(ctx, &qdrant.QueryBatchPoints{CollectionName: name, QueryPoints: queries})
	must(t, err)
	if len(results) != 3 {
		t.Fatalf("%d results", len(results))
	}
	wantIDs(t, numbers(results[0].GetResult()), 7, 6)
	wantIDs(t, numbers(results[1].GetResult()), 2, 3)
	wantIDs(t, numbers(results[2].GetResult()), 7, 5)
	if results[2].GetResult()[0].GetPayload()["i"].GetIntegerValue() != 7 || len(results[0].GetResult()[0].GetPayload()) != 0 {
		t.Error("the queries' selectors were mixed up")
	}
	queries[1].Using = qdrant.PtrOf("summary")
	_, err = c.QueryBatch(ctx, &qdrant.QueryBatchPoints{CollectionName: name, QueryPoints: queries})
	wantCode(t, err, codes.InvalidArgument)
}
