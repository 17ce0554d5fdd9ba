// Package storetest opens stores in memory for tests. A test can make the requests of a store fail
// or wait; see [Faults].
package storetest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"throughline/embed"
	"throughline/internal/chunk"
	"throughline/internal/qdrantlite"
	"throughline/internal/store"
)

// T is the part of *testing.T and *rapid.T that is used here.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Options of a store. The zero value is a writer on a store in memory.
type Options struct {
	Space  embed.Space // default: model "hashed" with 256 dimensions
	Path   string      // file of the embedded server; empty: in memory
	Now    func() time.Time
	Faults *Faults
}

// Open opens a store. It is closed at the end of the test.
func Open(t T, o Options) *store.Store {
	t.Helper()
	return NewServer(t, o.Path).Open(t, o)
}

// Server is an embedded server that outlives the stores on it, as a disk outlives processes. It is
// closed at the end of the test.
type Server struct{ server *qdrantlite.Server }

// NewServer makes a server on a file; with an empty path in memory.
func NewServer(t T, path string) *Server {
	t.Helper()
	server, err := qdrantlite.Open(qdrantlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the embedded server: %v", err)
		}
	})
	return &Server{server}
}

// Open opens a store on the server. It is closed at the end of the test. An earlier store that is
// still open stands for a process that died; its lease must have ended by Options.Now.
func (s *Server) Open(t T, o Options) *store.Store {
	t.Helper()
	if o.Space.Model == "" {
		o.Space = embed.Space{Model: "hashed", Dimensions: 256, MaxTokens: 64}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var interceptors []grpc.UnaryClientInterceptor
	if o.Faults != nil {
		interceptors = append(interceptors, o.Faults.intercept)
	}
	conn, err := store.Embedded(s.server, nil, interceptors...)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := store.Open(context.Background(), conn, store.Config{
		Prefix: "test", Space: o.Space, Chunker: chunk.Version, Logger: slog.New(slog.DiscardHandler), Now: o.Now, Owner: "test"})
	if err != nil {
		conn.Close()
		t.Fatalf("opening the store: %v", err)
	}
	t.Cleanup(func() {
		opened.Close() // fails if another store has taken the lease
		conn.Close()
	})
	return opened
}

// ErrInjected is an error for Faults.FailFrom.
var ErrInjected = errors.New("storetest: injected failure")

// Faults makes requests to the server fail or wait. The zero value does neither. It is safe for
// concurrent use.
type Faults struct {
	mu     sync.Mutex
	match  func(method string, req any) bool
	failAt int
	late   bool
	seen   int
	err    error
	hold   *hold
}

type hold struct {
	match    func(method string, req any) bool
	arrived  func()
	released chan struct{}
}

// Writes matches requests that change what is stored. It leaves out the lease, which is renewed in
// the background.
func Writes(method string, req any) bool {
	if r, ok := req.(interface{ GetCollectionName() string }); ok && strings.HasSuffix(r.GetCollectionName(), "_meta") {
		return false
	}
	for _, name := range []string{"Upsert", "Delete", "UpdateBatch"} {
		if strings.HasSuffix(method, "/"+name) {
			return true
		}
	}
	return false
}

// Method matches requests of one method, e.g. "QueryBatch".
func Method(name string) func(method string, req any) bool {
	return func(method string, _ any) bool { return strings.HasSuffix(method, "/"+name) }
}

// FailFrom makes the n-th matching request from now on, counted from 1, and all later ones fail
// with err, as if the process had died. With late, the n-th request is carried out before it fails.
func (f *Faults) FailFrom(n int, match func(method string, req any) bool, late bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.match, f.failAt, f.late, f.seen, f.err = match, n, late, 0, err
}

// Stop ends failures and waits for requests that arrive from now on. It returns how many requests
// have matched since FailFrom.
func (f *Faults) Stop() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt, f.hold = 0, nil
	return f.seen
}

// Hold makes matching requests wait until release is called or their context ends. waiting is
// closed when the first one has arrived.
func (f *Faults) Hold(match func(method string, req any) bool) (waiting <-chan struct{}, release func()) {
	arrived := make(chan struct{})
	h := &hold{match: match, arrived: sync.OnceFunc(func() { close(arrived) }), released: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = h
	return arrived, sync.OnceFunc(func() { close(h.released) })
}

func (h *hold) wait(ctx context.Context, method string, req any) error {
	if h == nil || !h.match(method, req) {
		return nil
	}
	h.arrived()
	select {
	case <-h.released:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (f *Faults) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if err := hold.wait(ctx, method, req); err != nil {
		return err
	}
	f.mu.Lock()
	fail, first := false, false
	if f.match != nil && f.match(method, req) {
		f.seen++
		fail, first = f.failAt > 0 && f.seen >= f.failAt, f.seen == f.failAt
	}
	late, err := f.late, f.err
	f.mu.Unlock()
	if !fail {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	if first && late {
		if failed := invoke(ctx, method, req, reply, cc, opts...); failed != nil {
			return failed
		}
	}
	return err
}
