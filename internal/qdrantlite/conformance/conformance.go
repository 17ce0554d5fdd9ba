// Package conformance states what the rest of this project relies on of a server of Qdrant's gRPC
// API, as tests that any such server must pass. It runs against the embedded server always, and
// against a real Qdrant where there is one, so that either can take the other's place.
//
// It covers the methods and options that the embedded server serves, as Qdrant documents them and
// as version 1.17.1 behaves. It leaves open what Qdrant leaves open: the order of equal scores and
// the wording of errors. What the embedded server refuses and Qdrant accepts (vectors that are not
// finite, for one) is tested beside that server and not here.
package conformance

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Run runs the whole suite. connect gives a client of the server under test, which may hold other
// collections; the suite makes its own, under names of its own, and deletes them.
func Run(t *testing.T, connect func(t *testing.T) *qdrant.Client) {
	s := suite{connect}
	t.Run("Health", s.health)
	t.Run("Collections", s.collections)
	t.Run("Aliases", s.aliases)
	t.Run("Upsert", s.upsert)
	t.Run("ConditionalUpsert", s.conditionalUpsert)
	t.Run("Refusals", s.refusals)
	t.Run("Payload", s.payload)
	t.Run("Delete", s.deletePoints)
	t.Run("UpdateBatch", s.updateBatch)
	t.Run("Selectors", s.selectors)
	t.Run("Scroll", s.scroll)
	t.Run("Filters", s.filters)
	t.Run("Dense", s.dense)
	t.Run("Sparse", s.sparse)
	t.Run("Query", s.query)
	t.Run("QueryBatch", s.queryBatch)
}

type suite struct {
	connect func(t *testing.T) *qdrant.Client
}

var collectionNumber atomic.Int64

// newName makes a name that no other run uses.
func newName(t *testing.T) string {
	name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	return fmt.Sprintf("conformance_%s_%d_%d", name, time.Now().UnixNano(), collectionNumber.Add(1))
}

// create makes a collection that is deleted when the test ends.
func create(t *testing.T, c *qdrant.Client, req *qdrant.CreateCollection) string {
	t.Helper()
	req.CollectionName = newName(t)
	must(t, c.CreateCollection(t.Context(), req))
	t.Cleanup(func() {
		if err := c.DeleteCollection(cleanupContext(), req.GetCollectionName()); err != nil && status.Code(err) != codes.OK {
			// The test may have deleted it itself, which the client reports as an error without a
			// code.
			t.Logf("delete %s: %v", req.GetCollectionName(), err)
		}
	})
	return req.GetCollectionName()
}

// plain makes a collection with the dense vector "d" of two dimensions.
func plain(t *testing.T, c *qdrant.Client) string {
	t.Helper()
	return create(t, c, &qdrant.CreateCollection{VectorsConfig: vectorD()})
}

func vectorD() *qdrant.VectorsConfig {
	return qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": {Size: 2, Distance: qdrant.Distance_Dot}})
}

// d makes the vectors of a point in such a collection, and queryD a query.
func d(v ...float32) *qdrant.Vectors {
	return qdrant.NewVectorsMap(map[string]*qdrant.Vector{"d": qdrant.NewVectorDense(v)})
}

func queryD(v ...float32) *qdrant.QueryPoints {
	return &qdrant.QueryPoints{Query: qdrant.NewQueryDense(v), Using: qdrant.PtrOf("d")}
}

// mixed makes a collection with the dense vectors "title" (2 dimensions) and "body" (3), and the
// sparse vectors "words" and "rare", the latter with IDF.
func mixed(t *testing.T, c *qdrant.Client) string {
	t.Helper()
	return create(t, c, &qdrant.CreateCollection{
		VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
			"title": {Size: 2, Distance: qdrant.Distance_Dot},
			"body":  {Size: 3, Distance: qdrant.Distance_Dot},
		}),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
			"words": {}, "rare": {Modifier: qdrant.Modifier_Idf.Enum()},
		}),
	})
}

// try sends one query; find fails the test when it is refused.
func try(t *testing.T, c *qdrant.Client, collection string, q *qdrant.QueryPoints) ([]*qdrant.ScoredPoint, error) {
	t.Helper()
	q.CollectionName = collection
	results, err := c.QueryBatch(t.Context(), &qdrant.QueryBatchPoints{CollectionName: collection, QueryPoints: []*qdrant.QueryPoints{q}})
	if err != nil {
		return nil, err
	}
	return results[0].GetResult(), nil
}

func find(t *testing.T, c *qdrant.Client, collection string, q *qdrant.QueryPoints) []*qdrant.ScoredPoint {
	t.Helper()
	hits, err := try(t, c, collection, q)
	must(t, err)
	return hits
}

