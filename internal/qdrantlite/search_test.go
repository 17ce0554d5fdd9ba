package qdrantlite

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"throughline/cluster/vector"
)

// clusters makes unit-length-ish vectors around a few centres, with many exact duplicates, as
// articles and their copies are.
func clusters(rng *rand.Rand, n, size int) [][]float32 {
	centres := make([][]float32, 1+n/50)
	for i := range centres {
		centres[i] = make([]float32, size)
		for j := range centres[i] {
			centres[i][j] = float32(rng.NormFloat64())
		}
	}
	out := make([][]float32, n)
	for i := range out {
		if i > 0 && rng.IntN(20) == 0 {
			out[i] = out[rng.IntN(i)]
			continue
		}
		out[i] = slices.Clone(centres[rng.IntN(len(centres))])
		for j := range out[i] {
			out[i][j] += 0.3 * float32(rng.NormFloat64())
		}
	}
	return out
}

// units scales vectors to unit length, as those of embedding models are.
func units(vectors [][]float32) [][]float32 {
	out := make([][]float32, len(vectors))
	for i, v := range vectors {
		out[i] = slices.Clone(v)
		vector.Normalize(out[i])
	}
	return out
}

// fill creates a collection "c" with the vectors and an indexed field "part" of ten values.
func fill(t testing.TB, s *Server, vectors [][]float32) *pointsService {
	t.Helper()
	ctx := context.Background()
	_, err := (&collectionsService{s: s}).Create(ctx, &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(len(vectors[0]))})
	must(t, err)
	points := &pointsService{s: s}
	_, err = points.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "part", FieldType: qdrant.FieldType_FieldTypeInteger.Enum()})
	must(t, err)
	for from := 0; from < len(vectors); from += 2000 {
		req := &qdrant.UpsertPoints{CollectionName: "c"}
		for i := from; i < min(from+2000, len(vectors)); i++ {
			req.Points = append(req.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(i)), Vectors: vectorD(vectors[i]...),
				Payload: map[string]*qdrant.Value{"part": qdrant.NewValueInt(int64(i % 10))}})
		}
		_, err := points.Upsert(ctx, req)
		must(t, err)
	}
	return points
}

// TestRecall compares searches with float32 loops over all vectors: the same points, in the same
// order, one by one or in a batch, with and without filters, however many goroutines scan.
func TestRecall(t *testing.T) {
	const n, size, limit = 12_000, 48, 10
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(1, 2))
	raw := clusters(rng, n, size)
	for name, vectors := range map[string][][]float32{"raw": raw, "unit": units(raw)} {
		t.Run(name, func(t *testing.T) {
			points := fill(t, open(t, ""), vectors)
			batch := &qdrant.QueryBatchPoints{CollectionName: "c"}
			var want [][]uint64
			for i := range 70 {
				q := slices.Clone(vectors[rng.IntN(n)])
				noise := 0.1 * float32(math.Sqrt(float64(vector.Dot(q, q))/size))
				for j := range q {
					q[j] += noise * float32(rng.NormFloat64())
				}
				query := queryD(q...)
				query.Limit = proto.Uint64(limit)
				keep := func(int) bool { return true }
				switch i % 4 {
				case 1: // a tenth
					query.Filter = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("part", 3)}}
					keep = func(i int) bool { return i%10 == 3 }
				case 2: // most
					query.Filter = &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchInt("part", 3)}}
					keep = func(i int) bool { return i%10 != 3 }
				case 3: // few
					query.Filter = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("part", 3), qdrant.NewHasID(qdrant.NewIDNum(3), qdrant.NewIDNum(13), qdrant.NewIDNum(14))}}
					keep = func(i int) bool { return i == 3 || i == 13 }
				}
				batch.QueryPoints = append(batch.QueryPoints, query)
				want = append(want, nearest(q, vectors, limit, keep))
			}
			reply, err := points.QueryBatch(ctx, batch)
			must(t, err)
			for i, result := range reply.GetResult() {
				if got := numbersOf(result.GetResult()); !slices.Equal(got, want[i]) {
					t.Errorf("query %d of the batch: got %v, want %v", i, got, want[i])
				}
				alone, err := ask(ctx, servedBatch{points}, batch.QueryPoints[i])
				must(t, err)
				if got := numbersOf(alone); !slices.Equal(got, want[i]) {
					t.Errorf("query %d alone: got %v, want %v", i, got, want[i])
				}
			}
			exact := proto.Clone(batch.QueryPoints[0]).(*qdrant.QueryPoints)
			exact.Params = &qdrant.SearchParams{Exact: proto.Bool(true)}
			all, err := ask(ctx, servedBatch{points}, exact)
			must(t, err)
			if got := numbersOf(all); !slices.Equal(got, want[0]) {
				t.Errorf("exact: got %v, want %v", got, want[0])
			}
		})
	}
}

