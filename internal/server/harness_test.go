package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	longrunning "cloud.google.com/go/longrunning/autogen/longrunningpb"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	throughlinev1 "throughline/proto/throughline/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config is a server over m with everything on and no waiting.
func config(t testing.TB, m *memory) Config {
	return Config{
		Reader: m, Writer: m, Coverage: m, Stories: library{m},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    time.Now, Drain: 2 * time.Second, ReadyEvery: 10 * time.Millisecond,
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

// running is a server that serves on in-memory listeners until the test ends.
type running struct {
	*Server
	conn       *grpc.ClientConn
	articles   throughlinev1.ArticleServiceClient
	coverage   throughlinev1.CoverageServiceClient
	clusters   throughlinev1.ClusterServiceClient
	operations longrunning.OperationsClient
	http       string
	stop       func() error // stops the server and returns what Serve returned; may be called again
}

func start(t testing.TB, cfg Config) *running {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener, web) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
	})
	return &running{
		Server: s, conn: conn, articles: throughlinev1.NewArticleServiceClient(conn), coverage: throughlinev1.NewCoverageServiceClient(conn),
		clusters: throughlinev1.NewClusterServiceClient(conn), operations: longrunning.NewOperationsClient(conn),
		http: "http://" + web.Addr().String(), stop: stop,
	}
}

// discard is a logger for tests that would drown in their own log.
func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// told is what the details of an error say.
type told struct {
	code    codes.Code
	reason  string
	fields  map[string]string // BadRequest
	what    string            // ResourceInfo: type and name
	retry   bool
	request string // RequestInfo
}

func tellFrom(err error) told {
	st := status.Convert(err)
	out := told{code: st.Code(), fields: map[string]string{}}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == Domain {
				out.reason = d.GetReason()
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				out.fields[v.GetField()] = v.GetDescription()
			}
		case *errdetails.ResourceInfo:
			out.what = d.GetResourceType() + " " + d.GetResourceName()
		case *errdetails.RetryInfo:
			out.retry = d.GetRetryDelay().AsDuration() > 0
		case *errdetails.RequestInfo:
			out.request = d.GetRequestId()
		}
	}
	return out
}

// wantError fails unless err has the code, the reason and a violation of each field.
func wantError(t testing.TB, err error, code codes.Code, reason string, fields ...string) told {
	t.Helper()
	got := tellFrom(err)
	if got.code != code || got.reason != reason {
		t.Fatalf("got %v %q (%v), want %v %q", got.code, got.reason, err, code, reason)
	}
	for _, f := range fields {
		if _, ok := got.fields[f]; !ok {
			t.Fatalf("no violation of %q in %v (%v)", f, got.fields, err)
		}
	}
	if len(fields) > 0 && len(got.fields) != len(fields) {
		t.Fatalf("violations %v, want those of %v only", got.fields, fields)
	}
	return got
}

func ids[T interface{ GetId() string }](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.GetId()
	}
	return strings.Join(out, " ")
}
