package store

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// stateBytes makes the bytes of a state record, the same for the same seed.
func stateBytes(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// checkState fails the test unless this is what is stored.
func checkState(t *testing.T, s *Store, want []byte, number int64) {
	t.Helper()
	data, n, err := s.LoadState(t.Context())
	if err != nil || n != number || !bytes.Equal(data, want) || (data == nil) != (want == nil) {
		t.Errorf("loaded %d bytes, number %d, %v; want %d bytes, number %d", len(data), n, err, len(want), number)
	}
	if n, err := s.StateNumber(t.Context()); err != nil || n != number {
		t.Errorf("number %d, %v, want %d", n, err, number)
	}
}

func TestState(t *testing.T) {
	eachBackend(t, func(t *testing.T, e *env) {
		s := e.open(t)
		checkState(t, s, nil, 0)
		reading := e.config()
		reading.ReadOnly = true
		r := e.openWith(t, reading)
		checkState(t, r, nil, 0)
		// Of one part, empty, of three, of exactly two, and of fewer than the record whose ids it
		// takes again.
		for i, n := range []int{5, 0, partBytes * 2, partBytes * 3 / 2, 1} {
			number, want := int64(i+1), stateBytes(uint64(n), n)
			if err := s.SaveState(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			checkState(t, s, want, number)
			checkState(t, r, want, number)
			// Nothing is left of the last record.
			points := 1 + (base64.StdEncoding.EncodedLen(n)+partBytes-1)/partBytes
			if stored, err := s.conn.count(t.Context(), s.recordCollection(), nil); err != nil || stored != int64(points) {
				t.Errorf("record %d: %d points, %v, want %d", number, stored, err, points)
			}
		}
		if err := s.SaveState(t.Context(), make([]byte, maxState+1)); !errors.Is(err, ErrInvalid) {
			t.Errorf("more than fits: %v", err)
		}
		if err := r.SaveState(t.Context(), []byte("x")); !errors.Is(err, ErrReadOnly) {
			t.Errorf("a reader saves: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkState(t, e.open(t), stateBytes(1, 1), 5)
	})
}

// TestTornState removes each part of a record: what is read differs from what was saved, and is no
// panic.
func TestTornState(t *testing.T) {
	s := embeddedEnv(t).open(t)
	want := stateBytes(1, partBytes*2)
	for number := int64(1); number <= 3; number++ {
		if err := s.SaveState(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		part := qdrant.NewPointsSelector(partPoint(number, int(number-1)))
		if err := s.conn.remove(t.Context(), s.recordCollection(), part); err != nil {
			t.Fatal(err)
		}
		data, n, err := s.LoadState(t.Context())
		if err != nil || n != number || data == nil || bytes.Equal(data, want) {
			t.Errorf("without part %d: %d bytes, number %d, %v", number-1, len(data), n, err)
		}
	}
	// A part with other characters than base64, and a head that claims more parts than there are.
	fields, err := toPayload(map[string]any{fieldRecord: 7, fieldParts: 3, fieldData: "not base64"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []*qdrant.PointId{qdrant.NewIDNum(headPoint), partPoint(7, 0)} {
		upsertPoint(t, s, s.recordCollection(), &qdrant.PointStruct{Id: id, Payload: fields, Vectors: encodeVectors(nil)}, nil)
	}
	if data, n, err := s.LoadState(t.Context()); err != nil || n != 7 || data == nil || len(data) != 0 {
		t.Errorf("nonsense: %d bytes, number %d, %v", len(data), n, err)
	}
	if err := s.SaveState(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	checkState(t, s, want, 8)
}

// TestFailedSaveIsRepeated fails one write of a save: the old record or the new one is stored, and
// saving again works.
func TestFailedSaveIsRepeated(t *testing.T) {
	older, newer, last := stateBytes(1, partBytes), stateBytes(2, partBytes*3/2), stateBytes(3, 10)
	eachFault(t, false, func(t *testing.T, e *env, f *faults, arm func()) bool {
		s := e.open(t, f.intercept)
		if err := s.SaveState(t.Context(), older); err != nil {
			t.Fatal(err)
		}
		arm()
		err := s.SaveState(t.Context(), newer)
		hit := f.disarm()
		if (err != nil) != hit {
			t.Errorf("fault met: %v, error: %v", hit, err)
		}
		data, number, err := s.LoadState(t.Context())
		if err != nil || !bytes.Equal(data, older) && !bytes.Equal(data, newer) {
			t.Errorf("loaded %d bytes, %v", len(data), err)
		}
		if err := s.SaveState(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		checkState(t, s, last, number+1)
		return hit
	})
}