// TestRecallOfNearDuplicates makes vectors that differ by less than eight bits can tell, so that
// nearly any candidate may belong among the results: the search must notice and look further.
func TestRecallOfNearDuplicates(t *testing.T) {
	const n, size = 4000, 32
	rng := rand.New(rand.NewPCG(3, 3))
	base := clusters(rng, 1, size)[0]
	raw := make([][]float32, n)
	for i := range raw {
		raw[i] = slices.Clone(base)
		for j := range base {
			raw[i][j] += 0.001 * float32(rng.NormFloat64())
		}
	}
	for name, vectors := range map[string][][]float32{"raw": raw, "unit": units(raw)} {
		points := fill(t, open(t, ""), vectors)
		for i := range 5 {
			hits, err := ask(t.Context(), servedBatch{points}, queryD(vectors[i]...))
			must(t, err)
			want := nearest(vectors[i], vectors, 10, func(int) bool { return true })
			if got := numbersOf(hits); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
	}
}

// nearest is the oracle: all dot products in float32, sorted, equal ones by id.
func nearest(q []float32, vectors [][]float32, limit int, keep func(int) bool) []uint64 {
	type scored struct {
		id    uint64
		score float32
	}
	var all []scored
	for i, v := range vectors {
		if keep(i) {
			all = append(all, scored{uint64(i), vector.Dot(q, v)})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	var ids []uint64
	for _, one := range all[:min(limit, len(all))] {
		ids = append(ids, one.id)
	}
	return ids
}

func numbersOf(hits []*qdrant.ScoredPoint) []uint64 {
	var ids []uint64
	for _, h := range hits {
		ids = append(ids, h.GetId().GetNum())
	}
	return ids
}

// TestTopK compares the heap with sorting.
func TestTopK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float32Range(0, 3), 0, 60).Draw(t, "scores")
		for i := range scores {
			scores[i] = float32(int(scores[i])) // many equal ones
		}
		k := rapid.IntRange(0, 70).Draw(t, "k")
		ids := make([]pointID, len(scores))
		for i := range ids {
			ids[i] = numberID(uint64(len(ids) - i))
		}
		best := topK{ids: ids, k: k}
		all := make([]hit, len(scores))
		for i, score := range scores {
			all[i] = hit{uint32(i), score}
			best.push(all[i])
		}
		slices.SortFunc(all, func(a, b hit) int {
			return cmp.Or(cmp.Compare(b.score, a.score), ids[a.row].compare(ids[b.row]))
		})
		if got := best.sorted(); !slices.Equal(got, all[:min(k, len(all))]) {
			t.Fatalf("got %v, want %v", got, all)
		}
	})
}

// TestIDOrder compares the blocks with a sorted list.
func TestIDOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ids []pointID
		var order idOrder
		want := make(map[pointID]uint32)
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			start := rapid.Uint64Range(0, 3000).Draw(t, "start")
			n := rapid.Uint64Range(1, 1500).Draw(t, "n")
			step := rapid.SampledFrom([]uint64{1, 7, 997}).Draw(t, "step")
			remove := rapid.IntRange(0, 2).Draw(t, "remove") == 0
			for i := range n {
				id := numberID((start + i*step) % 3000)
				if remove {
					order.remove(ids, id)
					delete(want, id)
					continue
				}
				row := uint32(len(ids))
				ids = append(ids, id)
				order.put(ids, row)
				want[id] = row
			}
		}
		from := numberID(rapid.Uint64Range(0, 3000).Draw(t, "from"))
		var expect []pointID
		for id := range want {
			if id.compare(from) >= 0 {
				expect = append(expect, id)
			}
		}
		slices.SortFunc(expect, pointID.compare)
		var got []pointID
		order.from(ids, from, func(row uint32) bool {
			if want[ids[row]] != row {
				t.Fatalf("point %v is in row %d, not %d", ids[row], row, want[ids[row]])
			}
			got = append(got, ids[row])
			return true
		})
		if !slices.Equal(got, expect) {
			t.Fatalf("got %d ids, want %d", len(got), len(expect))
		}
		for _, block := range order.blocks {
			if len(block) == 0 || len(block) > orderBlock {
				t.Fatalf("a block of %d", len(block))
			}
		}
		if row, ok := order.find(ids, from); ok != (len(expect) > 0 && expect[0] == from) || ok && want[from] != row {
			t.Fatalf("find %v: %d, %v", from, row, ok)
		}
	})
}

