package qdrantlite

import (
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// modelPoint is a point as a map would keep it. Vectors that are missing are nil.
type modelPoint struct {
	Dense, Short []float32
	Words, Rare  map[uint32]float32
	Payload      map[string]any
}

// model is the store that the real one is compared with: a map, and loops over it.
type model struct {
	server *Server
	points *pointsService
	path   string
	want   map[uint64]modelPoint
}

const modelCollection = "model"

func (m *model) open(t *rapid.T) {
	s, err := Open(Options{Path: m.path})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s.backend.(*boltBackend).db.NoSync = true // a process that ends normally loses nothing by it
	m.server, m.points = s, &pointsService{s: s}
}

func (m *model) close(t *rapid.T) {
	if err := m.server.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// TestModel applies random operations, closing and reopening the file among them, and compares
// everything after each.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &model{path: filepath.Join(dir, fmt.Sprint(n)), want: make(map[uint64]modelPoint)}
		m.open(t)
		defer func() { m.close(t) }()
		_, err := (&collectionsService{s: m.server}).Create(context.Background(), &qdrant.CreateCollection{
			CollectionName: modelCollection,
			VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
				"dense": {Size: 3, Distance: qdrant.Distance_Dot}, "short": {Size: 2, Distance: qdrant.Distance_Dot},
			}),
			SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{
				"words": {}, "rare": {Modifier: qdrant.Modifier_Idf.Enum()},
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"":               m.check,
			"upsert":         m.upsert,
			"upsertIf":       m.upsertIf,
			"upsertRefused":  m.upsertRefused,
			"delete":         m.delete,
			"deleteByFilter": m.deleteByFilter,
			"setPayload":     m.setPayload,
			"batch":          m.batch,
			"index":          m.index,
			"reopen":         func(t *rapid.T) { m.close(t); m.open(t) },
		})
	})
}

func drawID(t *rapid.T) uint64 { return rapid.Uint64Range(0, 15).Draw(t, "id") }

// drawFloats draws eighths, so that sums of their products are exact.
func drawFloats(t *rapid.T, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rapid.IntRange(-32, 32).Draw(t, "eighths")) / 8
	}
	return v
}

func drawSparse(t *rapid.T) map[uint32]float32 {
	return rapid.MapOfN(rapid.Uint32Range(0, 12), rapid.Float32Range(0.5, 3), 0, 6).Draw(t, "sparse")
}

func drawPayload(t *rapid.T) map[string]any {
	p := make(map[string]any)
	if rapid.Bool().Draw(t, "has k") {
		p["k"] = rapid.SampledFrom([]any{"a", "b", []any{"a", "c"}, "", nil, int64(3)}).Draw(t, "k")
	}
	if rapid.Bool().Draw(t, "has n") {
		p["n"] = rapid.SampledFrom([]any{int64(1), int64(2), []any{int64(2), int64(7)}, 2.5, "2", nil}).Draw(t, "n")
	}
	return p
}

// drawPoint draws a point and the message that writes it.
func drawPoint(t *rapid.T) (modelPoint, *qdrant.Vectors) {
	p := modelPoint{Payload: drawPayload(t)}
	if rapid.Bool().Draw(t, "dense") {
		p.Dense = drawFloats(t, 3)
	}
	if rapid.Bool().Draw(t, "short") {
		p.Short = drawFloats(t, 2)
	}
	if rapid.Bool().Draw(t, "words") {
		p.Words = drawSparse(t)
	}
	if rapid.Bool().Draw(t, "rare") {
		p.Rare = drawSparse(t)
	}
	return p, p.vectors()
}

func (p modelPoint) vectors() *qdrant.Vectors {
	named := make(map[string]*qdrant.Vector)
	if p.Dense != nil {
		named["dense"] = qdrant.NewVectorDense(p.Dense)
	}
	if p.Short != nil {
		named["short"] = qdrant.NewVectorDense(p.Short)
	}
	for name, s := range map[string]map[uint32]float32{"words": p.Words, "rare": p.Rare} {
		if s != nil {
			terms := slices.Collect(maps.Keys(s)) // in no order
			weights := make([]float32, len(terms))
			for i, term := range terms {
				weights[i] = s[term]
			}
			named[name] = qdrant.NewVectorSparse(terms, weights)
		}
	}
	return qdrant.NewVectorsMap(named)
}

