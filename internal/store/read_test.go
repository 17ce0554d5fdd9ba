package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestGetInParts reads numbers of articles around those at which a page is read by more requests.
func TestGetInParts(t *testing.T) {
	e := embeddedEnv(t)
	var gets, failing atomic.Int64 // requests so far; the one of them that fails
	s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if strings.HasSuffix(method, "/Get") && gets.Add(1) == failing.Load() {
			return status.Error(codes.DataLoss, "lost")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	m := newMaker(40)
	var items []Put
	var ids []string
	for i := range pageVectors + 2*leastPart {
		items = append(items, m.put(fmt.Sprint("a", i), i, 0))
		ids = append(ids, items[i].Article.ID)
	}
	mustPut(t, s, items...)
	// With the missing one: 2 ids, 127, 128, 256, and 384.
	for n, requests := range map[int]int64{1: 1, 2*leastPart - 2: 1, 2*leastPart - 1: 2, pageVectors - 1: mostParts, len(items) - 1: mostParts + 2} {
		asked := append(slices.Clone(ids[:n]), "missing", ids[0])
		gets.Store(0)
		got, err := s.Get(t.Context(), asked, WithVectors)
		if err != nil || got[n] != nil || got[n+1] != got[0] {
			t.Fatalf("%d articles: %v, got %v for a missing one", n, err, got[n])
		}
		for i := range n {
			if got[i] == nil || got[i].Article.ID != ids[i] || !slices.Equal(got[i].Vectors.Dense, items[i].Vectors.Dense) {
				t.Fatalf("%d articles: got %+v for %s", n, got[i], ids[i])
			}
		}
		if gets.Load() != requests {
			t.Errorf("%d articles: %d requests, want %d", n, gets.Load(), requests)
		}
	}
	for part := range int64(mostParts + 2) {
		gets.Store(0)
		failing.Store(part + 1)
		if got, err := s.Get(t.Context(), ids, WithVectors); err == nil || got != nil {
			t.Errorf("request %d failed: got %d articles, %v", part+1, len(got), err)
		}
	}
}

// TestPointIDsAreUUIDv5 compares them with another implementation: stored points are found by them.
func TestPointIDsAreUUIDv5(t *testing.T) {
	for _, name := range []string{"", "a", strings.Repeat("long", 100)} {
		if got, want := articlePoint(name).GetUuid(), uuid.NewSHA1(articleSpace, []byte(name)).String(); got != want {
			t.Errorf("%.10q: got %s, want %s", name, got, want)
		}
	}
}