// TestSparsePostings adds and drops rows at random; sums, frequencies and the reuse of rows must
// agree with a map.
func TestSparsePostings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &sparseRows{lists: make(map[uint32]*postings)}
		live := make(map[uint32]*vector.Sparse)
		waiting := make(map[uint32]int)
		free := []uint32{}
		next := uint32(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(live) > 0 && rapid.Bool().Draw(t, "drop") {
				row := rapid.SampledFrom(sortedKeys(live)).Draw(t, "row")
				v := live[row]
				delete(live, row)
				waiting[row] = len(v.Terms)
				s.drop(row, v, func(r uint32) {
					if waiting[r]--; waiting[r] == 0 {
						free = append(free, r)
					}
				})
				continue
			}
			row := next
			if len(free) > 0 {
				row, free = free[len(free)-1], free[:len(free)-1]
			} else {
				next++
			}
			terms := rapid.SliceOfNDistinct(rapid.Uint32Range(0, 6), 1, 4, rapid.ID).Draw(t, "terms")
			slices.Sort(terms)
			live[row] = &vector.Sparse{Terms: terms, Weights: make([]float32, len(terms))}
			s.put(row, live[row])
		}
		if s.count != len(live) {
			t.Fatalf("%d rows, want %d", s.count, len(live))
		}
		for term := range uint32(7) {
			want := 0
			for _, v := range live {
				if slices.Contains(v.Terms, term) {
					want++
				}
			}
			got := 0
			if list := s.lists[term]; list != nil {
				got = len(list.entries) - list.dead
				if list.dead > 0 && list.dead*4 >= len(list.entries) {
					t.Fatalf("term %d: %d of %d are dead and not swept", term, list.dead, len(list.entries))
				}
			}
			if got != want {
				t.Fatalf("term %d: %d rows, want %d", term, got, want)
			}
		}
	})
}

// TestSparseLoader compares the lists that a loader makes with those of one put after the other.
func TestSparseLoader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, many := &sparseRows{lists: make(map[uint32]*postings)}, &sparseRows{lists: make(map[uint32]*postings)}
		loader := sparseLoader{to: many}
		for row := range uint32(rapid.IntRange(0, 30).Draw(t, "rows")) {
			terms := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 9)), 0, 8, rapid.ID).Draw(t, "terms")
			slices.Sort(terms)
			v := &vector.Sparse{Terms: terms, Weights: rapid.SliceOfN(rapid.Float32(), len(terms), len(terms)).Draw(t, "weights")}
			one.put(row, v)
			loader.put(row, v)
			if rapid.IntRange(0, 9).Draw(t, "flush") == 0 {
				loader.flush()
			}
		}
		loader.flush()
		if diff := gocmp.Diff(one, many, gocmp.AllowUnexported(sparseRows{}, postings{}, posting{}, sparseParams{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func sortedKeys[V any](m map[uint32]V) []uint32 {
	var keys []uint32
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestAllOrNothing lets readers look while one writer moves all points of a collection from one
// value to the next, point by point deleted and upserted in one request. No reader may see two
// values at once, in any way of looking.
func TestAllOrNothing(t *testing.T) {
	const n = 200
	ctx := t.Context()
	for _, path := range []string{"", t.TempDir() + "/store"} {
		t.Run(fmt.Sprintf("path %t", path != ""), func(t *testing.T) {
			s := open(t, path)
			_, err := (&collectionsService{s: s}).Create(ctx, &qdrant.CreateCollection{CollectionName: "c",
				VectorsConfig:       qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": {Size: 2, Distance: qdrant.Distance_Dot}}),
				SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})})
			must(t, err)
			points := &pointsService{s: s}
			_, err = points.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "v", FieldType: qdrant.FieldType_FieldTypeInteger.Enum()})
			must(t, err)
			write := func(value int) {
				req := &qdrant.UpsertPoints{CollectionName: "c"}
				for i := range n {
					// The ids move with the value, so some points go and others come.
					req.Points = append(req.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(value*10 + i)),
						Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"d": qdrant.NewVector(float32(value), 1), "s": qdrant.NewVectorSparse([]uint32{1}, []float32{float32(value)})}),
						Payload: map[string]*qdrant.Value{"v": qdrant.NewValueInt(int64(value))}})
				}
				gone := &qdrant.PointsUpdateOperation_DeletePoints{Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchInt("v", int64(value))}})}
				_, err := points.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: []*qdrant.PointsUpdateOperation{
					qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: req.Points}), qdrant.NewPointsUpdateDeletePoints(gone),
				}})
				if err != nil {
					t.Error(err)
				}
			}
			write(1)
			done := make(chan struct{})
			var wg sync.WaitGroup
			reader := func(want int, look func() ([]int64, error)) {
				for {
					select {
					case <-done:
						return
					default:
					}
					values, err := look()
					if err != nil {
						t.Error(err)
						return
					}
					if len(values) != want || slices.Min(values) != slices.Max(values) {
						t.Errorf("saw %d points with the values %d to %d", len(values), slices.Min(values), slices.Max(values))
						return
					}
				}
			}
			wg.Go(func() {
				reader(2*n, func() (values []int64, err error) { // score and payload of each point
					query := queryD(1, 0)
					query.Limit, query.WithPayload = proto.Uint64(2*n), qdrant.NewWithPayload(true)
					hits, err := ask(ctx, servedBatch{points}, query)
					for _, h := range hits {
						values = append(values, h.GetPayload()["v"].GetIntegerValue(), int64(h.GetScore()))
					}
					return values, err
				})
			})
			wg.Go(func() {
				reader(n, func() (values []int64, err error) {
					hits, err := ask(ctx, servedBatch{points}, &qdrant.QueryPoints{Query: qdrant.NewQuerySparse([]uint32{1}, []float32{1}), Using: proto.String("s"), Limit: proto.Uint64(2 * n)})
					for _, h := range hits {
						values = append(values, int64(h.GetScore()))
					}
					return values, err
				})
			})
			wg.Go(func() {
				reader(2*n, func() (values []int64, err error) { // payload and vector of each point
					reply, err := points.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "c", Limit: proto.Uint32(2 * n), WithVectors: qdrant.NewWithVectors(true)})
					for _, p := range reply.GetResult() {
						values = append(values, p.GetPayload()["v"].GetIntegerValue(), int64(p.GetVectors().GetVectors().GetVectors()["d"].GetDense().GetData()[0]))
					}
					return values, err
				})
			})
			for value := 2; value < 20; value++ {
				write(value)
			}
			close(done)
			wg.Wait()
		})
	}
}