func (m *model) upsert(t *rapid.T) {
	req := &qdrant.UpsertPoints{CollectionName: modelCollection}
	mode := rapid.SampledFrom([]qdrant.UpdateMode{qdrant.UpdateMode_Upsert, qdrant.UpdateMode_InsertOnly}).Draw(t, "mode")
	req.UpdateMode = mode.Enum()
	for range rapid.IntRange(1, 6).Draw(t, "points") {
		id := drawID(t)
		p, vectors := drawPoint(t)
		req.Points = append(req.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: vectors, Payload: qdrant.NewValueMap(p.Payload)})
		if _, exists := m.want[id]; !exists || mode == qdrant.UpdateMode_Upsert {
			m.want[id] = p
		}
	}
	if _, err := m.points.Upsert(context.Background(), req); err != nil {
		t.Fatal(err)
	}
}

// upsertIf replaces points only where they have a keyword.
func (m *model) upsertIf(t *rapid.T) {
	k := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "k")
	req := &qdrant.UpsertPoints{CollectionName: modelCollection, UpdateFilter: keywordFilter(k)}
	for range rapid.IntRange(1, 4).Draw(t, "points") {
		id := drawID(t)
		p, vectors := drawPoint(t)
		req.Points = append(req.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(id), Vectors: vectors, Payload: qdrant.NewValueMap(p.Payload)})
		if was, exists := m.want[id]; !exists || was.hasKeyword(k) {
			m.want[id] = p
		}
	}
	if _, err := m.points.Upsert(context.Background(), req); err != nil {
		t.Fatal(err)
	}
}

// upsertRefused sends good points with a bad one among them; nothing of it may stay.
func (m *model) upsertRefused(t *rapid.T) {
	_, good := drawPoint(t)
	bad := rapid.SampledFrom([]*qdrant.Vectors{
		qdrant.NewVectorsMap(map[string]*qdrant.Vector{"dense": qdrant.NewVector(1)}),
		qdrant.NewVectorsMap(map[string]*qdrant.Vector{"dense": qdrant.NewVector(1, float32(math.NaN()), 2)}),
		qdrant.NewVectorsMap(map[string]*qdrant.Vector{"words": qdrant.NewVectorSparse([]uint32{1}, []float32{float32(math.Inf(1))})}),
		qdrant.NewVectorsMap(map[string]*qdrant.Vector{"none": qdrant.NewVector(1)}),
	}).Draw(t, "bad")
	_, err := m.points.Upsert(context.Background(), &qdrant.UpsertPoints{CollectionName: modelCollection, Points: []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(drawID(t)), Vectors: good}, {Id: qdrant.NewIDNum(drawID(t)), Vectors: bad},
	}})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("got %v", err)
	}
}

func (m *model) delete(t *rapid.T) {
	id := drawID(t)
	delete(m.want, id)
	if _, err := m.points.Delete(context.Background(), &qdrant.DeletePoints{CollectionName: modelCollection, Points: qdrant.NewPointsSelector(qdrant.NewIDNum(id))}); err != nil {
		t.Fatal(err)
	}
}

// hasKeyword is the model's evaluation of the one filter that operations use.
func (p modelPoint) hasKeyword(k string) bool {
	list, ok := p.Payload["k"].([]any)
	return p.Payload["k"] == k || ok && slices.Contains(list, any(k))
}

func (m *model) deleteByFilter(t *rapid.T) {
	k := rapid.SampledFrom([]string{"a", "b", "c", "z"}).Draw(t, "k")
	maps.DeleteFunc(m.want, func(_ uint64, p modelPoint) bool { return p.hasKeyword(k) })
	if _, err := m.points.Delete(context.Background(), &qdrant.DeletePoints{CollectionName: modelCollection, Points: qdrant.NewPointsSelectorFilter(keywordFilter(k))}); err != nil {
		t.Fatal(err)
	}
}

func keywordFilter(k string) *qdrant.Filter {
	return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatch("k", k)}}
}

