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

// TestRefusesByName sends what a real Qdrant would do and this server does not: each is refused, and the message names it.
func TestRefusesByName(t *testing.T) {
	ctx := t.Context()
	s := open(t, "")
	c := client(t, s)
	must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot})}))
	params := func(edit func(*qdrant.VectorParams)) error {
		p := &qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Dot}
		edit(p)
		return c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: "other", VectorsConfig: qdrant.NewVectorsConfig(p)})
	}
	creating := func(edit func(*qdrant.CreateCollection)) error {
		req := &qdrant.CreateCollection{CollectionName: "other"}
		edit(req)
		return c.CreateCollection(ctx, req)
	}
	query := func(q *qdrant.QueryPoints) error {
		q.CollectionName = "c"
		_, err := c.Query(ctx, q)
		return err
	}
	count := func(cond *qdrant.Condition) error {
		_, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: "c", Filter: &qdrant.Filter{Must: []*qdrant.Condition{cond}}})
		return err
	}
	upsert := func(v *qdrant.Vectors) error {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: v}}})
		return err
	}
	index := func(kind qdrant.FieldType) error {
		_, err := c.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "f", FieldType: kind.Enum()})
		return err
	}
	second := func(_ any, err error) error { return err }
	points := c.GetPointsClient()
	for name, err := range map[string]error{
		"Manhattan":   params(func(p *qdrant.VectorParams) { p.Distance = qdrant.Distance_Manhattan }),
		"multivector": params(func(p *qdrant.VectorParams) { p.MultivectorConfig = &qdrant.MultiVectorConfig{} }),
		"Uint8":       params(func(p *qdrant.VectorParams) { p.Datatype = qdrant.Datatype_Uint8.Enum() }),
		"custom sharding": creating(func(r *qdrant.CreateCollection) {
			r.ShardingMethod = qdrant.ShardingMethod_Custom.Enum()
		}),
		"strict mode": creating(func(r *qdrant.CreateCollection) {
			r.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: proto.Bool(true)}
		}),
		"Float16": creating(func(r *qdrant.CreateCollection) {
			r.SparseVectorsConfig = qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {Index: &qdrant.SparseIndexConfig{Datatype: qdrant.Datatype_Float16.Enum()}}})
		}),
		"FieldTypeText":      index(qdrant.FieldType_FieldTypeText),
		"FieldTypeGeo":       index(qdrant.FieldType_FieldTypeGeo),
		"geographic":         count(qdrant.NewGeoRadius("g", 1, 1, 1)),
		"inference":          upsert(qdrant.NewVectorsDocument(&qdrant.Document{Text: "t", Model: "m"})),
		"recommend":          query(&qdrant.QueryPoints{Query: qdrant.NewQueryRecommend(&qdrant.RecommendInput{})}),
		"discover":           query(&qdrant.QueryPoints{Query: qdrant.NewQueryDiscover(&qdrant.DiscoverInput{})}),
		"context":            query(&qdrant.QueryPoints{Query: qdrant.NewQueryContext(&qdrant.ContextInput{})}),
		"sample":             query(&qdrant.QueryPoints{Query: qdrant.NewQuerySample(qdrant.Sample_Random)}),
		"formula":            query(&qdrant.QueryPoints{Query: qdrant.NewQueryFormula(&qdrant.Formula{Expression: qdrant.NewExpressionConstant(1)})}),
		"MMR":                query(&qdrant.QueryPoints{Query: qdrant.NewQueryMMR(qdrant.NewVectorInput(1, 2), &qdrant.Mmr{})}),
		"relevance feedback": query(&qdrant.QueryPoints{Query: qdrant.NewQueryRelevanceFeedback(&qdrant.RelevanceFeedbackInput{})}),
		"multivectors":       query(&qdrant.QueryPoints{Query: qdrant.NewQueryMulti([][]float32{{1, 2}})}),
		"shard keys": query(&qdrant.QueryPoints{Query: qdrant.NewQuery(1, 2), ShardKeySelector: &qdrant.ShardKeySelector{
			ShardKeys: []*qdrant.ShardKey{qdrant.NewShardKey("k")}}}),
		"with_lookup":       second(c.QueryGroups(ctx, &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 2), GroupBy: "g", WithLookup: &qdrant.WithLookup{Collection: "c"}})),
		"sparse vectors":    c.UpdateCollection(ctx, &qdrant.UpdateCollection{CollectionName: "c", SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})}),
		"key":               second(c.OverwritePayload(ctx, &qdrant.SetPayloadPoints{CollectionName: "c", Key: proto.String("a"), PointsSelector: qdrant.NewPointsSelector()})),
		"Recommend":         second(points.Recommend(ctx, &qdrant.RecommendPoints{CollectionName: "c"})),
		"Discover":          second(points.Discover(ctx, &qdrant.DiscoverPoints{CollectionName: "c"})),
		"SearchMatrixPairs": second(points.SearchMatrixPairs(ctx, &qdrant.SearchMatrixPoints{CollectionName: "c"})),
		"CreateShardKey":    second(c.GetCollectionsClient().CreateShardKey(ctx, &qdrant.CreateShardKeyRequest{CollectionName: "c"})),
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
}

// TestRefusesNumbers sends vectors that a real Qdrant stores and then ranks first.
func TestRefusesNumbers(t *testing.T) {
	ctx := t.Context()
	c := client(t, open(t, ""))
	must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: "c",
		VectorsConfig:       qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": {Size: 2, Distance: qdrant.Distance_Cosine}}),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})}))
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, v := range []map[string]*qdrant.Vector{
		{"d": qdrant.NewVector(1, nan)}, {"d": qdrant.NewVector(inf, 1)}, {"s": qdrant.NewVectorSparse([]uint32{1}, []float32{nan})},
	} {
		_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsMap(v)}}})
		wantCode(t, err, codes.InvalidArgument)
	}
	for using, query := range map[string]*qdrant.Query{"d": qdrant.NewQuery(nan, 1), "s": qdrant.NewQuerySparse([]uint32{1}, []float32{inf})} {
		_, err := c.Query(ctx, &qdrant.QueryPoints{CollectionName: "c", Query: query, Using: &using})
		wantCode(t, err, codes.InvalidArgument)
	}
	_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsMap(nil),
		Payload: map[string]*qdrant.Value{"x": qdrant.NewValueDouble(math.NaN())}}}})
	wantCode(t, err, codes.InvalidArgument)
	if n, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: "c"}); err != nil || n != 0 {
		t.Errorf("%d points, %v", n, err)
	}
}
