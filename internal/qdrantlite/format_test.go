package qdrantlite

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// TestOpensFormat1 opens a file that an earlier version wrote, and reads all of it. The file has
// two collections: "articles_1", behind the alias "articles", and "meta", which has no vectors.
// Points 0 to 9 of the first were upserted together, the even ones then got a story, and point 9
// was deleted, so the file also has records that no point names any more.
func TestOpensFormat1(t *testing.T) {
	packed, err := os.Open("testdata/format1.store.gz")
	must(t, err)
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	must(t, err)
	data, err := io.ReadAll(unpacked)
	must(t, err)
	path := filepath.Join(t.TempDir(), "store")
	must(t, os.WriteFile(path, data, 0o600))
	ctx := t.Context()
	c := client(t, open(t, path))

	info, err := c.GetCollectionInfo(ctx, "articles")
	must(t, err)
	if info.GetPointsCount() != 10 || info.GetPayloadSchema()["source"].GetPoints() != 10 || info.GetPayloadSchema()["published"].GetPoints() != 9 {
		t.Errorf("articles: %v", info)
	}
	points, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "articles", Limit: proto.Uint32(20), WithVectors: qdrant.NewWithVectors(true)})
	must(t, err)
	if len(points) != 10 {
		t.Fatalf("%d points", len(points))
	}
	for i, p := range points[:9] {
		payload := map[string]any{"source": []string{"a", "b"}[i%2], "published": int64(i), "score": 0.5, "tags": []any{"x", int64(i)}}
		if i%2 == 0 {
			payload["story"] = "s1"
		}
		got := make(map[string]any)
		for key, v := range p.GetPayload() {
			got[key] = goValue(v)
		}
		if diff := cmp.Diff(payload, got); diff != "" || p.GetId().GetNum() != uint64(i) {
			t.Errorf("point %v: %s", p.GetId(), diff)
		}
		named := p.GetVectors().GetVectors().GetVectors()
		if diff := cmp.Diff([]float32{float32(i), 1, 0, 0}, named["dense"].GetDense().GetData()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]uint32{1, uint32(10 + i)}, named["lexical"].GetSparse().GetIndices()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]float32{0.5}, named["names"].GetSparse().GetValues()); diff != "" {
			t.Error(diff)
		}
	}
	if last := points[9]; last.GetId().GetUuid() != "00000000-0000-0000-0000-00000000002a" || len(last.GetVectors().GetVectors().GetVectors()) != 0 {
		t.Errorf("the last point: %v", last)
	}
	hits, err := ask(ctx, c, &qdrant.QueryPoints{CollectionName: "articles", Query: qdrant.NewQuery(1, 0, 0, 0), Using: proto.String("dense"),
		Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("source", "a")}}, Limit: proto.Uint64(1)})
	must(t, err)
	if len(hits) != 1 || hits[0].GetId().GetNum() != 8 || hits[0].GetScore() != 8 {
		t.Errorf("query: %v", hits)
	}
	meta, err := c.Get(ctx, &qdrant.GetPoints{CollectionName: "meta", Ids: []*qdrant.PointId{qdrant.NewIDNum(2)}})
	must(t, err)
	if len(meta) != 1 || meta[0].GetPayload()["owner"].GetStringValue() != "tester" {
		t.Errorf("meta: %v", meta)
	}
}

// TestOpenRefusesUnsupported: a store with a collection or an index of a kind that is not served is
// refused, and the error names what it is.
func TestOpenRefusesUnsupported(t *testing.T) {
	collection, err := proto.Marshal(&qdrant.CreateCollection{CollectionName: "c",
		VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": {Size: 2, Distance: qdrant.Distance_Euclid}})})
	must(t, err)
	index, err := proto.Marshal(&qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "at", FieldType: qdrant.FieldType_FieldTypeDatetime.Enum()})
	must(t, err)
	for name, m := range map[string]mutation{
		`collection "c": the embedded store does not support the distance Euclid`:                       {table{kind: tableCollections}, []byte("c"), collectionRecord(1, collection)},
		`index "at": the embedded store does not support payload indexes of the type FieldTypeDatetime`: {table{kind: tableIndexes}, indexKey(1, "at"), seal(index)},
	} {
		path := filepath.Join(t.TempDir(), "store")
		b, err := openBolt(path)
		must(t, err)
		_, err = b.commit([]mutation{m})
		must(t, err)
		must(t, b.close())
		if _, err := Open(Options{Path: path}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}
