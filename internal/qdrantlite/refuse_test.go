package qdrantlite

import (
	"math"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// TestRefusesByName sends what Qdrant serves and this server does not: each is refused, the message
// names it, and nothing of the request is done.
func TestRefusesByName(t *testing.T) {
	ctx := t.Context()
	s := open(t, "")
	c := client(t, s)
	must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}))
	must(t, putOne(t, c, 1, 1))
	before := get(t, c, "c")
	second := func(_ any, err error) error { return err }
	creating := func(edit func(*qdrant.CreateCollection)) error {
		req := &qdrant.CreateCollection{CollectionName: "other"}
		edit(req)
		return c.CreateCollection(ctx, req)
	}
	vector := func(edit func(*qdrant.VectorParams)) error {
		return creating(func(r *qdrant.CreateCollection) {
			r.VectorsConfig = oneVector(2)
			edit(r.VectorsConfig.GetParamsMap().GetMap()["d"])
		})
	}
	query := func(edit func(*qdrant.QueryPoints)) error {
		q := queryD(1, 2)
		edit(q)
		return second(ask(ctx, c, q))
	}
	asking := func(q *qdrant.Query) error {
		return query(func(to *qdrant.QueryPoints) { to.Query = q })
	}
	filter := func(f *qdrant.Filter) error {
		return second(c.Count(ctx, &qdrant.CountPoints{CollectionName: "c", Filter: f}))
	}
	condition := func(cond *qdrant.Condition) error {
		return filter(&qdrant.Filter{Must: []*qdrant.Condition{cond}})
	}
	upsert := func(edit func(*qdrant.UpsertPoints)) error {
		req := &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: vectorD(5, 5)}}}
		edit(req)
		return second(c.Upsert(ctx, req))
	}
	vectors := func(v *qdrant.Vectors) error {
		return upsert(func(r *qdrant.UpsertPoints) { r.Points[0].Vectors = v })
	}
	index := func(edit func(*qdrant.CreateFieldIndexCollection)) error {
		req := &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "f", FieldType: qdrant.FieldType_FieldTypeKeyword.Enum()}
		edit(req)
		return second(c.CreateFieldIndex(ctx, req))
	}
	batch := func(operation *qdrant.PointsUpdateOperation) error {
		put := qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: vectorD(5, 5)}}})
		return second(c.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{put, operation}}))
	}
	one := qdrant.NewPointsSelector(qdrant.NewIDNum(1))
	shard := &qdrant.ShardKeySelector{ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKey("k")}}
	points := c.GetPointsClient()
	for name, err := range map[string]error{
		"Cosine":             vector(func(p *qdrant.VectorParams) { p.Distance = qdrant.Distance_Cosine }),
		"Euclid":             vector(func(p *qdrant.VectorParams) { p.Distance = qdrant.Distance_Euclid }),
		"multivector_config": vector(func(p *qdrant.VectorParams) { p.MultivectorConfig = &qdrant.MultiVectorConfig{} }),
		"datatype":           vector(func(p *qdrant.VectorParams) { p.Datatype = qdrant.Datatype_Uint8.Enum() }),
		"on_disk":            vector(func(p *qdrant.VectorParams) { p.OnDisk = proto.Bool(true) }),
		"params": creating(func(r *qdrant.CreateCollection) {
			r.VectorsConfig = qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot})
		}),
		"sharding_method": creating(func(r *qdrant.CreateCollection) { r.ShardingMethod = qdrant.ShardingMethod_Custom.Enum() }),
		"strict_mode_config": creating(func(r *qdrant.CreateCollection) {
			r.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: proto.Bool(true)}
		}),
		"hnsw_config": creating(func(r *qdrant.CreateCollection) { r.HnswConfig = &qdrant.HnswConfigDiff{M: proto.Uint64(8)} }),
		"index": creating(func(r *qdrant.CreateCollection) {
			r.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {Index: &qdrant.SparseIndexConfig{}}})
		}),

		"delete_alias": c.UpdateAliases(ctx, []*qdrant.AliasOperations{qdrant.NewAliasCreate("a", "c"), qdrant.NewAliasDelete("b")}),
		"rename_alias": c.RenameAlias(ctx, "a", "b"),

		"FieldTypeText":  index(func(r *qdrant.CreateFieldIndexCollection) { r.FieldType = qdrant.FieldType_FieldTypeText.Enum() }),
		"FieldTypeFloat": index(func(r *qdrant.CreateFieldIndexCollection) { r.FieldType = qdrant.FieldType_FieldTypeFloat.Enum() }),
		"field_index_params": index(func(r *qdrant.CreateFieldIndexCollection) {
			r.FieldIndexParams = qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{})
		}),
		"o.k": index(func(r *qdrant.CreateFieldIndexCollection) { r.FieldName = "o.k" }),

		"min_should":      filter(&qdrant.Filter{MinShould: &qdrant.MinShould{MinCount: 1}}),
		"is_empty":        condition(qdrant.NewIsEmpty("f")),
		"is_null":         condition(qdrant.NewIsNull("f")),
		"has_vector":      condition(qdrant.NewHasVector("d")),
		"nested":          condition(qdrant.NewNestedFilter("f", &qdrant.Filter{})),
		"geo_radius":      condition(qdrant.NewGeoRadius("f", 1, 1, 1)),
		"values_count":    condition(qdrant.NewValuesCount("f", &qdrant.ValuesCount{Gte: proto.Uint64(1)})),
		"datetime_range":  condition(qdrant.NewDatetimeRange("f", &qdrant.DatetimeRange{})),
		"boolean":         condition(qdrant.NewMatchBool("f", true)),
		"text":            condition(qdrant.NewMatchText("f", "x")),
		"integers":        condition(qdrant.NewMatchInts("f", 1, 2)),
		"except_keywords": condition(qdrant.NewMatchExcept("f", "x")),
		"l[].k":           condition(qdrant.NewMatch("l[].k", "x")),
		"match and range": condition(&qdrant.Condition{ConditionOneOf: &qdrant.Condition_Field{Field: &qdrant.FieldCondition{
			Key: "f", Match: &qdrant.Match{MatchValue: &qdrant.Match_Integer{Integer: 1}}, Range: &qdrant.Range{}}}}),

		"recommend":                asking(qdrant.NewQueryRecommend(&qdrant.RecommendInput{})),
		"fusion":                   asking(qdrant.NewQueryFusion(qdrant.Fusion_RRF)),
		"order_by of Query":        asking(qdrant.NewQueryOrderBy(&qdrant.OrderBy{Key: "f"})),
		"nearest_with_mmr":         asking(qdrant.NewQueryMMR(qdrant.NewVectorInput(1, 2), &qdrant.Mmr{})),
		"id of VectorInput":        asking(qdrant.NewQueryID(qdrant.NewIDNum(1))),
		"multi_dense":              asking(qdrant.NewQueryMulti([][]float32{{1, 2}})),
		"prefetch":                 query(func(q *qdrant.QueryPoints) { q.Prefetch = []*qdrant.PrefetchQuery{{}} }),
		"score_threshold":          query(func(q *qdrant.QueryPoints) { q.ScoreThreshold = proto.Float32(1) }),
		"offset":                   query(func(q *qdrant.QueryPoints) { q.Offset = proto.Uint64(1) }),
		"lookup_from":              query(func(q *qdrant.QueryPoints) { q.LookupFrom = &qdrant.LookupLocation{CollectionName: "c"} }),
		"hnsw_ef":                  query(func(q *qdrant.QueryPoints) { q.Params = &qdrant.SearchParams{HnswEf: proto.Uint64(64)} }),
		"shard_key_selector":       query(func(q *qdrant.QueryPoints) { q.ShardKeySelector = shard }),
		"exclude":                  query(func(q *qdrant.QueryPoints) { q.WithPayload = qdrant.NewWithPayloadExclude("f") }),
		"order_by of ScrollPoints": second(c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "c", OrderBy: &qdrant.OrderBy{Key: "f"}})),
		"read_consistency":         second(c.Get(ctx, &qdrant.GetPoints{CollectionName: "c", ReadConsistency: qdrant.NewReadConsistencyFactor(2)})),

		"UpdateOnly": upsert(func(r *qdrant.UpsertPoints) { r.UpdateMode = qdrant.UpdateMode_UpdateOnly.Enum() }),
		"ordering": upsert(func(r *qdrant.UpsertPoints) {
			r.Ordering = &qdrant.WriteOrdering{Type: qdrant.WriteOrderingType_Strong}
		}),
		"vector of Vectors": vectors(qdrant.NewVectors(1, 2)),
		"document":          vectors(qdrant.NewVectorsMap(map[string]*qdrant.Vector{"d": {Vector: &qdrant.Vector_Document{Document: &qdrant.Document{Text: "t"}}}})),
		"data of Vector":    vectors(qdrant.NewVectorsMap(map[string]*qdrant.Vector{"d": {Data: []float32{1, 2}}})),
		"key of SetPayload": batch(qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{Key: proto.String("a"), PointsSelector: one})),
		"overwrite_payload": batch(qdrant.NewPointsUpdateOverwritePayload(&qdrant.PointsUpdateOperation_OverwritePayload{PointsSelector: one})),
		"clear_payload":     batch(qdrant.NewPointsUpdateClearPayload(&qdrant.PointsUpdateOperation_ClearPayload{Points: one})),
		"delete_vectors":    batch(qdrant.NewPointsUpdateDeleteVectors(&qdrant.PointsUpdateOperation_DeleteVectors{PointsSelector: one})),

		"method Query ":      second(points.Query(ctx, &qdrant.QueryPoints{CollectionName: "c"})),
		"method Facet ":      second(points.Facet(ctx, &qdrant.FacetCounts{CollectionName: "c"})),
		"method SetPayload ": second(points.SetPayload(ctx, &qdrant.SetPayloadPoints{CollectionName: "c"})),
		"method Update ":     c.UpdateCollection(ctx, &qdrant.UpdateCollection{CollectionName: "c"}),
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, err, codes.Unimplemented)
			if message := status.Convert(err).Message(); !strings.Contains(message, name) {
				t.Errorf("%q does not say %q", message, name)
			}
		})
	}
	if names, err := c.ListCollections(ctx); err != nil || len(names) != 1 {
		t.Errorf("collections: %v, %v", names, err)
	}
	if aliases, err := c.ListAliases(ctx); err != nil || len(aliases) != 0 {
		t.Errorf("aliases: %v, %v", aliases, err)
	}
	if after := get(t, c, "c"); !proto.Equal(before, after) {
		t.Errorf("a refused request changed the point from %v to %v", before, after)
	}
	info, err := c.GetCollectionInfo(ctx, "c")
	if err != nil || len(info.GetPayloadSchema()) != 0 {
		t.Errorf("indexes: %v, %v", info.GetPayloadSchema(), err)
	}
}

