package conformance

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

func limit(n uint64) *uint64 { return &n }

func (s suite) distances(t *testing.T) {
	c := s.connect(t)
	vectors := [][]float32{{1, 0}, {0, 2}, {3, 3}, {-1, 1}}
	for _, test := range []struct {
		distance  qdrant.Distance
		query     []float32
		want      []uint64
		scores    []float64
		threshold float32
		within    []uint64
	}{
		{qdrant.Distance_Dot, []float32{1, 2}, []uint64{2, 1, 3, 0}, []float64{9, 4, 1, 1}, 3, []uint64{2, 1}},
		{qdrant.Distance_Cosine, []float32{0, 5}, []uint64{1, 2, 3, 0}, []float64{1, math.Sqrt(0.5), math.Sqrt(0.5), 0}, 0.5, []uint64{1, 2, 3}},
		{qdrant.Distance_Euclid, []float32{0, 1}, []uint64{1, 3, 0, 2}, []float64{1, 1, math.Sqrt2, math.Sqrt(13)}, 1.5, []uint64{1, 3, 0}},
	} {
		t.Run(test.distance.String(), func(t *testing.T) {
			name := plain(t, c, 2, test.distance)
			for i, v := range vectors {
				upsert(t, c, name, point(uint64(i), qdrant.NewVectors(v...), nil))
			}
			hits, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(test.query...)})
			must(t, err)
			wantScores(t, hits, test.scores...)
			wantSameScores(t, hits, test.want, test.scores)
			hits, err = c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(test.query...), ScoreThreshold: &test.threshold})
			must(t, err)
			wantSameScores(t, hits, test.within, test.scores[:len(test.within)])
			hits, err = c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(test.query...), Limit: limit(1), Offset: limit(2)})
			must(t, err)
			wantScores(t, hits, test.scores[2])
		})
	}
	t.Run("zero vector", func(t *testing.T) {
		name := plain(t, c, 2, qdrant.Distance_Cosine)
		upsert(t, c, name, point(1, qdrant.NewVectors(0, 0), nil), point(2, qdrant.NewVectors(1, 1), nil))
		hits, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 1)})
		must(t, err)
		wantIDs(t, numbers(hits), 2, 1)
		wantScores(t, hits, 1, 0)
	})
}

// wantSameScores compares ids but for the order of equal scores.
func wantSameScores(t *testing.T, hits []*qdrant.ScoredPoint, ids []uint64, scores []float64) {
	t.Helper()
	if len(hits) != len(ids) {
		t.Fatalf("got points %v, want %v", numbers(hits), ids)
	}
	want := make(map[uint64]float64)
	for i, id := range ids {
		want[id] = scores[i]
	}
	for _, h := range hits {
		score, ok := want[h.GetId().GetNum()]
		if !ok || math.Abs(score-float64(h.GetScore())) > 1e-5 {
			t.Fatalf("got point %v with score %v; want points %v with scores %v", h.GetId(), h.GetScore(), ids, scores)
		}
	}
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
		hits, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuerySparse(terms, weights), Using: &using})
		must(t, err)
		return hits
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
			_, err := c.Query(t.Context(), &qdrant.QueryPoints{CollectionName: name, Query: query, Using: qdrant.PtrOf("words")})
			wantCode(t, err, codes.InvalidArgument)
		}
	})
}