// change applies edit to the payload of one point, which must exist, or of all with a keyword, and
// returns the selector.
func (m *model) change(t *rapid.T, edit func(map[string]any) map[string]any) (selector *qdrant.PointsSelector, fails bool) {
	apply := func(id uint64) {
		p := m.want[id]
		p.Payload = edit(maps.Clone(p.Payload))
		m.want[id] = p
	}
	if rapid.Bool().Draw(t, "by filter") {
		k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "k")
		for id, p := range m.want {
			if p.hasKeyword(k) {
				apply(id)
			}
		}
		return qdrant.NewPointsSelectorFilter(keywordFilter(k)), false
	}
	id := drawID(t)
	if _, ok := m.want[id]; !ok {
		return qdrant.NewPointsSelector(qdrant.NewIDNum(id)), true
	}
	apply(id)
	return qdrant.NewPointsSelector(qdrant.NewIDNum(id)), false
}

func wantResult(t *rapid.T, err error, fails bool) {
	if fails && status.Code(err) != codes.NotFound || !fails && err != nil {
		t.Fatalf("fails %v, got %v", fails, err)
	}
}

func (m *model) setPayload(t *rapid.T) {
	set := drawPayload(t)
	selector, fails := m.change(t, func(p map[string]any) map[string]any {
		for key, v := range set {
			if v == nil {
				delete(p, key)
			} else {
				p[key] = v
			}
		}
		return p
	})
	wantResult(t, m.update(setPayload(set, selector)), fails)
}

// batch writes, selects by a filter what it has just written, and deletes, in one request. When the
// last step fails nothing of it stays.
func (m *model) batch(t *rapid.T) {
	id, gone := drawID(t), drawID(t)
	p, vectors := drawPoint(t)
	fails := rapid.Bool().Draw(t, "fails")
	steps := []*qdrant.PointsUpdateOperation{
		qdrant.NewPointsUpdateUpsert(&qdrant.PointsUpdateOperation_PointStructList{Points: []*qdrant.PointStruct{
			{Id: qdrant.NewIDNum(id), Vectors: vectors, Payload: qdrant.NewValueMap(p.Payload)}}}),
		setPayload(map[string]any{"n": int64(9)}, qdrant.NewPointsSelectorFilter(keywordFilter("a"))),
		qdrant.NewPointsUpdateDeletePoints(&qdrant.PointsUpdateOperation_DeletePoints{Points: qdrant.NewPointsSelector(qdrant.NewIDNum(gone))}),
	}
	if fails {
		steps = append(steps, setPayload(nil, qdrant.NewPointsSelector(qdrant.NewIDNum(404))))
	} else {
		m.want[id] = p
		for other, q := range m.want {
			if q.hasKeyword("a") {
				q.Payload = maps.Clone(q.Payload)
				q.Payload["n"] = int64(9)
				m.want[other] = q
			}
		}
		delete(m.want, gone)
	}
	wantResult(t, m.update(steps...), fails)
}

func (m *model) update(steps ...*qdrant.PointsUpdateOperation) error {
	_, err := m.points.UpdateBatch(context.Background(), &qdrant.UpdateBatchPoints{CollectionName: modelCollection, Operations: steps})
	return err
}

func setPayload(fields map[string]any, which *qdrant.PointsSelector) *qdrant.PointsUpdateOperation {
	return qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{Payload: qdrant.NewValueMap(fields), PointsSelector: which})
}

