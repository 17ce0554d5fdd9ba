package qdrantlite

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

const (
	benchRows = 100_000
	benchSize = 384
)

// benchStore is one collection of 100,000 x 384 on a file, reached through an in-process client as
// the program does.
func benchStore(b *testing.B) (*qdrant.Client, [][]float32) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	vectors := units(clusters(rng, benchRows, benchSize))
	s := open(b, filepath.Join(b.TempDir(), "store"))
	s.backend.(*boltBackend).db.NoSync = true
	fill(b, s, vectors)
	s.backend.(*boltBackend).db.NoSync = false
	queries := make([][]float32, 100)
	for i := range queries {
		queries[i] = slices.Clone(vectors[rng.IntN(benchRows)])
		for j := range queries[i] {
			queries[i][j] += 0.005 * float32(rng.NormFloat64())
		}
	}
	return client(b, s), queries
}

func BenchmarkQuery(b *testing.B) {
	c, queries := benchStore(b)
	ctx := context.Background()
	part := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("part", 3)}}
	run := func(name string, filter *qdrant.Filter) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				query := queryD(queries[i%len(queries)]...)
				query.Filter = filter
				_, err := ask(ctx, c, query)
				must(b, err)
			}
		})
	}
	run("top10", nil)
	run("top10/filter=10%", part)
	b.Run("batch100", func(b *testing.B) {
		batch := &qdrant.QueryBatchPoints{CollectionName: "c"}
		for _, q := range queries {
			batch.QueryPoints = append(batch.QueryPoints, queryD(q...))
		}
		for b.Loop() {
			_, err := c.QueryBatch(ctx, batch)
			must(b, err)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(queries)), "µs/query")
	})
	b.Run("count/filter=10%", func(b *testing.B) {
		for b.Loop() {
			_, err := c.Count(ctx, &qdrant.CountPoints{CollectionName: "c", Filter: part})
			must(b, err)
		}
	})
}

func BenchmarkUpsert1000(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	vectors := clusters(rng, 1000, benchSize)
	s := open(b, filepath.Join(b.TempDir(), "store"))
	fill(b, s, vectors[:1])
	c := client(b, s)
	id := uint64(10)
	for b.Loop() {
		req := &qdrant.UpsertPoints{CollectionName: "c"}
		for _, v := range vectors {
			id++
			req.Points = append(req.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: vectorD(v...),
				Payload: map[string]*qdrant.Value{"part": qdrant.NewValueInt(int64(id % 10)), "text": qdrant.NewValueString("a line of text to store with it")}})
		}
		_, err := c.Upsert(context.Background(), req)
		must(b, err)
	}
}

func BenchmarkReopen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store")
	s, err := Open(Options{Path: path})
	must(b, err)
	s.backend.(*boltBackend).db.NoSync = true
	fill(b, s, clusters(rand.New(rand.NewPCG(1, 2)), benchRows, benchSize))
	must(b, s.Close())
	for b.Loop() {
		s, err := Open(Options{Path: path})
		must(b, err)
		must(b, s.Close())
	}
}
