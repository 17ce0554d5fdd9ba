package qdrantlite

import (
	"fmt"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// TestIndexesAnswerLikePayloads reads values of all kinds before and after their fields are
// indexed, and after they have changed.
func TestIndexesAnswerLikePayloads(t *testing.T) {
	for _, kind := range []qdrant.FieldType{qdrant.FieldType_FieldTypeKeyword, qdrant.FieldType_FieldTypeInteger} {
		t.Run(kind.String(), func(t *testing.T) {
			c, ctx := client(t, open(t, "")), t.Context()
			must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(1)}))
			list := func(values ...*qdrant.Value) *qdrant.Value {
				return &qdrant.Value{Kind: &qdrant.Value_ListValue{ListValue: &qdrant.ListValue{Values: values}}}
			}
			text, whole := qdrant.NewValueString("a"), qdrant.NewValueInt(7)
			values := []*qdrant.Value{
				nil, text, qdrant.NewValueString(""), whole, qdrant.NewValueInt(0), qdrant.NewValueDouble(7), qdrant.NewValueBool(true),
				qdrant.NewValueNull(), list(), list(text), list(text, text), list(whole), list(text, whole), list(qdrant.NewValueNull()),
				qdrant.NewValueStruct(&qdrant.Struct{Fields: map[string]*qdrant.Value{"f": text}}),
			}
			put := func(from int) {
				var points []*qdrant.PointStruct
				for i := range values {
					p := map[string]*qdrant.Value{"other": qdrant.NewValueInt(int64(i))}
					if v := values[(from+i)%len(values)]; v != nil {
						p["f"] = v
					}
					points = append(points, &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(i)), Payload: p, Vectors: vectorD(1)})
				}
				_, err := c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: points})
				must(t, err)
			}
			read := func() []*qdrant.RetrievedPoint {
				points, err := c.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "c", Limit: proto.Uint32(100), WithPayload: qdrant.NewWithPayloadInclude("f", "g")})
				must(t, err)
				return points
			}
			same := func(what string, got, want []*qdrant.RetrievedPoint) {
				t.Helper()
				if len(got) != len(want) {
					t.Fatalf("%s: %d points, want %d", what, len(got), len(want))
				}
				for i := range want {
					if !proto.Equal(got[i], want[i]) {
						t.Errorf("%s: got %v, want %v", what, got[i], want[i])
					}
				}
			}
			put(0)
			first := read()
			put(3)
			second := read()
			for _, field := range []string{"f", "g"} {
				_, err := c.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: field, FieldType: kind.Enum()})
				must(t, err)
				same(fmt.Sprint("with an index of ", field), read(), second)
			}
			put(0)
			same("changed", read(), first)
		})
	}
}