func (m *model) index(t *rapid.T) {
	for field, kind := range map[string]qdrant.FieldType{"k": qdrant.FieldType_FieldTypeKeyword, "n": qdrant.FieldType_FieldTypeInteger} {
		if rapid.Bool().Draw(t, field) {
			_, err := m.points.CreateFieldIndex(context.Background(), &qdrant.CreateFieldIndexCollection{CollectionName: modelCollection, FieldName: field, FieldType: kind.Enum()})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// check compares all points, counts and searches.
func (m *model) check(t *rapid.T) {
	reply, err := m.points.Scroll(context.Background(), &qdrant.ScrollPoints{CollectionName: modelCollection, Limit: proto.Uint32(100), WithVectors: qdrant.NewWithVectors(true)})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[uint64]modelPoint)
	last := -1
	for _, p := range reply.GetResult() {
		if id := int(p.GetId().GetNum()); id <= last {
			t.Fatalf("point %d after %d", id, last)
		} else {
			last = id
		}
		got[p.GetId().GetNum()] = readModelPoint(p)
	}
	if diff := cmp.Diff(m.want, got, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
	for _, k := range []string{"a", "c"} {
		want := uint64(0)
		for _, p := range m.want {
			if p.hasKeyword(k) {
				want++
			}
		}
		reply, err := m.points.Count(context.Background(), &qdrant.CountPoints{CollectionName: modelCollection, Filter: keywordFilter(k)})
		if err != nil || reply.GetResult().GetCount() != want {
			t.Fatalf("count of %q: %v, %v; want %d", k, reply, err, want)
		}
	}
	dot := func(v []float32, query ...float64) (sum float64, ok bool) {
		for i, x := range v {
			sum += float64(x) * query[i]
		}
		return sum, v != nil
	}
	m.search(t, "dense", qdrant.NewQuery(1, -1, 0.5), func(p modelPoint) (float64, bool) { return dot(p.Dense, 1, -1, 0.5) })
	m.search(t, "short", qdrant.NewQuery(0, 3), func(p modelPoint) (float64, bool) { return dot(p.Short, 0, 3) })
	query := map[uint32]float64{2: 1, 3: 0.5, 7: 2}
	m.search(t, "words", sparseQuery(query), func(p modelPoint) (float64, bool) { return dotOf(p.Words, query, nil) })
	n, df := 0.0, make(map[uint32]float64)
	for _, p := range m.want {
		if p.Rare != nil {
			n++
		}
		for term := range p.Rare {
			df[term]++
		}
	}
	m.search(t, "rare", sparseQuery(query), func(p modelPoint) (float64, bool) {
		return dotOf(p.Rare, query, func(term uint32) float64 { return math.Log((n-df[term]+0.5)/(df[term]+0.5) + 1) })
	})
}

func sparseQuery(q map[uint32]float64) *qdrant.Query {
	var terms []uint32
	var weights []float32
	for term, w := range q {
		terms, weights = append(terms, term), append(weights, float32(w))
	}
	return qdrant.NewQuerySparse(terms, weights)
}

func dotOf(v map[uint32]float32, query map[uint32]float64, idf func(uint32) float64) (sum float64, shares bool) {
	for term, w := range query {
		x, ok := v[term]
		if !ok {
			continue
		}
		if idf != nil {
			w *= idf(term)
		}
		sum, shares = sum+w*float64(x), true
	}
	return sum, shares
}

// search compares the best scores of a query with a loop over all points.
func (m *model) search(t *rapid.T, using string, query *qdrant.Query, score func(modelPoint) (float64, bool)) {
	const limit = 5
	for _, filter := range []*qdrant.Filter{nil, keywordFilter("a")} {
		var want []float64
		for _, p := range m.want {
			if s, ok := score(p); ok && (filter == nil || p.hasKeyword("a")) {
				want = append(want, s)
			}
		}
		slices.SortFunc(want, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
		want = want[:min(limit, len(want))]
		hits, err := ask(context.Background(), servedBatch{m.points}, &qdrant.QueryPoints{CollectionName: modelCollection, Query: query, Using: &using,
			Filter: filter, Limit: proto.Uint64(limit)})
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for _, h := range hits {
			s := float64(h.GetScore())
			got = append(got, s)
			if own, ok := score(m.want[h.GetId().GetNum()]); !ok || math.Abs(own-s) > 1e-5 {
				t.Fatalf("%s: point %v has the score %v, not %v", using, h.GetId(), own, s)
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-5)); diff != "" {
			t.Fatalf("%s: %s", using, diff)
		}
	}
}

func readModelPoint(p *qdrant.RetrievedPoint) modelPoint {
	named := p.GetVectors().GetVectors().GetVectors()
	out := modelPoint{Dense: named["dense"].GetDense().GetData(), Short: named["short"].GetDense().GetData(), Payload: make(map[string]any)}
	for name, to := range map[string]*map[uint32]float32{"words": &out.Words, "rare": &out.Rare} {
		if s := named[name].GetSparse(); s != nil {
			*to = make(map[uint32]float32)
			for i, term := range s.GetIndices() {
				(*to)[term] = s.GetValues()[i]
			}
		}
	}
	for key, v := range p.GetPayload() {
		out.Payload[key] = goValue(v)
	}
	return out
}

// goValue turns a payload value into the Go value that NewValue would make it of.
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
		list := make([]any, len(kind.ListValue.GetValues()))
		for i, one := range kind.ListValue.GetValues() {
			list[i] = goValue(one)
		}
		return list
	case *qdrant.Value_StructValue:
		fields := make(map[string]any)
		for key, one := range kind.StructValue.GetFields() {
			fields[key] = goValue(one)
		}
		return fields
	}
	return nil
}
