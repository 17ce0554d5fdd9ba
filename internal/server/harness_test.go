package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
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

	"throughline/embed/embedtest"
	"throughline/internal/news"
	"throughline/internal/producttest"
	"throughline/internal/storetest"
	throughlinev1 "throughline/proto/throughline/v1"
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range slices.Backward(atEnd) {
		end()
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// atEnd ends what all tests share.
var atEnd []func()

// lasting is a test whose cleanup waits for the end of all tests.
type lasting struct{ testing.TB }

func (lasting) Cleanup(end func()) { atEnd = append(atEnd, end) }

var made *product

// shared is a seeded product for tests that only read it and make nothing fail.
func shared(t testing.TB) *product {
	t.Helper()
	if made == nil {
		made = seeded(lasting{t})
	}
	return made
}

// product is the whole product behind a server, with what makes it fail.
type product struct {
	*producttest.Product
	store    *storetest.Faults
	embedder *embedtest.Hashed
}

// errOverloaded is an answer of the storage server after which nothing is tried again: overload by
// this one request.
var errOverloaded = status.Error(codes.ResourceExhausted, "message larger than max at a secret address")

// empty is a product that nothing is stored in.
func empty(t testing.TB) *product {
	return assemble(t, producttest.Options{})
}

func assemble(t testing.TB, o producttest.Options) *product {
	t.Helper()
	p := &product{store: &storetest.Faults{}, embedder: &embedtest.Hashed{}}
	o.Faults, o.Embedder = p.store, p.embedder
	p.Product = producttest.New(t, o)
	return p
}

// What seeded arranges its articles into.
const (
	fire, election, soup                = "story-1", "story-2", "story-3" // of a0 to a6, b0 and b1, c0 to c2
	fireTopic, electionTopic, soupTopic = "topic-4", "topic-5", "topic-6"
	cityTheme                           = "theme-7" // of the fire and the election
)

// seeded is a product with the articles of library, arranged.
func seeded(t testing.TB) *product {
	t.Helper()
	p := empty(t)
	p.Arrange(t, 4, library()...)
	return p
}

// library is 13 articles: three stories and d0, which stands alone. Those of the soup and d0 have
// no time.
func library() []news.Article {
	var all []news.Article
	for i, text := range []string{
		"The fire in the concert hall began at night.",
		"Firefighters fought the fire in the concert hall until morning.",
		"Nobody was hurt when the concert hall burned in the fire.",
		"The mayor visited the burned concert hall after the fire.",
		"The concert hall fire was put out, police said.",
		"Police look for the cause of the concert hall fire.",
		"Musicians mourn the concert hall after the fire.",
	} {
		all = append(all, article(fmt.Sprintf("a%d", i), "Fire in the concert hall", []string{"Herald", "Courier"}[i%2], day(1+i), text))
	}
	all = append(all,
		article("b0", "Election of the mayor contested", "Herald", day(3), "Votes of the election of the mayor were counted again after the fire."),
		article("b1", "Election of the mayor contested", "Herald", day(9), "Votes for the mayor go to court, police and lawyers said."),
	)
	for i, text := range []string{
		"Bean soup needs beans, water, patience.", "Thick bean soup has beans, garlic.", "Cook bean soup with garlic, serve it hot.",
	} {
		all = append(all, article(fmt.Sprintf("c%d", i), "Bean soup recipe", "Blog", time.Time{}, text))
	}
	return append(all, article("d0", "A quiet day", "Herald", time.Time{}, "Nothing happened."))
}

func article(id, title, source string, published time.Time, text string) news.Article {
	return news.Article{ID: id, Title: title, Source: source, Published: published, Sections: []news.Section{{Text: text}}}
}

// day is a fixed time of publication.
func day(n int) time.Time { return time.Date(2024, 3, n, 0, 0, 0, 0, time.UTC) }

// config is a server of p with everything on.
func config(t testing.TB, p *product) Config {
	return Config{
		Reader: p.Store, Writer: p.Ingest, Related: p.Related, Stories: p.Stories,
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
	listener := bufconn.Listen(64 << 10)
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

// details is what the details of an error say.
type details struct {
	code    codes.Code
	reason  string
	fields  map[string]string // BadRequest
	what    string            // ResourceInfo: type and name
	retry   bool
	request string // RequestInfo
}

func detailsOf(err error) details {
	st := status.Convert(err)
	out := details{code: st.Code(), fields: map[string]string{}}
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
func wantError(t testing.TB, err error, code codes.Code, reason string, fields ...string) details {
	t.Helper()
	got := detailsOf(err)
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