func (s suite) query(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	for i := range uint64(6) {
		upsert(t, c, name, point(i, qdrant.NewVectorsMap(map[string]*qdrant.Vector{"title": qdrant.NewVector(float32(i), 1)}), map[string]any{"i": int64(i)}))
	}
	title := qdrant.PtrOf("title")
	t.Run("by id", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryID(num(2)), Using: title, Limit: limit(3)})
		must(t, err)
		wantIDs(t, numbers(hits), 5, 4, 3)
		wantScores(t, hits, 11, 9, 7)
		hits, err = c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryID(num(5)), Using: title, Limit: limit(1)})
		must(t, err)
		wantIDs(t, numbers(hits), 4) // never the point itself
		_, err = c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryID(num(404)), Using: title})
		wantCode(t, err, codes.NotFound)
	})
	t.Run("by id of another collection", func(t *testing.T) {
		other := plain(t, c, 2, qdrant.Distance_Dot)
		upsert(t, c, other, point(5, qdrant.NewVectors(-1, 0), nil))
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQueryID(num(5)), Using: title, Limit: limit(2),
			LookupFrom: &qdrant.LookupLocation{CollectionName: other, VectorName: qdrant.PtrOf("")}})
		must(t, err)
		wantIDs(t, numbers(hits), 0, 1)
	})
	t.Run("no query", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Limit: limit(2), Offset: limit(1), WithPayload: qdrant.NewWithPayload(true)})
		must(t, err)
		wantIDs(t, numbers(hits), 1, 2)
		if diff := cmp.Diff(map[string]any{"i": int64(1)}, goMap(hits[0].GetPayload())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("contents", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 0), Using: title, Limit: limit(1), WithVectors: qdrant.NewWithVectors(true)})
		must(t, err)
		if diff := cmp.Diff([]float32{5, 1}, hits[0].GetVectors().GetVectors().GetVectors()["title"].GetDense().GetData()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("exact", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 0), Using: title, Limit: limit(2),
			Params: &qdrant.SearchParams{Exact: yes, HnswEf: limit(64), Quantization: &qdrant.QuantizationSearchParams{Rescore: yes, Oversampling: qdrant.PtrOf(2.0)}}})
		must(t, err)
		wantIDs(t, numbers(hits), 5, 4)
	})
	t.Run("rescoring a prefetch", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(-1, 0), Using: title,
			Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 0), Using: title, Limit: limit(3)}}})
		must(t, err)
		wantIDs(t, numbers(hits), 3, 4, 5)
		wantScores(t, hits, -3, -4, -5)
	})
	t.Run("filter of a query holds for its prefetches", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(1, 0), Using: title,
			Filter:   mustAll(qdrant.NewRange("i", &qdrant.Range{Lt: qdrant.PtrOf(3.0)})),
			Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 0), Using: title, Limit: limit(2)}}})
		must(t, err)
		wantIDs(t, numbers(hits), 2, 1)
	})
	t.Run("refused", func(t *testing.T) {
		for why, q := range map[string]*qdrant.QueryPoints{
			"too long":                  {Query: qdrant.NewQuery(1, 2, 3), Using: title},
			"unknown vector":            {Query: qdrant.NewQuery(1, 2), Using: qdrant.PtrOf("summary")},
			"no unnamed vector":         {Query: qdrant.NewQuery(1, 2)},
			"no limit":                  {Query: qdrant.NewQuery(1, 2), Using: title, Limit: limit(0)},
			"prefetch without query":    {Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2), Using: title}}},
			"threshold without query":   {ScoreThreshold: qdrant.PtrOf(float32(1))},
			"fusion without prefetches": {Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF)},
			"fusion of a vector":        {Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Using: title, Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 2), Using: title}}},
			"sparse for dense":          {Query: qdrant.NewQuerySparse([]uint32{1}, []float32{1}), Using: title},
			"oversampling below one":    {Query: qdrant.NewQuery(1, 2), Using: title, Params: &qdrant.SearchParams{Quantization: &qdrant.QuantizationSearchParams{Oversampling: qdrant.PtrOf(0.5)}}},
		} {
			t.Run(why, func(t *testing.T) {
				q.CollectionName = name
				_, err := c.Query(ctx, q)
				wantCode(t, err, codes.InvalidArgument)
			})
		}
	})
}

