package qdrantlite

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store that is closed when the test ends.
func open(t testing.TB, path string) *Server {
	t.Helper()
	s, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// client connects to a server in process.
func client(t testing.TB, s *Server) *qdrant.Client {
	t.Helper()
	c, err := qdrant.NewClient(&qdrant.Config{
		Host: Target, GrpcOptions: s.DialOptions(), PoolSize: 1, SkipCompatibilityCheck: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
	})
	return c
}

// oneVector is the configuration of collections with the dense vector "d" alone.
func oneVector(size int) *qdrant.VectorsConfig {
	return qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": {Size: uint64(size), Distance: qdrant.Distance_Dot}})
}

// vectorD makes the vectors of a point in such a collection.
func vectorD(v ...float32) *qdrant.Vectors {
	return qdrant.NewVectorsMap(map[string]*qdrant.Vector{"d": qdrant.NewVectorDense(v)})
}

// queryD makes a query in such a collection.
func queryD(v ...float32) *qdrant.QueryPoints {
	return &qdrant.QueryPoints{Query: qdrant.NewQueryDense(v), Using: proto.String("d")}
}

// batcher is both a client and, through servedBatch, the service itself.
type batcher interface {
	QueryBatch(context.Context, *qdrant.QueryBatchPoints) ([]*qdrant.BatchResult, error)
}

type servedBatch struct{ *pointsService }

func (s servedBatch) QueryBatch(ctx context.Context, req *qdrant.QueryBatchPoints) ([]*qdrant.BatchResult, error) {
	reply, err := s.pointsService.QueryBatch(ctx, req)
	return reply.GetResult(), err
}

// ask sends one query to its collection, or else to "c".
func ask(ctx context.Context, b batcher, q *qdrant.QueryPoints) ([]*qdrant.ScoredPoint, error) {
	name := cmp.Or(q.GetCollectionName(), "c")
	results, err := b.QueryBatch(ctx, &qdrant.QueryBatchPoints{CollectionName: name, QueryPoints: []*qdrant.QueryPoints{q}})
	if err != nil {
		return nil, err
	}
	return results[0].GetResult(), nil
}

func wantCode(t testing.TB, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Fatalf("got %v, want code %v", err, want)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	ctx := t.Context()
	s, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, s)
	must(t, c.CreateCollection(ctx, &qdrant.CreateCollection{
		CollectionName: "articles",
		VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
			"dense": {Size: 4, Distance: qdrant.Distance_Dot},
		}),
		SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"lexical": {}}),
	}))
	must(t, c.CreateAlias(ctx, "current", "articles"))
	_, err = c.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
		CollectionName: "current", FieldName: "source", FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(),
	})
	must(t, err)
	_, err = c.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "current", Points: []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(1), Payload: qdrant.NewValueMap(map[string]any{"source": "a"}), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"dense": qdrant.NewVector(1, 0, 0, 0), "lexical": qdrant.NewVectorSparse([]uint32{7, 3}, []float32{1, 2}),
		})},
		{Id: qdrant.NewID("00000000-0000-0000-0000-000000000002"), Payload: qdrant.NewValueMap(map[string]any{"source": "b"}), Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"dense": qdrant.NewVector(0.9, 0.1, 0, 0),
		})},
	}})
	must(t, err)
	check := func(c *qdrant.Client) {
		t.Helper()
		n, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: "current", Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("source", "b")}}})
		must(t, err)
		if n != 1 {
			t.Fatalf("count with filter: %d", n)
		}
		hits, err := ask(ctx, c, &qdrant.QueryPoints{CollectionName: "current", Query: qdrant.NewQuery(1, 0, 0, 0), Using: qdrant.PtrOf("dense"), WithPayload: qdrant.NewWithPayload(true)})
		must(t, err)
		if len(hits) != 2 || hits[0].GetId().GetNum() != 1 || hits[0].GetScore() != 1 || hits[1].GetPayload()["source"].GetStringValue() != "b" {
			t.Fatalf("dense query: %v", hits)
		}
		hits, err = ask(ctx, c, &qdrant.QueryPoints{CollectionName: "current", Query: qdrant.NewQuerySparse([]uint32{3}, []float32{2}), Using: qdrant.PtrOf("lexical")})
		must(t, err)
		if len(hits) != 1 || hits[0].GetScore() != 4 {
			t.Fatalf("sparse query: %v", hits)
		}
	}
	check(c)
	if _, err := Open(Options{Path: path}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second open: %v", err)
	}
	must(t, s.Close())
	_, err = c.Count(ctx, &qdrant.CountPoints{CollectionName: "current"})
	wantCode(t, err, codes.Unavailable)
	check(client(t, open(t, path)))
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	s, err := Open(Options{Path: whole})
	must(t, err)
	c := client(t, s)
	must(t, c.CreateCollection(t.Context(), &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}))
	must(t, s.Close())
	data, err := os.ReadFile(whole)
	must(t, err)
	for _, test := range []struct {
		name string
		data []byte
		want error
	}{
		{"text", []byte("this is a shopping list, not a store"), ErrForeign},
		{"cut", data[:len(data)/2], ErrCorrupt},
		{"zeros", make([]byte, 64<<10), ErrForeign},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.name)
			must(t, os.WriteFile(path, test.data, 0o600))
			if _, err := Open(Options{Path: path}); !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			after, err := os.ReadFile(path)
			must(t, err)
			if string(after) != string(test.data) {
				t.Error("the refused file was changed")
			}
		})
	}
}

