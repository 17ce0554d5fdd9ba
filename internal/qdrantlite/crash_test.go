package qdrantlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

const (
	crashPath    = "QDRANTLITE_CRASH_PATH" // set in a child: the store to write until killed
	crashWriters = 4
	crashPoints  = 10 // of each writer
)

// crashChild writes from several goroutines for as long as it lives, and prints each acknowledged
// round. A round changes all points of its writer in one request: by upsert, by payload, or by
// deleting and writing anew.
func crashChild(path string) error {
	ctx := context.Background()
	s, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	points := &pointsService{s: s}
	if _, err := s.find("c"); err != nil {
		_, err := (&collectionsService{s: s}).Create(ctx, &qdrant.CreateCollection{CollectionName: "c",
			VectorsConfig:       qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{"d": {Size: 64, Distance: qdrant.Distance_Dot}}),
			SparseVectorsConfig: qdrant.NewSparseVectorsConfig(map[string]*qdrant.SparseVectorParams{"s": {}})})
		if err != nil {
			return err
		}
		if _, err := points.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "w", FieldType: qdrant.FieldType_FieldTypeInteger.Enum()}); err != nil {
			return err
		}
	}
	var out sync.Mutex
	failed := make(chan error, crashWriters)
	for w := range crashWriters {
		go func() {
			round := int64(0)
			reply, err := points.Get(ctx, &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewIDNum(uint64(w * 1000))}})
			if err != nil {
				failed <- err
				return
			}
			if len(reply.GetResult()) > 0 {
				round = reply.GetResult()[0].GetPayload()["r"].GetIntegerValue()
			}
			for {
				round++
				if err := crashRound(ctx, points, w, round); err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println("ack", w, round)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func crashRound(ctx context.Context, points *pointsService, w int, round int64) error {
	mine := qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("w", int64(w))}})
	fields := map[string]*qdrant.Value{"w": qdrant.NewValueInt(int64(w)), "r": qdrant.NewValueInt(round)}
	put := &qdrant.PointsUpdateOperation_PointStructList{}
	for i := range crashPoints {
		v := make([]float32, 64)
		v[0] = float32(round)
		put.Points = append(put.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(w*1000 + i)), Payload: fields, Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{
			"d": qdrant.NewVectorDense(v), "s": qdrant.NewVectorSparse([]uint32{uint32(round % 50)}, []float32{1})})})
	}
	steps := []*qdrant.PointsUpdateOperation{qdrant.NewPointsUpdateUpsert(put)}
	switch round % 3 {
	case 1:
		steps = []*qdrant.PointsUpdateOperation{
			qdrant.NewPointsUpdateDeletePoints(&qdrant.PointsUpdateOperation_DeletePoints{Points: mine}), qdrant.NewPointsUpdateUpsert(put)}
	case 2:
		steps = []*qdrant.PointsUpdateOperation{
			qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{Payload: fields, PointsSelector: mine})}
	}
	_, err := points.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: "c", Operations: steps})
	return err
}

// TestCrash kills a writing process again and again and looks at what it left: every acknowledged
// round, and no part of another.
func TestCrash(t *testing.T) {
	if path := os.Getenv(crashPath); path != "" {
		t.Fatal(crashChild(path))
	}
	path := filepath.Join(t.TempDir(), "store")
	rng := rand.New(rand.NewPCG(7, 7))
	acked := make([]int64, crashWriters)
	for kill := range 20 {
		runUntilKilled(t, path, 1+rng.IntN(30), time.Duration(rng.IntN(3000))*time.Microsecond, acked)
		s, err := Open(Options{Path: path})
		if err != nil {
			t.Fatalf("after kill %d: %v", kill, err)
		}
		checkAfterCrash(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for w, round := range acked {
		if round == 0 {
			t.Errorf("writer %d never wrote", w)
		}
	}
}

// runUntilKilled starts a child, kills it a moment after so many acknowledgements, and keeps the
// last one of each writer.
func runUntilKilled(t *testing.T, path string, acks int, delay time.Duration, acked []int64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	child.Env = append(os.Environ(), crashPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	killed := make(chan struct{})
	var other []string
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		var w int
		var round int64
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %d", &w, &round); err != nil {
			other = append(other, lines.Text())
			continue
		}
		acked[w] = max(acked[w], round)
		if n++; n == acks {
			go func() {
				defer close(killed)
				time.Sleep(delay)
				if err := child.Process.Kill(); err != nil {
					t.Errorf("kill: %v", err)
				}
			}()
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v\n%s", err, strings.Join(other, "\n"))
	}
	<-killed
}

func checkAfterCrash(t *testing.T, s *Server, acked []int64) {
	t.Helper()
	ctx := t.Context()
	points := &pointsService{s: s}
	if _, err := s.find("c"); err != nil {
		for w, round := range acked {
			if round > 0 {
				t.Fatalf("the collection is gone with round %d of writer %d", round, w)
			}
		}
		return
	}
	for w := range acked {
		reply, err := points.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: "c", Limit: proto.Uint32(100), WithVectors: qdrant.NewWithVectors(true),
			Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("w", int64(w))}}})
		must(t, err)
		found := reply.GetResult()
		if len(found) == 0 && acked[w] == 0 {
			continue
		}
		if len(found) != crashPoints {
			t.Fatalf("writer %d has %d points of %d", w, len(found), crashPoints)
		}
		round := found[0].GetPayload()["r"].GetIntegerValue()
		if round < acked[w] {
			t.Fatalf("writer %d: round %d was acknowledged, %d is there", w, acked[w], round)
		}
		for _, p := range found {
			named := p.GetVectors().GetVectors().GetVectors()
			// A round that sets the payload leaves the vectors of the round before.
			wrote := round
			if round%3 == 2 {
				wrote--
			}
			if r := p.GetPayload()["r"].GetIntegerValue(); r != round || named["d"].GetDense().GetData()[0] != float32(wrote) ||
				named["s"].GetSparse().GetIndices()[0] != uint32(wrote%50) {
				t.Fatalf("writer %d: point %v of round %d among those of round %d, with the vectors %v", w, p.GetId(), r, round, named)
			}
		}
		acked[w] = round
	}
}