func (s suite) fusion(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	vectors := func(x, y float32, words map[uint32]float32) *qdrant.Vectors {
		v := map[string]*qdrant.Vector{"title": qdrant.NewVector(x, y)}
		var terms []uint32
		var weights []float32
		for term, weight := range words {
			terms, weights = append(terms, term), append(weights, weight)
		}
		if len(terms) > 0 {
			v["words"] = qdrant.NewVectorSparse(terms, weights)
		}
		return qdrant.NewVectorsMap(v)
	}
	upsert(t, c, name,
		point(1, vectors(4, 0, map[uint32]float32{1: 1}), nil),
		point(2, vectors(3, 0, map[uint32]float32{1: 3}), nil),
		point(3, vectors(1, 0, nil), nil),
		point(4, vectors(0, 9, map[uint32]float32{1: 2}), nil))
	// By title: 1 (4), 2 (3), 3 (1). By words: 2 (3), 4 (2), 1 (1).
	prefetch := []*qdrant.PrefetchQuery{
		{Query: qdrant.NewQuery(1, 0), Using: qdrant.PtrOf("title"), Limit: limit(3)},
		{Query: qdrant.NewQuerySparse([]uint32{1}, []float32{1}), Using: qdrant.PtrOf("words"), Limit: limit(3)},
	}
	run := func(t *testing.T, q *qdrant.QueryPoints) []*qdrant.ScoredPoint {
		t.Helper()
		q.CollectionName, q.Prefetch = name, prefetch
		hits, err := c.Query(ctx, q)
		must(t, err)
		return hits
	}
	t.Run("RRF", func(t *testing.T) {
		hits := run(t, &qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF)})
		wantIDs(t, numbers(hits), 2, 1, 4, 3)
		wantScores(t, hits, 1./3+1./2, 1./2+1./4, 1./3, 1./4)
	})
	t.Run("RRF with k", func(t *testing.T) {
		hits := run(t, &qdrant.QueryPoints{Query: qdrant.NewQueryRRF(&qdrant.Rrf{K: qdrant.PtrOf(uint32(60))}), Limit: limit(2)})
		wantIDs(t, numbers(hits), 2, 1)
		wantScores(t, hits, 1./61+1./60, 1./60+1./62)
	})
	t.Run("RRF with weights", func(t *testing.T) {
		hits := run(t, &qdrant.QueryPoints{Query: qdrant.NewQueryRRF(&qdrant.Rrf{Weights: []float32{3, 1}})})
		w := func(rank, weight float64) float64 { return 1 / ((rank+1)/weight + 2 - 1) }
		wantScores(t, hits, w(1, 3)+w(0, 1), w(0, 3)+w(2, 1), w(2, 3), w(1, 1))
		wantIDs(t, numbers(hits), 2, 1, 3, 4)
	})
	t.Run("DBSF", func(t *testing.T) {
		normal := func(x float64, of ...float64) float64 {
			var mean, square float64
			for _, y := range of {
				mean += y / float64(len(of))
			}
			for _, y := range of {
				square += (y - mean) * (y - mean)
			}
			deviation := math.Sqrt(square / float64(len(of)-1))
			return (x - (mean - 3*deviation)) / (6 * deviation)
		}
		title := func(x float64) float64 { return normal(x, 4, 3, 1) }
		words := func(x float64) float64 { return normal(x, 3, 2, 1) }
		hits := run(t, &qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_DBSF)})
		wantIDs(t, numbers(hits), 2, 1, 4, 3)
		wantScores(t, hits, title(3)+words(3), title(4)+words(1), words(2), title(1))
	})
	t.Run("threshold and offset", func(t *testing.T) {
		hits := run(t, &qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), ScoreThreshold: qdrant.PtrOf(float32(0.3)), Offset: limit(1)})
		wantIDs(t, numbers(hits), 1, 4)
	})
	t.Run("filter", func(t *testing.T) {
		hits := run(t, &qdrant.QueryPoints{Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Filter: mustAll(qdrant.NewHasID(num(1), num(4)))})
		wantSameScores(t, hits, []uint64{1, 4}, []float64{1./2 + 1./3, 1./3 + 1./2})
	})
	t.Run("nested", func(t *testing.T) {
		hits, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(-1, 0), Using: qdrant.PtrOf("title"), Limit: limit(2),
			Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Prefetch: prefetch, Limit: limit(2)}}})
		must(t, err)
		wantIDs(t, numbers(hits), 2, 1)
	})
	t.Run("weights of another number", func(t *testing.T) {
		_, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Prefetch: prefetch, Query: qdrant.NewQueryRRF(&qdrant.Rrf{Weights: []float32{1}})})
		wantCode(t, err, codes.InvalidArgument)
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

