package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"throughline/internal/qdrantlite"
)

// listen serves an embedded server on a port, behind a key.
func listen(t *testing.T, key string) string {
	t.Helper()
	srv, err := qdrantlite.Open(qdrantlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gs := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		if key != "" && strings.Join(md.Get("api-key"), "") != key {
			return nil, status.Error(codes.Unauthenticated, "no")
		}
		return handler(ctx, req)
	}))
	srv.Register(gs)
	done := make(chan error)
	go func() { done <- gs.Serve(listener) }()
	t.Cleanup(func() {
		gs.Stop()
		<-done
		srv.Close()
	})
	return listener.Addr().String()
}

func TestDial(t *testing.T) {
	addr := listen(t, "secret")
	conn, err := Dial(t.Context(), DialConfig{Addr: addr, APIKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := Open(t.Context(), conn, Config{Prefix: "p", Space: testSpace})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, newMaker(60).put("a", 1, 2))
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Dial(t.Context(), DialConfig{Addr: addr, APIKey: "wrong"}); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), addr) {
		t.Errorf("wrong key: %v", err)
	}
	if _, err := Dial(t.Context(), DialConfig{Addr: addr}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("no key: %v", err)
	}
}

func TestDialNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, DialConfig{Addr: addr}); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), addr) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"", ":6334", "host:", "host:0", "host:70000", "a:b:c", "host:x"} {
		if _, err := Dial(ctx, DialConfig{Addr: bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSplitAddr(t *testing.T) {
	for in, want := range map[string]string{"h": "h 6334", "h:1": "h 1", "[::1]:7": "::1 7", "1.2.3.4": "1.2.3.4 6334"} {
		host, port, err := splitAddr(in)
		if got := fmt.Sprint(host, " ", port); err != nil || got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
}

func TestLocal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for version := range 3 {
		conn, err := Local(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), conn, Config{Prefix: "p", Space: testSpace})
		if err != nil {
			t.Fatal(err)
		}
		if version > 0 {
			if got := checkWhole(t, s); got["a"] != version {
				t.Errorf("stored %v, want version %d", got, version)
			}
		}
		mustPut(t, s, newMaker(61).put("a", version+1, 2))
		if err := errors.Join(s.Close(), conn.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Local(t.TempDir(), nil); err == nil {
		t.Error("a directory was opened as a file")
	}
}

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
		code codes.Code
	}{
		{status.Error(codes.Unavailable, "x"), ErrUnavailable, codes.Unavailable},
		{status.Error(codes.ResourceExhausted, "x"), ErrOverloaded, codes.ResourceExhausted},
		{&qdrant.QdrantResourceExhaustedError{Reason: "x", RetryAfterS: 1}, ErrOverloaded, codes.ResourceExhausted},
		{fmt.Errorf("wrapped: %w", &qdrant.QdrantResourceExhaustedError{Reason: "x"}), ErrOverloaded, codes.ResourceExhausted},
		{status.Error(codes.Unauthenticated, "x"), ErrUnauthorized, codes.Unauthenticated},
		{status.Error(codes.PermissionDenied, "x"), ErrUnauthorized, codes.PermissionDenied},
		{status.Error(codes.NotFound, "x"), errNoCollection, codes.NotFound},
		{status.Error(codes.Canceled, "x"), context.Canceled, codes.Canceled},
		{context.Canceled, context.Canceled, codes.Canceled},
		{status.Error(codes.DeadlineExceeded, "x"), context.DeadlineExceeded, codes.DeadlineExceeded},
		{context.DeadlineExceeded, context.DeadlineExceeded, codes.DeadlineExceeded},
		{status.Error(codes.Internal, "secret path"), nil, codes.Internal},
		{errors.New("anything"), nil, codes.Unknown},
	} {
		err := translate("upsert", "c", c.err)
		var backend *BackendError
		if !errors.As(err, &backend) || backend.Code != c.code || c.want != nil && !errors.Is(err, c.want) || backend.Detail == "" {
			t.Errorf("%v: got %#v", c.err, err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the server's words are in %q", err)
		}
	}
	if err := translate("get", "c", nil); err != nil {
		t.Errorf("got %v", err)
	}
	if got := slog.AnyValue(translate("get", "c", status.Error(codes.Internal, "for the log"))).Resolve().String(); !strings.Contains(got, "for the log") {
		t.Errorf("the log shows %s", got)
	}
}

func TestCompleted(t *testing.T) {
	for state, ok := range map[qdrant.UpdateStatus]bool{
		qdrant.UpdateStatus_Completed: true, qdrant.UpdateStatus_Acknowledged: false, qdrant.UpdateStatus_ClockRejected: false,
		qdrant.UpdateStatus_WaitTimeout: false, qdrant.UpdateStatus_UnknownUpdateStatus: false,
	} {
		if err := completed("upsert", "c", &qdrant.UpdateResult{Status: state}); (err == nil) != ok {
			t.Errorf("%v: %v", state, err)
		}
	}
	if err := completed("upsert", "c", nil); err == nil {
		t.Error("no result counts as completed")
	}
}

// TestUnconfirmedWriteIsAnError: a write that is answered without being applied is not
// acknowledged.
func TestUnconfirmedWriteIsAnError(t *testing.T) {
	e := embeddedEnv(t)
	state := qdrant.UpdateStatus_Completed
	s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if up, ok := req.(*qdrant.UpsertPoints); ok {
			if !up.GetWait() {
				t.Error("a write does not wait")
			}
			if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
				return err
			}
			reply.(*qdrant.PointsOperationResponse).Result.Status = state
			return nil
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	state = qdrant.UpdateStatus_Acknowledged
	if err := s.Put(t.Context(), []Put{newMaker(62).put("a", 1, 1)})[0]; err == nil {
		t.Error("acknowledged without being applied")
	}
	state = qdrant.UpdateStatus_WaitTimeout
	if err := s.Apply(t.Context(), &Plan{NewStories: []Story{story("s", 1)}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	state = qdrant.UpdateStatus_Completed
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		errs     []error // of the first attempts
		attempts int
		ok       bool
	}{
		{"at once", nil, 1, true},
		{"after unavailable", []error{status.Error(codes.Unavailable, ""), status.Error(codes.Unavailable, "")}, 3, true},
		{"after a rate limit", []error{status.Error(codes.ResourceExhausted, "rate limit")}, 2, true},
		{"not a size", []error{status.Error(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 4)")}, 1, false},
		{"not input", []error{status.Error(codes.InvalidArgument, "")}, 1, false},
		{"not internal", []error{status.Error(codes.Internal, "")}, 1, false},
	} {
		attempts := 0
		invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			attempts++
			if attempts <= len(c.errs) {
				return c.errs[attempts-1]
			}
			return nil
		}
		err := retrier(orDiscard(nil))(t.Context(), "/m", nil, nil, nil, invoke)
		if attempts != c.attempts || (err == nil) != c.ok {
			t.Errorf("%s: %d attempts, %v", c.name, attempts, err)
		}
	}
}

func TestRetriesRespectTheDeadline(t *testing.T) {
	attempts := 0
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		attempts++
		return status.Error(codes.Unavailable, "")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // shorter than the first pause
	defer cancel()
	if err := retrier(orDiscard(nil))(ctx, "/m", nil, nil, nil, invoke); status.Code(err) != codes.Unavailable || attempts != 1 {
		t.Errorf("%d attempts, %v", attempts, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	attempts = 0
	if err := retrier(orDiscard(nil))(cancelled, "/m", nil, nil, nil, invoke); status.Code(err) != codes.Unavailable || attempts != 1 {
		t.Errorf("%d attempts, %v", attempts, err)
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{"3": 3 * time.Second, "": 0, "soon": 0, "-1": 0, "99999999999999": 0} {
		if got := retryAfter(metadata.Pairs("retry-after", value)); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if got := retryAfter(nil); got != 0 {
		t.Errorf("no trailer: %v", got)
	}
}

// TestPutSurvivesARateLimit sends a whole put through a server that refuses every other request.
func TestPutSurvivesARateLimit(t *testing.T) {
	e := embeddedEnv(t)
	n, limited := 0, false
	s := e.open(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if n++; limited && n%2 == 0 {
			return status.Error(codes.ResourceExhausted, "rate limit")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	limited = true
	mustPut(t, s, newMaker(63).put("a", 1, 3))
	limited = false
	checkWhole(t, s)
}

func FuzzSplitAddr(f *testing.F) {
	for _, s := range []string{"", "h", "h:1", "[::1]:2", ":", "a:b:c", "[", "h:00001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		host, port, err := splitAddr(addr)
		if err == nil && (host == "" || port < 1 || port > 65535) {
			t.Errorf("%q gives %q %d", addr, host, port)
		}
	})
}
