package qdrantlite

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// faultyBackend fails commits on demand, before or after they are done.
type faultyBackend struct {
	backend
	fail    atomic.Bool
	known   bool
	held    chan struct{} // when there is a channel, a commit takes two values from it before it is done
	commits atomic.Int64
}

var errDisk = errors.New("the disk is full")

func (f *faultyBackend) commit(mutations []mutation) (bool, error) {
	if f.held != nil {
		<-f.held
		<-f.held
	}
	f.commits.Add(1)
	if !f.fail.Load() {
		return f.backend.commit(mutations)
	}
	if f.known {
		return true, errDisk
	}
	if _, err := f.backend.commit(mutations); err != nil {
		return false, err
	}
	return false, errDisk
}

// putOne writes the vector and payload of a point.
func putOne(t testing.TB, c *qdrant.Client, id uint64, x float32) error {
	_, err := c.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(id), Vectors: vectorD(x, 1), Payload: map[string]*qdrant.Value{"x": qdrant.NewValueDouble(float64(x))}}}})
	return err
}

func firstHit(t testing.TB, c *qdrant.Client) float32 {
	t.Helper()
	query := queryD(1, 0)
	query.WithPayload = qdrant.NewWithPayload(true)
	hits, err := ask(t.Context(), c, query)
	must(t, err)
	if len(hits) == 0 {
		return 0
	}
	if x := hits[0].GetPayload()["x"].GetDoubleValue(); float32(x) != hits[0].GetScore() {
		t.Fatalf("score %v with the payload of %v", hits[0].GetScore(), x)
	}
	return hits[0].GetScore()
}

func faulty(t *testing.T, path string) (*Server, *faultyBackend, *qdrant.Client) {
	t.Helper()
	s := open(t, path)
	f := &faultyBackend{backend: s.backend}
	s.backend = f
	c := client(t, s)
	must(t, c.CreateCollection(t.Context(), &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}))
	must(t, putOne(t, c, 1, 1))
	return s, f, c
}

// TestFailedCommit: a commit that fails changes nothing, and the store goes on.
func TestFailedCommit(t *testing.T) {
	_, f, c := faulty(t, filepath.Join(t.TempDir(), "store"))
	f.known = true
	f.fail.Store(true)
	for range 3 {
		wantCode(t, putOne(t, c, 1, 2), codes.Internal)
		wantCode(t, putOne(t, c, 2, 3), codes.Internal)
		wantCode(t, c.DeleteCollection(t.Context(), "c"), codes.Internal)
		wantCode(t, c.CreateAlias(t.Context(), "a", "c"), codes.Internal)
		if got := firstHit(t, c); got != 1 {
			t.Fatalf("the first hit is %v", got)
		}
	}
	f.fail.Store(false)
	must(t, putOne(t, c, 1, 4))
	if got := firstHit(t, c); got != 4 {
		t.Fatalf("the first hit is %v", got)
	}
}

// TestUnknownCommit: when nobody can say whether a commit was done, reading goes on with what was
// there before and writing is refused until the store is opened again, which finds out.
func TestUnknownCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, f, c := faulty(t, path)
	f.fail.Store(true)
	wantCode(t, putOne(t, c, 1, 2), codes.Internal)
	f.fail.Store(false)
	wantCode(t, putOne(t, c, 1, 3), codes.Internal)
	wantCode(t, c.CreateAlias(t.Context(), "a", "c"), codes.Internal)
	if got := firstHit(t, c); got != 1 {
		t.Fatalf("the first hit is %v", got)
	}
	must(t, s.Close())
	if got := firstHit(t, client(t, open(t, path))); got != 2 {
		t.Fatalf("after opening again the first hit is %v", got)
	}
}

// TestGroupCommit: writes that arrive while a commit is under way share the next one.
func TestGroupCommit(t *testing.T) {
	s, f, c := faulty(t, filepath.Join(t.TempDir(), "store"))
	const writers = 40
	f.held = make(chan struct{})
	before := f.commits.Load()
	var wg sync.WaitGroup
	put := func(id uint64) {
		wg.Go(func() {
			if err := putOne(t, c, id, float32(id)); err != nil {
				t.Error(err)
			}
		})
	}
	put(1000)
	f.held <- struct{}{} // the first commit has begun
	for id := range uint64(writers) {
		put(id)
	}
	for len(s.jobs) < writers {
		time.Sleep(time.Millisecond)
	}
	close(f.held)
	wg.Wait()
	if n, err := c.Count(t.Context(), &qdrant.CountPoints{CollectionName: "c"}); err != nil || n != writers+1 {
		t.Fatalf("%d points, %v", n, err)
	}
	if n := f.commits.Load() - before; n != 2 {
		t.Errorf("%d commits for %d writes", n, writers+1)
	}
}

