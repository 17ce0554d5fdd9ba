package server

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"throughline/internal/store"
	"throughline/internal/storetest"
	throughlinev1 "throughline/proto/throughline/v1"
)

// waitFor fails if something does not become true; it is for what happens soon but not at once.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no reader": func(c *Config) { c.Reader = nil },
		"no logger": func(c *Config) { c.Logger = nil },
		"no clock":  func(c *Config) { c.Now = nil },
	} {
		cfg := config(t, shared(t))
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	p := empty(t)
	fail := func() {
		p.store.FailFrom(1, func(string, any) bool { return true }, false, status.Error(codes.Unauthenticated, "no store"))
	}
	fail()
	cfg := config(t, p)
	cfg.Related = nil
	cfg.Ready = p.Store.Ready
	s := start(t, cfg)
	health := grpc_health_v1.NewHealthClient(s.conn)
	check := func(service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
		t.Helper()
		got, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetStatus()
	}
	const serving, not = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	for _, service := range append([]string{""}, Services...) {
		if got := check(service); got != not {
			t.Errorf("%q is %v before it is ready", service, got)
		}
	}
	p.store.Stop()
	waitFor(t, func() bool { return check("") == serving })
	for _, service := range Services {
		want := serving
		if service == throughlinev1.CoverageService_ServiceDesc.ServiceName {
			want = not // it has no engine
		}
		if got := check(service); got != want {
			t.Errorf("%q is %v, want %v", service, got, want)
		}
	}
	fail()
	waitFor(t, func() bool { return check("") == not })
	_, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "nope"})
	wantError(t, err, codes.NotFound, "PROTOCOL")
}

func TestReflectionListsTheServices(t *testing.T) {
	s := start(t, config(t, shared(t)))
	v1, err := grpc_reflection_v1.NewServerReflectionClient(s.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v1.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	got, err := v1.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, service := range got.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	for _, want := range append([]string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}, Services...) {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel() // it waits more than it works
	p := seeded(t)
	cfg := config(t, p)
	cfg.Timeout = 10 * time.Millisecond
	s := start(t, cfg)
	_, answer := p.store.Hold(storetest.Method("QueryBatch"))
	// The server's own, as the client has none.
	_, err := s.coverage.Related(t.Context(), &throughlinev1.RelatedRequest{ArticleId: "a0"})
	wantError(t, err, codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
	// An item of a batch runs out alone.
	stream, err := s.coverage.BatchRelated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&throughlinev1.BatchRelatedRequest{Request: &throughlinev1.RelatedRequest{ArticleId: "a0"}}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || codes.Code(got.GetStatus().GetCode()) != codes.DeadlineExceeded {
		t.Fatalf("%v, %v", got, err)
	}
	stream.CloseSend()
	stream.Recv()
	// The client's, which is longer than the server's own.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	time.AfterFunc(2*cfg.Timeout, answer)
	if _, err := s.coverage.Search(ctx, &throughlinev1.SearchRequest{Query: "election"}); err != nil {
		t.Fatal(err)
	}
}

// captured keeps a log.
type captured struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *captured) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *captured) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// panicking does so when one article is read.
type panicking struct{ Reader }

func (panicking) Get(context.Context, []string, store.With) ([]*store.Stored, error) {
	panic("a secret of the store")
}

// A panic costs one call. Its text is in the log with the request's id, and nowhere else.
func TestPanicsAreContained(t *testing.T) {
	cfg := config(t, shared(t))
	cfg.Reader = panicking{cfg.Reader}
	var log captured
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := start(t, cfg)
	ctx := metadata.AppendToOutgoingContext(t.Context(), requestIDHeader, "request-7")
	var header metadata.MD
	_, err := s.articles.GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "a0"}, grpc.Header(&header))
	e := wantError(t, err, codes.Internal, "INTERNAL")
	if e.request != "request-7" || strings.Contains(err.Error(), "secret") {
		t.Errorf("the client gets %v with request id %q", err, e.request)
	}
	if got := header.Get(requestIDHeader); len(got) != 1 || got[0] != "request-7" {
		t.Errorf("the header says %v", got)
	}
	if text := log.String(); !strings.Contains(text, "a secret of the store") || !strings.Contains(text, "request-7") {
		t.Errorf("the log says %s", text)
	}
	if _, err := s.articles.ListArticles(ctx, &throughlinev1.ListArticlesRequest{}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestMalformedAndOversizedMessages(t *testing.T) {
	cfg := config(t, shared(t))
	cfg.MaxMessage = 1 << 16
	s := start(t, cfg)
	var out throughlinev1.Article
	err := s.conn.Invoke(t.Context(), throughlinev1.ArticleService_GetArticle_FullMethodName, []byte("\xff\xff\xff"), &out, grpc.ForceCodec(rawCodec{}))
	wantError(t, err, codes.InvalidArgument, "MALFORMED_REQUEST")
	// Not UTF-8: field 1 (article_id) with one bad byte.
	err = s.conn.Invoke(t.Context(), throughlinev1.ArticleService_GetArticle_FullMethodName, []byte("\x0a\x01\xff"), &out, grpc.ForceCodec(rawCodec{}))
	wantError(t, err, codes.InvalidArgument, "MALFORMED_REQUEST")
	_, err = s.articles.PutArticle(t.Context(), &throughlinev1.PutArticleRequest{Article: &throughlinev1.Article{Text: strings.Repeat("x", 1<<17)}})
	if detailsOf(err).code != codes.ResourceExhausted {
		t.Error(err)
	}
	stream, err := s.articles.IngestArticles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&throughlinev1.IngestArticlesRequest{Article: &throughlinev1.Article{Text: strings.Repeat("x", 1<<17)}}); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); detailsOf(err).code != codes.ResourceExhausted {
		t.Error(err)
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string                  { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Unmarshal([]byte, any) error   { return nil }

// Shutdown lets a running call end.
func TestShutdownWaitsForCalls(t *testing.T) {
	p := seeded(t)
	s := start(t, config(t, p))
	entered, leave := p.store.Hold(storetest.Method("QueryBatch"))
	answered := make(chan error, 1)
	go func() {
		_, err := s.coverage.Search(context.Background(), &throughlinev1.SearchRequest{Query: "election"})
		answered <- err
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	<-s.draining.Done()
	leave()
	if err := <-answered; err != nil {
		t.Errorf("the running call: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Shutdown does not wait for ever.
func TestShutdownHasALimit(t *testing.T) {
	t.Parallel() // it waits more than it works
	p := seeded(t)
	cfg := config(t, p)
	cfg.Drain = 20 * time.Millisecond
	cfg.Timeout = time.Hour
	s := start(t, cfg)
	entered, _ := p.store.Hold(storetest.Method("QueryBatch"))
	answered := make(chan error, 1)
	go func() {
		_, err := s.coverage.Related(context.Background(), &throughlinev1.RelatedRequest{ArticleId: "a0"})
		answered <- err
	}()
	<-entered
	if err := s.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := <-answered; err == nil {
		t.Error("the call that was cut off succeeded")
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	s, err := New(config(t, shared(t)))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := s.Serve(t.Context(), listener, nil); err == nil || !strings.Contains(err.Error(), "serve gRPC") {
		t.Errorf("got %v", err)
	}
}