// TestSharedPass makes requests wait for a pass, until all of them share the next one: each gets
// what it gets alone.
func TestSharedPass(t *testing.T) {
	const requests = 7
	s := open(t, "")
	rng := rand.New(rand.NewPCG(5, 6))
	vectors := units(clusters(rng, 3000, 24))
	points := fill(t, s, vectors)
	batch := func(i int) *qdrant.QueryBatchPoints {
		b := &qdrant.QueryBatchPoints{CollectionName: "c"}
		for j := range 1 + i%3 {
			q := queryD(vectors[i*50+j]...)
			if j == 1 {
				q.Filter = &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchInt("part", int64(i))}}
			}
			b.QueryPoints = append(b.QueryPoints, q)
		}
		return b
	}
	ask := func(i int) [][]uint64 {
		reply, err := points.QueryBatch(t.Context(), batch(i))
		if err != nil {
			t.Error(err)
		}
		var ids [][]uint64
		for _, r := range reply.GetResult() {
			ids = append(ids, numbersOf(r.GetResult()))
		}
		return ids
	}
	var alone, together [requests][][]uint64
	for i := range alone {
		alone[i] = ask(i)
	}
	c, err := s.find("c")
	must(t, err)
	q := &c.dense[0].queue
	q.mu.Lock()
	q.passes = mostPasses() // as if they were running
	q.mu.Unlock()
	var wait sync.WaitGroup
	for i := range together {
		wait.Go(func() { together[i] = ask(i) })
	}
	for waiting := 0; waiting < requests; {
		time.Sleep(time.Millisecond)
		q.mu.Lock()
		waiting = len(q.waiting)
		q.mu.Unlock()
	}
	q.mu.Lock()
	next := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	next[0].wake <- next
	wait.Wait()
	if diff := gocmp.Diff(alone, together); diff != "" {
		t.Errorf("shared passes find something else (-alone +together):\n%s", diff)
	}
	if q.passes != mostPasses()-1 || len(q.waiting) > 0 {
		t.Errorf("%d passes are running and %d requests wait, want %d and none", q.passes, len(q.waiting), mostPasses()-1)
	}
}