// TestDamagedRecords flips a byte in each record that the file holds in turn: opening must notice.
func TestDamagedRecords(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s, err := Open(Options{Path: path})
	must(t, err)
	c := client(t, s)
	must(t, c.CreateCollection(t.Context(), &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}))
	_, err = c.CreateFieldIndex(t.Context(), &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "x", FieldType: qdrant.FieldType_FieldTypeInteger.Enum()})
	must(t, err)
	must(t, putOne(t, c, 1, 8))
	r, err := s.backend.read()
	must(t, err)
	var records [][]byte
	for _, kind := range []tableKind{tablePoints, tableVectors, tablePayloads} {
		must(t, r.scan(table{1, kind}, func(_, value []byte) error {
			records = append(records, bytes.Clone(value))
			return nil
		}))
	}
	for _, kind := range []tableKind{tableCollections, tableIndexes} {
		must(t, r.scan(table{kind: kind}, func(_, value []byte) error {
			records = append(records, bytes.Clone(value))
			return nil
		}))
	}
	r.close()
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	if len(records) != 5 {
		t.Fatalf("%d records", len(records))
	}
	for i, record := range records {
		damaged := bytes.ReplaceAll(whole, record, append([]byte{record[0] ^ 0x40}, record[1:]...))
		if bytes.Equal(damaged, whole) {
			t.Fatalf("record %d is not in the file", i)
		}
		must(t, os.WriteFile(path, damaged, 0o600))
		if _, err := Open(Options{Path: path}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("record %d: %v", i, err)
		}
	}
}

// TestDamagedPages overwrites bytes anywhere in the file. Opening may fail, with an error that says
// so, or not notice a byte that nothing uses; it must not crash, and what it then shows must be
// what was written.
func TestDamagedPages(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s, err := Open(Options{Path: path})
	must(t, err)
	points := fill(t, s, clusters(rand.New(rand.NewPCG(4, 4)), 300, 8))
	want, err := points.Scroll(t.Context(), &qdrant.ScrollPoints{CollectionName: "c", Limit: proto.Uint32(1000), WithVectors: qdrant.NewWithVectors(true)})
	must(t, err)
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	rng := rand.New(rand.NewPCG(5, 5))
	noticed := 0
	for range 150 {
		damaged := bytes.Clone(whole)
		at := rng.IntN(len(damaged))
		for i := range 1 + rng.IntN(16) {
			damaged[min(at+i, len(damaged)-1)] = byte(rng.Uint32())
		}
		must(t, os.WriteFile(path, damaged, 0o600))
		s, err := Open(Options{Path: path})
		if err != nil {
			noticed++
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) {
				t.Errorf("bytes from %d: %v", at, err)
			}
			continue
		}
		got, err := (&pointsService{s: s}).Scroll(t.Context(), &qdrant.ScrollPoints{CollectionName: "c", Limit: proto.Uint32(1000), WithVectors: qdrant.NewWithVectors(true)})
		if err == nil && !slices.EqualFunc(want.GetResult(), got.GetResult(), func(a, b *qdrant.RetrievedPoint) bool { return proto.Equal(a, b) }) {
			t.Errorf("bytes from %d: points changed unnoticed", at)
		}
		_, err = (&pointsService{s: s}).Delete(t.Context(), &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{})})
		if err != nil {
			noticed++
		}
		must(t, s.Close())
	}
	if noticed < 20 {
		t.Errorf("only %d of 150 were noticed", noticed)
	}
}

// TestOrphansAreSwept: what a commit left without a name is gone after the next open, and nothing
// else.
func TestOrphansAreSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, err := Open(Options{Path: path})
	must(t, err)
	c := client(t, s)
	must(t, c.CreateCollection(t.Context(), &qdrant.CreateCollection{CollectionName: "c", VectorsConfig: oneVector(2)}))
	must(t, putOne(t, c, 1, 8))
	must(t, putOne(t, c, 1, 9))
	must(t, putOne(t, c, 2, 3))
	_, err = c.Delete(t.Context(), &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelector(qdrant.NewIDNum(2))})
	must(t, err)
	if n := slots(t, s); n != 4 { // of point 1, and of point 2 until the next commit
		t.Errorf("%d slots before", n)
	}
	must(t, s.Close())
	s = open(t, path)
	if n := slots(t, s); n != 2 {
		t.Errorf("%d slots after", n)
	}
	if got := firstHit(t, client(t, s)); got != 9 {
		t.Errorf("the first hit is %v", got)
	}
}

// slots counts the vectors and payloads in the file.
func slots(t *testing.T, s *Server) (n int) {
	t.Helper()
	r, err := s.backend.read()
	must(t, err)
	defer r.close()
	for _, kind := range []tableKind{tableVectors, tablePayloads} {
		must(t, r.scan(table{1, kind}, func(_, _ []byte) error { n++; return nil }))
	}
	return n
}
