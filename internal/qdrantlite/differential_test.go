package qdrantlite

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// TestAgainstQdrant puts the same random points into this server and a real Qdrant and asks both
// the same random questions.
func TestAgainstQdrant(t *testing.T) {
	addr := os.Getenv("QDRANT_ADDR")
	if addr == "" {
		t.Skip("set QDRANT_ADDR to the gRPC address of a Qdrant 1.17 (for example localhost:6334) to compare with it")
	}
	host, port, err := net.SplitHostPort(addr)
	must(t, err)
	number, err := strconv.Atoi(port)
	must(t, err)
	real, err := qdrant.NewClient(&qdrant.Config{Host: host, Port: number, PoolSize: 1, SkipCompatibilityCheck: true, APIKey: os.Getenv("QDRANT_API_KEY")})
	must(t, err)
	defer real.Close()
	both := [2]*qdrant.Client{client(t, open(t, "")), real}
	name := fmt.Sprintf("differential_%d", time.Now().UnixNano())
	ctx := context.Background()
	for _, c := range both {
		must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: name,
			VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
				"dense": {Size: 3, Distance: qdrant.Distance_Dot}, "short": {Size: 2, Distance: qdrant.Distance_Dot}}),
			SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
				"words": {}, "rare": {Modifier: qdrant.Modifier_Idf.Enum()}})}))
	}
	defer func() {
		if err := real.DeleteCollection(ctx, name); err != nil {
			t.Error(err)
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "points")
		everything := qdrant.NewPointsSelectorFilter(&qdrant.Filter{})
		upsert := &qdrant.UpsertPoints{CollectionName: name, Wait: proto.Bool(true)}
		for id := range n {
			p, vectors := drawPoint(t)
			p.Payload = drawFilterPayload(t)
			p.Payload["z"] = int64(id) // a point without any payload is a special case there
			upsert.Points = append(upsert.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(id)), Vectors: vectors, Payload: qdrant.NewValueMap(p.Payload)})
		}
		for _, c := range both {
			if _, err := c.Delete(ctx, &qdrant.DeletePoints{CollectionName: name, Wait: proto.Bool(true), Points: everything}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Upsert(ctx, upsert); err != nil {
				t.Fatal(err)
			}
		}
		replace := proto.Clone(upsert).(*qdrant.UpsertPoints)
		replace.UpdateFilter = drawFilter(t, 1)
		edit := &qdrant.UpdateBatchPoints{CollectionName: name, Wait: proto.Bool(true), Operations: []*qdrant.PointsUpdateOperation{
			setPayload(drawFilterPayload(t), qdrant.NewPointsSelectorFilter(drawFilter(t, 1))),
			setPayload(map[string]any{"a": nil}, qdrant.NewPointsSelector(qdrant.NewIDNum(0)))}}
		for _, c := range both {
			if _, err := c.UpdateBatch(ctx, edit); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Upsert(ctx, replace); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			filter := drawFilter(t, 2)
			same(t, fmt.Sprint("scroll ", filter), both, func(c *qdrant.Client) (any, error) {
				points, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: name, Filter: filter, WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true)})
				out := make(map[uint64]modelPoint)
				for _, p := range points {
					out[p.GetId().GetNum()] = readModelPoint(p)
				}
				return out, err
			})
			query := drawDifferentialQuery(t)
			query.CollectionName, query.Filter = name, filter
			same(t, fmt.Sprint("query ", query), both, func(c *qdrant.Client) (any, error) {
				hits, err := ask(ctx, c, query)
				var scores []float32 // and no ids, since equal scores come in any order
				for _, h := range hits {
					scores = append(scores, h.GetScore())
				}
				return scores, err
			})
		}
	})
}

// drawDifferentialQuery leaves out the vector with IDF: Qdrant goes on counting points that were
// deleted.
func drawDifferentialQuery(t *rapid.T) *qdrant.QueryPoints {
	return rapid.SampledFrom([]*qdrant.QueryPoints{
		{Query: qdrant.NewQueryDense(drawFloats(t, 3)), Using: proto.String("dense"), Limit: proto.Uint64(3)},
		{Query: qdrant.NewQueryDense(drawFloats(t, 2)), Using: proto.String("short"), Params: &qdrant.SearchParams{Exact: proto.Bool(true)}},
		{Query: sparseQuery(map[uint32]float64{2: 1, 3: 0.5, 7: 2}), Using: proto.String("words"), Limit: proto.Uint64(4)},
	}).Draw(t, "query")
}

func same(t *rapid.T, what string, both [2]*qdrant.Client, ask func(*qdrant.Client) (any, error)) {
	ours, err := ask(both[0])
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ask(both[1])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(theirs, ours, cmpopts.EquateApprox(0, 2e-5), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-theirs +ours): %s", what, diff)
	}
}