// update sends changes in one batch.
func update(t *testing.T, c *qdrant.Client, collection string, steps ...*qdrant.PointsUpdateOperation) ([]*qdrant.UpdateResult, error) {
	t.Helper()
	return c.UpdateBatch(t.Context(), &qdrant.UpdateBatchPoints{CollectionName: collection, Wait: yes, Operations: steps})
}

func setPayload(fields map[string]any, which *qdrant.PointsSelector) *qdrant.PointsUpdateOperation {
	return qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{Payload: qdrant.NewValueMap(fields), PointsSelector: which})
}

func num(n uint64) *qdrant.PointId { return qdrant.NewIDNum(n) }

// point makes a point; without vectors it has none, which Qdrant wants said.
func point(id uint64, vectors *qdrant.Vectors, fields map[string]any) *qdrant.PointStruct {
	if vectors == nil {
		vectors = qdrant.NewVectorsMap(nil)
	}
	return &qdrant.PointStruct{Id: num(id), Vectors: vectors, Payload: qdrant.NewValueMap(fields)}
}

func upsert(t *testing.T, c *qdrant.Client, collection string, points ...*qdrant.PointStruct) {
	t.Helper()
	_, err := c.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: collection, Wait: yes, Points: points})
	must(t, err)
}

var yes = qdrant.PtrOf(true)

// index makes payload indexes of one type.
func index(t *testing.T, c *qdrant.Client, collection string, kind qdrant.FieldType, fields ...string) {
	t.Helper()
	for _, field := range fields {
		result, err := c.CreateFieldIndex(t.Context(), &qdrant.CreateFieldIndexCollection{
			CollectionName: collection, FieldName: field, FieldType: kind.Enum(), Wait: yes,
		})
		must(t, err)
		completed(t, result)
	}
}

func completed(t *testing.T, result *qdrant.UpdateResult) {
	t.Helper()
	if result.GetStatus() != qdrant.UpdateStatus_Completed {
		t.Fatalf("status %v, want Completed", result.GetStatus())
	}
}

// get returns one point with everything, or nil.
func get(t *testing.T, c *qdrant.Client, collection string, id *qdrant.PointId) *qdrant.RetrievedPoint {
	t.Helper()
	points, err := c.Get(t.Context(), &qdrant.GetPoints{
		CollectionName: collection, Ids: []*qdrant.PointId{id}, WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true),
	})
	must(t, err)
	if len(points) == 0 {
		return nil
	}
	return points[0]
}

// fields returns a point's payload as Go values.
func fields(t *testing.T, c *qdrant.Client, collection string, id uint64) map[string]any {
	t.Helper()
	p := get(t, c, collection, num(id))
	if p == nil {
		t.Fatalf("point %d is not there", id)
	}
	return goMap(p.GetPayload())
}

func goMap(p map[string]*qdrant.Value) map[string]any {
	out := make(map[string]any, len(p))
	for key, v := range p {
		out[key] = goValue(v)
	}
	return out
}

func goValue(v *qdrant.Value) any {
	switch kind := v.GetKind().(type) {
	case *qdrant.Value_BoolValue:
		return kind.BoolValue
	case *qdrant.Value_IntegerValue:
		return kind.IntegerValue
	case *qdrant.Value_DoubleValue:
		return kind.DoubleValue
	case *qdrant.Value_StringValue:
		return kind.StringValue
	case *qdrant.Value_ListValue:
		list := make([]any, 0, len(kind.ListValue.GetValues()))
		for _, one := range kind.ListValue.GetValues() {
			list = append(list, goValue(one))
		}
		return list
	case *qdrant.Value_StructValue:
		return goMap(kind.StructValue.GetFields())
	}
	return nil
}

// numbers lists the ids of hits.
func numbers(hits []*qdrant.ScoredPoint) []uint64 {
	ids := make([]uint64, 0, len(hits))
	for _, h := range hits {
		ids = append(ids, h.GetId().GetNum())
	}
	return ids
}

func wantIDs(t *testing.T, got []uint64, want ...uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got points %v, want %v", got, want)
	}
}

func wantScores(t *testing.T, hits []*qdrant.ScoredPoint, want ...float64) {
	t.Helper()
	if len(hits) != len(want) {
		t.Fatalf("got %d hits, want %d", len(hits), len(want))
	}
	for i, h := range hits {
		if math.Abs(float64(h.GetScore())-want[i]) > 1e-5 {
			t.Fatalf("hit %d has the score %v, want %v", i, h.GetScore(), want[i])
		}
	}
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Fatalf("got %v, want the code %v", err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