// get reads point 1 with everything.
func get(t *testing.T, c *qdrant.Client, collection string) *qdrant.RetrievedPoint {
	t.Helper()
	points, err := c.Get(t.Context(), &qdrant.GetPoints{CollectionName: collection, Ids: []*qdrant.PointId{qdrant.NewIDNum(1)}, WithVectors: qdrant.NewWithVectors(true)})
	must(t, err)
	if len(points) != 1 {
		t.Fatalf("%d points", len(points))
	}
	return points[0]
}

// TestRefusesNumbers sends vectors that Qdrant stores and then ranks first.
func TestRefusesNumbers(t *testing.T) {
	ctx := t.Context()
	c := client(t, open(t, ""))
	must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})}))
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, v := range []map[string]*qdrant.Vector{
		{"d": qdrant.NewVector(1, nan)}, {"d": qdrant.NewVector(inf, 1)}, {"s": qdrant.NewVectorSparse([]uint32{1}, []float32{nan})},
	} {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsMap(v)}}})
		wantCode(t, err, codes.InvalidArgument)
	}
	for using, query := range map[string]*qdrant.Query{"d": qdrant.NewQuery(nan, 1), "s": qdrant.NewQuerySparse([]uint32{1}, []float32{inf})} {
		_, err := ask(ctx, c, &qdrant.QueryPoints{Query: query, Using: &using})
		wantCode(t, err, codes.InvalidArgument)
	}
	_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsMap(nil),
		Payload: map[string]*qdrant.Value{"x": qdrant.NewValueDouble(math.NaN())}}}})
	wantCode(t, err, codes.InvalidArgument)
	if n, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: "c"}); err != nil || n != 0 {
		t.Errorf("%d points, %v", n, err)
	}
}
