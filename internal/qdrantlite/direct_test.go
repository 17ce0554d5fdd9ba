package qdrantlite

import (
	"context"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// TestMessagesAreTheCallers changes all messages after each call: requests and replies belong to
// the caller, as those of a server behind a connection do.
func TestMessagesAreTheCallers(t *testing.T) {
	s := open(t, "")
	c, ctx := client(t, s), t.Context()
	create := &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}
	must(t, c.CreateCollection(ctx, create))
	create.GetVectorsConfig().GetParamsMap().GetMap()["d"].Size = 9

	vector := []float32{1, 0}
	upsert := &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(1), Payload: qdrant.NewValueMap(map[string]any{"title": "as given"}), Vectors: vectorD(vector...)}}}
	_, err := c.Upsert(ctx, upsert)
	must(t, err)
	upsert.Points[0].Payload["title"] = qdrant.NewValueString("changed")
	vector[0] = 7

	get := &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(1)},
		WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true)}
	query := queryD(1, 0)
	query.WithPayload, query.WithVectors = get.WithPayload, get.WithVectors
	info, err := c.GetCollectionInfo(ctx, "c")
	must(t, err)
	info.GetConfig().GetParams().GetVectorsConfig().GetParamsMap().GetMap()["d"].Size = 9
	for range 2 {
		asked, askedQuery := proto.CloneOf(get), proto.CloneOf(query)
		found, err := c.Get(ctx, get)
		must(t, err)
		hits, err := ask(ctx, c, query)
		must(t, err)
		if !proto.Equal(get, asked) || !proto.Equal(query, askedQuery) {
			t.Fatal("a call changed its request")
		}
		for _, p := range []struct {
			payload payload
			vectors *qdrant.VectorsOutput
		}{{found[0].GetPayload(), found[0].GetVectors()}, {hits[0].GetPayload(), hits[0].GetVectors()}} {
			data := p.vectors.GetVectors().GetVectors()["d"].GetDenseVector().GetData()
			if p.payload["title"].GetStringValue() != "as given" || len(data) != 2 || data[0] != 1 {
				t.Fatalf("got %v and %v, want what was stored", p.payload, data)
			}
			p.payload["title"].Kind = nil
			data[0] = 5
		}
		if hits[0].GetScore() != 1 {
			t.Fatalf("score %v, want 1", hits[0].GetScore())
		}
	}
	info, err = c.GetCollectionInfo(ctx, "c")
	must(t, err)
	if size := info.GetConfig().GetParams().GetVectorsConfig().GetParamsMap().GetMap()["d"].GetSize(); size != 2 {
		t.Errorf("vectors of %d dimensions, want 2", size)
	}
}

func TestCallsOfAnEndedContextOrServer(t *testing.T) {
	s, err := Open(Options{})
	must(t, err)
	c := client(t, s)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = c.ListCollections(ended)
	wantCode(t, err, codes.Canceled)
	must(t, s.Close())
	_, err = c.ListCollections(t.Context())
	wantCode(t, err, codes.Unavailable)
}