func (s suite) groups(t *testing.T) {
	c := s.connect(t)
	name := plain(t, c, 2, qdrant.Distance_Dot)
	sources := []any{"a", "b", "a", "c", "a", "b", nil, []any{"c", "d"}}
	for i, source := range sources {
		upsert(t, c, name, point(uint64(i), qdrant.NewVectors(float32(10-i), 0), map[string]any{"source": source}))
	}
	index(t, c, name, qdrant.FieldType_FieldTypeKeyword, "source")
	groups, err := c.QueryGroups(t.Context(), &qdrant.QueryPointGroups{CollectionName: name, Query: qdrant.NewQuery(1, 0), GroupBy: "source",
		Limit: limit(3), GroupSize: limit(2), WithPayload: qdrant.NewWithPayload(true)})
	must(t, err)
	var got [][]uint64
	var names []string
	for _, g := range groups {
		got, names = append(got, numbers(g.GetHits())), append(names, g.GetId().GetStringValue())
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]uint64{{0, 2}, {1, 5}, {3, 7}}, got); diff != "" {
		t.Error(diff)
	}
}

func (s suite) facet(t *testing.T) {
	c := s.connect(t)
	name := plain(t, c, 2, qdrant.Distance_Dot)
	for i, source := range []any{"a", "b", "a", "c", []any{"b", "a"}, nil} {
		upsert(t, c, name, point(uint64(i), qdrant.NewVectors(1, 0), map[string]any{"source": source, "even": i%2 == 0}))
	}
	_, err := c.Facet(t.Context(), &qdrant.FacetCounts{CollectionName: name, Key: "source", Exact: yes})
	wantCode(t, err, codes.InvalidArgument) // there is no index
	index(t, c, name, qdrant.FieldType_FieldTypeKeyword, "source")
	index(t, c, name, qdrant.FieldType_FieldTypeBool, "even")
	check := func(filter *qdrant.Filter, want map[string]uint64) {
		t.Helper()
		hits, err := c.Facet(t.Context(), &qdrant.FacetCounts{CollectionName: name, Key: "source", Exact: yes, Filter: filter})
		must(t, err)
		got := make(map[string]uint64)
		for i, h := range hits {
			got[h.GetValue().GetStringValue()] = h.GetCount()
			if i > 0 && h.GetCount() > hits[i-1].GetCount() {
				t.Errorf("value %d is more frequent than the one before", i)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	check(nil, map[string]uint64{"a": 3, "b": 2, "c": 1})
	check(mustAll(qdrant.NewMatchBool("even", true)), map[string]uint64{"a": 3, "b": 1})
}

func (s suite) legacy(t *testing.T) {
	c := s.connect(t)
	ctx := t.Context()
	name := mixed(t, c)
	for i := range uint64(4) {
		upsert(t, c, name, point(i, qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"title": qdrant.NewVector(float32(i), 1), "words": qdrant.NewVectorSparse([]uint32{1}, []float32{float32(i + 1)}),
		}), nil))
	}
	points := c.GetPointsClient()
	dense := &qdrant.SearchPoints{CollectionName: name, Vector: []float32{1, 0}, VectorName: qdrant.PtrOf("title"), Limit: 2}
	sparse := &qdrant.SearchPoints{CollectionName: name, Vector: []float32{1}, SparseIndices: &qdrant.SparseIndices{Data: []uint32{1}}, VectorName: qdrant.PtrOf("words"), Limit: 1}
	found, err := points.Search(ctx, dense)
	must(t, err)
	wantIDs(t, numbers(found.GetResult()), 3, 2)
	batch, err := points.SearchBatch(ctx, &qdrant.SearchBatchPoints{CollectionName: name, SearchPoints: []*qdrant.SearchPoints{dense, sparse}})
	must(t, err)
	wantIDs(t, numbers(batch.GetResult()[0].GetResult()), 3, 2)
	wantIDs(t, numbers(batch.GetResult()[1].GetResult()), 3)
}