// TestCloseUnderLoad closes the store while clients write: every write that was acknowledged is
// there when it is opened again, and every other was refused as unavailable.
func TestCloseUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, err := Open(Options{Path: path})
	must(t, err)
	c := client(t, s)
	must(t, c.CreateCollection(t.Context(), &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}))
	const writers = 8
	acked := make([]uint64, writers)
	started := make(chan struct{}, writers)
	var wg sync.WaitGroup
	for w := range acked {
		wg.Go(func() {
			for n := uint64(1); ; n++ {
				err := putOne(t, c, uint64(w)*1_000_000+n, float32(n))
				if err != nil {
					if status.Code(err) != codes.Unavailable {
						t.Error(err)
					}
					return
				}
				acked[w] = n
				if n == 3 {
					started <- struct{}{}
				}
			}
		})
	}
	for range writers {
		<-started
	}
	must(t, s.Close())
	must(t, s.Close()) // again is no error
	wg.Wait()
	points := &pointsService{s: open(t, path)}
	for w, n := range acked {
		for id := uint64(1); id <= n; id++ {
			reply, err := points.Get(t.Context(), &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(uint64(w)*1_000_000 + id)}})
			must(t, err)
			if len(reply.GetResult()) != 1 {
				t.Fatalf("write %d of writer %d was acknowledged and is gone", id, w)
			}
		}
	}
}

// TestContext: a call whose time is up answers so, and a write that had not begun is not done.
func TestContext(t *testing.T) {
	s := open(t, "")
	points := fill(t, s, [][]float32{{1, 2}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := points.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(9), Vectors: vectorD(1, 1)}}})
	wantCode(t, err, codes.Canceled)
	part := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange("part", &qdrant.Range{Gte: proto.Float64(0)})}}
	_, err = points.Count(ctx, &qdrant.CountPoints{CollectionName: "c", Filter: part})
	wantCode(t, err, codes.Canceled)
	query := queryD(1, 2)
	query.Filter = part
	_, err = ask(ctx, servedBatch{points}, query)
	wantCode(t, err, codes.Canceled)
	reply, err := points.Count(t.Context(), &qdrant.CountPoints{CollectionName: "c"})
	if err != nil || reply.GetResult().GetCount() != 1 {
		t.Errorf("%v, %v", reply, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
